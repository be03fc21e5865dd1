"""From raw scores to calibrated ones, 0..1. Pure.

    z       the role's score in standard deviations from what it gives the cohort
    gap     how far z stays behind the best role's (0 for the best)
    strange how near the text is to the cohort, that is, to texts about anything

A logistic function of the three, its weights fitted on the development half of
tests/data/routing_*.jsonl and CLINC's validation split, cold and with 20 accepted texts a role;
they also hold for another embedding model than they were fitted with (docs/reference/roles.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yiku.memory.roles.cohort import LANGUAGES, Cohort
from yiku.memory.roles.experts import Experts

Floats = NDArray[np.float32]

Z, GAP, STRANGE, BIAS = 1.15, 1.4, -0.6, -2.5
GATE_BIAS = 1.5
"""A gate is more generous than a route: a role too many costs tokens, one too few an answer."""
CHUNK = 64
"""Cohort texts compared at a time, to bound memory with a thousand roles."""


@dataclass(frozen=True, slots=True)
class Usual:
    """What each role gives the cohort."""

    mean: Floats
    """(languages, R)"""
    deviation: Floats
    """(languages, R), shrunk halfway to the roles' mean: a role is judged by few texts."""


def usual_of(experts: Experts, cohort: Cohort, tokens: Sequence[Sequence[str]]) -> Usual:
    """`tokens`: of the cohort's texts."""
    scores = np.concatenate(
        [
            experts.raw(cohort.vectors[i : i + CHUNK], tokens[i : i + CHUNK]).scores
            for i in range(0, len(cohort.vectors), CHUNK)
        ]
    )
    places = range(len(LANGUAGES))
    mean = np.stack([scores[cohort.codes == code].mean(axis=0) for code in places])
    own = np.stack([scores[cohort.codes == code].std(axis=0) for code in places])
    deviation = (own + own.mean(axis=1, keepdims=True)) / 2
    return Usual(mean, np.maximum(deviation, 1e-6))


def calibrated(raw: Floats, usual: Usual, codes: NDArray[np.int8], strange: Floats) -> Floats:
    """(n, R) log odds that a text belongs to a role, of raw scores (n, R)."""
    z = (raw - usual.mean[codes]) / usual.deviation[codes]
    gap = np.minimum(z - np.maximum(z.max(axis=1, keepdims=True), 0), 0)
    return Z * z + GAP * gap + STRANGE * strange[:, None] + BIAS


def probability(log_odds: Floats) -> Floats:
    return (1 / (1 + np.exp(-np.clip(log_odds, -30, 30)))).astype(np.float32)
