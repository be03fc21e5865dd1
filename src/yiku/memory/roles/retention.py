"""Who leaves a role that is full. What leaves is in the general memory; nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from yiku.core.memory import Archive
from yiku.core.role import Retention, Role, Why
from yiku.store import memberships, passages
from yiku.store.database import Tx
from yiku.store.memberships import Held, Step

CANDIDATES = 256
"""Least related memories among which the most redundant is looked for."""
REDUNDANT = 0.5
"""How much being said by another memory already weighs against being related to the role."""

Worth = Callable[[Held], float]

WORTH: dict[Retention, Worth] = {
    Retention.SEMANTIC: lambda one: one.score,
    Retention.RECENCY: lambda one: one.at.timestamp(),
    Retention.IMPORTANCE: lambda one: importance(one),
    Retention.USAGE: lambda one: float(one.shown),
}


def importance(one: Held) -> float:
    """The memory's own `importance` where it has one, else how well it fits the role."""
    value = one.metadata.get("importance")
    return float(value) if isinstance(value, int | float) else one.score


def overflow(tx: Tx, archive: Archive, touched: Sequence[Role]) -> list[Step]:
    """The moves that bring roles back to the memories they may keep.

    What is forgotten or superseded goes first, what somebody put there himself last; among the
    others the role's strategy decides.
    """
    steps: list[Step] = []
    for role in touched:
        too_many = memberships.count(tx, role.key) - role.config.max_memory_size
        if too_many <= 0:
            continue
        strategy = role.config.memory_retention_strategy
        for one in leaving(tx, archive, memberships.held(tx, role.key), strategy, too_many):
            steps.append(Step(role, one.seq, False, one.score, Why.CAPACITY, strategy.value))
    return steps


def leaving(
    tx: Tx, archive: Archive, held: Sequence[Held], strategy: Retention, many: int
) -> list[Held]:
    """`many` of a role's memories, the least worth keeping."""
    worth = WORTH[strategy]
    order = sorted(held, key=lambda one: (one.current, one.taught, worth(one), one.seq))
    if strategy is not Retention.SEMANTIC:
        return order[:many]
    doubtful = [one for one in order if one.current and not one.taught][: CANDIDATES + many]
    vectors = passages.vectors_of(tx, [one.seq for one in doubtful], archive.embedding_model or "")
    less = redundancy(doubtful, vectors)
    return sorted(
        held,
        key=lambda one: (
            one.current,
            one.taught,
            one.score - REDUNDANT * less.get(one.seq, 0.0),
            one.seq,
        ),
    )[:many]


def redundancy(held: Sequence[Held], vectors: dict[int, NDArray[np.float32]]) -> dict[int, float]:
    """By row number: the highest cosine with an older memory, 0..1; the first of its kind is 0."""
    known = [one for one in held if one.seq in vectors]
    if len(known) < 2:
        return {}
    known.sort(key=lambda one: one.seq)
    matrix = np.stack([vectors[one.seq] for one in known])
    older = np.tril(matrix @ matrix.T, -1)
    return {one.seq: float(row.max(initial=0)) for one, row in zip(known, older, strict=True)}
