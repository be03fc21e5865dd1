"""Queries on identities, and on what is theirs. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, insert, select, update

from yiku.core.errors import IdentityExists
from yiku.core.identity import (
    Identity,
    IdentityFilter,
    IdentityPage,
    IdentityProperty,
    IdentityState,
    IdentityType,
)
from yiku.core.ids import AgentId, BlockId, IdentityId
from yiku.store import attachments, paging
from yiku.store.attachments import BLOCK, IDENTITY
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.paging import Order, Place
from yiku.store.place_tables import agent_identity, block_identity, identity

FORM = Form(identity)
CHANGING = ("identifier_key", "name", "identity_type", "project_id", "properties")

_INSERT = FORM.insert()


def of_row(row: Any) -> Identity:
    values: dict[str, Any] = dict(zip(FORM.names, tuple(row), strict=True))
    values["identity_type"] = IdentityType(values["identity_type"])
    values["properties"] = tuple(IdentityProperty(**one) for one in values["properties"])
    return Identity(**values)


def values_of(one: Identity, names: Sequence[str]) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(one, name) for name in names}
    values["identity_type"] = one.identity_type.value
    values["properties"] = [asdict(each) for each in one.properties]
    return values


def ours(tx: Tx) -> ColumnElement[bool]:
    return identity.c.organization_id == tx.actor.organization_id


def get(tx: Tx, identity_id: IdentityId) -> Identity:
    """Raises: IdentityNotFound."""
    return the_one(tx, select(identity), identity_id)


def get_to_change(tx: Tx, identity_id: IdentityId) -> Identity:
    """As `get`; until the commit nobody else changes it. Raises: IdentityNotFound."""
    return the_one(tx, select(identity).with_for_update(), identity_id)


def the_one(tx: Tx, query: Select[Any], identity_id: IdentityId) -> Identity:
    one = query.where(identity.c.id == identity_id, ours(tx))
    row = tx.connection.execute(one).first() if askable(identity_id) else None
    if row is None:
        raise IDENTITY.not_found(identity_id)
    return of_row(row)


def find(tx: Tx, identifier_key: str) -> Identity | None:
    """The one a program knows by this key; until the commit nobody else changes it."""
    query = select(identity).where(identity.c.identifier_key == identifier_key, ours(tx))
    row = tx.connection.execute(query.with_for_update()).first()
    return None if row is None else of_row(row)


def add(tx: Tx, new: Identity) -> Identity:
    """Returns it with its `seq`. Raises: IdentityExists."""
    demand_free(tx, new)
    row = values_of(new, [name for name in FORM.names if name != "seq"])
    [(seq,)] = _INSERT.rows(tx.connection, **FORM.parameters(row))
    return replace(new, seq=seq)


def change(tx: Tx, one: Identity) -> Identity:
    """Write what was said of it. Raises: IdentityExists."""
    demand_free(tx, one)
    changed = replace(one, updated_at=tx.now, updated_by=tx.actor.user_id)
    names = (*CHANGING, "updated_at", "updated_by")
    tx.connection.execute(
        update(identity).where(identity.c.id == one.id, ours(tx)).values(values_of(changed, names))
    )
    return changed


def demand_free(tx: Tx, one: Identity) -> None:
    """Raises: IdentityExists."""
    there = find(tx, one.identifier_key)
    if there is not None and there.id != one.id:
        raise IdentityExists(
            f"The identity {there.id} has the key {one.identifier_key!r} already; change that one,"
            " or choose another key.",
            identity_id=there.id,
        )


def remove(tx: Tx, identity_id: IdentityId) -> None:
    """Its agents and blocks stay, and have it no longer. Raises: IdentityNotFound."""
    found = get_to_change(tx, identity_id)
    attachments.let_go(tx, IDENTITY, found.id)
    tx.connection.execute(delete(identity).where(identity.c.id == found.id))


def give_agents(tx: Tx, identity_id: IdentityId, ids: Sequence[AgentId], *, whole: bool) -> None:
    """Agents have it from now on; `whole`: no others. Raises: AgentNotFound."""
    if whole:
        for agent_id in agents_of(tx, [identity_id])[identity_id]:
            if agent_id not in ids:
                attachments.detach_identity(tx, agent_id, identity_id)
    for agent_id in sorted(set(ids)):  # in one order, so that nobody waits for another in a ring
        attachments.attach_identity(tx, agent_id, identity_id)


def give_blocks(tx: Tx, identity_id: IdentityId, ids: Sequence[BlockId], *, whole: bool) -> None:
    """Blocks are its own from now on; `whole`: no others. Raises: BlockNotFound."""
    attachments.known(tx, BLOCK, ids)
    there = blocks_of(tx, [identity_id])[identity_id]
    links = block_identity
    if whole:
        gone = [one for one in there if one not in ids]
        tx.connection.execute(
            delete(links).where(links.c.identity_id == identity_id, links.c.block_id.in_(gone))
        )
    new = [one for one in dict.fromkeys(ids) if one not in there]
    row = {"identity_id": identity_id, "organization_id": tx.actor.organization_id}
    if new:
        tx.connection.execute(insert(links), [{**row, "block_id": one} for one in new])


def states(tx: Tx, found: Sequence[Identity]) -> list[IdentityState]:
    """With what is theirs, in two statements however many."""
    ids = [one.id for one in found]
    agents, blocks = agents_of(tx, ids), blocks_of(tx, ids)
    return [
        IdentityState(identity=one, agents=tuple(agents[one.id]), blocks=tuple(blocks[one.id]))
        for one in found
    ]


def agents_of(tx: Tx, ids: Sequence[IdentityId]) -> dict[IdentityId, list[AgentId]]:
    """By identity, in the order of their ids."""
    of, what = agent_identity.c.identity_id, agent_identity.c.agent_id
    return linked(tx, select(of, what).where(of.in_(ids)).order_by(what), ids)


def blocks_of(tx: Tx, ids: Sequence[IdentityId]) -> dict[IdentityId, list[BlockId]]:
    """By identity, in the order of their ids."""
    of, what = block_identity.c.identity_id, block_identity.c.block_id
    return linked(tx, select(of, what).where(of.in_(ids)).order_by(what), ids)


def linked(
    tx: Tx, query: Select[Any, Any], ids: Sequence[IdentityId]
) -> dict[IdentityId, list[Any]]:
    found: dict[IdentityId, list[Any]] = {one: [] for one in ids}
    for identity_id, what in tx.connection.execute(query) if ids else ():
        found[identity_id].append(what)
    return found


def by_id(tx: Tx, ids: Sequence[IdentityId]) -> list[Identity]:
    """Those there are, in no order."""
    if not ids:
        return []
    rows = tx.connection.execute(select(identity).where(identity.c.id.in_(ids), ours(tx)))
    return [of_row(row) for row in rows]


def page(tx: Tx, wanted: IdentityFilter, part: IdentityPage) -> list[Identity]:
    """In the order they were made.

    Raises: IdentityNotFound where one that bounds the page isn't there.
    """

    def place(identity_id: str) -> Place:
        return None, get(tx, IdentityId(identity_id)).seq

    query = select(identity.c.seq).where(ours(tx), *conditions(wanted))
    seqs = paging.seqs(tx, query, Order(identity.c.seq), part, place)
    rows = tx.connection.execute(select(identity).where(identity.c.seq.in_(seqs)))
    return paging.in_order(seqs, map(of_row, rows))


def count(tx: Tx) -> int:
    query = select(func.count()).select_from(identity).where(ours(tx))
    return int(tx.connection.execute(query).scalar_one())


def conditions(wanted: IdentityFilter) -> list[ColumnElement[bool]]:
    equal = {
        "identifier_key": wanted.identifier_key,
        "identity_type": wanted.identity_type,
        "project_id": wanted.project_id,
    }
    found = [identity.c[name] == value for name, value in equal.items() if value is not None]
    if wanted.name_has is not None:
        found.append(identity.c.name.icontains(wanted.name_has, autoescape=True))
    return found
