"""What a query's candidates are worth: one weighted sum of plain signals. Pure.

    score = lexical + dense + conversation + speaker + date + when + content + question

The weights are round numbers from a flat optimum: coordinate ascent on four of five LoCoMo
conversations chose nearly the same ones for every fifth held out, and none of them tells English
from Chinese. Figures and ablations: docs/reference/retrieval.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """What a signal at its full strength adds. The defaults hold for all-MiniLM-L6-v2, whose
    cosines spread by 0.1; a model that spreads them less needs a larger `dense`."""

    lexical: float = 0.75
    """BM25 (k1 0.9, b 0.6) of the turn before and the text, as a share of the query's best."""
    enough: float = 0.6
    """The share of the attainable BM25 below which even the best has said little: where a query's
    telling words are in no passage, its common ones decide nothing."""
    dense: float = 2.0
    """Mean of the cosines of the text and of the text with the turn before it."""
    glossed: float = 0.75
    """Factor on `dense` where the query reached the model as a word-by-word gloss."""
    conversation_lexical: float = 0.5
    """Mean of the three best lexical shares in the passage's conversation."""
    conversation_dense: float = 0.5
    """The same of the dense means."""
    speaker: float = 0.5
    """The query names one speaker, and the passage is theirs. More helps LoCoMo's answerable
    questions little and costs those that name the wrong person much."""
    date: float = 1.0
    """How near it was said to a time the query names, `nearness`."""
    when: float = 0.5
    """The query asks when, and the passage says when."""
    content: float = 0.5
    """1 − e^(−tokens / 8): "Wow, cool!" seldom answers anything."""
    question: float = -0.1
    """The passage ends with a question mark."""


DEFAULT_WEIGHTS = Weights()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Columns of n passages that may answer."""

    lexical: Floats
    """BM25 with context, 0 and more."""
    dense: Floats
    """The query's unit vector times the mean of both unit vectors of the passage, −1..1."""
    speaker: NDArray[np.int32]
    """Codes; below 0: nobody known."""
    conversation: NDArray[np.int32]
    """Codes; below 0: none, and the passage stands for itself."""
    at: NDArray[np.int64]
    """When it was said, microseconds since 1970 UTC."""
    length: NDArray[np.int64]
    """Tokens of the text alone."""
    question: NDArray[np.bool_]
    """Ends with a question mark."""
    time_words: NDArray[np.bool_]
    """`when.has_time_words`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryFacts:
    """What the words of the query tell beyond what they match."""

    attainable: float = 0.0
    """BM25 of a passage that holds all it asks for."""
    speaker: int | None = None
    """Code of the one speaker it names."""
    spans: Sequence[tuple[int, int]] = ()
    """Times it names, [start, end) in microseconds since 1970 UTC."""
    is_when: bool = False
    """`when.is_when_question`."""
    glossed: bool = False
    """Its vector is that of a gloss."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """The best candidates, best first; of equals the later said, then the lower row."""

    rows: NDArray[np.intp]
    """(k,) places in the candidates."""
    scores: Floats
    """(k,) 0..1: share of what this query could have given a passage."""
    parts: Mapping[str, Floats] = field(default_factory=dict[str, Floats])
    """Signal -> (k,) what it added; they sum to the score where that is within 0..1."""


def rank(
    query: QueryFacts, candidates: Candidates, weights: Weights = DEFAULT_WEIGHTS, limit: int = 10
) -> Ranked:
    """Score all candidates and order the best `limit` of them."""
    signals = signals_of(query, candidates, weights)
    possible = attainable(query, weights)
    total = np.zeros(len(candidates.lexical), np.float32)
    for signal in signals.values():
        total += signal
    order = np.lexsort((-candidates.at, -total))[:limit]
    return Ranked(
        rows=order,
        scores=np.clip(total[order] / np.float32(possible), 0, 1),
        parts={name: signal[order] / np.float32(possible) for name, signal in signals.items()},
    )


def signals_of(query: QueryFacts, c: Candidates, w: Weights) -> dict[str, Floats]:
    """Signal -> (n,) what it adds, before the sum is brought to 0..1."""
    best = max(float(c.lexical.max(initial=0)), w.enough * query.attainable, 1e-9)
    lexical = c.lexical / np.float32(best)
    trust = w.glossed if query.glossed else 1.0
    groups = conversations(c.conversation)
    signals: dict[str, Floats] = {
        "lexical": w.lexical * lexical,
        "dense": w.dense * trust * c.dense,
        "conversation": w.conversation_lexical * best_three(lexical, groups)
        + w.conversation_dense * trust * best_three(c.dense, groups),
        "content": w.content * (1 - np.exp(-c.length / 8)),
        "question": w.question * c.question,
    }
    if query.speaker is not None:
        signals["speaker"] = w.speaker * (c.speaker == query.speaker)
    if query.spans:
        signals["date"] = w.date * nearness(c.at, query.spans)
    if query.is_when:
        signals["when"] = w.when * c.time_words
    return {name: np.asarray(signal, np.float32) for name, signal in signals.items()}


def attainable(query: QueryFacts, w: Weights) -> float:
    """The sum of the signals this query calls on, each at its full strength."""
    trust = w.glossed if query.glossed else 1.0
    always = w.lexical + w.conversation_lexical + (w.dense + w.conversation_dense) * trust
    speaker = w.speaker if query.speaker is not None else 0.0
    date = w.date if query.spans else 0.0
    return max(always + w.content + speaker + date + (w.when if query.is_when else 0.0), 1e-9)


@dataclass(frozen=True, slots=True)
class Groups:
    """Candidates by conversation: `group` (n,) numbers them from 0 to count − 1."""

    group: NDArray[np.intp]
    count: int


def conversations(codes: NDArray[np.int32]) -> Groups:
    """Each passage without a conversation is a group of its own."""
    lone = codes < 0
    distinct = codes.astype(np.int64)
    distinct[lone] = -1 - np.arange(int(lone.sum()))
    names, group = np.unique(distinct, return_inverse=True)
    return Groups(group, len(names))


def best_three(values: Floats, groups: Groups) -> Floats:
    """(n,) the mean of the (up to) three highest values in each candidate's group."""
    order = np.lexsort((-values, groups.group))
    sizes = np.bincount(groups.group, minlength=groups.count)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
    place = np.arange(len(values)) - starts[groups.group[order]]
    top = order[place < 3]
    sums = np.bincount(groups.group[top], weights=values[top], minlength=groups.count)
    return (sums / np.minimum(sizes, 3))[groups.group].astype(np.float32)


PRECISIONS = (
    # longest span in days, strength, days before and after in which it fades to 0
    (2.0, 1.0, 7, 21),
    (10.0, 0.8, 7, 21),
    (45.0, 0.6, 3, 10),
    (120.0, 0.4, 0, 0),
    (float("inf"), 0.2, 0, 0),
)
"""A day says more than a year. What happened is talked of on the day or in the weeks after, and
announced in the days before."""


def nearness(at: NDArray[np.int64], spans: Sequence[tuple[int, int]]) -> Floats:
    """(n,) 0..1: how near each moment is to the nearest of the spans, times the span's strength."""
    best = np.zeros(len(at), np.float32)
    for start, end in spans:
        days = (end - start) / DAY_US
        strength, ahead, behind = next(row[1:] for row in PRECISIONS if days <= row[0])
        early = np.maximum(start - at, 0) / DAY_US
        late = np.maximum(at - end, 0) / DAY_US
        fade = np.where(early > 0, early / max(ahead, 1e-9), late / max(behind, 1e-9))
        np.maximum(best, strength * np.clip(1 - fade, 0, 1), out=best, casting="same_kind")
    return best
