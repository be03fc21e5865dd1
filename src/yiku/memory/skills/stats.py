"""Whether one list of paired scores is better than the other. Pure, and the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import comb
from random import Random

ALPHA = 0.05
MIN_PAIRS = 8
"""Fewer tell nothing, whatever they show."""
MIN_DIFFERENT = 5
"""Unlike pairs that a sign test needs to show anything: 1/2⁴ is more than `ALPHA`."""
RESAMPLES = 2000
SEED = 5
TIE = 1e-9


class Verdict(StrEnum):
    BETTER = "better"
    WORSE = "worse"
    NO_DIFFERENCE = "no difference"
    NOT_ENOUGH = "not enough evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """What paired scores show: the new prompt's less the old one's."""

    pairs: int
    wins: int
    losses: int
    ties: int
    mean: float
    """Mean difference of the scores."""
    low: float
    high: float
    """95 % of it, by bootstrap."""
    p_better: float
    """Of at least so many wins among wins and losses, were both as likely (sign test)."""
    p_worse: float


def sign_test(wins: int, losses: int) -> float:
    """One-sided: P(at least `wins` of `wins` + `losses`), were a win as likely as a loss."""
    n = wins + losses
    return sum(comb(n, k) for k in range(wins, n + 1)) / 2**n


def bootstrap(differences: Sequence[float], resamples: int = RESAMPLES) -> tuple[float, float]:
    """The 2.5 % and 97.5 % quantiles of the mean, over samples drawn with replacement."""
    if not differences:
        return 0.0, 0.0
    draw = Random(SEED)
    n = len(differences)
    means = sorted(sum(draw.choices(differences, k=n)) / n for _ in range(resamples))
    cut = int(resamples * ALPHA / 2)
    return means[cut], means[-1 - cut]


def compared(pairs: Sequence[tuple[float, float]]) -> Statistic:
    """Of (old score, new score)."""
    differences = [new - old for old, new in pairs]
    wins = sum(one > TIE for one in differences)
    losses = sum(one < -TIE for one in differences)
    low, high = bootstrap(differences)
    return Statistic(
        pairs=len(pairs),
        wins=wins,
        losses=losses,
        ties=len(pairs) - wins - losses,
        mean=sum(differences) / len(differences) if differences else 0.0,
        low=low,
        high=high,
        p_better=sign_test(wins, losses),
        p_worse=sign_test(losses, wins),
    )


def verdict(found: Statistic) -> Verdict:
    """Better needs both tests; to be called worse, one is enough."""
    if found.pairs < MIN_PAIRS:
        return Verdict.NOT_ENOUGH
    if found.high < 0 or found.p_worse <= ALPHA:
        return Verdict.WORSE
    if 0 < found.wins + found.losses < MIN_DIFFERENT:
        return Verdict.NOT_ENOUGH
    if found.low > 0 and found.p_better <= ALPHA:
        return Verdict.BETTER
    return Verdict.NO_DIFFERENCE
