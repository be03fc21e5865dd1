"""Up to 65,536 passages of an archive as columns: numbers, an int8 matrix, postings.

Rows are only ever added. A changed passage gets a new row and its old one dies; the index drops
segments in which most rows are dead. Vectors are kept as int8 with a scale per row: a scan reads
a quarter of the bytes, and the best are scored again with the exact vectors.

A segment that was read from a file has its columns there, mapped and read-only; the first row that
is added copies them into memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numkong
import numpy as np
from numpy.typing import NDArray

from yiku.store.index.postings import Postings
from yiku.store.index.terms import Terms

CAPACITY = 65_536
"""Rows of a segment: two threads share the scan of an archive of more."""
NEVER = np.iinfo(np.int64).max
FIRST_SIZE = 256


@dataclass(frozen=True, slots=True)
class Rows:
    """Passages on their way into a segment: n of each."""

    seq: NDArray[np.int64]
    at: NDArray[np.int64]
    """Microseconds since 1970 UTC, as the next two."""
    valid_from: NDArray[np.int64]
    valid_to: NDArray[np.int64]
    """`NEVER` where it is open."""
    speaker: NDArray[np.int32]
    conversation: NDArray[np.int32]
    """Codes of the index's own; −1: none."""
    vectors: NDArray[np.float32]
    """(n, d)"""
    terms: Terms


def quantise(vectors: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 rows and the scale of each: row ≈ int8 · scale."""
    scale = np.maximum(np.abs(vectors).max(axis=1, initial=1e-12), 1e-12) / np.float32(127)
    return np.rint(vectors / scale[:, None]).astype(np.int8), scale.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Saved:
    """The file a segment was written to or read from."""

    name: str
    n: int
    """Rows of the segment then; where it has more by now, the file is outdated."""
    rows: int
    """Rows of the file: those that lived."""


class Segment:
    """Columns that grow to `CAPACITY`; `n` rows of them are in use."""

    def __init__(self, dimension: int) -> None:
        self.n = 0
        self.dead = 0
        self.postings = Postings()
        self.newest_start = 0
        """The latest `valid_from`."""
        self.total_context_length = 0
        self.ends = False
        """Whether any row has a `valid_to`."""
        self.seq = np.empty(0, np.int64)
        self.at = np.empty(0, np.int64)
        self.valid_from = np.empty(0, np.int64)
        self.valid_to = np.empty(0, np.int64)
        self.speaker = np.empty(0, np.int32)
        self.conversation = np.empty(0, np.int32)
        self.length = np.empty(0, np.uint32)
        self.context_length = np.empty(0, np.uint32)
        self.flags = np.empty(0, np.uint8)
        self.alive = np.empty(0, bool)
        self.scale = np.empty(0, np.float32)
        self.matrix = np.empty((0, dimension), np.int8)
        self.saved: Saved | None = None

    COLUMNS = (
        "seq at valid_from valid_to speaker conversation length context_length flags alive scale"
        " matrix"
    ).split()

    @property
    def room(self) -> int:
        return CAPACITY - self.n

    @property
    def full(self) -> bool:
        return self.n == CAPACITY

    @property
    def nbytes(self) -> int:
        return sum(getattr(self, c).nbytes for c in self.COLUMNS) + self.postings.nbytes

    def add(self, rows: Rows) -> None:
        """At most `room` rows."""
        start, end = self.n, self.n + len(rows.seq)
        self._grow(end)
        self.seq[start:end] = rows.seq
        self.at[start:end] = rows.at
        self.valid_from[start:end] = rows.valid_from
        self.valid_to[start:end] = rows.valid_to
        self.speaker[start:end] = rows.speaker
        self.conversation[start:end] = rows.conversation
        self.length[start:end] = rows.terms.lengths
        self.context_length[start:end] = rows.terms.context_lengths
        self.flags[start:end] = rows.terms.flags
        self.alive[start:end] = True
        self.matrix[start:end], self.scale[start:end] = quantise(rows.vectors)
        self.postings.add(start, rows.terms)
        self.newest_start = max(self.newest_start, int(rows.valid_from.max(initial=0)))
        self.total_context_length += int(rows.terms.context_lengths.sum())
        self.ends = self.ends or bool((rows.valid_to != NEVER).any())
        self.n = end
        if self.full:
            self.postings.merge_all()

    def _grow(self, size: int) -> None:
        have = len(self.seq)
        if size > have:
            self._copy_columns(min(CAPACITY, max(FIRST_SIZE, size, 2 * have)))

    def _copy_columns(self, room: int) -> None:
        for name in self.COLUMNS:
            old = getattr(self, name)
            new = np.zeros((room, *old.shape[1:]), old.dtype)
            new[: self.n] = old[: self.n]
            setattr(self, name, new)

    def leave_file(self) -> None:
        """Nothing of the segment is in a file any more: what was mapped is copied into memory."""
        self.saved = None
        if not self.matrix.flags.writeable:
            self._copy_columns(self.n)
            self.postings.copy_runs()

    def holds(self, seqs: NDArray[np.int64]) -> bool:
        """Whether any of these passages has a row, living or dead."""
        return bool(np.isin(seqs, self.seq[: self.n]).any())

    def kill(self, seqs: NDArray[np.int64]) -> list[int]:
        """Mark the living rows of these passages dead; returns the rows."""
        seq = self.seq[: self.n]
        found = seq == seqs[0] if len(seqs) == 1 else np.isin(seq, seqs)
        rows = np.flatnonzero(found & self.alive[: self.n])
        self.alive[rows] = False
        if self.matrix.flags.writeable:
            self.matrix[rows] = 0  # a deleted memory's vector goes with it
        self.dead += len(rows)
        return rows.tolist()

    def scan(self, query: NDArray[np.int8], scale: float) -> NDArray[np.float32]:
        """float32[n]: the dot product of every row with the query."""
        return self._dots(query, self.matrix[: self.n], self.scale[: self.n], scale)

    def scan_rows(
        self, query: NDArray[np.int8], scale: float, rows: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        return self._dots(query, self.matrix[rows], self.scale[rows], scale)

    @staticmethod
    def _dots(
        query: NDArray[np.int8],
        matrix: NDArray[np.int8],
        scales: NDArray[np.float32],
        scale: float,
    ) -> NDArray[np.float32]:
        if not len(matrix):
            return np.empty(0, np.float32)
        raw = np.asarray(numkong.cdist(query[None], matrix, "dot", out_dtype="float32"))
        dots = raw.reshape(-1).astype(np.float32, copy=False) * scales
        dots *= np.float32(scale)
        return dots
