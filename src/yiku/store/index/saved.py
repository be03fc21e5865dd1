"""An archive's index as files: one a segment, with nothing of a dead row in it, and a list of them.

Each segment's file stands for itself: it has the names its codes mean. The list tells up to which
version of the archive the files go, and which of their rows have died since they were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.store.index.archive import ArchiveIndex, Codes
from yiku.store.index.container import Arrays, Container, Unusable
from yiku.store.index.postings import Entries, Postings, Run, merge, without
from yiku.store.index.segment import NEVER, Saved, Segment

FORMAT = 1
"""Of what is in the files; counted up whenever tokens, signals or vectors come to mean something
else, and files of another format are not read."""

WORN = 0.1
"""A segment with more than this share of dead rows is written anew without them."""

COPIED = ("alive", "speaker", "conversation")
"""Columns of which each process has its own: what died since, and codes of its own numbering."""

POSTINGS = {
    "terms": np.dtype(np.uint64),
    "starts": np.dtype(np.uint32),
    "entry_rows": np.dtype(np.uint16),
    "entry_counts": np.dtype(np.uint8),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A segment's file, as the list knows it."""

    name: str
    rows: int
    first: int
    """Its lowest `seq`, and its highest: what is read from the rows where the file is gone."""
    last: int
    dead: Sequence[int]
    """Passages whose row in it is outdated."""


@dataclass(frozen=True, slots=True)
class Part:
    """A segment as it was at one moment; rows that are added later aren't in it."""

    segment: Segment
    saved: Saved | None
    n: int
    alive: NDArray[np.bool_]
    columns: Arrays
    runs: Sequence[Run]

    @property
    def is_written(self) -> bool:
        """Whether its file will do."""
        few_dead = int((~self.alive).sum()) <= WORN * self.n
        return self.saved is not None and self.saved.n == self.n and few_dead

    def listed(self, saved: Saved) -> Listed:
        seqs = self.columns["seq"]
        return Listed(
            name=saved.name,
            rows=saved.rows,
            first=int(seqs.min()),
            last=int(seqs.max()),
            dead=np.setdiff1d(seqs[~self.alive], seqs[self.alive]).tolist(),
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An index as it was at one moment; the caller held its lock."""

    version: int
    max_seq: int
    speakers: Sequence[str]
    conversations: Sequence[str]
    parts: Sequence[Part]


def snapshot(index: ArchiveIndex) -> Snapshot:
    """The caller holds the index's lock."""
    return Snapshot(
        version=index.version,
        max_seq=index.max_seq,
        speakers=index.speakers.names(),
        conversations=index.conversations.names(),
        parts=[part_of(segment) for segment in index.segments],
    )


def part_of(segment: Segment) -> Part:
    n = segment.n
    return Part(
        segment=segment,
        saved=segment.saved,
        n=n,
        alive=segment.alive[:n].copy(),
        columns={c: getattr(segment, c)[:n] for c in Segment.COLUMNS if c != "alive"},
        runs=segment.postings.runs(),
    )


def packed(part: Part, whole: Snapshot) -> tuple[dict[str, Any], Arrays]:
    """What a segment's file holds: facts, and arrays of its living rows alone."""
    columns = dict(part.columns)
    run = part.runs[0] if len(part.runs) == 1 else merge(part.runs)
    if not part.alive.all():
        columns = {name: column[part.alive] for name, column in columns.items()}
        run = without(run, part.alive)
    speakers, columns["speaker"] = own_names(columns["speaker"], whole.speakers)
    conversations, columns["conversation"] = own_names(columns["conversation"], whole.conversations)
    facts = {
        "rows": len(columns["seq"]),
        "first": int(columns["seq"].min()),
        "last": int(columns["seq"].max()),
        "speakers": speakers,
        "conversations": conversations,
        "newest_start": int(columns["valid_from"].max(initial=0)),
        "total_context_length": int(columns["context_length"].sum()),
        "ends": bool((columns["valid_to"] != NEVER).any()),
    }
    postings = (run.terms, run.starts, run.entries.rows, run.entries.counts)
    return facts, columns | dict(zip(POSTINGS, postings, strict=True))


def own_names(
    codes: NDArray[np.int32], names: Sequence[str]
) -> tuple[list[str], NDArray[np.int32]]:
    """The names these codes mean, and the codes as places among them; −1 stays."""
    used: NDArray[np.int32] = np.unique(codes[codes >= 0])
    places = np.where(codes < 0, -1, np.searchsorted(used, codes))
    return [names[int(code)] for code in used], places.astype(np.int32)


def unpacked(file: Container, saved: Saved, index: ArchiveIndex) -> Segment:
    """The segment of a file, its codes as `index` numbers them. Raises: Unusable."""
    facts, arrays = file.facts, file.arrays
    segment = Segment(index.dimension)
    try:
        check_shapes(arrays, saved.n, index.dimension)
        for name in Segment.COLUMNS:
            if name not in COPIED:
                setattr(segment, name, arrays[name])
        segment.alive = np.ones(saved.n, bool)
        segment.speaker = renumbered(arrays["speaker"], facts["speakers"], index.speakers)
        segment.conversation = renumbered(
            arrays["conversation"], facts["conversations"], index.conversations
        )
        segment.postings = Postings.of(
            Run(
                arrays["terms"],
                arrays["starts"],
                Entries(arrays["entry_rows"], arrays["entry_counts"]),
            )
        )
        segment.newest_start = int(facts["newest_start"])
        segment.total_context_length = int(facts["total_context_length"])
        segment.ends = bool(facts["ends"])
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Unusable("it does not hold a segment") from error
    segment.n = saved.n
    segment.saved = saved
    return segment


def check_shapes(arrays: Arrays, n: int, dimension: int) -> None:
    """Raises: Unusable, KeyError."""
    empty = Segment(dimension)
    for name in Segment.COLUMNS:
        if name == "alive":
            continue
        column: NDArray[Any] = getattr(empty, name)
        found = arrays[name]
        if found.dtype != column.dtype or found.shape != (n, *column.shape[1:]):
            raise Unusable(f"its column {name} is of another kind")
    kinds = [arrays[name].dtype for name in POSTINGS]
    if kinds != [*POSTINGS.values()] or len(arrays["starts"]) != len(arrays["terms"]) + 1:
        raise Unusable("its postings are of another kind")


def renumbered(places: NDArray[np.int32], names: Sequence[str], codes: Codes) -> NDArray[np.int32]:
    # One more at the end, so that the place −1 reads −1.
    return np.array([*map(codes.add, names), -1], np.int32)[places]
