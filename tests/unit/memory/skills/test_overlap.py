"""What a reply drew on, on rows labelled by hand; the held-out half is the odd lines."""

import json
from pathlib import Path
from typing import Any

import pytest

from yiku.memory.skills.overlap import Overlap, Shown, clauses, refuses, used

DATA = Path(__file__).parents[3] / "data" / "feedback_labelled.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
HELD_OUT = ROWS[1::2]


def judged(row: dict[str, Any], *, vectors: bool) -> Overlap:
    shown = [Shown(row["memory"], row["gain"] if vectors else None)]
    shown += [Shown(other) for other in row.get("others", [])]
    return used(row["question"], row["reply"], shown)[0]


def rates(rows: list[dict[str, Any]], *, vectors: bool) -> tuple[float, float]:
    """Precision and recall."""
    found = [row for row in rows if judged(row, vectors=vectors).used]
    right = sum(row["used"] for row in found)
    return right / len(found), right / sum(row["used"] for row in rows)


def test_the_labelled_set_is_large_and_hard_in_both_languages() -> None:
    assert len(ROWS) >= 200
    for lang in ("en", "zh"):
        own = [row for row in ROWS if row["lang"] == lang]
        assert len(own) >= 100
        assert 0.4 < sum(row["used"] for row in own) / len(own) < 0.6
        assert {row["kind"] for row in own} >= {"paraphrase", "question", "refusal", "general"}


@pytest.mark.parametrize(
    ("vectors", "precision", "recall"), [(True, 0.93, 0.71), (False, 0.92, 0.64)]
)
def test_of_the_half_that_nothing_was_fitted_on(
    vectors: bool, precision: float, recall: float
) -> None:
    found = rates(HELD_OUT, vectors=vectors)
    assert found[0] >= precision
    assert found[1] >= recall


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_neither_language_is_left_behind(lang: str) -> None:
    precision, recall = rates([r for r in HELD_OUT if r["lang"] == lang], vectors=True)
    assert precision >= 0.9
    assert recall >= 0.65


@pytest.mark.parametrize("kind", ["question", "refusal", "off", "contrary"])
def test_what_only_repeats_refuses_or_says_otherwise_is_hardly_ever_a_use(kind: str) -> None:
    wrong = [r for r in ROWS if r["kind"] == kind and judged(r, vectors=True).used]
    assert len(wrong) <= 1


def test_refusals_are_known_and_nothing_else_is_taken_for_one() -> None:
    assert [r["reply"] for r in ROWS if refuses(r["reply"]) != (r["kind"] == "refusal")] == []


def test_the_words_that_show_it_are_given() -> None:
    found = used("Where do I live?", "You live in Potsdam.", [Shown("User lives in Potsdam.")])
    assert found[0].words == ("potsdam",)
    assert found[0].used


def test_of_two_memories_the_one_that_says_more_of_it_was_drawn_on() -> None:
    shown = [Shown("User likes Porto."), Shown("User moved to Porto in 2021.")]
    less, more = used("Tell me about my move.", "You moved to Porto in 2021.", shown)
    assert (less.used, more.used) == (False, True)


def test_two_that_say_the_same_were_both_drawn_on() -> None:
    shown = [Shown("User moved to Porto in 2021."), Shown("In 2021 the user moved to Porto.")]
    both = used("When did I come here?", "You moved to Porto in 2021.", shown)
    assert [one.used for one in both] == [True, True]


def test_what_stood_there_anyhow_shows_nothing() -> None:
    shown = [Shown("User moved to Porto in 2021.", 0.4)]
    asked, said = "When did I move?", "You moved to Porto in 2021."
    assert used(asked, said, shown)[0].used
    assert not used(asked, said, shown, ["Name: Ann. Moved to Porto in 2021."])[0].used


def test_a_reply_that_says_where_it_has_it_from_cites() -> None:
    shown = [Shown("User's favourite tea is oolong.")]
    found = used("What should I drink?", "As you told me, you love oolong tea.", shown)
    assert found[0].cites
    assert not used("What should I drink?", "Oolong tea for you.", shown)[0].cites


def test_a_reply_is_compared_whole_and_clause_by_clause() -> None:
    assert clauses("Yes, Tom. 他在成都，开店。") == [
        "Yes, Tom. 他在成都，开店。",
        "Yes",
        "Tom.",
        "他在成都",
        "开店。",
    ]
    assert len(clauses("a. " * 500)) == 41


@pytest.mark.parametrize("text", ["", " ", "?", "\ud800", "💥" * 50])
def test_nothing_readable_is_no_use(text: str) -> None:
    assert not used(text, text, [Shown(text), Shown("User likes tea.", 0.0)])[1].used
