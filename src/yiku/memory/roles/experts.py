"""How well texts fit roles: each role is an expert that knows its own phrases. Pure arithmetic.

A role's phrases are its description's lines, its keywords, its examples, and texts it has accepted
or was corrected about. The raw score of a text is

    cosine with the mean of the phrases + mean of the three nearest + weight · shared words

after the prototype classifier of Snell et al. (2017), with nearest neighbours beside the mean; the
words carry Chinese where the embedding model is English. Measurements: docs/reference/roles.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from yiku.memory.roles import cohort

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

NEAREST = 3
WORDS = 0.08
"""Weight of shared words beside two cosines."""
LEARNED_SHARE = 0.5
"""The bound on drift: accepted texts make up at most this much of a role's mean."""


class Kind(IntEnum):
    """Where a phrase comes from."""

    DESCRIPTION = 0
    KEYWORDS = 1
    EXAMPLES = 2
    LEARNED = 3
    """A text the role accepted."""
    REFUSED = 4
    """A text somebody took out of the role: it counts against those that are like it."""


MEAN_WEIGHTS = np.array([1.0, 0.5, 1.0, 2.0, 0.0], np.float32)
"""By kind. A keyword says less than a sentence; what was accepted is how people really talk."""
SIGNS = np.array([1, 1, 1, 1, -1], np.float32)

KINDS = tuple(kind.name.lower() for kind in Kind)


@dataclass(frozen=True, slots=True)
class Phrases:
    """What one role knows: n phrases."""

    vectors: Floats
    """(n, d), centred and of unit length: see `cohort`."""
    kinds: NDArray[np.int8]
    tokens: Sequence[Sequence[str]]
    """Of each phrase, as the lexical index cuts texts."""


@dataclass(frozen=True, slots=True)
class Raw:
    """n texts against R roles."""

    scores: Floats
    """(n, R)"""
    words: Floats
    """(n, R): what shared words add."""
    cosines: Floats
    """(n, phrases of all roles)"""


class Experts:
    """The roles of one archive, ready to be compared with texts."""

    def __init__(self, roles: Sequence[Phrases], background: Sequence[Sequence[str]]) -> None:
        """`background`: tokens of texts about anything, which tell common words from rare ones."""
        self.count = len(roles)
        self.sizes = np.array([len(one.kinds) for one in roles], np.int64)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.int64)
        self.vectors = np.concatenate([one.vectors for one in roles])
        self.kinds = np.concatenate([one.kinds for one in roles])
        sums = np.stack([sum_of(one) for one in roles])
        self._lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-9)
        self.means = (sums / self._lengths[:, None]).astype(np.float32)
        self._places = places(self.starts, self.sizes)
        self._words = Words([one.tokens for one in roles], background)

    def raw(self, vectors: Floats, tokens: Sequence[Iterable[str]]) -> Raw:
        """Scores of texts: (n, d) centred unit vectors, and their tokens."""
        cosines = cohort.cosines(vectors, self.vectors)
        words = np.stack([self._words.shared(one) for one in tokens]) * np.float32(WORDS)
        scores = cohort.cosines(vectors, self.means) + self._nearest(cosines) + words
        return Raw(scores.astype(np.float32), words.astype(np.float32), cosines)

    def _nearest(self, cosines: Floats) -> Floats:
        """(n, R): mean of each role's nearest cosines, those of refused texts negative."""
        outside = np.full((len(cosines), 1), -np.inf, np.float32)
        padded = np.concatenate([cosines, outside], axis=1)[:, self._places]
        signs = np.concatenate([SIGNS[self.kinds], [np.float32(0)]])[self._places]
        if (signs < 0).any():
            order = np.argpartition(padded, -NEAREST, axis=2)[:, :, -NEAREST:]
            best = np.take_along_axis(padded, order, axis=2)
            given = np.take_along_axis(np.broadcast_to(signs, padded.shape), order, axis=2)
        else:
            best = np.partition(padded, -NEAREST, axis=2)[:, :, -NEAREST:]
            given = np.ones_like(best)
        found = np.isfinite(best)
        return (np.where(found, best, 0) * given).sum(axis=2) / found.sum(axis=2)

    def parts(self, raw: Raw, text: int, role: int) -> dict[str, float]:
        """What each kind of phrase added to a score; they and the words sum up to it."""
        own = slice(self.starts[role], self.starts[role + 1])
        cosines, kinds = raw.cosines[text, own], self.kinds[own]
        best = np.argsort(-cosines, kind="stable")[:NEAREST]
        near = SIGNS[kinds[best]] * cosines[best] / len(best)
        shares = np.bincount(kinds[best], near, minlength=len(KINDS))
        # The mean's direction is the phrases' sum, scaled; what each kind gave it is its share.
        sums = np.bincount(kinds, cosines * mean_weights(kinds), minlength=len(KINDS))
        found = shares + sums / self._lengths[role]
        given = {name: float(found[i]) for i, name in enumerate(KINDS) if (kinds == i).any()}
        return given | {"words": float(raw.words[text, role])}

    def nearest(self, raw: Raw, text: int, role: int) -> int:
        """Which of the role's phrases is nearest to the text."""
        return int(raw.cosines[text, self.starts[role] : self.starts[role + 1]].argmax())


def mean_weights(kinds: NDArray[np.int8]) -> Floats:
    """Weight of each phrase in the mean: accepted texts together at most `LEARNED_SHARE`."""
    weights = MEAN_WEIGHTS[kinds]
    learned = kinds == Kind.LEARNED
    bound = float(weights[~learned].sum()) * LEARNED_SHARE / (1 - LEARNED_SHARE)
    taken = float(weights[learned].sum())
    if taken > bound > 0:
        weights[learned] *= bound / taken
    return weights


def sum_of(one: Phrases) -> Floats:
    """(d,): the phrases by their weights."""
    return mean_weights(one.kinds) @ one.vectors


def mean_of(one: Phrases) -> Floats:
    """(d,), of unit length."""
    found = sum_of(one)
    return found / np.float32(max(float(np.linalg.norm(found)), 1e-9))


def drift(one: Phrases) -> float:
    """How far what it accepted has moved a role: 1 - cosine of its mean with and without. 0..2"""
    given = one.kinds < Kind.LEARNED
    if given.all() or not given.any():
        return 0.0
    before = Phrases(one.vectors[given], one.kinds[given], ())
    return max(0.0, 1 - float(mean_of(before) @ mean_of(one)))


def places(starts: Ints, sizes: Ints) -> Ints:
    """(R, longest): columns of each role's phrases, padded by the one after the last, which holds
    minus infinity; at least `NEAREST` wide."""
    wide = max(int(sizes.max(initial=0)), NEAREST)
    columns = starts[:-1, None] + np.arange(wide)
    return np.where(np.arange(wide) < sizes[:, None], columns, starts[-1])


class Words:
    """Which words tell roles: those that a role's phrases use and texts at large seldom do."""

    def __init__(
        self, roles: Sequence[Sequence[Sequence[str]]], background: Sequence[Sequence[str]]
    ) -> None:
        texts = [set(phrase) for phrases in roles for phrase in phrases]
        texts += [set(text) for text in background]
        holding = Counter(token for text in texts for token in text)
        self._count = len(roles)
        self._unknown = rarity(len(texts), 0)
        self._rarity = {token: rarity(len(texts), n) for token, n in holding.items()}
        by_token: dict[str, list[tuple[int, float]]] = {}
        for role, phrases in enumerate(roles):
            uses = Counter(token for phrase in phrases for token in set(phrase))
            for token, times in uses.items():
                weight = times / (times + 1) * self._rarity[token] ** 2
                by_token.setdefault(token, []).append((role, weight))
        self._by_token: Mapping[str, tuple[Ints, Floats]] = {
            token: (np.array([r for r, _ in found]), np.array([w for _, w in found], np.float32))
            for token, found in by_token.items()
        }

    def shared(self, tokens: Iterable[str]) -> Floats:
        """(R,): the weight of the text's words that each role uses, in a text of unit length."""
        found = np.zeros(self._count, np.float32)
        length = 0.0
        for token in set(tokens):
            length += self._rarity.get(token, self._unknown) ** 2
            if (known := self._by_token.get(token)) is not None:
                found[known[0]] += known[1]
        return found / np.float32(math.sqrt(length) or 1.0)


def rarity(texts: int, holding: int) -> float:
    return math.log(1 + (texts - holding + 0.5) / (holding + 0.5))
