"""Role memory of an agent: what is said opens roles, and is kept in those it belongs to."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from yiku.agents.shared import Agents
from yiku.core.agent import Agent, AgentState
from yiku.core.errors import Invalid, JobConflict, RoleExists, RoleNotFound
from yiku.core.ids import AgentId, ArchiveId
from yiku.core.language import language_of
from yiku.core.memory import Added, Archive, Draft
from yiku.core.message import Message, MessageRole
from yiku.core.tenant import Actor
from yiku.memory import agent_archive, ingest
from yiku.memory.draft import MAX_NAME
from yiku.memory.recall_text import said_in, speaker_of
from yiku.memory.roles import compile as compiling
from yiku.memory.roles import manage, route
from yiku.memory.roles.templates import get_role_template_set
from yiku.store import agents as rows
from yiku.store import messages as message_rows
from yiku.store import requests
from yiku.store.database import Tx

logger = logging.getLogger(__name__)

TEMPLATES = "all"
"""The set of role templates that an agent begins with."""
SPEAKERS = (MessageRole.USER, MessageRole.ASSISTANT)
BATCH = 64
"""Messages that are kept at once."""
PORTIONS = 4
"""Batches after one run: an agent that had a history before it got roles learns it bit by bit."""
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


async def remember(agents: Agents, actor: Actor, state: AgentState) -> None:
    """Keep what was said since the last time, each text in the roles it belongs to: by the run that
    has just ended, and by those that failed or were broken off before it.

    Raises: ProviderError, StoreError.
    """
    archive = archive_of(state)
    if archive is None:
        return
    for _ in range(PORTIONS):
        portion = await agents.database.read(actor, lambda tx: portion_of(tx, state))
        if not portion.said:
            return
        try:
            await kept(agents, actor, archive, portion)
        except JobConflict:  # another run of the agent has kept it
            continue


async def kept(agents: Agents, actor: Actor, archive: ArchiveId, portion: Portion) -> None:
    """Raises: JobConflict, ProviderError, StoreError."""
    try:
        await ingest.add(agents.memory, actor, archive, portion.drafts(), also=portion.keep)
    except Invalid:  # what can't be kept must not keep the rest from it
        logger.exception("what was said can't be kept in roles", extra={"agent": portion.agent.id})
        await ingest.add(agents.memory, actor, archive, [], also=portion.keep)


def portion_of(tx: Tx, state: AgentState) -> Portion:
    """The next messages that the roles haven't got."""
    seen = requests.job_position(tx, job_of(state.agent.id))
    return Portion(
        state.agent, seen, tuple(message_rows.unindexed(tx, state.agent.id, seen, BATCH))
    )


def job_of(agent_id: AgentId) -> str:
    """How far the messages are kept in roles, noted with what is kept."""
    return f"roles:{agent_id}"


@dataclass(frozen=True, slots=True)
class Portion:
    """Some messages on their way into the roles."""

    agent: Agent
    seen: int
    said: tuple[Message, ...]

    def drafts(self) -> list[Draft]:
        spoken = (one for one in self.said if one.role in SPEAKERS)
        return [draft_of(self.agent, one, text) for one in spoken if (text := said_in(one))]

    def keep(self, tx: Tx, archive: Archive, added: Sequence[Added]) -> None:
        """Raises: JobConflict where they were kept meanwhile."""
        last = self.said[-1].seq
        requests.set_job(tx, job_of(self.agent.id), archive.id, last, self.seen, kind="roles")


def draft_of(agent: Agent, one: Message, text: str) -> Draft:
    speaker = agent.name if one.role is MessageRole.ASSISTANT else speaker_of(one) or "user"
    return Draft(
        text=text,
        at=one.created_at,
        speaker=speaker[:MAX_NAME],
        conversation=str(agent.id),
        message=str(one.id),
    )
