"""Measures of a ranking, against values worked out by hand."""

from math import log2

import pytest

from yiku.cli.scores import Answered, by_category, ndcg, recall, reciprocal_rank, summary

FOUND = ("a", "b", "c", "d")


def test_recall_is_the_share_of_the_evidence_among_the_first() -> None:
    assert recall(FOUND, ("a", "d", "x"), 1) == pytest.approx(1 / 3)
    assert recall(FOUND, ("a", "d", "x"), 4) == pytest.approx(2 / 3)
    assert recall((), ("a",), 10) == 0


def test_the_reciprocal_rank_is_that_of_the_first_evidence() -> None:
    assert reciprocal_rank(FOUND, ("c", "d")) == pytest.approx(1 / 3)
    assert reciprocal_rank(FOUND, ("x",)) == 0


def test_ndcg_counts_a_later_place_less() -> None:
    assert ndcg(FOUND, ("a", "b"), 10) == pytest.approx(1)
    assert ndcg(FOUND, ("b",), 10) == pytest.approx(1 / log2(3))
    assert ndcg(FOUND, ("a", "d"), 10) == pytest.approx((1 + 1 / log2(5)) / (1 + 1 / log2(3)))
    assert ndcg(FOUND, ("d",), 3) == 0


def test_the_summary_is_the_mean_in_percent() -> None:
    answered = [
        Answered("q1", "easy", ("a",), FOUND),
        Answered("q2", "hard", ("x",), FOUND),
    ]

    told = summary(answered)

    assert told["questions"] == 2
    assert told["recall@1"] == told["MRR"] == told["nDCG@10"] == 50
    assert set(by_category(answered)) == {"easy", "hard"}
    assert by_category(answered)["hard"]["recall@20"] == 0
