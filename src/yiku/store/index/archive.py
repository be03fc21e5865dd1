"""The index of one archive in memory: derived from the database's rows, and never ahead of them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from yiku.store.index.query import Candidates, Query, gather
from yiku.store.index.segment import NEVER, Rows, Segment
from yiku.store.index.terms import unpack

END = int(np.iinfo(np.int64).max)
"""After every row number."""

REBUILD_SHARE = 0.5
"""A segment with more than this share of dead rows is packed anew."""


class IndexRow(NamedTuple):
    """What the index holds of one passage, as it stands in the database."""

    seq: int
    version: int
    at: int
    valid_from: int
    valid_to: int | None
    forgotten_at: int | None
    speaker: str | None
    conversation: str | None
    terms: bytes
    vector: bytes
    """float32[d], little-endian: of the text."""
    context_vector: bytes | None
    """Of the turn before and the text; None: as the text's."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Small numbers for the strings of a column."""

    numbers: dict[str, int] = field(default_factory=dict[str, int])

    def add(self, name: str | None) -> int:
        return -1 if name is None else self.numbers.setdefault(name, len(self.numbers))

    def names(self) -> list[str]:
        return list(self.numbers)

    def of(self, names: Sequence[str]) -> list[int] | None:
        """The numbers of those names that are there; None where none is asked for."""
        if not names:
            return None
        return [self.numbers[name] for name in names if name in self.numbers]


class ArchiveIndex:
    """Segments of an archive, brought up to date by the archive's version.

    Searches may run in many threads; `take` and `drop` in one at a time.
    """

    def __init__(self, dimension: int, *, anew: bool = False) -> None:
        """`anew`: made from the rows alone, for its files are worn."""
        self.dimension = dimension
        self.anew = anew
        self.version = 0
        """The archive's version up to which every change is in."""
        self.position: tuple[int, int] = (0, 0)
        """Version and number of the last passage taken; ahead of `version` while it is loaded."""
        self.lock = threading.Lock()
        self.loading = threading.Lock()
        self.speakers = Codes()
        self.conversations = Codes()
        self.segments: list[Segment] = []
        self.max_seq = 0
        self.unsaved = 0
        """Rows taken that are in no file yet: what a new process would have to read."""
        self._changed: list[tuple[int, int]] = []
        """Number and version of what was taken again since `version`: the old rows may tell of an
        erased passage."""

    @property
    def is_new(self) -> bool:
        """Whether nothing was taken in yet."""
        return self.position == (0, 0)

    def __len__(self) -> int:
        return sum(s.n - s.dead for s in self.segments)

    @property
    def nbytes(self) -> int:
        return sum(s.nbytes for s in self.segments)

    def take(self, rows: Sequence[IndexRow]) -> None:
        """Take in new and changed passages, as they are now; the caller holds `lock`."""
        changed = [(r.seq, r.version) for r in rows if r.seq <= self.max_seq]
        self._changed += changed
        self.drop([seq for seq, _ in changed])
        self._add([r for r in rows if r.forgotten_at is None])
        self.max_seq = max(self.max_seq, max((r.seq for r in rows), default=0))
        self.unsaved += len(rows)

    def finish(self, version: int, gone: Mapping[int, int]) -> list[int]:
        """All of `version` was taken in, and `gone` were erased by versions since the one before;
        the caller holds `lock`. Returns the passages of which nothing may stay in a file: the
        erased, and those that were changed by the same versions."""
        first = min(gone.values(), default=version + 1)
        tainted = [*gone, *(seq for seq, changed_by in self._changed if changed_by >= first)]
        self.erase(list(gone), tainted)
        self._changed = []
        self.version, self.position = version, (version, END)
        return tainted

    def erase(self, gone: Sequence[int], tainted: Sequence[int]) -> None:
        """Drop `gone`, and leave each file with a row of the `tainted`; the caller holds `lock`."""
        for segment in self.segments if tainted else ():
            if segment.saved is not None and segment.holds(np.array(tainted, np.int64)):
                segment.leave_file()
        self.drop(gone)

    def adopt(self, other: ArchiveIndex) -> None:
        """Become what was read from files; the caller holds `lock`."""
        self.version, self.position = other.version, other.position
        self.speakers, self.conversations = other.speakers, other.conversations
        self.segments, self.max_seq, self.unsaved = other.segments, other.max_seq, other.unsaved

    def fill(self, rows: Sequence[IndexRow]) -> None:
        """Take in passages of a segment whose file is gone; those another segment has, stay."""
        seqs = np.array([r.seq for r in rows], np.int64)
        known = np.zeros(len(rows), bool)
        for segment in self.segments:
            known |= np.isin(seqs, segment.seq[: segment.n][segment.alive[: segment.n]])
        new = [r for r, there in zip(rows, known.tolist(), strict=True) if not there]
        self._add([r for r in new if r.forgotten_at is None])
        self.unsaved += len(rows)

    def settle(self) -> None:
        """After much was taken in: one run of postings a segment, so that a term is looked up once
        in each; the caller holds `lock`."""
        for segment in self.segments:
            segment.postings.merge_all()

    def drop(self, seqs: Sequence[int]) -> None:
        """Passages that are gone, or about to be taken in anew; the caller holds `lock`."""
        if not seqs:
            return
        for segment in self.segments:
            segment.kill(np.array(seqs, np.int64))
        # What was erased leaves memory with its segment; a worn index is loaded anew.
        if any(s.dead == s.n for s in self.segments):
            self.segments = [s for s in self.segments if s.dead < s.n]

    def _add(self, rows: Sequence[IndexRow]) -> None:
        start = 0
        while start < len(rows):
            if not self.segments or self.segments[-1].full:
                self.segments = [*self.segments, Segment(self.dimension)]
            segment = self.segments[-1]
            part = rows[start : start + segment.room]
            segment.add(self._columns(part))
            start += len(part)

    def _columns(self, rows: Sequence[IndexRow]) -> Rows:
        seq, _, at, valid_from, valid_to, _, speaker, conversation, terms, own, context = zip(
            *rows, strict=True
        )
        shape = (len(rows), self.dimension)
        vectors = np.frombuffer(b"".join(own), "<f4").reshape(shape)
        both = np.frombuffer(b"".join(map(or_, context, own)), "<f4").reshape(shape)
        return Rows(
            seq=np.array(seq, np.int64),
            at=np.array(at, np.int64),
            valid_from=np.array(valid_from, np.int64),
            valid_to=np.array([NEVER if end is None else end for end in valid_to], np.int64),
            speaker=np.array([self.speakers.add(name) for name in speaker], np.int32),
            conversation=np.array([self.conversations.add(c) for c in conversation], np.int32),
            # The sum: its dot product with a query is the sum of both vectors' cosines.
            vectors=vectors + both,
            terms=unpack(terms),
        )

    @property
    def worn(self) -> bool:
        """Whether loading the archive anew would free much."""
        rows = sum(s.n for s in self.segments)
        dead = sum(s.dead for s in self.segments)
        return dead > 1024 and dead > REBUILD_SHARE * rows

    def search(self, query: Query) -> Candidates:
        """The candidates of every arm, each with all its signals."""
        return gather(
            self.segments,
            query,
            [self.speakers.of(query.speakers), self.conversations.of(query.conversations)],
        )


def or_(context: bytes | None, own: bytes) -> bytes:
    return own if context is None else context
