"""Repetitions, on hand-labelled pairs; a wrong one loses a memory, a missed one costs a row."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.memory.duplicates import is_echo, key, meaning, same_meaning
from yiku.memory.text import tokens

DATA = Path(__file__).parents[2] / "data"


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def test_no_pair_that_differs_is_taken_for_a_duplicate() -> None:
    different = [r for r in read("duplicates.jsonl") if r["label"] == "different"]
    assert len(different) >= 80
    assert [r for r in different if same_meaning(r["a"], r["b"])] == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_most_duplicates_are_found(lang: str) -> None:
    pairs = [r for r in read("duplicates.jsonl") if r["label"] == "duplicate" and r["lang"] == lang]
    found = [r for r in pairs if same_meaning(r["a"], r["b"])]
    assert len(found) >= 0.8 * len(pairs)


def test_texts_of_one_meaning_have_one_key() -> None:
    pairs = [r for r in read("duplicates.jsonl") if same_meaning(r["a"], r["b"])]
    assert len(pairs) >= 40
    assert [r for r in pairs if key(tokens(r["a"])) != key(tokens(r["b"]))] == []


def test_no_new_fact_is_taken_for_an_echo() -> None:
    new = [r for r in read("echoes.jsonl") if r["label"] == "new"]
    assert len(new) >= 40
    assert [r for r in new if is_echo(r["new"], r["shown"]) is not None] == []


def test_most_echoes_are_found() -> None:
    echoes = [r for r in read("echoes.jsonl") if r["label"] == "echo"]
    found = [r for r in echoes if is_echo(r["new"], r["shown"]) is not None]
    assert len(found) >= 0.9 * len(echoes)


def test_an_echo_names_the_memory_it_repeats() -> None:
    shown = ["I'm allergic to peanuts", "I live in Berlin with two cats"]
    assert is_echo("As you mentioned, you live in Berlin.", shown) == 1


def test_width_script_and_closing_marks_change_no_meaning() -> None:
    assert meaning("我對花生過敏。") == meaning("我对花生过敏")


@given(st.text(st.characters(exclude_categories=[])), st.text())
def test_no_text_breaks_it(a: str, b: str) -> None:
    is_echo(a, [b])
    assert meaning(a) == meaning(a)
    assert len(key(tokens(b))) == 16


def test_a_very_long_text_is_compared_in_no_time() -> None:
    long = " ".join(f"thing{n % 997} number{n % 89}" for n in range(20_000))
    other = " ".join(reversed(long.split()))
    assert is_echo(long, [long]) == 0
    assert is_echo(long, [other]) is None
