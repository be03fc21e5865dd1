"""Queries on traces of steps: what a model was shown, and what it said. Each sees the actor's
organization only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select

from yiku.core.ids import StepId
from yiku.core.memory import Json
from yiku.store.agent_tables import step
from yiku.store.database import Tx
from yiku.store.place_tables import step_trace


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTrace:
    step_id: StepId
    request: Mapping[str, Json]
    response: Mapping[str, Json]
    created_at: datetime


FIELDS = tuple(StepTrace.__dataclass_fields__)


def add(tx: Tx, new: Sequence[StepTrace], keep: int) -> None:
    """Store traces of steps that are still there, and erase all but the `keep` newest."""
    organization = tx.actor.organization_id
    known = select(step.c.id).where(
        step.c.organization_id == organization, step.c.id.in_([one.step_id for one in new])
    )
    there = set(tx.connection.execute(known).scalars())
    rows: list[dict[str, Any]] = [
        {name: getattr(one, name) for name in FIELDS} | {"organization_id": organization}
        for one in new
        if one.step_id in there
    ]
    if rows:
        tx.connection.execute(insert(step_trace), rows)
    own = step_trace.c.organization_id == organization
    last = select(step_trace.c.created_at).where(own).order_by(step_trace.c.created_at.desc())
    oldest = tx.connection.execute(last.offset(keep - 1).limit(1)).scalar()
    if oldest is not None:
        tx.connection.execute(delete(step_trace).where(own, step_trace.c.created_at < oldest))


def find(tx: Tx, step_id: StepId) -> StepTrace | None:
    row = tx.connection.execute(
        select(step_trace).where(
            step_trace.c.organization_id == tx.actor.organization_id,
            step_trace.c.step_id == step_id,
        )
    ).mappings().first()  # fmt: skip
    return None if row is None else StepTrace(**{name: row[name] for name in FIELDS})
