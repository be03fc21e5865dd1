"""Queries on reroutings: how far each has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import insert, select, update

from yiku.core.errors import JobNotFound
from yiku.core.ids import ArchiveId, new_id
from yiku.core.memory import Archive
from yiku.store.database import Tx
from yiku.store.role_tables import role_job


class State(StrEnum):
    RUNNING = "running"
    DONE = "done"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A rerouting."""

    id: str
    archive_id: ArchiveId
    position: int
    """Row number of the last passage it has looked at."""
    total: int
    """Passages there were when it began."""
    state: State
    roles: tuple[str, ...]
    """Ids of the roles it is about; empty: all."""
    at: datetime


def create(tx: Tx, archive: Archive, roles: tuple[str, ...], total: int) -> Job:
    made = Job(
        id=new_id("reroute"),
        archive_id=archive.id,
        position=0,
        total=total,
        state=State.RUNNING,
        roles=roles,
        at=tx.now,
    )
    values = {name: getattr(made, name) for name in made.__dataclass_fields__}
    values |= {"organization_id": tx.actor.organization_id, "roles": list(roles)}
    tx.connection.execute(insert(role_job).values(values))
    return made


def get(tx: Tx, job_id: str) -> Job:
    """Raises: JobNotFound."""
    row = tx.connection.execute(
        select(role_job).where(
            role_job.c.id == job_id, role_job.c.organization_id == tx.actor.organization_id
        )
    ).first()
    if row is None:
        raise JobNotFound(f"There is no rerouting {job_id}.", job_id=job_id)
    return Job(
        id=row.id,
        archive_id=ArchiveId(row.archive_id),
        position=row.position,
        total=row.total,
        state=State(row.state),
        roles=tuple(row.roles),
        at=row.at,
    )


def advance(tx: Tx, seen: Job, position: int, state: State) -> bool:
    """Move a job on that is still where it was `seen`; False where somebody else moved it."""
    found = tx.connection.execute(
        update(role_job)
        .where(
            role_job.c.id == seen.id,
            role_job.c.position == seen.position,
            role_job.c.state == seen.state,
            role_job.c.organization_id == tx.actor.organization_id,
        )
        .values(position=position, state=state)
    )
    return found.rowcount == 1
