"""Text of any kind is stored and found, or refused with a reason."""

from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from yiku.client.memory import MemoryClient
from yiku.core import errors

TEXTS = [
    "🥜🚫",
    "👩‍👩‍👧‍👦 family dinner on Sunday",
    "מחר יש לי תור לרופא בשעה 9:30",
    "אני גר בתל אביב and work in English",
    "غداً لدي موعد مع الطبيب",
    "Robert'); DROP TABLE passage;--",
    '"unbalanced AND (quotes OR NEAR/2 * ^',
    "SELECT * FROM embedding WHERE 1=1 /* x */ \\ % _ '",
    "{{ jinja }} ${env} <script>alert(1)</script>",
    "a\u200bzero\u200bwidth",
    "e\u0301 combining and é composed",
    "ﬁne ｆｕｌｌ　ｗｉｄｔｈ ①②",
    "line one\r\nline two\ttabbed\x0bvertical\x1bescape",
    "的了吗呢",
    "not to be or to be",
    "???",
    "東京へ行きました。カタカナ",
    "나는 김치를 좋아한다",
    "Съешь ещё этих мягких французских булок",
    "a" * 10_000,
    "C++ or C#, e-mail me at test.user+tag@example.co.uk, +86 138-0013-8000, v1.2.3-rc4",
]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
async def test_unusual_text_is_stored_as_given_and_found(memory: MemoryClient, text: str) -> None:
    await memory.add_many(["Something else entirely", "另外一件事", "Le chat dort"])
    added = await memory.add(text)
    assert (await memory.get(added.passage.id)).text == text
    assert [one.text async for one in memory.export()][-1] == text
    hits = await memory.search(text, limit=4)
    assert hits[0].passage.id == added.passage.id


async def test_two_megabytes_are_stored_and_found(memory: MemoryClient) -> None:
    text = "The needle is a turquoise narwhal. " + "All the rest is hay, more or less. " * 60_000
    assert len(text) > 2_000_000
    added = await memory.add(text)
    await memory.add("Some short note about narrow streets")
    assert (await memory.get(added.passage.id)).text == text
    hits = await memory.search("turquoise narwhal", limit=1)
    assert hits[0].passage.id == added.passage.id


async def test_a_text_over_the_limit_is_refused_with_both_sizes(memory: MemoryClient) -> None:
    with pytest.raises(errors.InvalidText, match=r"5,000,000 bytes long; 4,194,304 are allowed"):
        await memory.add("x" * 5_000_000)
    assert await memory.archives() == []


@pytest.mark.parametrize("text", ["", " \n\t ", "nul \0 inside", "half \ud83d a character"])
async def test_what_cannot_be_kept_is_refused(memory: MemoryClient, text: str) -> None:
    with pytest.raises(errors.Invalid):
        await memory.add(text)
    assert await memory.archives() == []


@pytest.mark.parametrize("query", ["", "  ", "x" * 70_000])
async def test_a_query_that_asks_nothing_is_refused(memory: MemoryClient, query: str) -> None:
    with pytest.raises(errors.Invalid, match="query"):
        await memory.search(query)


@given(text=st.text(min_size=1, max_size=200), query=st.text(min_size=1, max_size=60))
@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_no_text_or_query_breaks_the_memory(
    memory: MemoryClient, text: str, query: str
) -> None:
    with suppress(errors.Invalid):
        added = await memory.add(text)
        assert (await memory.get(added.passage.id)).id == added.passage.id
    with suppress(errors.Invalid):
        await memory.search(query)
