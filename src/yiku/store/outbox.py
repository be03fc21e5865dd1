"""The outbox: what must follow a commit is a row of that commit, carried out at least once.

`put`, `plan` and `waiting` see the actor's organization only; who carries jobs out takes those of
all. A job is one row for each kind and key, so it is never carried out twice at once, and what is
asked for again while it waits is asked for once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from yiku.core.memory import Json
from yiku.core.skill import Job
from yiku.store.database import Tx
from yiku.store.forms import Form
from yiku.store.hot import Select, micros
from yiku.store.skill_tables import outbox
from yiku.store.tables import from_micros

FORM = Form(outbox)
FIELDS = tuple(Job.__dataclass_fields__)
MOST_TRIES = 10
"""After so many a job stays, with its problem, until it is asked for again."""
BY = "by"
"""In a job's payload: the user who asked for it, and on whose behalf it is carried out."""

_NEW = (
    "INSERT INTO outbox (organization_id, kind, key, payload, turn, tries, due_at)"
    " VALUES (:organization_id, :kind, :key, :payload, 1, 0, :due_at)"
    " ON CONFLICT (organization_id, kind, key) DO"
)
_PUT = Select(
    f"{_NEW} UPDATE SET turn = outbox.turn + 1, tries = 0, problem = NULL,"
    " payload = excluded.payload, due_at = CASE WHEN excluded.due_at < outbox.due_at"
    " THEN excluded.due_at ELSE outbox.due_at END RETURNING seq"
)
_PLAN = Select(f"{_NEW} NOTHING RETURNING seq")
_WAITING = Select(
    f"SELECT {FORM.columns} FROM outbox WHERE organization_id = :organization ORDER BY due_at, seq"
)
_EVERYWHERE = Select(f"SELECT {FORM.columns} FROM outbox ORDER BY due_at, seq LIMIT :limit")
_OUTLOOK = Select(
    "SELECT holder, min(due_at), min(CASE WHEN held_until > due_at THEN held_until ELSE due_at END)"
    " FROM outbox WHERE tries < :most GROUP BY holder"
)
_DEPTH = Select(
    "SELECT kind, sum(CASE WHEN tries < :most AND due_at <= :now THEN 1 ELSE 0 END),"
    " sum(CASE WHEN tries < :most AND due_at > :now THEN 1 ELSE 0 END),"
    " sum(CASE WHEN tries < :most THEN 0 ELSE 1 END),"
    " min(CASE WHEN tries < :most AND due_at <= :now THEN due_at END) FROM outbox GROUP BY kind"
)
# Chosen once: Postgres may run a subquery under IN again, and would take more than the limit.
_TAKE = (
    "WITH chosen AS MATERIALIZED (SELECT seq AS one FROM outbox"
    " WHERE due_at <= :now AND tries < :most"
    " AND (held_until IS NULL OR held_until <= :now OR holder IN :dead*)"
    " ORDER BY due_at, seq LIMIT :limit{lock})"
    " UPDATE outbox SET holder = :holder, held_until = :held_until, tries = tries + 1"
    " FROM chosen WHERE seq = chosen.one"
    f" RETURNING {FORM.columns}"
)
_TAKE_SQLITE = Select(_TAKE.format(lock=""))
_TAKE_POSTGRES = Select(_TAKE.format(lock=" FOR UPDATE SKIP LOCKED"))
_HELD = " WHERE seq = :seq AND holder = :holder"
_FREE = "UPDATE outbox SET holder = NULL, held_until = NULL"
_DONE = Select(f"DELETE FROM outbox{_HELD} AND turn = :turn RETURNING seq")
_AGAIN = Select(
    f"{_FREE}, tries = 0, problem = NULL, due_at = :due_at{_HELD} AND turn = :turn RETURNING seq"
)
_LET_GO = Select(f"{_FREE}{_HELD} RETURNING seq")
_UNTRIED = Select(f"{_FREE}, tries = tries - 1{_HELD} AND turn = :turn RETURNING seq")
_FAILED = Select(
    f"{_FREE}, problem = :problem, tries = :tries, due_at = :due_at{_HELD} AND turn = :turn"
    " RETURNING seq"
)
_RENEW = Select(
    "UPDATE outbox SET held_until = :until WHERE holder = :holder AND seq IN :seqs* RETURNING seq"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """When the next job is to be taken, of those that one holder has; None: of those nobody has."""

    holder: str | None
    due_at: datetime
    free_at: datetime
    """From when on it can be taken, while its holder lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How many jobs of a kind wait."""

    kind: str
    due: int
    later: int
    failed: int
    """So often that they aren't tried again by themselves."""
    oldest: datetime | None
    """When the one was due that is due longest; None: none is."""


def of_row(row: Sequence[Any]) -> Job:
    values = FORM.values(row)
    return Job(**{name: values[name] for name in FIELDS})


def put(
    tx: Tx,
    kind: str,
    key: str,
    payload: Mapping[str, Json] | None = None,
    due_at: datetime | None = None,
) -> None:
    """Ask for a job with this commit. One of the same kind and key that waits is asked for again,
    with this payload, and due at the earlier of both times; one that is just being carried out is
    carried out once more."""
    _PUT.rows(tx.connection, **parameters(tx, kind, key, payload, due_at))
    tx.jobs.append(kind)


def plan(
    tx: Tx, kind: str, key: str, due_at: datetime, payload: Mapping[str, Json] | None = None
) -> bool:
    """Ask for a job, unless there is one; whether it is new."""
    rows = _PLAN.rows(tx.connection, **parameters(tx, kind, key, payload, due_at))
    return bool(rows)


def parameters(
    tx: Tx,
    kind: str,
    key: str,
    payload: Mapping[str, Json] | None,
    due_at: datetime | None,
) -> dict[str, Any]:
    values = {
        "organization_id": tx.actor.organization_id,
        "kind": kind,
        "key": key,
        "payload": {**(payload or {}), BY: tx.actor.user_id},
        "due_at": due_at or tx.now,
    }
    return FORM.parameters(values)


def waiting(tx: Tx) -> list[Job]:
    """What hasn't been done yet, the one that is due first comes first."""
    rows = _WAITING.rows(tx.connection, organization=tx.actor.organization_id)
    return [of_row(row) for row in rows]


def everywhere(connection: Connection, limit: int) -> list[Job]:
    """Of all organizations: what hasn't been done yet, the one that is due first comes first."""
    return [of_row(row) for row in _EVERYWHERE.rows(connection, limit=limit)]


def outlook(connection: Connection) -> list[Outlook]:
    """Of all organizations: one row for each holder, and one for what nobody holds."""
    return [
        Outlook(holder=holder, due_at=from_micros(due), free_at=from_micros(free))
        for holder, due, free in _OUTLOOK.rows(connection, most=MOST_TRIES)
    ]


def depth(connection: Connection, now: datetime) -> list[Depth]:
    """Of all organizations, by kind."""
    return [
        Depth(
            kind=kind,
            due=int(due),
            later=int(later),
            failed=int(failed),
            oldest=None if oldest is None else from_micros(oldest),
        )
        for kind, due, later, failed, oldest in _DEPTH.rows(
            connection, most=MOST_TRIES, now=micros(now)
        )
    ]


def take(
    connection: Connection,
    holder: str,
    now: datetime,
    held_until: datetime,
    limit: int,
    *,
    dead: Collection[str] = (),
) -> list[Job]:
    """Jobs of all organizations that are due and nobody's, nobody else's until `held_until`; of
    several takers at once each gets others. What a `dead` holder has is nobody's.

    A try is counted with the taking: a job that kills its process must not do so for ever.
    """
    of_dialect = _TAKE_POSTGRES if connection.dialect.name == "postgresql" else _TAKE_SQLITE
    rows = of_dialect.rows(
        connection,
        now=micros(now),
        most=MOST_TRIES,
        dead=list(dead),
        limit=limit,
        holder=holder,
        held_until=micros(held_until),
    )
    return sorted(map(of_row, rows), key=lambda job: (job.due_at, job.seq))


def renew(connection: Connection, holder: str, seqs: Collection[int], until: datetime) -> set[int]:
    """Hold jobs until later; returns which of them are still the holder's."""
    rows = _RENEW.rows(connection, holder=holder, seqs=list(seqs), until=micros(until))
    return {row[0] for row in rows}


def done(tx: Tx, job: Job, holder: str, again_at: datetime | None = None) -> None:
    """It was carried out: it goes, or is due again then. It stays where it was asked for again
    meanwhile; it is untouched where it is another's by now."""
    held = {"seq": job.seq, "holder": holder}
    if again_at is None:
        rows = _DONE.rows(tx.connection, **held, turn=job.turn)
    else:
        rows = _AGAIN.rows(tx.connection, **held, turn=job.turn, due_at=micros(again_at))
    if not rows:
        _LET_GO.rows(tx.connection, **held)


def failed(tx: Tx, job: Job, holder: str, problem: str, due_at: datetime) -> None:
    """It is to be tried again then; at once where it was asked for again meanwhile."""
    held = {"seq": job.seq, "holder": holder}
    rows = _FAILED.rows(
        tx.connection,
        **held,
        turn=job.turn,
        tries=job.tries,
        problem=problem,
        due_at=micros(due_at),
    )
    if not rows:
        _LET_GO.rows(tx.connection, **held)


def let_go(tx: Tx, job: Job, holder: str) -> None:
    """It was broken off, by no fault of its own: somebody else may have it at once."""
    held = {"seq": job.seq, "holder": holder}
    if not _UNTRIED.rows(tx.connection, **held, turn=job.turn):
        _LET_GO.rows(tx.connection, **held)
