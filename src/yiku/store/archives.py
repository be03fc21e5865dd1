"""Queries on archives. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update

from yiku.core.errors import (
    ArchiveExists,
    ArchiveNotFound,
    DimensionMismatch,
    EmbeddingModelMismatch,
    Invalid,
)
from yiku.core.ids import ArchiveId, new_id
from yiku.core.memory import HIDDEN, Archive
from yiku.store import attachments, encodings, hot, role_blocks
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.tables import archive, change, embedding, erased, from_micros, job, passage, shown

FIELDS = tuple(Archive.__dataclass_fields__)
COLUMNS = ", ".join(FIELDS)


def of_row(row: Sequence[Any]) -> Archive:
    """A row of `COLUMNS` from the driver."""
    values: dict[str, Any] = dict(zip(FIELDS, row, strict=True))
    values["created_at"] = from_micros(values["created_at"])
    return Archive(**values)


_BY_ID = hot.Select(
    f"SELECT {COLUMNS} FROM archive WHERE id = :id AND organization_id = :organization"
)
SHOWN = ~archive.c.owner.startswith(HIDDEN)
"""Which archives are listed."""
_BY_NAME = hot.Select(
    f"SELECT {COLUMNS} FROM archive"
    " WHERE organization_id = :organization AND owner = :owner AND name = :name"
)
_BUMP = hot.Select(
    "UPDATE archive SET version = version + 1"
    f" WHERE id = :id AND organization_id = :organization RETURNING {COLUMNS}"
)


def get(tx: Tx, archive_id: ArchiveId) -> Archive:
    """Raises: ArchiveNotFound, for Yiku's own ones too."""
    known = {"id": archive_id, "organization": tx.actor.organization_id}
    rows = _BY_ID.rows(tx.connection, **known) if askable(archive_id) else ()
    found = of_row(the_one(rows, archive_id))
    if found.owner.startswith(HIDDEN):
        raise no_archive(archive_id)
    return found


def the_one(rows: Sequence[tuple[Any, ...]], archive_id: ArchiveId) -> tuple[Any, ...]:
    if not rows:
        raise no_archive(archive_id)
    return rows[0]


def no_archive(archive_id: ArchiveId) -> ArchiveNotFound:
    return ArchiveNotFound(f"There is no archive {archive_id}.", archive_id=archive_id)


def check_owner(owner: str) -> None:
    """Raises: Invalid where the name is one of Yiku's own."""
    if owner.startswith(HIDDEN):
        raise Invalid(f"A user's name can't begin with {HIDDEN!r}: such archives are Yiku's own.")


def find(tx: Tx, owner: str, name: str) -> Archive | None:
    rows = _BY_NAME.rows(
        tx.connection, organization=tx.actor.organization_id, owner=owner, name=name
    )
    return of_row(rows[0]) if rows else None


def list_all(tx: Tx, owner: str | None = None) -> list[tuple[Archive, int]]:
    """Archives with the number of their passages, ordered by owner and name."""
    query = (
        select(*(archive.c[name] for name in FIELDS), func.count(passage.c.seq))
        .outerjoin(passage, passage.c.archive_id == archive.c.id)
        .where(archive.c.organization_id == tx.actor.organization_id, SHOWN)
        .group_by(archive.c.id)
        .order_by(archive.c.owner, archive.c.name)
    )
    if owner is not None:
        query = query.where(archive.c.owner == owner)
    found: list[tuple[Archive, int]] = []
    for row in tx.connection.execute(query):
        values: dict[str, Any] = dict(zip(FIELDS, tuple(row)[:-1], strict=True))
        found.append((Archive(**values), int(row[-1])))
    return found


def of_organization(tx: Tx) -> list[ArchiveId]:
    """Those that are no user's."""
    query = select(archive.c.id).where(
        archive.c.organization_id == tx.actor.organization_id, archive.c.owner == ""
    )
    return [ArchiveId(one) for one in tx.connection.execute(query).scalars()]


def create(tx: Tx, owner: str, name: str, description: str = "") -> Archive:
    """Raises: ArchiveExists, Invalid."""
    check_owner(owner)
    if find(tx, owner, name) is not None:
        raise taken(owner, name)
    return _make(tx, owner, name, description)


def taken(owner: str, name: str) -> ArchiveExists:
    whose = f" of {owner!r}" if owner else ""
    return ArchiveExists(f"There is already an archive {name!r}{whose}.", owner=owner, name=name)


def ensure(tx: Tx, owner: str, name: str) -> Archive:
    """The archive of this name, made where there is none.

    Where another process makes it at the same moment, the unique key fails this unit, and the
    database runs it again.
    """
    return find(tx, owner, name) or _make(tx, owner, name, "")


def _make(tx: Tx, owner: str, name: str, description: str) -> Archive:
    made = Archive(
        id=ArchiveId(new_id("archive")),
        organization_id=tx.actor.organization_id,
        owner=owner,
        name=name,
        description=description,
        embedding_model=None,
        dimension=None,
        version=0,
        created_at=tx.now,
    )
    tx.connection.execute(
        insert(archive).values({f: getattr(made, f) for f in made.__dataclass_fields__})
    )
    return made


def rename(tx: Tx, archive_id: ArchiveId, name: str, description: str | None) -> Archive:
    """Raises: ArchiveNotFound, ArchiveExists."""
    old = get(tx, archive_id)
    other = find(tx, old.owner, name)
    if other is not None and other.id != archive_id:
        raise taken(old.owner, name)
    new = old.description if description is None else description
    tx.connection.execute(
        update(archive).where(archive.c.id == archive_id).values(name=name, description=new)
    )
    return get(tx, archive_id)


def delete_whole(tx: Tx, archive_id: ArchiveId) -> int:
    """Erase an archive and all it holds; returns how many passages. Raises: ArchiveNotFound.

    The agents that had it have it no longer.
    """
    get(tx, archive_id)
    attachments.let_go(tx, attachments.ARCHIVE, archive_id)
    return remove_rows(tx, archive_id)


def remove_rows(tx: Tx, archive_id: ArchiveId) -> int:
    """The archive's row and all rows that are its; returns how many passages they were."""
    run = tx.connection.execute
    held = run(select(func.count()).where(passage.c.archive_id == archive_id)).scalar_one()
    seqs = select(passage.c.seq).where(passage.c.archive_id == archive_id)
    encodings.erase_of_archive(tx, archive_id)
    role_blocks.erase_of_archive(tx, archive_id)
    run(delete(embedding).where(embedding.c.passage_seq.in_(seqs)))
    run(delete(change).where(change.c.archive_id == archive_id))
    run(delete(shown).where(shown.c.archive_id == archive_id))
    run(delete(erased).where(erased.c.archive_id == archive_id))
    run(delete(passage).where(passage.c.archive_id == archive_id))
    run(delete(job).where(job.c.archive_id == archive_id))
    run(delete(archive).where(archive.c.id == archive_id))
    return int(held)


def bump(tx: Tx, archive_id: ArchiveId) -> Archive:
    """Count one change. The row stays locked until the commit, so versions become visible in order.

    Raises: ArchiveNotFound.
    """
    rows = _BUMP.rows(tx.connection, id=archive_id, organization=tx.actor.organization_id)
    return of_row(the_one(rows, archive_id))


def settle_model(tx: Tx, found: Archive, model: str, dimension: int) -> None:
    """The first vector decides which model an archive's vectors are of, and how long they are.

    Raises: EmbeddingModelMismatch, DimensionMismatch.
    """
    if found.embedding_model is None:
        set_model(tx, found.id, model, dimension)
    else:
        same_model(found, model)
        same_dimension(found, dimension)


def set_model(tx: Tx, archive_id: ArchiveId, model: str, dimension: int) -> None:
    tx.connection.execute(
        update(archive)
        .where(archive.c.id == archive_id, archive.c.organization_id == tx.actor.organization_id)
        .values(embedding_model=model, dimension=dimension)
    )


def same_model(found: Archive, model: str) -> None:
    """Raises: EmbeddingModelMismatch."""
    if found.embedding_model not in (None, model):
        raise EmbeddingModelMismatch(
            f"The vectors of archive {found.name!r} were made by {found.embedding_model}, and"
            f" {model} is configured. Set YIKU_EMBEDDING back, or move the archive with"
            f" `yiku reembed`.",
            archive=found.name,
            stored=found.embedding_model,
            configured=model,
        )


def same_dimension(found: Archive, dimension: int) -> None:
    """Raises: DimensionMismatch."""
    if found.dimension not in (None, dimension):
        raise DimensionMismatch(
            f"The vectors of archive {found.name!r} have {found.dimension} numbers, those of"
            f" {found.embedding_model} now {dimension}: the provider changed the model. Set"
            " YIKU_EMBEDDING_DIMENSION, or move the archive to another model with `yiku reembed`.",
            archive=found.name,
            stored=found.dimension,
            configured=dimension,
        )
