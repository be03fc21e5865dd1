"""Queries on archives. Each sees the actor's organization only."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update

from yiku.core.errors import ArchiveExists, ArchiveNotFound, EmbeddingModelMismatch
from yiku.core.ids import ArchiveId, new_id
from yiku.core.memory import Archive
from yiku.store.database import Tx
from yiku.store.tables import archive, change, embedding, erased, passage, shown

SELECT = select(archive)


def of_row(row: Row[Any]) -> Archive:
    return Archive(**row._mapping)  # pyright: ignore[reportPrivateUsage] # SQLAlchemy's public name


def get(tx: Tx, archive_id: ArchiveId) -> Archive:
    """Raises: ArchiveNotFound."""
    row = tx.connection.execute(
        SELECT.where(
            archive.c.id == archive_id, archive.c.organization_id == tx.actor.organization_id
        )
    ).first()
    if row is None:
        raise ArchiveNotFound(f"There is no archive {archive_id}.", archive_id=archive_id)
    return of_row(row)


def find(tx: Tx, owner: str, name: str) -> Archive | None:
    row = tx.connection.execute(
        SELECT.where(
            archive.c.organization_id == tx.actor.organization_id,
            archive.c.owner == owner,
            archive.c.name == name,
        )
    ).first()
    return None if row is None else of_row(row)


def list_all(tx: Tx, owner: str | None = None) -> list[tuple[Archive, int]]:
    """Archives with the number of their passages, ordered by owner and name."""
    query = (
        select(archive, func.count(passage.c.seq).label("passages"))
        .outerjoin(passage, passage.c.archive_id == archive.c.id)
        .where(archive.c.organization_id == tx.actor.organization_id)
        .group_by(archive.c.id)
        .order_by(archive.c.owner, archive.c.name)
    )
    if owner is not None:
        query = query.where(archive.c.owner == owner)
    return [(_without_count(row), int(row.passages)) for row in tx.connection.execute(query)]


def _without_count(row: Row[Any]) -> Archive:
    fields = {k: v for k, v in row._mapping.items() if k != "passages"}  # pyright: ignore[reportPrivateUsage] # SQLAlchemy's public name
    return Archive(**fields)


def create(tx: Tx, owner: str, name: str, description: str = "") -> Archive:
    """Raises: ArchiveExists."""
    if find(tx, owner, name) is not None:
        whose = f" of {owner}" if owner else ""
        raise ArchiveExists(f"There is already an archive {name!r}{whose}.", name=name)
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


def ensure(tx: Tx, owner: str, name: str) -> Archive:
    """The archive of this name, made where there is none."""
    found = find(tx, owner, name)
    return create(tx, owner, name) if found is None else found


def rename(tx: Tx, archive_id: ArchiveId, name: str, description: str | None) -> Archive:
    """Raises: ArchiveNotFound, ArchiveExists."""
    old = get(tx, archive_id)
    other = find(tx, old.owner, name)
    if other is not None and other.id != archive_id:
        raise ArchiveExists(f"There is already an archive {name!r}.", name=name)
    new = old.description if description is None else description
    tx.connection.execute(
        update(archive).where(archive.c.id == archive_id).values(name=name, description=new)
    )
    return get(tx, archive_id)


def delete_whole(tx: Tx, archive_id: ArchiveId) -> int:
    """Erase an archive and all it holds; returns how many passages. Raises: ArchiveNotFound."""
    get(tx, archive_id)
    run = tx.connection.execute
    held = run(select(func.count()).where(passage.c.archive_id == archive_id)).scalar_one()
    seqs = select(passage.c.seq).where(passage.c.archive_id == archive_id)
    run(delete(embedding).where(embedding.c.passage_seq.in_(seqs)))
    run(delete(change).where(change.c.archive_id == archive_id))
    run(delete(shown).where(shown.c.archive_id == archive_id))
    run(delete(erased).where(erased.c.archive_id == archive_id))
    run(delete(passage).where(passage.c.archive_id == archive_id))
    run(delete(archive).where(archive.c.id == archive_id))
    return int(held)


def bump(tx: Tx, archive_id: ArchiveId) -> Archive:
    """Count one change. The row stays locked until the commit, so versions become visible in order.

    Raises: ArchiveNotFound.
    """
    row = tx.connection.execute(
        update(archive)
        .where(archive.c.id == archive_id, archive.c.organization_id == tx.actor.organization_id)
        .values(version=archive.c.version + 1)
        .returning(archive)
    ).first()
    if row is None:
        raise ArchiveNotFound(f"There is no archive {archive_id}.", archive_id=archive_id)
    return of_row(row)


def settle_model(tx: Tx, found: Archive, model: str, dimension: int) -> None:
    """The first vector decides which model an archive's vectors are of.

    Raises: EmbeddingModelMismatch.
    """
    if found.embedding_model is None:
        set_model(tx, found.id, model, dimension)
    else:
        same_model(found, model)


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
