"""Queries on what happened to memory skills. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, insert, select, text

from yiku.core.memory import Json
from yiku.core.skill import SkillEvent
from yiku.store.database import Tx
from yiku.store.skill_tables import skill_event as table

COLUMNS = (table.c.seq, table.c.kind, table.c.facts, table.c.at)

_IN_ORDER = text("SELECT pg_advisory_xact_lock(hashtext('skill_event'), hashtext(:organization))")


def add(tx: Tx, kind: str, facts: Mapping[str, Json]) -> SkillEvent:
    """`facts` name things by their ids and quote no memory: an event outlives what it tells of."""
    if tx.postgres:
        # Who reads on from the last number it saw must miss none that is committed later.
        tx.connection.execute(_IN_ORDER, {"organization": tx.actor.organization_id})
    values = {
        "organization_id": tx.actor.organization_id,
        "kind": kind,
        "facts": dict(facts),
        "at": tx.now,
    }
    row = tx.connection.execute(insert(table).values(values).returning(*COLUMNS)).one()
    return SkillEvent(seq=row.seq, kind=row.kind, facts=row.facts, at=row.at)


def after(tx: Tx, seq: int = 0, limit: int = 100) -> list[SkillEvent]:
    """Those after number `seq`, in their order."""
    query = (
        select(*COLUMNS)
        .where(table.c.organization_id == tx.actor.organization_id, table.c.seq > seq)
        .order_by(table.c.seq)
        .limit(limit)
    )
    return [
        SkillEvent(seq=row.seq, kind=row.kind, facts=row.facts, at=row.at)
        for row in tx.connection.execute(query)
    ]


def last(tx: Tx) -> int:
    """The newest one's number; 0 where there is none."""
    query = select(func.max(table.c.seq)).where(table.c.organization_id == tx.actor.organization_id)
    return int(tx.connection.execute(query).scalar() or 0)
