"""Without a model, words tell which memories a text may replace; and where to look for them."""

from datetime import UTC, datetime

import pytest

from yiku.core.ids import ArchiveId, PassageId
from yiku.core.memory import Draft, Passage
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.draft import passage_of
from yiku.memory.skills.hints import also_asked, may_supersede

NOW = datetime(2026, 5, 7, tzinfo=UTC)


def passage(text: str) -> Passage:
    made = passage_of(Draft(text=text), LOCAL_ACTOR, NOW, PassageId(f"passage-{text}"))
    assert made.archive_id == ArchiveId("")
    return made


KNOWN = [
    passage(text)
    for text in (
        "用户住在北京",
        "用户喜欢喝咖啡",
        "用户的电话是13800138000",
        "The user lives in Boston",
        "The user works at Acme",
        "The project Apollo is due on May 1",
    )
]


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("我搬到上海了", "用户住在北京"),
        ("我不再喜欢咖啡了", "用户喜欢喝咖啡"),
        ("我换手机号了:13900139000", "用户的电话是13800138000"),
        ("I moved to Shanghai", "The user lives in Boston"),
        ("I quit, now I work for Globex", "The user works at Acme"),
        ("Apollo was postponed, it's due in June now", "The project Apollo is due on May 1"),
    ],
)
def test_a_change_is_hinted_at(text: str, old: str) -> None:
    assert old in [one.text for one in may_supersede(text, KNOWN)[:2]]


@pytest.mark.parametrize(
    "text", ["我住在北京的朋友来了", "I live in Boston", "咖啡很好喝", "The cat is called Mimi"]
)
def test_what_tells_of_no_change_hints_at_nothing(text: str) -> None:
    assert may_supersede(text, KNOWN) == []
    assert also_asked(text) == []


def test_a_change_of_something_else_hints_at_nothing() -> None:
    assert may_supersede("The cat is called Tom now, not Mimi", KNOWN) == []


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("我搬到上海了", ["用户住在"]),
        ("I moved to Shanghai", ["The user lives in"]),
        ("我换工作了,搬到了上海", ["用户住在", "用户的工作和上班的公司"]),
        ("改成星期五吧", []),
    ],
)
def test_a_change_is_looked_for_by_its_subject(text: str, asked: list[str]) -> None:
    assert also_asked(text) == asked
