"""Queries on lookups: what was asked of the memory, and what it put before the model. Each sees
the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, select
from sqlalchemy import update as update_rows

from yiku.core.ids import AgentId, LookupId, PassageId, RunId, SkillId, new_id
from yiku.core.skill import Lookup
from yiku.store import hot
from yiku.store.agent_tables import run
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.skill_tables import memory_lookup as table
from yiku.store.skill_tables import memory_lookup_item
from yiku.store.tables import passage

FORM = Form(table)
NAMES = tuple(f.name for f in fields(Lookup) if f.name != "passage_ids")
COLUMNS = [table.c[name] for name in NAMES]

_INSERT = FORM.insert()
_INSERT_ITEMS = hot.Select(
    "INSERT INTO memory_lookup_item (lookup_seq, passage_seq, place)"
    " SELECT :lookup, seq, :place FROM passage"
    " WHERE id = :passage AND organization_id = :organization RETURNING place"
)


def ours(tx: Tx) -> ColumnElement[bool]:
    return table.c.organization_id == tx.actor.organization_id


def add(
    tx: Tx,
    *,
    skill_id: SkillId,
    query: str,
    passage_ids: Sequence[PassageId],
    refined: Sequence[str] = (),
    agent_id: AgentId | None = None,
    run_id: RunId | None = None,
    call_id: str | None = None,
    at: datetime | None = None,
) -> Lookup:
    """With what it found; a passage that was erased meanwhile is left out. `at`: when it was looked
    up; None: now."""
    values: dict[str, Any] = {
        "id": new_id("lookup"),
        "organization_id": tx.actor.organization_id,
        "skill_id": skill_id,
        "query": query,
        "refined": list(refined),
        "agent_id": agent_id,
        "run_id": run_id,
        "call_id": call_id,
        "created_at": at or tx.now,
        "judged_at": None,
    }
    [(seq,)] = _INSERT.rows(tx.connection, **FORM.parameters(values))
    kept = [
        one
        for place, one in enumerate(dict.fromkeys(passage_ids), 1)
        if _INSERT_ITEMS.rows(
            tx.connection,
            lookup=seq,
            place=place,
            passage=one,
            organization=tx.actor.organization_id,
        )
    ]
    return made(values | {"seq": seq}, kept)


def get(tx: Tx, lookup_id: LookupId) -> Lookup | None:
    """None where there is none, or it was erased with a memory it had found."""
    query = select(*COLUMNS).where(table.c.id == lookup_id, ours(tx))
    return the_first(tx, query) if askable(lookup_id) else None


def the_first(tx: Tx, query: Select[Any]) -> Lookup | None:
    found = read(tx, query.limit(1))
    return found[0] if found else None


def read(tx: Tx, query: Select[Any]) -> list[Lookup]:
    """Lookups by a query of `COLUMNS`, each with what it found."""
    rows: list[dict[str, Any]] = [
        dict(zip(NAMES, tuple(row), strict=True)) for row in tx.connection.execute(query)
    ]
    held: dict[int, list[PassageId]] = {row["seq"]: [] for row in rows}
    if held:
        items = (
            select(memory_lookup_item.c.lookup_seq, passage.c.id)
            .join(passage, passage.c.seq == memory_lookup_item.c.passage_seq)
            .where(memory_lookup_item.c.lookup_seq.in_(held))
            .order_by(memory_lookup_item.c.lookup_seq, memory_lookup_item.c.place)
        )
        for seq, passage_id in tx.connection.execute(items):
            held[seq].append(passage_id)
    return [made(row, held[row["seq"]]) for row in rows]


def made(values: dict[str, Any], passage_ids: Sequence[PassageId]) -> Lookup:
    values["refined"] = tuple(values["refined"])
    return Lookup(**values, passage_ids=tuple(passage_ids))


def of_run(tx: Tx, run_id: RunId, unjudged_only: bool = False) -> list[Lookup]:
    """The oldest first."""
    query = select(*COLUMNS).where(table.c.run_id == run_id, ours(tx)).order_by(table.c.seq)
    if unjudged_only:
        query = query.where(table.c.judged_at.is_(None))
    return read(tx, query)


def of_skill(
    tx: Tx, skill_id: SkillId, before_seq: int | None = None, limit: int = 50
) -> list[Lookup]:
    """Of one version, the newest first."""
    query = select(*COLUMNS).where(table.c.skill_id == skill_id, ours(tx))
    if before_seq is not None:
        query = query.where(table.c.seq < before_seq)
    return read(tx, query.order_by(table.c.seq.desc()).limit(limit))


def last_with(tx: Tx, passage_id: PassageId, agent_id: AgentId | None = None) -> Lookup | None:
    """The last one, of this agent where one is named, that found the passage."""
    if not askable(passage_id):
        return None
    query = (
        select(*COLUMNS)
        .join(memory_lookup_item, memory_lookup_item.c.lookup_seq == table.c.seq)
        .join(passage, passage.c.seq == memory_lookup_item.c.passage_seq)
        .where(passage.c.id == passage_id, ours(tx))
        .order_by(table.c.seq.desc())
    )
    if agent_id is not None:
        query = query.where(table.c.agent_id == agent_id)
    return the_first(tx, query)


def judged(tx: Tx, ids: Collection[LookupId]) -> list[LookupId]:
    """It was seen what became of them; returns those that nobody else had seen to before."""
    if not ids:
        return []
    done = tx.connection.execute(
        update_rows(table)
        .where(table.c.id.in_(ids), table.c.judged_at.is_(None), ours(tx))
        .values(judged_at=tx.now)
        .returning(table.c.id)
    )
    return [LookupId(one) for one in done.scalars()]


def erase_of_agent(tx: Tx, agent_id: AgentId) -> None:
    """Before an agent is deleted: what its runs asked goes, too."""
    runs = select(run.c.id).where(run.c.agent_id == agent_id)
    tx.connection.execute(delete(table).where(table.c.run_id.in_(runs), ours(tx)))
