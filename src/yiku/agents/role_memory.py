"""Role memory of an agent: what is said opens roles, and is kept in those it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.agents.shared import Agents
from yiku.core.agent import AgentState
from yiku.core.errors import RoleExists, RoleNotFound
from yiku.core.ids import ArchiveId
from yiku.core.language import language_of
from yiku.core.memory import Draft
from yiku.core.message import Message, MessageRole
from yiku.core.tenant import Actor
from yiku.memory import agent_archive, ingest
from yiku.memory.roles import compile as compiling
from yiku.memory.roles import manage, route
from yiku.memory.roles.templates import get_role_template_set
from yiku.store import agents as rows
from yiku.store.database import Tx

TEMPLATES = "all"
"""The set of role templates that an agent begins with."""
SHORT = 4
"""A message of fewer words says little alone: it is gated together with the one before it."""


def archive_of(state: AgentState) -> ArchiveId | None:
    """Where the agent's roles are; None: it has no role memory."""
    if not state.agent.config.role_memory or not state.archives:
        return None
    return state.archives[0]


async def prepare(agents: Agents, actor: Actor, state: AgentState) -> AgentState:
    """Give an agent that has role memory an archive with roles: those it has, else the templates'.

    Raises: AgentNotFound, ProviderError, StoreError.
    """

    def unit(tx: Tx) -> AgentState:
        agent_archive.ensure(tx, state.agent.id)
        return rows.state(tx, state.agent.id)

    if not state.agent.config.role_memory:
        return state
    state = await agents.database.write(actor, unit)
    archive = state.archives[0]
    if not await manage.listed(agents.memory, actor, archive):
        known = [state.agent.config.system, *(one.value for one in state.blocks)]
        made = get_role_template_set(TEMPLATES, language=language_of(known))
        try:
            await manage.add(agents.memory, actor, archive, made)
        except RoleExists:  # somebody else made them at the same moment
            return state
    return state


async def opened(
    agents: Agents, actor: Actor, state: AgentState, messages: Sequence[Message]
) -> str:
    """What the roles that the last message opens remember; empty where it opens none.

    Raises: ProviderError, StoreError.
    """
    archive = archive_of(state)
    context = "" if archive is None else context_of(messages)
    if archive is None or not context:
        return ""
    conversation = str(state.agent.id)
    try:
        gated = await route.gate(agents.memory, actor, archive, context, conversation=conversation)
    except RoleNotFound:
        return ""
    if not gated.chosen:
        return ""
    compiled = await compiling.compile_roles(
        agents.memory, actor, archive, gated.chosen, context=context, conversation=conversation
    )
    return compiled.text


def context_of(messages: Sequence[Message]) -> str:
    """The last message of a user; with what was answered before, where it says little alone."""
    spoken = [one for one in messages if one.role in (MessageRole.USER, MessageRole.ASSISTANT)]
    texts = [one.text for one in spoken if one.text]
    if not spoken or spoken[-1].role is not MessageRole.USER or not texts:
        return ""
    last = texts[-1]
    few = len(last.split()) < SHORT and len(last) < 4 * SHORT
    return "\n".join(texts[-2:]) if few else last


async def remember(
    agents: Agents, actor: Actor, state: AgentState, messages: Sequence[Message]
) -> None:
    """Keep what a run said, each text in the roles it belongs to. What is repeated is linked, not
    stored again, so this may be done twice.

    Raises: ProviderError, StoreError.
    """
    archive = archive_of(state)
    if archive is None:
        return
    drafts = [
        draft_of(state, one)
        for one in messages
        if one.role in (MessageRole.USER, MessageRole.ASSISTANT) and one.text.strip()
    ]
    await ingest.add(agents.memory, actor, archive, drafts)


def draft_of(state: AgentState, one: Message) -> Draft:
    speaker = state.agent.name if one.role is MessageRole.ASSISTANT else one.name or "user"
    return Draft(
        text=one.text,
        at=one.created_at,
        speaker=speaker,
        conversation=str(state.agent.id),
        message=str(one.id),
    )
