"""Idempotency keys: a request that comes twice is carried out once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select

from yiku.core.audit import Act
from yiku.core.errors import IdempotencyConflict, JobConflict
from yiku.core.ids import ArchiveId
from yiku.store import audit
from yiku.store.database import Tx
from yiku.store.tables import job, request

KEPT = timedelta(hours=24)


def find(tx: Tx, key: str, content_hash: str) -> list[dict[str, Any]] | None:
    """What the request of this key stored, or None where there was none.

    Raises: IdempotencyConflict where the key came with another content.
    """
    row = tx.connection.execute(
        select(request.c.hash, request.c.passages).where(
            request.c.organization_id == tx.actor.organization_id, request.c.key == key
        )
    ).first()
    if row is None:
        return None
    if row.hash != content_hash:
        raise IdempotencyConflict(
            f"The idempotency key {key!r} was used before with another request; each request"
            " needs a key of its own.",
            key=key,
        )
    return list(row.passages)


def add(tx: Tx, key: str, content_hash: str, stored: Sequence[dict[str, Any]]) -> None:
    """Keep what a request stored for 24 hours; ids only, no text."""
    tx.connection.execute(
        delete(request).where(
            request.c.organization_id == tx.actor.organization_id,
            request.c.at < tx.now - KEPT,
        )
    )
    tx.connection.execute(
        insert(request).values(
            organization_id=tx.actor.organization_id,
            key=key,
            hash=content_hash,
            at=tx.now,
            passages=list(stored),
        )
    )


def job_position(tx: Tx, job_id: str) -> int:
    """How far a job has come; 0 where it never began."""
    found = tx.connection.execute(
        select(job.c.position).where(
            job.c.organization_id == tx.actor.organization_id, job.c.id == job_id
        )
    ).scalar()
    return int(found or 0)


def set_job(
    tx: Tx,
    job_id: str,
    archive_id: ArchiveId,
    position: int,
    seen: int | None = None,
    *,
    kind: str = "import",
) -> None:
    """Keep how far a job has come. `seen`: where the caller saw it last.

    Raises: JobConflict where it isn't there any more.
    """
    if seen is not None and (there := job_position(tx, job_id)) != seen:
        raise JobConflict(
            f"Another run has brought this job from {seen} to {there} meanwhile; nothing of this"
            " request was stored.",
            job=job_id,
            position=there,
        )
    went_on = tx.connection.execute(
        delete(job).where(job.c.organization_id == tx.actor.organization_id, job.c.id == job_id)
    ).rowcount
    if kind == "import" and not went_on:
        audit.note(tx, Act.MEMORIES_IMPORT, job_id, archive=archive_id)
    tx.connection.execute(
        insert(job).values(
            organization_id=tx.actor.organization_id,
            id=job_id,
            archive_id=archive_id,
            kind=kind,
            position=position,
            at=tx.now,
        )
    )
