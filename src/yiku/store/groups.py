"""Queries on groups of agents. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, delete, func, insert, select, update

from yiku.core.errors import BlockNotFound, GroupNotFound
from yiku.core.group import (
    Group,
    GroupFilter,
    GroupPage,
    GroupState,
    Manager,
    ManagerType,
)
from yiku.core.ids import AgentId, BlockId, GroupId
from yiku.store import attachments, paging
from yiku.store.attachments import BLOCK
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.hot import Select as Hot
from yiku.store.paging import Order, Place
from yiku.store.place_tables import agent_group, group_agent, group_block

FORM = Form(agent_group)
SAME = ("description", "project_id", "hidden", "updated_at", "updated_by")
KEPT = ("id", "organization_id", "created_at", "created_by")

_INSERT = FORM.insert()
# `|| ''` keeps SQLite from going through all groups of the organization, by its index.
_MANAGED = Hot(
    f"SELECT {FORM.columns} FROM agent_group WHERE manager_agent_id IN :ids*"
    " AND organization_id || '' = :organization ORDER BY seq"
)


def of_row(row: Any) -> Group:
    return of_values(dict(zip(FORM.names, tuple(row), strict=True)))


def of_values(values: dict[str, Any]) -> Group:
    manager = Manager(
        type=ManagerType(values.pop("manager_type")),
        agent_id=values.pop("manager_agent_id"),
        config=values.pop("config"),
    )
    return Group(manager=manager, **values)


def values_of(one: Group, *names: str) -> dict[str, Any]:
    return {
        **{name: getattr(one, name) for name in names},
        "manager_type": one.manager.type.value,
        "manager_agent_id": one.manager.agent_id,
        "config": dict(one.manager.config),
    }


def ours(tx: Tx) -> ColumnElement[bool]:
    return agent_group.c.organization_id == tx.actor.organization_id


def get(tx: Tx, group_id: GroupId) -> Group:
    """Raises: GroupNotFound."""
    return the_one(tx, select(agent_group), group_id)


def get_to_change(tx: Tx, group_id: GroupId) -> Group:
    """As `get`; until the commit nobody else changes it. Raises: GroupNotFound."""
    return the_one(tx, select(agent_group).with_for_update(), group_id)


def the_one(tx: Tx, query: Select[Any], group_id: GroupId) -> Group:
    one = query.where(agent_group.c.id == group_id, ours(tx))
    row = tx.connection.execute(one).first() if askable(group_id) else None
    if row is None:
        raise GroupNotFound(f"There is no group {group_id}.", group_id=group_id)
    return of_row(row)


def add(tx: Tx, new: Group) -> Group:
    """Returns it with its `seq`."""
    row = values_of(new, *SAME, *KEPT)
    [(seq,)] = _INSERT.rows(tx.connection, **FORM.parameters(row))
    return replace(new, seq=seq)


def change(tx: Tx, one: Group) -> Group:
    changed = replace(one, updated_at=tx.now, updated_by=tx.actor.user_id)
    row = values_of(changed, *SAME)
    tx.connection.execute(
        update(agent_group).where(agent_group.c.id == one.id, ours(tx)).values(row)
    )
    return changed


def remove(tx: Tx, group_id: GroupId) -> None:
    """Its agents and blocks stay. Raises: GroupNotFound."""
    found = get_to_change(tx, group_id)
    tx.connection.execute(delete(agent_group).where(agent_group.c.id == found.id))


def set_agents(tx: Tx, group_id: GroupId, ids: Sequence[AgentId]) -> None:
    """These, in this order, and no others. Raises: AgentNotFound."""
    for agent_id in ids:
        attachments.demand(tx, agent_id)
    write(tx, group_agent, "agent_id", group_id, ids)


def set_blocks(tx: Tx, group_id: GroupId, ids: Sequence[BlockId]) -> None:
    """These, in this order, and no others. Raises: BlockNotFound."""
    attachments.known(tx, BLOCK, ids)
    write(tx, group_block, "block_id", group_id, ids)


def write(tx: Tx, links: Table, key: str, group_id: GroupId, ids: Sequence[str]) -> None:
    tx.connection.execute(delete(links).where(links.c.group_id == group_id))
    row = {"group_id": group_id, "organization_id": tx.actor.organization_id}
    rows = [{**row, key: one, "position": n} for n, one in enumerate(dict.fromkeys(ids))]
    if rows:
        tx.connection.execute(insert(links), rows)


def share(tx: Tx, state: GroupState) -> None:
    """Its agents, and the one that manages it, have its blocks. Raises: LabelTaken."""
    members = {*state.agents} | ({state.group.manager.agent_id} - {None})
    for agent_id in sorted(one for one in members if one):  # in one order: nobody waits in a ring
        for block_id in state.blocks:
            attachments.attach_block(tx, agent_id, block_id)


def drop_block(tx: Tx, group_id: GroupId, block_id: BlockId) -> None:
    """It is the group's no longer; its agents keep it. Raises: BlockNotFound."""
    links = group_block
    gone = (
        askable(block_id)
        and tx.connection.execute(
            delete(links)
            .where(links.c.group_id == group_id, links.c.block_id == block_id)
            .returning(links.c.position)
        ).first()
    )
    if not gone:
        raise BlockNotFound(f"The group {group_id} has no block {block_id}.", block_id=block_id)


def state(tx: Tx, one: Group) -> GroupState:
    return states(tx, [one])[0]


def states(tx: Tx, found: Sequence[Group]) -> list[GroupState]:
    """With what they have, in two statements however many."""
    if not found:
        return []
    ids = [one.id for one in found]
    agents = linked(tx, group_agent, "agent_id", ids)
    blocks = linked(tx, group_block, "block_id", ids)
    return [
        GroupState(group=one, agents=tuple(agents[one.id]), blocks=tuple(blocks[one.id]))
        for one in found
    ]


def linked(tx: Tx, links: Table, key: str, ids: Sequence[GroupId]) -> dict[GroupId, list[Any]]:
    found: dict[GroupId, list[Any]] = {one: [] for one in ids}
    query = select(links.c.group_id, links.c[key]).where(links.c.group_id.in_(ids))
    for group_id, what in tx.connection.execute(query.order_by(links.c.position)):
        found[group_id].append(what)
    return found


def managed_by(tx: Tx, ids: Sequence[AgentId]) -> dict[AgentId, GroupState]:
    """By agent, the newest group that each manages."""
    asked = {"ids": list(ids), "organization": tx.actor.organization_id}
    rows = _MANAGED.rows(tx.connection, **asked) if ids else ()
    groups = [of_values(FORM.values(row)) for row in rows]
    found = {one.group.manager.agent_id: one for one in states(tx, groups)}
    return {agent_id: one for agent_id, one in found.items() if agent_id is not None}


def around(tx: Tx, agent_id: AgentId) -> list[GroupState]:
    """The groups that an agent is in or manages, the oldest first."""
    of_it = select(group_agent.c.group_id).where(group_agent.c.agent_id == agent_id)
    is_of_it = agent_group.c.id.in_(of_it) | (agent_group.c.manager_agent_id == agent_id)
    query = select(agent_group).where(ours(tx), is_of_it).order_by(agent_group.c.seq)
    return states(tx, [of_row(row) for row in tx.connection.execute(query)])


def page(tx: Tx, wanted: GroupFilter, part: GroupPage) -> list[Group]:
    """In the order they were made.

    Raises: GroupNotFound where one that bounds the page isn't there.
    """

    def place(group_id: str) -> Place:
        return None, get(tx, GroupId(group_id)).seq

    query = select(agent_group.c.seq).where(ours(tx), *conditions(wanted))
    seqs = paging.seqs(tx, query, Order(agent_group.c.seq), part, place)
    rows = tx.connection.execute(select(agent_group).where(agent_group.c.seq.in_(seqs)))
    return paging.in_order(seqs, map(of_row, rows))


def count(tx: Tx) -> int:
    query = select(func.count()).select_from(agent_group).where(ours(tx))
    return int(tx.connection.execute(query).scalar_one())


def conditions(wanted: GroupFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.manager_type is not None:
        found.append(agent_group.c.manager_type == wanted.manager_type.value)
    if wanted.project_id is not None:
        found.append(agent_group.c.project_id == wanted.project_id)
    if not wanted.with_hidden:
        found.append(agent_group.c.hidden.is_(False))
    return found
