"""What an expert makes of its phrases: raw scores, their parts, and the bound on drift."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from yiku.memory.roles.cohort import cosines
from yiku.memory.roles.experts import (
    LEARNED_SHARE,
    WORDS,
    Experts,
    Floats,
    Kind,
    Phrases,
    drift,
    mean_of,
    mean_weights,
)

DIMENSION = 8
BACKGROUND = [("the", "weather"), ("the", "news"), ("a", "thing")]


def unit(rows: Floats) -> Floats:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def phrases(seed: int, kinds: list[Kind], words: str = "") -> Phrases:
    rng = np.random.default_rng(seed)
    vectors = unit(rng.normal(size=(len(kinds), DIMENSION)))
    return Phrases(vectors, np.array(kinds, np.int8), [words.split()] * len(kinds))


def text(seed: int) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(1, DIMENSION)))


ALL = [*Kind, Kind.EXAMPLES, Kind.LEARNED]


@pytest.mark.parametrize("kinds", [[Kind.DESCRIPTION], ALL, [Kind.KEYWORDS] * 2 + [Kind.REFUSED]])
def test_the_parts_of_a_score_sum_up_to_it(kinds: list[Kind]) -> None:
    experts = Experts([phrases(1, kinds, "salt oven"), phrases(2, [Kind.DESCRIPTION])], BACKGROUND)
    raw = experts.raw(np.concatenate([text(n) for n in range(5)]), [["salt", "the"]] * 5)

    for n in range(5):
        parts = experts.parts(raw, n, 0)
        assert sum(parts.values()) == pytest.approx(raw.scores[n, 0], abs=1e-5)
        assert set(parts) == {kind.name.lower() for kind in kinds} | {"words"}


def test_a_score_is_the_mean_and_the_nearest_three_and_shared_words() -> None:
    known = phrases(3, [Kind.DESCRIPTION, Kind.KEYWORDS, Kind.EXAMPLES, Kind.EXAMPLES])
    experts = Experts([known], BACKGROUND)
    one = text(4)

    raw = experts.raw(one, [[]])

    near = np.sort(known.vectors @ one[0])[-3:].mean()
    mean = mean_of(known) @ one[0]
    assert raw.scores[0, 0] == pytest.approx(near + mean, abs=1e-5)


def test_a_role_of_few_phrases_is_judged_by_those_it_has() -> None:
    known = phrases(5, [Kind.DESCRIPTION])

    raw = Experts([known], BACKGROUND).raw(known.vectors, [[]])

    assert raw.scores[0, 0] == pytest.approx(2, abs=1e-5)


def test_words_count_for_the_role_that_uses_them_and_the_rarer_the_more() -> None:
    experts = Experts(
        [phrases(1, [Kind.EXAMPLES], "salt the"), phrases(2, [Kind.EXAMPLES], "soil the")],
        BACKGROUND,
    )
    given = [["salt"], ["the"], ["unknown"], []]
    words = experts.raw(np.repeat(text(0), 4, axis=0), given).words

    assert words[0, 0] > 0 == words[0, 1]
    assert 0 < words[1, 0] == words[1, 1] < words[0, 0]
    assert not words[2:].any()
    assert words.max() < WORDS * 10


def test_a_refused_text_counts_against_its_like_and_not_in_the_mean() -> None:
    given = phrases(6, [Kind.DESCRIPTION, Kind.EXAMPLES])
    refused = text(7)
    both = Phrases(
        np.concatenate([given.vectors, refused]),
        np.array([*given.kinds, Kind.REFUSED], np.int8),
        [*given.tokens, []],
    )

    without = Experts([given], BACKGROUND).raw(refused, [[]]).scores[0, 0]
    experts = Experts([both], BACKGROUND)
    raw = experts.raw(refused, [[]])

    assert raw.scores[0, 0] < without
    assert experts.parts(raw, 0, 0)["refused"] == pytest.approx(-1 / 3, abs=1e-5)
    assert np.allclose(mean_of(both), mean_of(given))


@pytest.mark.parametrize("learned", [1, 10, 400])
def test_what_was_learned_is_at_most_half_of_the_mean(learned: int) -> None:
    kinds = np.array([Kind.DESCRIPTION, Kind.EXAMPLES] + [Kind.LEARNED] * learned, np.int8)

    weights = mean_weights(kinds)

    share = weights[kinds == Kind.LEARNED].sum() / weights.sum()
    assert share <= LEARNED_SHARE + 1e-6
    assert learned == 1 or share == pytest.approx(LEARNED_SHARE)


def test_drift_is_none_without_learning_and_bounded_with_it() -> None:
    given = phrases(8, [Kind.DESCRIPTION, Kind.EXAMPLES])
    assert drift(given) == 0
    away = Phrases(
        np.concatenate([given.vectors, np.repeat(-mean_of(given)[None], 48, axis=0)]),
        np.array([*given.kinds] + [Kind.LEARNED] * 48, np.int8),
        (),
    )
    assert 0 < drift(away) <= 2


@given(
    arrays(np.float32, (1, DIMENSION), elements=st.floats(-1, 1, width=32)),
    arrays(np.float32, (7, DIMENSION), elements=st.floats(-1, 1, width=32)),
)
@settings(max_examples=50)
def test_a_single_texts_cosines_are_those_of_a_batch(one: Floats, others: Floats) -> None:
    batch = cosines(np.concatenate([one, one]), others)

    assert np.allclose(cosines(one, others), batch[:1], atol=1e-5)
