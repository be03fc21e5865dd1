"""Which rows hold a term: sorted runs that are never changed, and a small table of the newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yiku.store.index.terms import Terms

TABLE_ROWS = 256
"""Rows that wait in the table at most; as many at once become a run without it."""

TIER = 4
"""So many runs of one size class are merged: each posting is sorted a few times in all."""


@dataclass(frozen=True, slots=True)
class Entries:
    """The rows of one term, ascending: rows u16[n], counts u8[n]."""

    rows: NDArray[np.uint16]
    counts: NDArray[np.uint8]


NONE = Entries(np.empty(0, np.uint16), np.empty(0, np.uint8))


@dataclass(frozen=True, slots=True)
class Run:
    """Terms u64[t] ascending; the entries of term i are `starts[i]:starts[i + 1]`."""

    terms: NDArray[np.uint64]
    starts: NDArray[np.uint32]
    entries: Entries

    def find(self, term: int) -> Entries | None:
        key = np.uint64(term)
        at = int(np.searchsorted(self.terms, key))
        if at == len(self.terms) or self.terms[at] != key:
            return None
        part = slice(int(self.starts[at]), int(self.starts[at + 1]))
        e = self.entries
        return Entries(e.rows[part], e.counts[part])

    @property
    def nbytes(self) -> int:
        e = self.entries
        return self.terms.nbytes + self.starts.nbytes + e.rows.nbytes + e.counts.nbytes


def sort_run(terms: NDArray[np.uint64], entries: Entries) -> Run:
    """A run of unsorted postings whose rows ascend within each term."""
    order = np.argsort(terms, kind="stable")
    ordered = terms[order]
    firsts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else order
    return Run(
        terms=ordered[firsts],
        starts=np.r_[firsts, len(ordered)].astype(np.uint32),
        entries=Entries(entries.rows[order], entries.counts[order]),
    )


def run_of(first_row: int, terms: Terms) -> Run:
    """The postings of consecutive rows, the first of them `first_row`."""
    rows = np.arange(first_row, first_row + len(terms.sizes), dtype=np.uint16)
    return sort_run(terms.hashes, Entries(np.repeat(rows, terms.sizes), terms.counts))


def merge(runs: Sequence[Run]) -> Run:
    """One run of several whose rows ascend from run to run."""
    return sort_run(
        np.concatenate([np.repeat(r.terms, np.diff(r.starts)) for r in runs]),
        Entries(
            np.concatenate([r.entries.rows for r in runs]),
            np.concatenate([r.entries.counts for r in runs]),
        ),
    )


def without(run: Run, alive: NDArray[np.bool_]) -> Run:
    """The run without dead rows, and the living numbered anew from 0."""
    number = np.cumsum(alive, dtype=np.int64) - 1
    rows = run.entries.rows
    keep = alive[rows]
    terms = np.repeat(run.terms, np.diff(run.starts))[keep]
    entries = Entries(number[rows[keep]].astype(rows.dtype), run.entries.counts[keep])
    return sort_run(terms, entries)


class Postings:
    """The postings of one segment; rows are added in ascending order.

    A run costs a sort, so the newest few rows wait in a table.
    """

    def __init__(self) -> None:
        self._runs: list[Run] = []
        self._newest: dict[int, list[tuple[int, int]]] = {}
        self._waiting: list[Terms] = []
        self._first_waiting = 0
        self._rows_waiting = 0

    def add(self, first_row: int, terms: Terms) -> None:
        """Rows from `first_row` on."""
        if not self._waiting:
            self._first_waiting = first_row
        self._waiting.append(terms)
        self._rows_waiting += len(terms.sizes)
        if self._rows_waiting >= TABLE_ROWS:
            self._close_table()
            return
        rows = np.arange(first_row, first_row + len(terms.sizes), dtype=np.int32)
        numbers = np.repeat(rows, terms.sizes).tolist()
        postings = zip(terms.hashes.tolist(), numbers, terms.counts.tolist(), strict=True)
        for term, number, count in postings:
            self._newest.setdefault(term, []).append((number, count))

    def _close_table(self) -> None:
        self._runs.append(run_of(self._first_waiting, joined(self._waiting)))
        self._waiting, self._newest, self._rows_waiting = [], {}, 0
        while len(self._runs) >= TIER and len({tier(run) for run in self._runs[-TIER:]}) == 1:
            self._runs[-TIER:] = [merge(self._runs[-TIER:])]

    def runs(self) -> list[Run]:
        """All there is, oldest first; the runs are never changed."""
        waiting = [run_of(self._first_waiting, joined(self._waiting))] if self._waiting else []
        return [*self._runs, *waiting]

    @classmethod
    def of(cls, run: Run) -> Postings:
        made = cls()
        made._runs = [run]
        return made

    def copy_runs(self) -> None:
        """Leave the file that the runs are mapped from."""
        self._runs = [
            Run(
                r.terms.copy(),
                r.starts.copy(),
                Entries(r.entries.rows.copy(), r.entries.counts.copy()),
            )
            for r in self._runs
        ]

    def merge_all(self) -> None:
        """Everything into one run; more may be added after it."""
        if self._waiting:
            self._close_table()
        if len(self._runs) > 1:
            self._runs = [merge(self._runs)]

    def find(self, term: int) -> Entries:
        parts = [found for run in self._runs if (found := run.find(term)) is not None]
        if newest := self._newest.get(term):
            columns = np.array(newest, np.int32).T
            parts.append(Entries(columns[0].astype(np.uint16), columns[1].astype(np.uint8)))
        if len(parts) <= 1:
            return parts[0] if parts else NONE
        return Entries(
            np.concatenate([p.rows for p in parts]),
            np.concatenate([p.counts for p in parts]),
        )

    @property
    def nbytes(self) -> int:
        """About: the table of the newest is counted as 120 bytes a posting."""
        waiting = sum(len(terms.hashes) for terms in self._waiting)
        return sum(run.nbytes for run in self._runs) + 120 * waiting


def tier(run: Run) -> int:
    """The size class of a run: powers of `TIER`."""
    return len(run.entries.rows).bit_length() // 2


def joined(parts: Sequence[Terms]) -> Terms:
    if len(parts) == 1:
        return parts[0]
    return Terms(*(np.concatenate([getattr(p, f) for p in parts]) for f in Terms.__slots__))
