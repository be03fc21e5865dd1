"""What is kept of a text, what is invented, and why a memory failed."""

import pytest

from yiku.core.skill import FeedbackKind, RootCause
from yiku.memory.skills.causes import root_cause
from yiku.memory.skills.details import answers, invented, kept

SAID = "Oh, by the way, my sister Mia has her birthday on June 3."
SAID_ZH = "对了，我妹妹小梅的生日是6月3号，她住在苏州。"


def test_a_memory_that_tells_all_keeps_all() -> None:
    assert kept(SAID, ["The user's sister Mia has her birthday on June 3."]) > 0.8
    assert kept(SAID_ZH, ["用户的妹妹小梅生日是6月3号", "用户的妹妹小梅住在苏州"]) > 0.8


def test_names_and_numbers_weigh_the_most() -> None:
    with_them = kept(SAID, ["Mia: June 3"])
    without = kept(SAID, ["The user's sister has a birthday, by the way"])
    assert with_them > without
    assert kept("我的邮箱是 test@example.com", ["用户邮箱: test@example.com"]) > 0.85
    assert kept("我的邮箱是 test@example.com", ["用户有邮箱"]) < 0.3


def test_nothing_made_keeps_nothing() -> None:
    assert kept(SAID, []) == 0.0
    assert kept("", []) == 0.0
    assert kept("", ["x"]) == 1.0


def test_numbers_from_nowhere_are_invented_and_dates_are_worked_out() -> None:
    assert invented(["The user is 34 years old."], ["I turned thirty."]) == ("34",)
    assert invented(["Dentist on 2026-03-14 at 9:30."], ["Dentist tomorrow, half past 9"]) == ()
    assert invented(["用户3月14日看牙医"], ["明天看牙医"]) == ()
    assert invented(["用户的工号是 8812"], ["我的工号是 8821"]) == ("8812",)


def test_how_much_of_a_question_a_text_names() -> None:
    assert answers("When is my sister's birthday?", SAID) == 1.0
    assert answers("我妹妹的生日是哪天？", SAID_ZH) > 0.5
    assert answers("How much is my rent again?", "My rent is 1150 euros.") == 1.0
    assert answers("我的房租是多少来着？", "我每月房租四千二") > 0.5
    assert answers("What's my blood type?", SAID) == 0.0


@pytest.mark.parametrize(
    ("kind", "made", "wanted", "found", "cause"),
    [
        (FeedbackKind.MISSED, "The user has a sister.", "", True, RootCause.STORAGE),
        (FeedbackKind.MISSED, "User's sister Mia has her birthday on June 3.", "", False,
         RootCause.RETRIEVAL),
        (FeedbackKind.CORRECTED, "User's sister Mia has her birthday on June 8.",
         "No, June 3!", True, RootCause.STORAGE),
        (FeedbackKind.FORGOTTEN, "User's sister Mia has her birthday on June 3.", "", True,
         RootCause.QUALITY),
        (FeedbackKind.CONTRADICTED, "User's sister Mia has her birthday on June 3.",
         "Mia moved it to July.", True, RootCause.QUALITY),
        (FeedbackKind.FORGOTTEN, "The user said something.", "", True, RootCause.STORAGE),
    ],
)  # fmt: skip
def test_root_causes(
    kind: FeedbackKind, made: str, wanted: str, found: bool, cause: RootCause
) -> None:
    assert root_cause(kind, original=SAID, made=[made], wanted=wanted, found=found) == cause


def test_without_the_original_it_is_not_said_to_be_lost() -> None:
    told = root_cause(FeedbackKind.FORGOTTEN, original="", made=["x"])
    assert told == RootCause.QUALITY
