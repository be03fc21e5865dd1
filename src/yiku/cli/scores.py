"""How well a ranking finds the evidence; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import log2
from statistics import fmean

CUTS = (1, 5, 10, 20)
DEPTH = 10


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its evidence, and the ids that were found, best first."""

    question: str
    category: str
    evidence: tuple[str, ...]
    found: tuple[str, ...]


def recall(found: Sequence[str], evidence: Collection[str], k: int) -> float:
    """Share of the evidence among the first `k`."""
    return len(set(found[:k]) & set(evidence)) / len(set(evidence))


def reciprocal_rank(found: Sequence[str], evidence: Collection[str]) -> float:
    """1 / the place of the first evidence; 0 where none was found."""
    return next((1 / place for place, one in enumerate(found, 1) if one in evidence), 0.0)


def ndcg(found: Sequence[str], evidence: Collection[str], k: int) -> float:
    """Discounted cumulative gain of the first `k` over the best possible; all evidence counts 1.

    Source: Järvelin, Kekäläinen, TOIS 2002.
    """
    gain = sum(1 / log2(place + 1) for place, one in enumerate(found[:k], 1) if one in evidence)
    best = sum(1 / log2(place + 1) for place in range(1, min(k, len(set(evidence))) + 1))
    return gain / best


def summary(answered: Sequence[Answered]) -> dict[str, float]:
    """Means over the questions: recall@k, MRR and nDCG in percent."""
    rows = {f"recall@{k}": [recall(a.found, a.evidence, k) for a in answered] for k in CUTS}
    rows["MRR"] = [reciprocal_rank(a.found, a.evidence) for a in answered]
    rows[f"nDCG@{DEPTH}"] = [ndcg(a.found, a.evidence, DEPTH) for a in answered]
    means = {name: round(100 * fmean(values), 2) for name, values in rows.items()}
    return {"questions": len(answered), **means}


def by_category(answered: Sequence[Answered]) -> dict[str, dict[str, float]]:
    names = sorted({a.category for a in answered})
    return {name: summary([a for a in answered if a.category == name]) for name in names}
