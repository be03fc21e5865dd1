"""Participants' names in texts and queries."""

import pytest

from yiku.memory.names import named_speaker, strip_names

TWO = ["Caroline", "Melanie"]


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("What did Caroline's friend say?", TWO, "What did friend say?"),
        ("what did caroline research", TWO, "what did research"),
        ("张曼婷喜欢什么？", ["张曼婷", "AI伴侣"], "喜欢什么？"),
        ("Anna Schmidt and Anna", ["Anna Schmidt"], "and"),
        ("我和Melanie去了北京", TWO, "我和去了北京"),
        ("Melanies and Carolines", TWO, "Melanies and Carolines"),
        ("Read the user manual", ["user", "assistant"], "Read the user manual"),
        ("I will hope", ["Will", "Hope"], "I will hope"),
        ("Did Will hope?", ["Will"], "Did hope?"),
        ("Caroline?", TWO, "Caroline?"),
        ("nothing here", [], "nothing here"),
    ],
)
def test_names_are_taken_out_and_nothing_else(text: str, names: list[str], expected: str) -> None:
    assert strip_names(text, names) == expected


@pytest.mark.parametrize(
    ("query", "speakers", "expected"),
    [
        ("What did Caroline research?", TWO, "Caroline"),
        ("what is melanie’s job", TWO, "Melanie"),
        ("Did Caroline call Melanie?", TWO, None),
        ("What did she research?", TWO, None),
        ("Where does Anna live?", ["Anna Schmidt", "Bob"], "Anna Schmidt"),
        ("Where does Anna live?", ["Anna Schmidt", "Anna Wong"], None),
        ("Where does Anna Wong live?", ["Anna Schmidt", "Anna Wong"], "Anna Wong"),
        ("張曼婷喜歡什麼", ["张曼婷", "AI伴侣"], "张曼婷"),
        ("what does the user like", ["user", "assistant"], None),
    ],
)
def test_the_one_speaker_a_query_names_is_recognised(
    query: str, speakers: list[str], expected: str | None
) -> None:
    assert named_speaker(query, speakers) == expected
