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
from yiku.core.role import Decision, RoleUse, Routing
from yiku.core.tenant import Actor
from yiku.memory import agent_archive, ingest
from yiku.memory.draft import MAX_NAME
from yiku.memory.known import after
from yiku.memory.recall_text import said_in, speaker_of
from yiku.memory.roles import compile as compiling
from yiku.memory.roles import manage, route
from yiku.memory.roles.assign import THRESHOLD, route_rule
from yiku.memory.roles.compile import BUDGET, Compiled
from yiku.memory.roles.route import MAX_ACTIVE_ROLES
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
USUAL = RoleUse(
    max_active=MAX_ACTIVE_ROLES, budget=BUDGET, threshold=THRESHOLD, routing=Routing.EXPERTS
)
NOTHING = Compiled("", 0, (), (), 0)


@dataclass(frozen=True, slots=True)
class Opened:
    """What a message opens."""

    gating: Decision
    compiled: Compiled
    """What the roles remember for it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a message in the roles' memory."""

    message: Message
    added: Added


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
    agents: Agents,
    actor: Actor,
    state: AgentState,
    messages: Sequence[Message],
    use: RoleUse = USUAL,
) -> Opened | None:
    """What the last message opens, and what the roles remember for it; None: nobody was asked.

    Raises: ProviderError, StoreError.
    """
    archive = archive_of(state)
    context = "" if archive is None else context_of(messages)
    if archive is None or not context:
        return None
    conversation = conversation_of(messages[-1])
    try:
        gated = await route.gate(
            agents.memory,
            actor,
            archive,
            context,
            max_roles=use.max_active,
            routing=use.routing,
            conversation=conversation,
        )
    except RoleNotFound:
        return None
    if not gated.chosen:
        return Opened(gated, NOTHING)
    compiled = await compiling.compile_roles(
        agents.memory,
        actor,
        archive,
        gated.chosen,
        context=context,
        budget=use.budget,
        conversation=conversation,
    )
    return Opened(gated, compiled)


def context_of(messages: Sequence[Message]) -> str:
    """The last message of a user; behind what was answered before, where it says little alone."""
    spoken = [one for one in messages if one.role in SPEAKERS]
    texts = [one.text for one in spoken if one.text]
    if not spoken or spoken[-1].role is not MessageRole.USER or not texts:
        return ""
    return after(texts[-2], texts[-1]) if len(texts) > 1 else texts[-1]


def conversation_of(one: Message) -> str:
    """The name by which memories know the conversation it is of."""
    return str(one.conversation_id or one.agent_id)


async def remember(
    agents: Agents,
    actor: Actor,
    state: AgentState,
    messages: Sequence[Message] = (),
    use: RoleUse = USUAL,
) -> list[Kept]:
    """Keep what was said since the last time, each text in the roles it belongs to: by the run that
    has just ended, and by those that failed or were broken off before it.

    `messages`: what is in the run's context, behind which a short text is understood.
    Raises: ProviderError, StoreError.
    """
    archive = archive_of(state)
    done: list[Kept] = []
    if archive is None:
        return done
    for _ in range(PORTIONS):
        portion = await agents.database.read(actor, lambda tx: portion_of(tx, state, messages))
        if not portion.said:
            break
        try:
            done += await kept(agents, actor, archive, portion, use)
        except JobConflict:  # another run of the agent has kept it
            continue
    return done


async def kept(
    agents: Agents, actor: Actor, archive: ArchiveId, portion: Portion, use: RoleUse
) -> list[Kept]:
    """Raises: JobConflict, ProviderError, StoreError."""
    found, keep = portion.drafts(), portion.keep
    drafts = [draft for _, draft in found]
    rule = route_rule(use.threshold, use.routing)
    try:
        added = await ingest.add(agents.memory, actor, archive, drafts, rule=rule, also=keep)
    except Invalid:  # what can't be kept must not keep the rest from it
        logger.exception("what was said can't be kept in roles", extra={"agent": portion.agent.id})
        await ingest.add(agents.memory, actor, archive, [], also=keep)
        return []
    return [Kept(message, one) for (message, _), one in zip(found, added, strict=True)]


def portion_of(tx: Tx, state: AgentState, messages: Sequence[Message]) -> Portion:
    """The next messages that the roles haven't got."""
    seen = requests.job_position(tx, job_of(state.agent.id))
    known = [one for one in messages if one.seq <= seen and one.role in SPEAKERS]
    said = message_rows.unindexed(tx, state.agent.id, seen, BATCH)
    return Portion(state.agent, seen, tuple(said), tuple(known[-1:]))


def job_of(agent_id: AgentId) -> str:
    """How far the messages are kept in roles, noted with what is kept."""
    return f"roles:{agent_id}"


@dataclass(frozen=True, slots=True)
class Portion:
    """Some messages on their way into the roles."""

    agent: Agent
    seen: int
    said: tuple[Message, ...]
    before: tuple[Message, ...]
    """What was said last before them, where it is known."""

    def drafts(self) -> list[tuple[Message, Draft]]:
        made: list[tuple[Message, Draft]] = []
        last = {conversation_of(one): said_in(one) or "" for one in self.before}
        for one in self.said:
            text = said_in(one) if one.role in SPEAKERS else None
            if text is None:
                continue
            place = conversation_of(one)
            made.append((one, draft_of(self.agent, one, text, last.get(place, ""))))
            last[place] = text
        return made

    def keep(self, tx: Tx, archive: Archive, added: Sequence[Added]) -> None:
        """Raises: JobConflict where they were kept meanwhile."""
        last = self.said[-1].seq
        requests.set_job(tx, job_of(self.agent.id), archive.id, last, self.seen, kind="roles")


def draft_of(agent: Agent, one: Message, text: str, before: str) -> Draft:
    speaker = agent.name if one.role is MessageRole.ASSISTANT else speaker_of(one) or "user"
    alone = after(before, text)
    return Draft(
        text=text,
        at=one.created_at,
        speaker=speaker[:MAX_NAME],
        conversation=conversation_of(one),
        message=str(one.id),
        route_as=None if alone == text else alone,
    )
