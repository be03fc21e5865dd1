"""Indexes of recently used archives, within a memory budget, each brought up to date before use."""

from __future__ import annotations

import ctypes
import sys
import threading
from collections import OrderedDict
from typing import Any

import numpy as np

from yiku.core.ids import ArchiveId
from yiku.core.memory import Archive
from yiku.store import hot
from yiku.store.database import Tx
from yiku.store.index.archive import ArchiveIndex, IndexRow

CHUNK = 2048
"""Passages read at a time."""

END = int(np.iinfo(np.int64).max)
"""After every row number."""

Key = tuple[ArchiveId, str]

_ROWS = """
SELECT p.seq, p.version, p.at, p.valid_from, p.valid_to, p.forgotten_at, p.speaker,
       p.conversation, p.terms, {vector}, {context}
FROM passage p JOIN embedding e ON e.passage_seq = p.seq AND e.model = :model
WHERE p.archive_id = :archive AND p.organization_id = :organization
      AND (p.version > :version OR (p.version = :version AND p.seq > :seq))
ORDER BY p.version, p.seq LIMIT :limit
"""
SQLITE_ROWS = hot.Select(_ROWS.format(vector="e.vector", context="e.context_vector"))
POSTGRES_ROWS = hot.Select(
    _ROWS.format(vector="vector_send(e.vector)", context="vector_send(e.context_vector)")
)
ERASED = hot.Select(
    "SELECT passage_seq FROM erased WHERE archive_id = :archive AND version > :version"
)


class IndexPool:
    """One index per archive and model; the least recently used leave when memory runs short."""

    def __init__(self, budget_mb: int) -> None:
        self._budget = budget_mb * 1_000_000
        self._indexes: OrderedDict[Key, ArchiveIndex] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(index.nbytes for index in self._indexes.values())

    def current(self, tx: Tx, archive: Archive) -> ArchiveIndex | None:
        """The archive's index as of `archive.version`; None where it holds no vectors yet.

        Reads the changes since it was last used, the whole archive the first time.
        """
        if archive.embedding_model is None or archive.dimension is None:
            return None
        key = (archive.id, archive.embedding_model)
        with self._lock:
            index = self._indexes.get(key)
            if index is None or index.worn:
                index = self._indexes[key] = ArchiveIndex(archive.dimension)
            self._indexes.move_to_end(key)
        if index.version < archive.version:
            self._catch_up(tx, archive, index)
            self._shrink(key)
        return index

    def drop(self, archive_id: ArchiveId) -> None:
        with self._lock:
            for key in [k for k in self._indexes if k[0] == archive_id]:
                del self._indexes[key]

    def _shrink(self, newest: Key) -> None:
        with self._lock:
            sizes = {key: index.nbytes for key, index in self._indexes.items()}
            while sum(sizes.values()) > self._budget and len(self._indexes) > 1:
                key, _ = self._indexes.popitem(last=False)
                if key == newest:  # never the one in use
                    raise AssertionError("the newest index is the last")
                del sizes[key]

    def _catch_up(self, tx: Tx, archive: Archive, index: ArchiveIndex) -> None:
        """Take the archive's changes in, in their order, until the index is as new as `archive`.

        Rows are read without a lock: on Postgres several units share one thread, and one that
        waits for its rows must not stop another. Whoever finds that the index has moved on since
        it read, reads again.
        """
        first = index.loading.acquire(blocking=not tx.postgres)  # threads needn't all read it
        taken = 0
        try:
            while index.version < archive.version:
                known, start = index.version, index.position
                rows = self._read(tx, archive, *start)
                last = len(rows) < CHUNK
                gone = erased_since(tx, archive, known) if last else []
                taken += len(rows)
                with index.lock:
                    if (index.version, index.position) != (known, start):
                        continue
                    index.take(rows)
                    if last:
                        index.drop(gone)
                        index.version = archive.version
                        index.position = (archive.version, END)
                    else:
                        index.position = (rows[-1].version, rows[-1].seq)
        finally:
            if first:
                index.loading.release()
        if taken > CHUNK:
            with index.lock:
                index.settle()
            give_back_memory()

    def _read(self, tx: Tx, archive: Archive, version: int, seq: int) -> list[IndexRow]:
        statement = POSTGRES_ROWS if tx.postgres else SQLITE_ROWS
        rows = statement.rows(
            tx.connection,
            archive=archive.id,
            organization=archive.organization_id,
            model=archive.embedding_model,
            version=version,
            seq=seq,
            limit=CHUNK,
        )
        return [IndexRow._make(plain(row) if tx.postgres else row) for row in rows]


def erased_since(tx: Tx, archive: Archive, version: int) -> list[int]:
    rows = ERASED.rows(tx.connection, archive=archive.id, version=version)
    return [row[0] for row in rows]


def plain(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of Postgres with its blobs as SQLite has them."""
    *fields, terms, vector, context = row
    return (*fields, bytes(terms), vector_of(vector), context and vector_of(context))


def vector_of(sent: bytes) -> bytes:
    """pgvector sends a 4-byte header, then big-endian numbers."""
    return np.frombuffer(sent, ">f4", offset=4).astype("<f4").tobytes()


def give_back_memory() -> None:
    """What loading took goes back to the system, where its allocator has a call for that (glibc):
    rows come in small pieces, which it would keep."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
