"""Repetitions, on hand-labelled pairs; a wrong one loses a memory, a missed one costs a row."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yiku.memory.duplicates import is_echo, same_meaning

DATA = Path(__file__).parents[2] / "data"
TYPICAL_COSINE = 0.9


def read(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text("utf-8").splitlines()]


def test_no_pair_that_differs_is_taken_for_a_duplicate() -> None:
    different = [r for r in read("duplicates.jsonl") if r["label"] == "different"]
    assert len(different) >= 80
    assert [r for r in different if same_meaning(r["a"], r["b"], 0.99)] == []
    assert [r for r in different if same_meaning(r["b"], r["a"], 0.99)] == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_most_duplicates_are_found(lang: str) -> None:
    pairs = [r for r in read("duplicates.jsonl") if r["label"] == "duplicate" and r["lang"] == lang]
    found = [r for r in pairs if same_meaning(r["a"], r["b"], TYPICAL_COSINE)]
    assert len(found) >= 0.8 * len(pairs)


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


def test_vectors_far_apart_are_never_one_memory() -> None:
    assert not same_meaning("I really love tea", "I love tea", 0.2)


def test_the_same_text_needs_no_vector() -> None:
    assert same_meaning("我對花生過敏。", "我对花生过敏", 0.0)


@given(st.text(st.characters(exclude_categories=[])), st.text())
def test_no_text_breaks_it(a: str, b: str) -> None:
    same_meaning(a, b, 0.9)
    is_echo(a, [b])
    assert same_meaning(a, a, 1.0)
