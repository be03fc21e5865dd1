"""What agents have: their blocks, tools, archives and folders, in the order they were attached."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Table, delete, func, select, update

from yiku.core.errors import (
    AgentNotFound,
    ArchiveNotFound,
    BlockNotFound,
    FolderNotFound,
    IdentityNotFound,
    LabelTaken,
    NotFound,
    ToolNotFound,
)
from yiku.core.ids import AgentId, ArchiveId, BlockId, IdentityId, ToolId
from yiku.store.agent_tables import agent, agent_archive, agent_block, agent_tool
from yiku.store.block_tables import block
from yiku.store.database import Tx
from yiku.store.file_tables import agent_folder, folder
from yiku.store.forms import Form, askable
from yiku.store.hot import Select as Hot
from yiku.store.place_tables import agent_identity, identity
from yiku.store.tables import archive
from yiku.store.tool_tables import tool


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of things that agents have."""

    noun: str
    things: Table
    links: Table
    missing: type[NotFound]

    @property
    def key(self) -> str:
        return f"{self.noun}_id"

    def not_found(self, some_id: str) -> NotFound:
        return self.missing(f"There is no {self.noun} {some_id}.", **{self.key: some_id})


BLOCK = Kind("block", block, agent_block, BlockNotFound)
TOOL = Kind("tool", tool, agent_tool, ToolNotFound)
ARCHIVE = Kind("archive", archive, agent_archive, ArchiveNotFound)
FOLDER = Kind("folder", folder, agent_folder, FolderNotFound)
IDENTITY = Kind("identity", identity, agent_identity, IdentityNotFound)


class Statements:
    """On the driver's own connection: an agent is made of them."""

    def __init__(self, kind: Kind) -> None:
        label = "label" if kind is BLOCK else "name"
        # `|| ''` keeps SQLite from going through all of the organization's, by its index.
        there = (
            f"SELECT id, {label} FROM {kind.noun}"
            " WHERE id IN :ids* AND organization_id || '' = :organization"
        )
        own = "label" if kind is BLOCK else "NULL"
        self.there = Hot(there)
        self.held = Hot(f"{there} FOR SHARE")
        self.has = Hot(
            f"SELECT {kind.key}, {own}, position FROM {kind.links.name} WHERE agent_id = :agent"
        )
        self.insert = Form(kind.links).insert()


STATEMENTS = {kind.noun: Statements(kind) for kind in (BLOCK, TOOL, ARCHIVE, FOLDER, IDENTITY)}


def attach_block(tx: Tx, agent_id: AgentId, block_id: BlockId, *, owned: bool = False) -> None:
    """Give an agent a block, the last of its blocks; nothing happens where it has it already.

    `owned`: the block is erased with the agent, where no other agent has it then.
    Raises: AgentNotFound, BlockNotFound, LabelTaken.
    """
    attach(tx, BLOCK, agent_id, block_id, owned=owned)


def detach_block(tx: Tx, agent_id: AgentId, block_id: BlockId) -> None:
    """Raises: AgentNotFound; BlockNotFound where the agent hasn't got it."""
    detach(tx, BLOCK, agent_id, block_id)


def attach_tool(tx: Tx, agent_id: AgentId, tool_id: ToolId) -> None:
    """As `attach_block`. Raises: AgentNotFound, ToolNotFound."""
    attach(tx, TOOL, agent_id, tool_id)


def detach_tool(tx: Tx, agent_id: AgentId, tool_id: ToolId) -> None:
    """Raises: AgentNotFound; ToolNotFound where the agent hasn't got it."""
    detach(tx, TOOL, agent_id, tool_id)


def attach_archive(
    tx: Tx, agent_id: AgentId, archive_id: ArchiveId, *, owned: bool = False
) -> None:
    """As `attach_block`. Raises: AgentNotFound, ArchiveNotFound."""
    attach(tx, ARCHIVE, agent_id, archive_id, owned=owned)


def detach_archive(tx: Tx, agent_id: AgentId, archive_id: ArchiveId) -> None:
    """Raises: AgentNotFound; ArchiveNotFound where the agent hasn't got it."""
    detach(tx, ARCHIVE, agent_id, archive_id)


def attach_identity(tx: Tx, agent_id: AgentId, identity_id: IdentityId) -> None:
    """As `attach_block`. Raises: AgentNotFound, IdentityNotFound."""
    attach(tx, IDENTITY, agent_id, identity_id)


def detach_identity(tx: Tx, agent_id: AgentId, identity_id: IdentityId) -> None:
    """Raises: AgentNotFound; IdentityNotFound where the agent hasn't got it."""
    detach(tx, IDENTITY, agent_id, identity_id)


def attach(tx: Tx, kind: Kind, agent_id: AgentId, some_id: str, *, owned: bool = False) -> None:
    hold(tx, agent_id)
    if link(tx, kind, agent_id, [some_id], owned=[some_id] if owned else []):
        touch(tx, agent_id)


def detach(tx: Tx, kind: Kind, agent_id: AgentId, some_id: str) -> None:
    hold(tx, agent_id)
    links = kind.links
    gone = (
        askable(some_id)
        and tx.connection.execute(
            delete(links)
            .where(links.c.agent_id == agent_id, links.c[kind.key] == some_id)
            .returning(links.c.position)
        ).first()
    )
    if not gone:
        raise kind.missing(
            f"Agent {agent_id} has no {kind.noun} {some_id}.",
            agent_id=agent_id,
            **{kind.key: some_id},
        )
    touch(tx, agent_id)


def link(
    tx: Tx, kind: Kind, agent_id: AgentId, ids: Sequence[str], *, owned: Collection[str] = ()
) -> bool:
    """Attach things to an agent that is held; whether there were any it hadn't got.

    Raises: NotFound of the kind, LabelTaken.
    """
    if not ids:
        return False
    labels, ask = known(tx, kind, ids), STATEMENTS[kind.noun]
    has = ask.has.rows(tx.connection, agent=agent_id)
    there = {row[0] for row in has}
    new = [one for one in dict.fromkeys(ids) if one not in there]
    if not new:
        return False
    if kind is BLOCK:
        demand_free([row[1] for row in has], [labels[one] for one in new])
    last = max((row[2] for row in has), default=-1)
    for position, one in enumerate(new, last + 1):
        row: dict[str, object] = {
            "agent_id": agent_id,
            kind.key: one,
            "organization_id": tx.actor.organization_id,
            "position": position,
            "label": labels[one],
            "owned": one in owned,
        }
        ask.insert.rows(tx.connection, **{c.name: row[c.name] for c in kind.links.c})
    return True


def known(tx: Tx, kind: Kind, ids: Sequence[str]) -> dict[str, str]:
    """The blocks' labels by id, of other things their names; none goes or changes until the commit.

    Raises: NotFound of the kind.
    """
    ask = STATEMENTS[kind.noun]
    rows = (ask.held if tx.postgres else ask.there).rows(
        tx.connection,
        ids=[one for one in ids if askable(one)],
        organization=tx.actor.organization_id,
    )
    found = {row[0]: row[1] for row in rows}
    for one in ids:
        if one not in found:
            raise kind.not_found(one)
    return found


def demand_free(taken: Sequence[str], new: Sequence[str]) -> None:
    """Raises: LabelTaken."""
    seen = set(taken)
    for label in new:
        if label in seen:
            raise label_taken(label)
        seen.add(label)


def label_taken(label: str) -> LabelTaken:
    return LabelTaken(
        f"The agent would have two blocks with the label {label!r}. Detach the other one first, or"
        " choose another label.",
        label=label,
    )


def hold(tx: Tx, agent_id: AgentId) -> None:
    """Until the commit nobody else changes the agent. Raises: AgentNotFound."""
    # The key stays: rows that refer to the agent may come meanwhile.
    demand_found(tx, agent_id, one(tx, agent_id).with_for_update(key_share=True))


def demand(tx: Tx, agent_id: AgentId) -> None:
    """Raises: AgentNotFound."""
    demand_found(tx, agent_id, one(tx, agent_id))


def one(tx: Tx, agent_id: AgentId) -> Select[Any]:
    return select(agent.c.seq).where(
        agent.c.id == agent_id, agent.c.organization_id == tx.actor.organization_id
    )


def demand_found(tx: Tx, agent_id: AgentId, query: Select[Any]) -> None:
    if not askable(agent_id) or tx.connection.execute(query).first() is None:
        raise no_agent(agent_id)


def no_agent(agent_id: str) -> AgentNotFound:
    return AgentNotFound(
        f"There is no agent {agent_id}.", zh=f"没有智能体 {agent_id}。", agent_id=agent_id
    )


def touch(tx: Tx, *agent_ids: AgentId) -> None:
    """Count a change of what the agents have."""
    tx.connection.execute(
        update(agent)
        .where(
            agent.c.id.in_(agent_ids),
            agent.c.organization_id == tx.actor.organization_id,
        )
        .values(version=agent.c.version + 1, updated_at=tx.now, updated_by=tx.actor.user_id)
    )


def let_go(tx: Tx, kind: Kind, some_id: str) -> None:
    """Detach from all agents what is about to be deleted; the caller has seen that it is ours."""
    links = kind.links
    rows = tx.connection.execute(
        delete(links).where(links.c[kind.key] == some_id).returning(links.c.agent_id)
    )
    held_by = [row[0] for row in rows]
    if held_by:
        touch(tx, *held_by)


def relabel(tx: Tx, block_id: BlockId, label: str) -> None:
    """A block is called otherwise from now on. Raises: LabelTaken where an agent has another such.

    The caller has seen that it is ours, and holds it.
    """
    other = agent_block.alias()
    holders = select(agent_block.c.agent_id).where(agent_block.c.block_id == block_id)
    taken = select(func.count()).where(
        other.c.agent_id.in_(holders), other.c.label == label, other.c.block_id != block_id
    )
    if tx.connection.execute(taken).scalar_one():
        raise label_taken(label)
    tx.connection.execute(
        update(agent_block).where(agent_block.c.block_id == block_id).values(label=label)
    )


def owned_alone(tx: Tx, kind: Kind, agent_id: AgentId) -> list[str]:
    """What was made with the agent, and no other agent has. None of it changes until the commit."""
    links, things = kind.links, kind.things
    mine = select(links.c[kind.key]).where(links.c.agent_id == agent_id, links.c.owned)
    held = tx.connection.execute(
        select(things.c.id).where(things.c.id.in_(mine)).with_for_update()
    ).scalars()
    ids = list(held)
    others = tx.connection.execute(
        select(links.c[kind.key]).where(links.c[kind.key].in_(ids), links.c.agent_id != agent_id)
    ).scalars()
    shared = set(others)
    return [one for one in ids if one not in shared]
