"""From raw scores to calibrated ones: the same for a model that spreads its cosines otherwise."""

import numpy as np
import pytest

from yiku.memory.roles.calibrate import Usual, calibrated, probability

USUAL = Usual(
    mean=np.array([[0.5, 1.0], [0.2, 0.3]], np.float32),
    deviation=np.array([[0.1, 0.2], [0.1, 0.1]], np.float32),
)
EN = np.array([0], np.int8)
ZH = np.array([1], np.int8)
NOTHING = np.zeros(1, np.float32)


def odds(*raw: float, codes: np.ndarray = EN, strange: float = 0) -> np.ndarray:
    values = np.array([raw], np.float32)
    return calibrated(values, USUAL, codes, NOTHING + np.float32(strange))[0]


def test_what_the_cohort_gets_on_average_is_no_evidence() -> None:
    cold = odds(0.5, 1.0)

    assert cold[0] == pytest.approx(cold[1])
    assert probability(cold).max() < 0.1


def test_scores_are_told_in_deviations_of_role_and_language() -> None:
    assert odds(0.8, 0)[0] == pytest.approx(odds(0, 1.6)[1])
    assert odds(0.5, 0.3, codes=ZH)[0] == pytest.approx(odds(0.8, 1.0)[0])


def test_one_role_far_ahead_holds_the_others_down() -> None:
    alone, beside = odds(0.8, 1.0)[0], odds(0.8, 2.6)[0]

    assert beside < alone
    assert odds(0.8, 1.6)[0] == pytest.approx(alone)


def test_a_text_like_texts_about_anything_is_nobodys() -> None:
    assert (odds(0.8, 1.6, strange=2) < odds(0.8, 1.6)).all()


@pytest.mark.parametrize("scale", [0.1, 1, 30])
def test_another_spread_of_cosines_changes_nothing(scale: float) -> None:
    raw = np.array([[0.8, 1.1]], np.float32)
    other = Usual(USUAL.mean * scale, USUAL.deviation * scale)

    found = calibrated(raw * np.float32(scale), other, EN, NOTHING)

    assert np.allclose(found, calibrated(raw, USUAL, EN, NOTHING), atol=1e-3)


def test_probabilities_stay_within_bounds() -> None:
    found = probability(np.array([-1e9, -3, 0, 3, 1e9], np.float32))

    assert (np.diff(found) >= 0).all()
    assert 0 <= found.min() < found[2] == 0.5 < found.max() <= 1
