"""Which roles are chosen of given scores, and what is said of it."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from yiku.core.role import DecisionKind, EmbeddingRoleConfig, Routing
from yiku.memory.roles.decide import EXPLAINED, Compared, Rule, choose, decisions, ranking

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Known:
    role_id: str
    config: EmbeddingRoleConfig


def state_of(*thresholds: float) -> Any:
    """Roles r0, r1, … with these activation thresholds."""
    roles = [
        Known(
            f"r{n}",
            EmbeddingRoleConfig(role_id=f"r{n}", role_description="x", activation_threshold=one),
        )
        for n, one in enumerate(thresholds)
    ]
    return SimpleNamespace(roles=roles)


def rule(threshold: float | None, most: int | None = None) -> Rule:
    return Rule(DecisionKind.GATE, Routing.COSINE, threshold, most)


def scores(*values: float) -> Any:
    return np.array(values, np.float32)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        (rule(None), [2, 0]),
        (rule(None, 1), [2]),
        (rule(0.3), [2, 1, 0]),
        (rule(0.3, 2), [2, 1]),
        (rule(0.95), []),
        (rule(0), [2, 1, 0]),
    ],
)
def test_roles_over_their_threshold_are_chosen_best_first(asked: Rule, chosen: list[int]) -> None:
    found, thresholds = choose(state_of(0.4, 0.8, 0.9), scores(0.5, 0.7, 0.9), asked)

    assert found == chosen
    assert len(thresholds) == 3


def test_of_equal_scores_the_older_role_is_first() -> None:
    assert ranking(scores(0.5, 0.9, 0.5, 0.9)).tolist() == [1, 3, 0, 2]


def told(values: Any, asked: Rule, state: Any) -> Any:
    (made,) = decisions(state, Compared(values[None], values[None], None), asked, NOW, "m")
    return made


def test_every_role_is_told_why_it_was_or_was_not_chosen() -> None:
    made = told(scores(0.5, 0.7, 0.9), rule(0.6, 1), state_of(0, 0, 0))

    assert made.chosen == ("r2",)
    assert made.margin == pytest.approx(0.3)
    assert [one.reason for one in made.scores] == [
        "chosen: 0.90 reaches its threshold 0.60",
        "not chosen: 0.70 reaches 0.60, but one role is better",
        "not chosen: 0.50 is below its threshold 0.60",
    ]


def test_where_none_is_chosen_the_margin_is_what_the_best_lacked() -> None:
    made = told(scores(0.1, 0.2), rule(None), state_of(0.4, 0.5))

    assert (made.chosen, made.margin) == ((), pytest.approx(-0.3))


def test_of_many_roles_the_best_are_told_and_all_are_counted() -> None:
    many = EXPLAINED + 20
    made = told(scores(*np.linspace(0, 1, many)), rule(0.5), state_of(*[0.0] * many))

    assert (made.roles, len(made.scores)) == (many, EXPLAINED)
    assert made.scores[0].role_id == f"r{many - 1}"


def test_where_all_roles_are_asked_for_all_are_told() -> None:
    many = EXPLAINED + 20
    asked = replace(rule(0.5), told=None)
    made = told(scores(*np.linspace(0, 1, many)), asked, state_of(*[0.0] * many))

    assert [one.role_id for one in made.scores] == [f"r{n}" for n in reversed(range(many))]


def test_a_chosen_role_is_told_however_many_score_better() -> None:
    others = EXPLAINED + 20
    made = told(scores(0.1, *[0.5] * others), rule(None), state_of(0.0, *[0.9] * others))

    assert made.chosen == ("r0",)
    assert len(made.scores) == EXPLAINED + 1
    assert made.scores[-1].role_id == "r0"
