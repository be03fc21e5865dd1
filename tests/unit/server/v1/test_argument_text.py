"""The message tool's words are read while the model still writes the call."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.server.v1.argument_text import ArgumentText

LEAVES = st.none() | st.integers() | st.text(max_size=8)
VALUES = LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.text(max_size=8), LEAVES)
WORDS = st.text(st.sampled_from('ab字😀"\\/\n\t\b\x01é{}[]:,u'), max_size=20)


def said(pieces: list[str], name: str = "message") -> str:
    reader = ArgumentText(name)
    return "".join(reader.feed(piece) for piece in pieces)


def cut(text: str, at: list[int]) -> list[str]:
    places = sorted({0, len(text), *(n % (len(text) + 1) for n in at)})
    return [text[a:b] for a, b in pairwise(places)]


@given(
    before=st.dictionaries(st.text(max_size=6), VALUES, max_size=3),
    words=WORDS,
    after=VALUES,
    at=st.lists(st.integers(0, 10_000), max_size=12),
    escaped=st.booleans(),
)
def test_however_it_is_cut_the_words_come_whole(
    before: dict[str, object], words: str, after: object, at: list[int], escaped: bool
) -> None:
    whole = {**before, "message": words, "z": after}
    text = json.dumps(whole, ensure_ascii=escaped, indent=2 if escaped else None)
    assert said(cut(text, at)) == words
    assert said(list(text)) == words


def test_each_piece_gives_what_is_new_at_once() -> None:
    reader = ArgumentText("message")
    pieces = ['{"think', 'ing": "x", "mes', 'sage": "Gu', "ten T", "ag\\", 'n!"', ', "z": 1}']
    assert [reader.feed(p) for p in pieces] == ["", "", "Gu", "ten T", "ag", "\n!", ""]


def test_a_character_that_is_escaped_in_two_comes_whole() -> None:
    reader = ArgumentText("message")
    assert reader.feed('{"message":"\\ud83d') == ""
    assert reader.feed("\\ude00!") == "😀!"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"message": "a\\ud83d"}', "a\ufffd"),
        ('{"message": "\\ud83d\\ud83d\\ude00"}', "\ufffd😀"),
        ('{"message": "\\ude00b"}', "\ufffdb"),
        ('{"message": "a\\uzzzzb"}', "a"),
        ('{"message": "a\\qb"}', "a"),
        ('{"message": 12, "other": "no"}', ""),
        ('{"message": {"message": "no"}}', ""),
        ('{"a": ["message", "no"], "b": {"message": "no"}}', ""),
        ('["message", "no"]', ""),
        ('"message"', ""),
        ("", ""),
        ('{"message": "cut o', "cut o"),
        ('{"message": "one", "message": "two"}', "one"),
    ],
)
def test_what_is_broken_or_no_text_gives_what_can_be_read(text: str, words: str) -> None:
    assert said([text]) == words
    assert said(list(text)) == words
    words.encode()
