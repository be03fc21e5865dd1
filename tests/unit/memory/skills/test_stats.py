"""Paired scores, against values that can be looked up or worked out by hand."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yiku.memory.skills.stats import Verdict, bootstrap, compared, sign_test, verdict

SCORES = st.floats(0, 1)


@pytest.mark.parametrize(
    ("wins", "losses", "p"),
    [
        (0, 0, 1.0),
        (5, 0, 1 / 32),
        (4, 0, 1 / 16),
        (0, 5, 1.0),
        (9, 1, 11 / 1024),
        (8, 2, 56 / 1024),
        (7, 3, 176 / 1024),
        (15, 5, 0.020694732666015625),  # binom.sf(14, 20, .5)
    ],
)
def test_the_sign_test_is_exact(wins: int, losses: int, p: float) -> None:
    assert sign_test(wins, losses) == pytest.approx(p, abs=1e-15)


def test_the_bootstrap_of_a_constant_is_that_constant() -> None:
    assert bootstrap([0.25] * 10) == (0.25, 0.25)


def test_the_bootstrap_of_a_coin_is_its_binomial() -> None:
    # The mean of 16 draws from {0, 1}: 95 % lie from 4/16 to 12/16 (binom.ppf).
    assert bootstrap([0.0, 1.0] * 8) == (4 / 16, 12 / 16)


def test_it_says_the_same_every_time() -> None:
    differences = [0.1, -0.2, 0.4, 0.0, 0.3]
    assert bootstrap(differences) == bootstrap(differences)


def test_wins_losses_and_ties_are_counted() -> None:
    found = compared([(0.0, 1.0), (1.0, 0.5), (0.5, 0.5), (0.2, 0.4)])
    assert (found.pairs, found.wins, found.losses, found.ties) == (4, 2, 1, 1)
    assert found.mean == pytest.approx(0.175)
    assert found.p_better == 0.5
    assert found.p_worse == 0.875


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], Verdict.NOT_ENOUGH),
        ([(0.0, 1.0)] * 7, Verdict.NOT_ENOUGH),
        ([(0.0, 1.0)] * 8, Verdict.BETTER),
        ([(1.0, 0.0)] * 8, Verdict.WORSE),
        ([(0.5, 0.5)] * 50, Verdict.NO_DIFFERENCE),
        ([(0.0, 1.0)] * 4 + [(0.5, 0.5)] * 40, Verdict.NOT_ENOUGH),
        ([(1.0, 0.0)] * 4 + [(0.5, 0.5)] * 4, Verdict.WORSE),
        ([(0.0, 1.0)] * 5 + [(0.5, 0.5)] * 5, Verdict.BETTER),
        ([(0.0, 1.0)] * 6 + [(1.0, 0.0)] * 4, Verdict.NO_DIFFERENCE),
        # Many small gains and one loss that outweighs them: no improvement.
        ([(0.50, 0.51)] * 9 + [(1.0, 0.0)], Verdict.NO_DIFFERENCE),
        # As many small losses: one of the tests is enough to be stopped.
        ([(0.51, 0.50)] * 9 + [(0.0, 1.0)], Verdict.WORSE),
    ],
)
def test_verdicts(pairs: list[tuple[float, float]], said: Verdict) -> None:
    assert verdict(compared(pairs)) == said


@settings(max_examples=30)
@given(st.lists(st.tuples(SCORES, SCORES), max_size=12))
def test_what_is_better_the_one_way_is_worse_the_other(pairs: list[tuple[float, float]]) -> None:
    there = verdict(compared(pairs))
    back = verdict(compared([(new, old) for old, new in pairs]))
    if there == Verdict.BETTER:
        assert back == Verdict.WORSE
    if there == Verdict.NOT_ENOUGH:
        assert back == Verdict.NOT_ENOUGH


@settings(max_examples=30)
@given(st.lists(st.tuples(SCORES, SCORES), max_size=7))
def test_few_pairs_never_pass(pairs: list[tuple[float, float]]) -> None:
    assert verdict(compared(pairs)) == Verdict.NOT_ENOUGH
