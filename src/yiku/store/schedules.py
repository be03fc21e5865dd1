"""Queries on schedules. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, select

from yiku.core.errors import ScheduleNotFound
from yiku.core.ids import AgentId, ScheduleId
from yiku.core.schedule import Missed, Schedule, SchedulePage, ScheduleStatus
from yiku.store import paging
from yiku.store.agent_tables import agent
from yiku.store.attachments import no_agent
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.hot import Select
from yiku.store.paging import Order, Place
from yiku.store.place_tables import schedule
from yiku.store.runs import request_of, request_to_json

FORM = Form(schedule)
CHANGING = ("status", "next_at", "fired_at", "fired_count", "last_run_id", "problem")
"""What becomes of a schedule; the rest stays as it was made."""

_INSERT = FORM.insert_into(agent)
_BY_ID = f"SELECT {FORM.columns} FROM schedule WHERE id = :id AND organization_id = :organization"
_ONE = Select(_BY_ID)
_ONE_TO_CHANGE = Select(f"{_BY_ID} FOR UPDATE")
_BY_SEQS = FORM.by_seq()
_UPDATE = Select(
    f"UPDATE schedule SET {', '.join(f'{name} = :{name}' for name in CHANGING)}"
    " WHERE id = :id AND organization_id = :organization RETURNING seq"
)


def of_row(row: Sequence[Any]) -> Schedule:
    values = FORM.values(row)
    values["status"] = ScheduleStatus(values["status"])
    values["missed"] = Missed(values["missed"])
    values["request"] = request_of(values["request"])
    return Schedule(**values)


def add(tx: Tx, new: Schedule) -> Schedule:
    """Returns it with its `seq`. Raises: AgentNotFound."""
    values: dict[str, Any] = {name: getattr(new, name) for name in FORM.names if name != "seq"}
    values |= {
        "organization_id": tx.actor.organization_id,
        "status": new.status.value,
        "missed": new.missed.value,
        "request": request_to_json(new.request),
    }
    rows = _INSERT.rows(tx.connection, **FORM.parameters(values))
    if not rows:
        raise no_agent(new.agent_id)
    return replace(new, seq=rows[0][0])


def get(tx: Tx, schedule_id: ScheduleId) -> Schedule:
    """Raises: ScheduleNotFound."""
    return the_one(tx, _ONE, schedule_id)


def get_to_change(tx: Tx, schedule_id: ScheduleId) -> Schedule:
    """As `get`; until the commit nobody else changes it. Raises: ScheduleNotFound."""
    return the_one(tx, _ONE_TO_CHANGE if tx.postgres else _ONE, schedule_id)


def the_one(tx: Tx, query: Select, schedule_id: ScheduleId) -> Schedule:
    ours = tx.actor.organization_id
    rows = (
        query.rows(tx.connection, id=schedule_id, organization=ours) if askable(schedule_id) else ()
    )
    if not rows:
        raise no_schedule(schedule_id)
    return of_row(rows[0])


def no_schedule(schedule_id: str) -> ScheduleNotFound:
    return ScheduleNotFound(f"There is no schedule {schedule_id}.", schedule_id=schedule_id)


def of_agent(tx: Tx, agent_id: AgentId, part: SchedulePage) -> list[Schedule]:
    """In the order they were made.

    Raises: ScheduleNotFound where one that bounds the page isn't the agent's.
    """

    def place(schedule_id: str) -> Place:
        found = get(tx, ScheduleId(schedule_id))
        if found.agent_id != agent_id:
            raise no_schedule(schedule_id)
        return None, found.seq

    query = select(schedule.c.seq).where(
        schedule.c.agent_id == agent_id,
        schedule.c.organization_id == tx.actor.organization_id,
    )
    seqs = paging.seqs(tx, query, Order(schedule.c.seq), part, place)
    found = {one.seq: one for one in map(of_row, _BY_SEQS.rows(tx.connection, seqs=seqs))}
    return [found[seq] for seq in seqs]


def update(tx: Tx, one: Schedule) -> Schedule:
    """Write what has become of a schedule. Raises: ScheduleNotFound."""
    values: dict[str, Any] = {name: getattr(one, name) for name in CHANGING}
    values["status"] = one.status.value
    ours = tx.actor.organization_id
    found = _UPDATE.rows(tx.connection, id=one.id, organization=ours, **FORM.parameters(values))
    if not found:
        raise no_schedule(one.id)
    return one


def remove(tx: Tx, one: Schedule) -> None:
    tx.connection.execute(
        delete(schedule).where(
            schedule.c.seq == one.seq, schedule.c.organization_id == tx.actor.organization_id
        )
    )
