"""Figures of routing, on cases small enough to reckon by hand."""

import pytest

from yiku.cli.routing_scores import Routed, auroc, by_language, figures, mean_of


def routed(
    true: str,
    best: str,
    *,
    score: float = 0.5,
    chosen: str = "",
    gated: str = "",
    lang: str = "en",
) -> Routed:
    """Roles are letters; none is out of scope."""
    return Routed(lang, frozenset(true), best, score, tuple(chosen), tuple(gated))


def test_accuracy_is_of_texts_with_one_role_whether_they_reach_the_threshold_or_not() -> None:
    found = figures(
        [
            routed("a", "a", chosen="a"),
            routed("a", "a"),
            routed("b", "a", chosen="ab"),
            routed("ab", "b", chosen="b"),
            routed("", "b"),
        ]
    )

    assert (found["n"], found["single"], found["out_of_scope"]) == (5, 3, 1)
    assert found["accuracy@1"] == pytest.approx(100 * 2 / 3)
    assert found["routed@1"] == pytest.approx(100 / 3)


def test_macro_f1_weighs_every_role_alike() -> None:
    texts = [routed("a", "a")] * 8 + [routed("b", "a"), routed("b", "b")]

    assert figures(texts)["macro_f1"] == pytest.approx(100 * (16 / 17 + 2 / 3) / 2)


def test_multi_label_f1_counts_what_is_out_of_scope_against_it() -> None:
    texts = [routed("ab", "a", chosen="a"), routed("", "a", chosen="a"), routed("b", "b")]

    assert figures(texts)["multi_f1"] == pytest.approx(100 * 2 * 1 / (2 + 3))


def test_out_of_scope_is_what_goes_to_no_role() -> None:
    texts = [routed("", "a"), routed("", "a", chosen="a"), routed("a", "a"), routed("a", "a")]

    found = figures(texts)
    assert found["oos_precision"] == pytest.approx(100 / 3)
    assert found["oos_recall"] == 50


def test_the_gate_is_judged_by_the_texts_that_have_roles() -> None:
    texts = [
        routed("a", "a", gated="ab"),
        routed("ab", "a", gated="a"),
        routed("b", "a", gated="a"),
        routed("", "a", gated="ab"),
    ]

    found = figures(texts)
    assert found["gate_true"] == pytest.approx(100 * (1 + 0.5 + 0) / 3)
    assert found["gate_open"] == pytest.approx(4 / 3)


def test_auroc_is_the_chance_that_a_role_scores_above_none_and_a_tie_counts_half() -> None:
    assert auroc([0.9, 0.5], [0.5, 0.1]) == (1 + 1 + 0.5 + 1) / 4
    assert auroc([0.9], []) is None


def test_what_there_is_nothing_to_judge_by_is_left_open() -> None:
    found = figures([routed("a", "a", chosen="a")])

    assert found["oos_precision"] is found["oos_recall"] is found["oos_auroc"] is None


def test_languages_are_told_apart_and_runs_are_averaged() -> None:
    first = by_language([routed("a", "a"), routed("a", "b", lang="zh")])
    second = by_language([routed("a", "a"), routed("a", "a", lang="zh")])

    assert [first[name]["accuracy@1"] for name in ("en", "zh", "all")] == [100, 0, 50]
    mean = mean_of([first, second])
    assert [mean[name]["accuracy@1"] for name in ("en", "zh", "all")] == [100, 50, 75]
    assert mean["en"]["oos_recall"] is None
