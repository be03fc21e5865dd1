"""What an index is made from: rows of the database, in the order of their changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from yiku.core.memory import Archive
from yiku.store import hot
from yiku.store.database import Tx
from yiku.store.index.archive import IndexRow

CHUNK = 512
"""Passages read at a time: 2,048 are no faster, and 9 MB of what they take never come back."""

_ROWS = """
SELECT p.seq, p.version, p.at, p.valid_from, p.valid_to, p.forgotten_at, p.speaker,
       p.conversation, p.terms, {vector}, {context}
FROM passage p JOIN embedding e ON e.passage_seq = p.seq AND e.model = :model
WHERE p.archive_id = :archive AND p.organization_id = :organization AND """
_LATER = """(p.version > :version OR (p.version = :version AND p.seq > :seq))
ORDER BY p.version, p.seq LIMIT :limit
"""
_BETWEEN = """p.seq > :after AND p.seq <= :last
ORDER BY p.seq LIMIT :limit
"""


class _Rows:
    """The statement as either database writes it."""

    def __init__(self, sql: str) -> None:
        self._sqlite = hot.Select(sql.format(vector="e.vector", context="e.context_vector"))
        self._postgres = hot.Select(
            sql.format(vector="vector_send(e.vector)", context="vector_send(e.context_vector)")
        )

    def of(self, tx: Tx, archive: Archive, **values: int) -> list[IndexRow]:
        statement = self._postgres if tx.postgres else self._sqlite
        rows = statement.rows(
            tx.connection,
            archive=archive.id,
            organization=archive.organization_id,
            model=archive.embedding_model,
            limit=CHUNK,
            **values,
        )
        return [IndexRow._make(plain(row) if tx.postgres else row) for row in rows]


LATER = _Rows(_ROWS + _LATER)
BETWEEN = _Rows(_ROWS + _BETWEEN)
ERASED = hot.Select(
    "SELECT passage_seq, version FROM erased WHERE archive_id = :archive AND version > :version"
)


def later(tx: Tx, archive: Archive, version: int, seq: int) -> list[IndexRow]:
    """The next `CHUNK` passages changed after this one of this version."""
    return LATER.of(tx, archive, version=version, seq=seq)


def between(tx: Tx, archive: Archive, first: int, last: int) -> Iterator[list[IndexRow]]:
    """Passages with these numbers, `CHUNK` at a time."""
    after = first - 1
    while rows := BETWEEN.of(tx, archive, after=after, last=last):
        yield rows
        after = rows[-1].seq


def erased_since(tx: Tx, archive: Archive, version: int) -> dict[int, int]:
    """Deleted passages and the versions that deleted them."""
    return dict(ERASED.rows(tx.connection, archive=archive.id, version=version))


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of Postgres with its blobs as SQLite has them."""
    *fields, terms, vector, context = row
    return (*fields, bytes(terms), vector_of(vector), context and vector_of(context))


def vector_of(sent: bytes) -> bytes:
    """pgvector sends a 4-byte header, then big-endian numbers."""
    return np.frombuffer(sent, ">f4", offset=4).astype("<f4").tobytes()
