"""Times in English and Chinese, as of Wednesday 12 June 2024."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.memory.when import has_time_words, is_when_question, spans

NOW = datetime(2024, 6, 12, 15, 30, tzinfo=UTC)


def days(text: str) -> list[tuple[date, date]]:
    return [(s.start.date(), s.end.date()) for s in spans(text, NOW)]


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("What happened on 7 May 2023?", date(2023, 5, 7), date(2023, 5, 8)),
        ("the 7th of May, 2023", date(2023, 5, 7), date(2023, 5, 8)),
        ("May 7th, 2023", date(2023, 5, 7), date(2023, 5, 8)),
        ("2023-05-07", date(2023, 5, 7), date(2023, 5, 8)),
        ("12/25/2023", date(2023, 12, 25), date(2023, 12, 26)),
        ("in May 2023", date(2023, 5, 1), date(2023, 6, 1)),
        ("in 2022", date(2022, 1, 1), date(2023, 1, 1)),
        ("the summer of 2022", date(2022, 6, 1), date(2022, 9, 1)),
        ("last summer", date(2023, 6, 1), date(2023, 9, 1)),
        ("last May", date(2024, 5, 1), date(2024, 6, 1)),
        ("last August", date(2023, 8, 1), date(2023, 9, 1)),
        ("yesterday", date(2024, 6, 11), date(2024, 6, 12)),
        ("last week", date(2024, 6, 3), date(2024, 6, 10)),
        ("this weekend", date(2024, 6, 15), date(2024, 6, 17)),
        ("last month", date(2024, 5, 1), date(2024, 6, 1)),
        ("last Friday", date(2024, 6, 7), date(2024, 6, 8)),
        ("two weeks ago", date(2024, 5, 27), date(2024, 6, 3)),
        ("3 days ago", date(2024, 6, 9), date(2024, 6, 10)),
        ("2023年5月7日发生了什么", date(2023, 5, 7), date(2023, 5, 8)),
        ("二〇二三年五月", date(2023, 5, 1), date(2023, 6, 1)),
        ("去年五月我去了哪里", date(2023, 5, 1), date(2023, 6, 1)),
        ("去年夏天", date(2023, 6, 1), date(2023, 9, 1)),
        ("前年", date(2022, 1, 1), date(2023, 1, 1)),
        ("昨天我吃了什么", date(2024, 6, 11), date(2024, 6, 12)),
        ("上周", date(2024, 6, 3), date(2024, 6, 10)),
        ("上個星期五", date(2024, 6, 7), date(2024, 6, 8)),
        ("上周末", date(2024, 6, 8), date(2024, 6, 10)),
        ("上个月", date(2024, 5, 1), date(2024, 6, 1)),
        ("三天前", date(2024, 6, 9), date(2024, 6, 10)),
        ("3个月前", date(2024, 3, 1), date(2024, 4, 1)),
        ("两年前", date(2022, 1, 1), date(2023, 1, 1)),
    ],
)
def test_a_named_time_is_one_span(text: str, start: date, end: date) -> None:
    assert days(text) == [(start, end)]


@pytest.mark.parametrize("text", ["in May", "on 7 May", "5月", "五月七号", "early June", "十二月"])
def test_without_a_year_it_is_of_any_year(text: str) -> None:
    found = spans(text, NOW)
    assert [s.start.year for s in found] == list(range(2014, 2026))


@pytest.mark.parametrize(
    "text",
    [
        "What may I eat?",
        "Did they march together?",
        "it costs $2000",
        "She had a bad fall",
        "31月99日",
        "2024-13-45",
        "February 30",
        "二十五号",
        "What does Anna like?",
        "她喜欢什么？",
        "",
    ],
)
def test_what_names_no_time_has_none(text: str) -> None:
    assert spans(text, NOW) == []


def test_march_and_may_are_months_after_in() -> None:
    assert spans("Did they march in March?", NOW)
    assert spans("may I come in May?", NOW)


@given(st.text(st.characters(exclude_categories=[])), st.datetimes())
def test_no_text_breaks_it(text: str, now: datetime) -> None:
    for span in spans(text, now):
        assert span.start < span.end
    is_when_question(text)
    has_time_words(text)


@given(st.from_regex(r"(\d{1,4}[年月日号/. -]){1,4}(ago|前|week|周)?", fullmatch=True))
def test_no_date_like_text_breaks_it(text: str) -> None:
    assert all(span.start < span.end for span in spans(text, NOW))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("When did Caroline go?", True),
        ("What day was it?", True),
        ("How long has she lived there?", True),
        ("Do you remember when we met?", True),
        ("我什么时候去的？", True),
        ("她的生日是哪天", True),
        ("那一天的具體日期是？", True),
        ("What did she do when he left?", False),
        ("What does she like?", False),
        ("她喜欢什么？", False),
    ],
)
def test_questions_for_a_time_are_recognised(text: str, expected: bool) -> None:
    assert is_when_question(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I went there yesterday.", True),
        ("Next MONTH we move", True),
        ("back in 2019", True),
        ("上周去的", True),
        ("5月7日", True),
        ("上個月", True),
        ("I may go", False),
        ("room 301", False),
        ("我喜欢茶", False),
    ],
)
def test_texts_that_say_when_are_recognised(text: str, expected: bool) -> None:
    assert has_time_words(text) is expected
