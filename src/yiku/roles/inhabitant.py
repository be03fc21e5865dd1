"""The agent of a role memory in the database: found, or made, and given what it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import uuid5

from yiku.agents import make
from yiku.agents.make import NewAgent
from yiku.app import App
from yiku.core.agent import AgentState
from yiku.core.block import Block
from yiku.core.conversation import Conversation, ConversationSettings
from yiku.core.errors import AgentNotFound, ConversationNotFound, Invalid
from yiku.core.ids import AgentId, ArchiveId, ConversationId
from yiku.core.memory import Archive
from yiku.core.tenant import Actor
from yiku.memory.archival import Place
from yiku.store import agents, archives, conversations, role_blocks
from yiku.store.database import Tx
from yiku.store.role_blocks import HUMAN, NAMESPACE, PERSONA


@dataclass(frozen=True, slots=True)
class Wanted:
    """An agent as its program names it."""

    id: str
    """The database's, or any other name; in its memory it means the same agent each time."""
    name: str
    system: str
    """Empty: the instructions of its kind."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of it."""

    archive: Archive
    blocks: tuple[Block, ...]
    """The memory's, which its agents share."""
    state: AgentState | None
    ours: bool
    """Whether it was made here, so that its program says how it is called and instructed."""


def archive_of_agent(tx: Tx, agent_id: AgentId) -> Archive | None:
    """Where an agent writes; None: there is no such agent, or it has no archive yet."""
    try:
        first = agents.archives_of(tx, agent_id)[:1]
    except AgentNotFound:
        return None
    return archives.get(tx, first[0]) if first else None


async def the_agent(app: App, actor: Actor, place: Place, wanted: Wanted) -> AgentState:
    """The agent, with role memory in this archive and the memory's blocks.

    Raises: Invalid where an agent of that id has its memory elsewhere; NotAllowed, StoreError.
    """
    found = await app.database.write(actor, lambda tx: look(tx, place, wanted))
    state = found.state
    if state is None:
        given = {"name": wanted.name, "system": wanted.system, "role_memory": True}
        new = NewAgent(
            id=own_id(found.archive.id, wanted.id),
            given=given,
            archive_ids=(found.archive.id,),
            block_ids=tuple(one.id for one in found.blocks),
        )
        return await make.create(app.agents, actor, new)
    config = state.agent.config
    changes: dict[str, object] = {} if config.role_memory else {"role_memory": True}
    if found.ours and config.name != wanted.name:
        changes["name"] = wanted.name
    if found.ours and wanted.system and config.system != wanted.system:
        changes["system"] = wanted.system
    if changes:
        state = await make.update(app.agents, actor, state.agent.id, changes)
    missing = lacking(state, found.blocks)
    if missing:
        return await app.database.write(actor, lambda tx: attached(tx, state.agent.id, missing))
    return state


async def the_conversation(app: App, actor: Actor, agent_id: AgentId, name: str) -> ConversationId:
    """The agent's conversation of this id, or the one it has under this name; made where there is
    none. Raises: NotAllowed, StoreError."""
    own = ConversationId(f"conv-{uuid5(NAMESPACE, f'{agent_id} {name}')}")

    def unit(tx: Tx) -> ConversationId:
        for one in (ConversationId(name), own):
            with suppress(ConversationNotFound):
                if conversations.get(tx, one).agent_id == agent_id:
                    return one
        new = Conversation(
            id=own,
            organization_id=tx.actor.organization_id,
            agent_id=agent_id,
            settings=ConversationSettings(summary=name),
            created_at=tx.now,
            created_by=tx.actor.user_id,
            updated_at=tx.now,
            updated_by=tx.actor.user_id,
        )
        return conversations.add(tx, new).id

    return await app.database.write(actor, unit)


def look(tx: Tx, place: Place, wanted: Wanted) -> Found:
    """Raises: Invalid."""
    archive = archives.ensure(tx, place.owner, place.name)
    shared = tuple(role_blocks.find(tx, archive.id, [PERSONA, HUMAN]))
    given = AgentId(wanted.id)
    for agent_id, ours in ((given, False), (own_id(archive.id, given), True)):
        if agents.is_there(tx, agent_id):
            if not agents.archives_of(tx, agent_id):
                agents.attach_archive(tx, agent_id, archive.id)
            state = agents.state(tx, agent_id)
            demand_here(state, archive)
            return Found(archive, shared, state, ours)
    return Found(archive, shared, None, True)


def own_id(archive_id: ArchiveId, name: str) -> AgentId:
    """The same for the same name in the same archive, so that nothing is made twice."""
    return AgentId(f"agent-{uuid5(NAMESPACE, f'{archive_id} {name}')}")


def demand_here(state: AgentState, archive: Archive) -> None:
    """Raises: Invalid."""
    if state.archives[0] != archive.id:
        raise Invalid(
            f"Agent {state.agent.id} keeps its memories in archive {state.archives[0]}, not in"
            f" {archive.name!r}: create_embedding_moe_agent_async opens it where they are.",
            field="agent_id",
        )


def lacking(state: AgentState, shared: Sequence[Block]) -> list[Block]:
    """The memory's blocks that it hasn't got; one of its own of such a label it keeps."""
    return [one for one in shared if state.block(one.label) is None]


def attached(tx: Tx, agent_id: AgentId, missing: Sequence[Block]) -> AgentState:
    for one in missing:
        agents.attach_block(tx, agent_id, one.id)
    return agents.state(tx, agent_id)
