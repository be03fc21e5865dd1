"""Queries on the outbox: what must follow a commit, put there by that commit.

A job is carried out at least once. Who takes one holds it for a while; when that is over and it is
still there, another may take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    and_,
    case,
    delete,
    literal,
    or_,
    select,
    update,
)

from yiku.core.memory import Json
from yiku.core.skill import Job
from yiku.store import hot
from yiku.store.database import Tx
from yiku.store.forms import Form
from yiku.store.skill_tables import outbox as table
from yiku.store.tables import Moment

FORM = Form(table)
NAMES = tuple(f.name for f in fields(Job))
COLUMNS = [table.c[name] for name in NAMES]

TRIES = 10
"""A job that failed this often stays with its problem, until it is asked for again."""

_NEW = [name for name in FORM.names if name != "seq"]
_PUT = hot.Select(
    f"INSERT INTO outbox ({', '.join(_NEW)}) VALUES ({', '.join(f':{name}' for name in _NEW)})"
    " ON CONFLICT (organization_id, kind, key) DO UPDATE SET turn = outbox.turn + 1, tries = 0,"
    " payload = excluded.payload, problem = NULL, due_at ="
    " CASE WHEN excluded.due_at < outbox.due_at THEN excluded.due_at ELSE outbox.due_at END"
    " RETURNING seq"
)


def of_row(row: Row[Any]) -> Job:
    return Job(**dict(zip(NAMES, tuple(row), strict=True)))


def put(
    tx: Tx,
    kind: str,
    key: str,
    payload: Mapping[str, Json] | None = None,
    due_at: datetime | None = None,
) -> None:
    """Ask for a job of the actor's organization, with this transaction's commit; `due_at` None: at
    once. One of the same kind and key is the same job: it is done once more, if it is being done
    now.

    `payload`, kind and key name things by their ids and quote no memory.
    """
    values: dict[str, Any] = {
        "organization_id": tx.actor.organization_id,
        "kind": kind,
        "key": key,
        "payload": dict(payload or {}),
        "turn": 1,
        "tries": 0,
        "due_at": due_at or tx.now,
        "holder": None,
        "held_until": None,
        "problem": None,
    }
    _PUT.rows(tx.connection, **FORM.parameters(values))


def take(
    connection: Connection, holder: str, now: datetime, held_until: datetime, limit: int = 1
) -> list[Job]:
    """Hold jobs of all organizations that are due and nobody holds: those that have waited longest
    first. Of several takers each gets others."""
    due = (
        select(table.c.seq)
        .where(
            table.c.due_at <= now,
            table.c.tries < TRIES,
            or_(table.c.held_until.is_(None), table.c.held_until <= now),
        )
        .order_by(table.c.due_at, table.c.seq)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(
        update(table)
        .where(table.c.seq.in_(due))
        .values(holder=holder, held_until=held_until)
        .returning(*COLUMNS)
    )
    return sorted(map(of_row, rows), key=lambda job: (job.due_at, job.seq))


def same(job: Job, holder: str | None) -> ColumnElement[bool]:
    """Its row; where a holder is named, only while that one holds it."""
    one = and_(
        table.c.seq == job.seq,
        table.c.organization_id == job.organization_id,
        table.c.kind == job.kind,
        table.c.key == job.key,
    )
    return one if holder is None else and_(one, table.c.holder == holder)


def done(tx: Tx, job: Job, holder: str | None = None) -> None:
    """It was carried out: gone, or let go where it was asked for again meanwhile."""
    row = same(job, holder)
    gone = tx.connection.execute(
        delete(table).where(row, table.c.turn == job.turn).returning(table.c.seq)
    ).first()
    if gone is None:
        tx.connection.execute(update(table).where(row).values(holder=None, held_until=None))


def failed(tx: Tx, job: Job, problem: str, due_at: datetime, holder: str | None = None) -> None:
    """It is tried again at `due_at`; as it says itself, where it was asked for again meanwhile.

    `problem` is shown to whoever runs the server: it says what went wrong, and quotes no memory.
    """
    asked_again = table.c.turn != job.turn
    tx.connection.execute(
        update(table)
        .where(same(job, holder))
        .values(
            tries=case((asked_again, table.c.tries), else_=table.c.tries + 1),
            due_at=case((asked_again, table.c.due_at), else_=literal(due_at, Moment)),
            problem=problem,
            holder=None,
            held_until=None,
        )
    )


def renew(tx: Tx, job: Job, holder: str, held_until: datetime) -> bool:
    """Hold it until later; False where it is another's by now, or gone."""
    rows = tx.connection.execute(
        update(table).where(same(job, holder)).values(held_until=held_until).returning(table.c.seq)
    )
    return rows.first() is not None


def release(connection: Connection, holder: str) -> None:
    """Let go of all that a holder holds: it closes down."""
    connection.execute(
        update(table).where(table.c.holder == holder).values(holder=None, held_until=None)
    )


def waiting(tx: Tx) -> list[Job]:
    """The organization's, the first due first; those that gave up are among them."""
    query = (
        select(*COLUMNS)
        .where(table.c.organization_id == tx.actor.organization_id)
        .order_by(table.c.due_at, table.c.seq)
    )
    return [of_row(row) for row in tx.connection.execute(query)]


def next_due(connection: Connection) -> datetime | None:
    """When the next job that nobody holds is due; None: there is none."""
    query = (
        select(table.c.due_at)
        .where(table.c.tries < TRIES, table.c.held_until.is_(None))
        .order_by(table.c.due_at)
        .limit(1)
    )
    return connection.execute(query).scalar()
