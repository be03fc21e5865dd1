"""Queries on vectors, for moving an archive from one model to another."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, exists, func, insert, select

from yiku.core.ids import ArchiveId
from yiku.core.memory import Passage
from yiku.store.database import Tx
from yiku.store.passages import COLUMNS, Indexed, of_row
from yiku.store.tables import embedding, passage


def _lacking(tx: Tx, archive_id: ArchiveId, model: str) -> tuple[ColumnElement[bool], ...]:
    return (
        passage.c.archive_id == archive_id,
        passage.c.organization_id == tx.actor.organization_id,
        ~exists().where(embedding.c.passage_seq == passage.c.seq, embedding.c.model == model),
    )


def without(tx: Tx, archive_id: ArchiveId, model: str, limit: int) -> list[Passage]:
    """Passages that have no vectors of `model`, the oldest first."""
    rows = tx.connection.execute(
        select(*COLUMNS)
        .where(*_lacking(tx, archive_id, model))
        .order_by(passage.c.seq)
        .limit(limit)
    )
    return [of_row(row) for row in rows]


def count_without(tx: Tx, archive_id: ArchiveId, model: str) -> int:
    found = tx.connection.execute(select(func.count()).where(*_lacking(tx, archive_id, model)))
    return int(found.scalar_one())


def add(tx: Tx, model: str, rows: Sequence[tuple[Passage, Indexed]]) -> None:
    """Vectors of passages that are still as they were seen; of the others none."""
    for seen, found_by in rows:
        same = tx.connection.execute(
            select(passage.c.seq).where(
                passage.c.seq == seen.seq,
                passage.c.organization_id == tx.actor.organization_id,
                passage.c.version == seen.version,
            )
        ).first()
        if same is None:
            continue
        tx.connection.execute(
            delete(embedding).where(embedding.c.passage_seq == seen.seq, embedding.c.model == model)
        )
        tx.connection.execute(
            insert(embedding).values(
                passage_seq=seen.seq,
                model=model,
                vector=found_by.vector,
                context_vector=found_by.context_vector,
            )
        )


def drop_others(tx: Tx, archive_id: ArchiveId, model: str) -> None:
    """Every vector of the archive that is not of `model`."""
    mine = select(passage.c.seq).where(
        passage.c.archive_id == archive_id,
        passage.c.organization_id == tx.actor.organization_id,
    )
    tx.connection.execute(
        delete(embedding).where(embedding.c.passage_seq.in_(mine), embedding.c.model != model)
    )
