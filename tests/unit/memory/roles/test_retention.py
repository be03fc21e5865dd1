"""What is redundant among a role's memories."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from yiku.memory.roles.retention import importance, redundancy
from yiku.store.memberships import Held


def held(seq: int, score: float = 0.5, **metadata: Any) -> Held:
    return Held(
        seq=seq,
        score=score,
        current=True,
        taught=False,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        metadata=metadata,
        shown=0,
    )


def test_importance_is_what_metadata_say_or_how_well_a_memory_fits() -> None:
    assert importance(held(1, importance=7)) == 7
    assert importance(held(1, score=0.6)) == 0.6
    assert importance(held(1, score=0.6, importance="very")) == 0.6


def test_of_two_that_say_the_same_the_later_is_redundant() -> None:
    same, other = np.array([1, 0], np.float32), np.array([0, 1], np.float32)

    found = redundancy([held(9), held(2), held(5)], {9: same, 2: same, 5: other})

    assert found == {2: 0, 5: 0, 9: 1}


def test_opposites_and_memories_without_vectors_are_not_redundant() -> None:
    one = np.array([1, 0], np.float32)

    assert redundancy([held(1), held(2)], {1: one, 2: -one}) == {1: 0, 2: 0}
    assert redundancy([held(1), held(2)], {1: one}) == {}
