"""Ranking by plain signals."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.memory.rank import DAY_US, Candidates, QueryFacts, Weights, nearness, rank


def micros(year: int, month: int, day: int) -> int:
    return int(datetime(year, month, day, tzinfo=UTC).timestamp() * 1_000_000)


def candidates(
    lexical: list[float],
    dense: list[float],
    *,
    speaker: list[int] | None = None,
    conversation: list[int] | None = None,
    at: list[int] | None = None,
    length: list[int] | None = None,
    question: list[bool] | None = None,
    time_words: list[bool] | None = None,
) -> Candidates:
    n = len(lexical)
    return Candidates(
        lexical=np.array(lexical, np.float32),
        dense=np.array(dense, np.float32),
        speaker=np.array(speaker or [-1] * n, np.int32),
        conversation=np.array(conversation or [-1] * n, np.int32),
        at=np.array(at or [0] * n, np.int64),
        length=np.array(length or [10] * n, np.int64),
        question=np.array(question or [False] * n),
        time_words=np.array(time_words or [False] * n),
    )


def test_the_one_that_matches_best_comes_first() -> None:
    found = rank(QueryFacts(), candidates([1, 9, 3], [0.1, 0.7, 0.3]))
    assert found.rows.tolist() == [1, 2, 0]
    assert found.scores[0] > found.scores[1] > found.scores[2]


def test_the_parts_add_up_to_the_score() -> None:
    query = QueryFacts(speaker=1, spans=[(0, DAY_US)], is_when=True)
    found = rank(query, candidates([1, 9], [0.1, 0.7], speaker=[0, 1], time_words=[True, False]))
    assert np.allclose(sum(found.parts.values()), found.scores)
    assert set(found.parts) == {
        *("lexical", "dense", "conversation", "content", "question", "speaker", "date", "when"),
    }


def test_common_words_decide_nothing_where_the_telling_ones_are_nowhere() -> None:
    columns = candidates([1, 0], [0.4, 0.6])
    assert rank(QueryFacts(), columns).rows.tolist() == [0, 1]
    assert rank(QueryFacts(attainable=10), columns).rows.tolist() == [1, 0]


def test_signals_the_query_does_not_call_on_have_no_part() -> None:
    assert set(rank(QueryFacts(), candidates([1], [0.5])).parts) == {
        *("lexical", "dense", "conversation", "content", "question"),
    }


def test_the_named_speaker_is_preferred() -> None:
    pair = candidates([2, 2], [0.5, 0.5], speaker=[0, 1])
    assert rank(QueryFacts(speaker=1), pair).rows.tolist() == [1, 0]


def test_a_speaker_does_not_outweigh_the_words() -> None:
    pair = candidates([9, 0], [0.6, 0.2], speaker=[0, 1])
    assert rank(QueryFacts(speaker=1), pair).rows.tolist() == [0, 1]


def test_what_was_said_at_the_named_time_is_preferred() -> None:
    pair = candidates([2, 2], [0.5, 0.5], at=[micros(2023, 8, 1), micros(2023, 5, 8)])
    may = (micros(2023, 5, 1), micros(2023, 6, 1))
    assert rank(QueryFacts(spans=[may]), pair).rows.tolist() == [1, 0]


def test_a_question_for_a_time_prefers_texts_that_say_one() -> None:
    pair = candidates([2, 2], [0.5, 0.5], time_words=[False, True])
    assert rank(QueryFacts(is_when=True), pair).rows.tolist() == [1, 0]


def test_interjections_and_questions_come_later() -> None:
    three = candidates([2] * 3, [0.5] * 3, length=[1, 20, 20], question=[False, True, False])
    assert rank(QueryFacts(), three).rows.tolist() == [2, 1, 0]


def test_a_conversation_that_is_all_about_it_lifts_its_passages() -> None:
    four = candidates([1, 5, 5, 1], [0.2, 0.8, 0.8, 0.2], conversation=[0, 1, 1, 1])
    rows = rank(QueryFacts(), four).rows.tolist()
    assert rows.index(3) < rows.index(0)


def test_a_passage_without_conversation_is_not_at_a_disadvantage() -> None:
    pair = candidates([5, 5], [0.8, 0.8], conversation=[0, -1])
    found = rank(QueryFacts(), pair)
    assert found.scores[0] == pytest.approx(found.scores[1])


def test_of_equals_the_later_comes_first_then_the_lower_row() -> None:
    four = candidates([1] * 4, [0.5] * 4, at=[5, 7, 5, 7])
    assert rank(QueryFacts(), four).rows.tolist() == [1, 3, 0, 2]


def test_no_candidates_are_no_hits() -> None:
    found = rank(QueryFacts(speaker=0, spans=[(0, 1)], is_when=True), candidates([], []))
    assert found.rows.tolist() == []


def test_the_limit_is_kept() -> None:
    assert len(rank(QueryFacts(), candidates([1] * 9, [0.1] * 9), limit=4).rows) == 4


def test_a_gloss_is_trusted_less() -> None:
    pair = candidates([0, 3], [0.6, 0.1])
    plain = rank(QueryFacts(), pair, Weights(lexical=1, conversation_lexical=0))
    glossed = rank(QueryFacts(glossed=True), pair, Weights(lexical=1, conversation_lexical=0))
    assert plain.rows.tolist() == [0, 1]
    assert glossed.rows.tolist() == [1, 0]


def test_a_day_fades_over_three_weeks_and_a_year_not_at_all() -> None:
    day = (micros(2023, 5, 7), micros(2023, 5, 8))
    year = (micros(2023, 1, 1), micros(2024, 1, 1))
    at = np.array([micros(2023, 5, 7), micros(2023, 5, 18), micros(2023, 7, 1), micros(2022, 1, 1)])
    found = nearness(at, [day]).tolist()
    assert found[0] == 1
    assert 0.4 < found[1] < 0.6
    assert found[2:] == [0, 0]
    assert nearness(at, [year]).tolist() == pytest.approx([0.2, 0.2, 0.2, 0])


@given(st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 2, st.integers(-1, 3)), max_size=30))
def test_scores_lie_between_0_and_1_and_fall(rows: list[tuple[float, float, int]]) -> None:
    found = rank(
        QueryFacts(speaker=1),
        candidates(
            [a for a, _, _ in rows], [b for _, b, _ in rows], conversation=[c for _, _, c in rows]
        ),
        limit=100,
    )
    assert sorted(found.rows.tolist()) == list(range(len(rows)))
    assert np.all((found.scores >= 0) & (found.scores <= 1))
    assert np.all(np.diff(found.scores) <= 1e-6)
