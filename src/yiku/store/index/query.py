"""Finding candidates in segments: a lexical arm, a dense one, and what dates select."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from yiku.store.index.postings import Entries
from yiku.store.index.segment import Segment, quantise

COMMON_FROM = 20_000
COMMON_SHARE = 0.05
"""In archives of more than `COMMON_FROM` rows, a query's terms that more than this share of rows
hold are left out while it has rarer ones: they cost most and tell least (research/storage.md)."""

SPARSE_SHARE = 0.2
"""Below this share of rows, only the selected rows' vectors are read."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Bm25:
    """Parameters of one lexical arm (Robertson and Zaragoza, 2009)."""

    k1: float
    b: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for, in the index's own terms."""

    vector: Floats | None
    """(d,), or None: no dense arm."""
    terms: Sequence[int]
    """Hashes of the query's tokens."""
    required: Sequence[Sequence[int]] = ()
    """All of these groups must be met, each by any of its field terms."""
    speakers: Sequence[str] = ()
    conversations: Sequence[str] = ()
    """Any of these; empty: all."""
    since: int | None = None
    until: int | None = None
    """`at` from and before, microseconds."""
    as_of: int | None = None
    """Only what is valid at this moment; None: valid or not."""
    only: NDArray[np.int64] | None = None
    """Row numbers of passages; None: any."""
    never: NDArray[np.int64] | None = None
    """Row numbers of passages that are not looked for."""
    spans: Sequence[tuple[int, int]] = ()
    """Times the query speaks of: passages of these are candidates too."""
    arm: int = 200
    """Candidates an arm brings."""
    all_below: int = 2000
    """In archives of at most so many rows, every row is a candidate."""
    bm25: Bm25 = Bm25(0.9, 0.6)


@dataclass(frozen=True, slots=True)
class Candidates:
    """One row a candidate: n of each."""

    attainable: float
    """BM25 of a passage of mean length that holds each of the query's terms once."""
    seq: NDArray[np.int64]
    lexical: Floats
    """BM25 of the turn before and the text together."""
    dense: Floats
    """The query's dot product with the sum of both vectors."""
    at: NDArray[np.int64]
    speaker: NDArray[np.int32]
    conversation: NDArray[np.int32]
    length: NDArray[np.int64]
    """Tokens of the text."""
    flags: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of the archive: what BM25 weighs terms by."""

    rows: int
    mean_length: float


@dataclass(frozen=True, slots=True)
class Weighted:
    """A query term with its inverse document frequency."""

    term: int
    idf: float


def statistics(segments: Sequence[Segment]) -> Statistics:
    n = sum(s.n for s in segments)
    length = sum(s.total_context_length for s in segments)
    return Statistics(n, max(length / max(n, 1), 1e-9))


def inverse_frequency(rows: int, holding: int) -> float:
    return math.log(1 + (rows - holding + 0.5) / (holding + 0.5))


def weigh(terms: Sequence[int], entries: dict[int, list[Entries]], rows: int) -> list[Weighted]:
    """Inverse document frequencies over the whole archive; common terms left out if they may be."""
    found: list[tuple[int, Weighted]] = []
    for term in terms:
        holding = sum(len(e.rows) for e in entries[term])
        if holding:
            found.append((holding, Weighted(term, inverse_frequency(rows, holding))))
    if rows > COMMON_FROM:
        rare = [pair for pair in found if pair[0] <= COMMON_SHARE * rows]
        # All common: the rarest of them decides, rather than nothing.
        found = rare or sorted(found, key=lambda pair: pair[0])[:1]
    return [weighted for _, weighted in found]


def lexical(
    segment: Segment, parts: Sequence[tuple[Weighted, Entries]], query: Query, stats: Statistics
) -> Floats:
    """BM25 of every row of the segment, (n,)."""
    k1, b = query.bm25.k1, query.bm25.b
    scores = np.zeros(segment.n, np.float32)
    for weight, e in parts:
        counts = e.counts.astype(np.float32)
        lengths = segment.context_length[e.rows]
        norm = lengths * np.float32(k1 * b / stats.mean_length) + np.float32(k1 * (1 - b))
        scores[e.rows] += counts * np.float32(weight.idf * (k1 + 1)) / (counts + norm)
    return scores


def best(scores: Floats, k: int, above: float = -math.inf) -> NDArray[np.intp]:
    """Rows of at least the k highest scores above `above`, in no order.

    A threshold from a sample leaves few rows to partition; ties may let some more through.
    """
    n = len(scores)
    rows = None
    if n > 16 * k:
        sample = scores[:: max(1, n // 8192)]
        keep = max(1, math.ceil(2 * k * len(sample) / n))
        if above > -math.inf:  # partitioning is slow where most are equal, as words' zeros are
            sample = sample[sample > above]
        if len(sample) >= keep:
            rows = np.flatnonzero(scores > np.partition(sample, -keep)[-keep])
    if rows is None or len(rows) < k:
        rows = np.flatnonzero(scores > above)
    if len(rows) <= k:
        return rows
    return rows[np.argpartition(scores[rows], -k)[-k:]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What filters ask for, in one segment's terms."""

    fields: Sequence[Sequence[Entries]]
    speakers: Sequence[int] | None
    conversations: Sequence[int] | None
    """Codes; None: all."""


def any_of(column: NDArray[np.int32], codes: Sequence[int]) -> NDArray[np.bool_]:
    return column == codes[0] if len(codes) == 1 else np.isin(column, codes)


def selected(segment: Segment, query: Query, chosen: Chosen) -> NDArray[np.bool_] | None:
    """bool[n]: rows the filters let through; None: all."""
    n = segment.n
    mask: NDArray[np.bool_] | None = None

    def narrow(part: NDArray[np.bool_]) -> None:
        nonlocal mask
        mask = part if mask is None else mask & part

    if chosen.speakers is not None:
        narrow(any_of(segment.speaker[:n], chosen.speakers))
    if chosen.conversations is not None:
        narrow(any_of(segment.conversation[:n], chosen.conversations))
    for group in chosen.fields:
        part = np.zeros(n, bool)
        for e in group:
            part[e.rows] = True
        narrow(part)
    if query.only is not None:
        narrow(np.isin(segment.seq[:n], query.only))
    if query.never is not None:
        narrow(np.isin(segment.seq[:n], query.never, invert=True))
    if query.since is not None:
        narrow(segment.at[:n] >= query.since)
    if query.until is not None:
        narrow(segment.at[:n] < query.until)
    if query.as_of is not None and (segment.ends or segment.newest_start > query.as_of):
        narrow((segment.valid_from[:n] <= query.as_of) & (segment.valid_to[:n] > query.as_of))
    if segment.dead:
        narrow(segment.alive[:n])
    return mask


@dataclass(frozen=True, slots=True)
class Scored:
    """One segment's rows that may be candidates, with their scores."""

    segment: Segment
    rows: NDArray[np.intp]
    lexical: Floats
    dense: Floats


def score(
    segment: Segment,
    query: Query,
    parts: Sequence[tuple[Weighted, Entries]],
    chosen: Chosen,
    stats: Statistics,
) -> Scored:
    """The segment's candidates: the best of each arm among the rows the filters let through."""
    mask = selected(segment, query, chosen)
    words = lexical(segment, parts, query, stats)
    everything = stats.rows <= query.all_below
    some = None if mask is None else np.flatnonzero(mask)
    if some is not None and (everything or len(some) <= SPARSE_SHARE * segment.n):
        words, dense = words[some], dense_of(segment, query, some)
        if everything:
            return Scored(segment, some, words, dense)
        places = union(words, dense, segment.at[some], query)
        return Scored(segment, some[places], words[places], dense[places])
    dense = dense_of(segment, query, None)
    if everything:
        return Scored(segment, np.arange(segment.n), words, dense)
    if mask is not None:
        words, dense = words * mask, np.where(mask, dense, np.float32(-np.inf))
    rows = union(words, dense, segment.at[: segment.n], query)
    return Scored(segment, rows, words[rows], dense[rows])


def dense_of(segment: Segment, query: Query, rows: NDArray[np.intp] | None) -> Floats:
    if query.vector is None:
        return np.zeros(segment.n if rows is None else len(rows), np.float32)
    code, scale = quantise(query.vector[None])
    if rows is None:
        return segment.scan(code[0], float(scale[0]))
    return segment.scan_rows(code[0], float(scale[0]), rows)


def union(words: Floats, dense: Floats, at: NDArray[np.int64], query: Query) -> NDArray[np.intp]:
    """Rows of the best of each arm; a row without a word in common is none of the lexical arm's,
    and −∞ marks what a filter shut out."""
    arms = [best(words, query.arm, 0)]
    if query.vector is not None:
        arms.append(best(dense, query.arm))
    for start, end in query.spans:
        inside = np.flatnonzero((at >= start) & (at < end) & np.isfinite(dense))
        arms.append(inside[best(dense[inside], query.arm)])
    return np.unique(np.concatenate(arms))


def gather(
    segments: Sequence[Segment], query: Query, codes: Sequence[Sequence[int] | None]
) -> Candidates:
    """The candidates of all segments; those of large archives are scored on two threads.

    `codes`: of the speakers and of the conversations asked for.
    """
    speakers, conversations = codes
    found = {term: [s.postings.find(term) for s in segments] for term in query.terms}
    stats = statistics(segments)
    weights = weigh(query.terms, found, stats.rows)
    attainable = sum(
        inverse_frequency(stats.rows, sum(len(e.rows) for e in entries))
        for entries in found.values()
    )
    work: list[Callable[[], Scored]] = []
    for number, segment in enumerate(segments):
        parts = [(w, e) for w in weights if len((e := found[w.term][number]).rows)]
        fields = [[segment.postings.find(t) for t in group] for group in query.required]
        chosen = Chosen(fields, speakers, conversations)
        work.append(partial(score, segment, query, parts, chosen, stats))
    if len(work) == 1:
        return joined([work[0]()], query, attainable)
    scored = [future.result() for future in [POOL.submit(task) for task in work]]
    return joined(scored, query, attainable)


POOL = ThreadPoolExecutor(2, "yiku-index")
"""NumPy and numkong let go of the interpreter while they scan."""


def joined(scored: Sequence[Scored], query: Query, attainable: float) -> Candidates:
    """All segments' candidates; each arm's best of all again where there are several segments."""

    def column(name: str) -> NDArray[np.generic]:
        return np.concatenate([getattr(s.segment, name)[s.rows] for s in scored])

    if not scored:
        empty = np.empty(0, np.float32)
        whole = np.empty(0, np.int64)
        code = np.empty(0, np.int32)
        flags = np.empty(0, np.uint8)
        return Candidates(attainable, whole, empty, empty, whole, code, code, whole, flags)
    words = np.concatenate([s.lexical for s in scored])
    dense = np.concatenate([s.dense for s in scored])
    at = column("at").astype(np.int64)
    keep = np.arange(len(at)) if len(scored) == 1 else union(words, dense, at, query)
    return Candidates(
        attainable=attainable,
        seq=column("seq").astype(np.int64)[keep],
        lexical=words[keep],
        dense=dense[keep],
        at=at[keep],
        speaker=column("speaker").astype(np.int32)[keep],
        conversation=column("conversation").astype(np.int32)[keep],
        length=column("length").astype(np.int64)[keep],
        flags=column("flags").astype(np.uint8)[keep],
    )
