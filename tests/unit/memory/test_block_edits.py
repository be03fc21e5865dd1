"""What agents' memory tools make of a block's value."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from yiku.core import errors
from yiku.core.block import NUMBERS_NOTES, Block, BlockContent
from yiku.core.ids import BlockId
from yiku.core.tenant import LOCAL_ORGANIZATION, LOCAL_USER
from yiku.memory import block_edits as edits
from yiku.store.tables import EPOCH

TEXT = st.text(st.sampled_from("ab字 \n"), max_size=30)
"""Few letters, so that repetitions and overlaps come up."""


def block(value: str, **more: Any) -> Block:
    return Block(
        seq=1,
        id=BlockId("block-1"),
        organization_id=LOCAL_ORGANIZATION,
        version=1,
        content=BlockContent(label="human", value=value, **more),
        created_at=EPOCH,
        created_by=LOCAL_USER,
        updated_at=EPOCH,
        updated_by=LOCAL_USER,
    )


EVERY_EDIT: list[Callable[[Block], str]] = [
    lambda b: edits.core_memory_append(b, "x"),
    lambda b: edits.core_memory_replace(b, "a", "x"),
    lambda b: edits.memory_insert(b, "x"),
    lambda b: edits.memory_replace(b, "a", "x"),
    lambda b: edits.memory_rethink(b, "x"),
]


@pytest.mark.parametrize("edit", EVERY_EDIT)
def test_a_read_only_block_is_not_edited(edit: Callable[[Block], str]) -> None:
    assert edit(block("a"))
    with pytest.raises(errors.BlockReadOnly, match="read-only"):
        edit(block("a", read_only=True))


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (-1, "one\ntwo\nnew"),
        (2, "one\ntwo\nnew"),
        (1, "one\nnew\ntwo"),
        (0, "new\none\ntwo"),
    ],
)
def test_lines_are_inserted_after_a_line(line: int, value: str) -> None:
    assert edits.memory_insert(block("one\ntwo"), "new", line) == value


def test_without_a_line_text_comes_at_the_end() -> None:
    assert edits.memory_insert(block("one"), "two\nthree") == "one\ntwo\nthree"


@pytest.mark.parametrize("line", [3, -2, 100])
def test_a_line_that_is_not_there_is_refused_with_those_that_are(line: int) -> None:
    with pytest.raises(errors.EditRefused, match=r"lines 1 to 2.*it was"):
        edits.memory_insert(block("one\ntwo"), "new", line)


@given(TEXT, TEXT, st.integers(-1, 12))
def test_an_insertion_moves_lines_and_changes_none(value: str, new: str, line: int) -> None:
    lines = value.split("\n")
    assume(value and line <= len(lines))
    at = len(lines) if line == -1 else line
    got = edits.memory_insert(block(value), new, line).split("\n")
    added = len(new.split("\n"))
    assert got[:at] + got[at + added :] == lines
    assert "\n".join(got[at : at + added]) == new


def test_the_one_place_is_replaced() -> None:
    assert edits.memory_replace(block("likes tea"), "tea", "coffee") == "likes coffee"
    assert edits.memory_replace(block("likes tea"), " tea", "") == "likes"


def test_a_text_that_stands_more_than_once_is_refused_with_its_lines() -> None:
    with pytest.raises(errors.EditRefused, match=r"stands 3 times .* in lines 1, 3\.") as refused:
        edits.memory_replace(block("tea tea\ncoffee\ntea"), "tea", "water")
    assert refused.value.facts["lines"] == [1, 3]


def test_the_line_of_a_text_of_several_lines_is_where_it_begins() -> None:
    with pytest.raises(errors.EditRefused, match=r"in lines 2, 4\."):
        edits.memory_replace(block("x\na\nb\na\nb"), "a\nb", "")


def test_a_text_that_is_not_there_is_refused() -> None:
    with pytest.raises(errors.EditRefused, match="'cocoa' does not stand in block 'human'"):
        edits.memory_replace(block("likes tea"), "cocoa", "x")
    with pytest.raises(errors.EditRefused, match="old_content 'cocoa' does not stand"):
        edits.core_memory_replace(block("likes tea"), "cocoa", "x")


def test_a_long_text_is_not_repeated_whole_in_the_refusal() -> None:
    with pytest.raises(errors.EditRefused) as refused:
        edits.memory_replace(block("a"), "x" * 5000, "y")
    assert len(refused.value.message) < 500


@pytest.mark.parametrize("edit", [edits.memory_replace, edits.core_memory_replace])
def test_nothing_can_not_be_replaced(edit: Callable[[Block, str, str], str]) -> None:
    with pytest.raises(errors.EditRefused, match="is empty"):
        edit(block("a"), "", "x")


@given(TEXT, TEXT, TEXT)
def test_a_replacement_is_made_in_the_one_place_or_refused(value: str, old: str, new: str) -> None:
    places = [i for i in range(len(value)) if value.startswith(old, i)] if old else []
    if len(places) == 1:
        at = places[0]
        want = value[:at] + new + value[at + len(old) :]
        assert edits.memory_replace(block(value), old, new) == want
    else:
        with pytest.raises(errors.EditRefused):
            edits.memory_replace(block(value), old, new)


@given(TEXT, TEXT, TEXT)
def test_core_memory_replace_replaces_every_place(value: str, old: str, new: str) -> None:
    if old and old in value:
        assert edits.core_memory_replace(block(value), old, new) == value.replace(old, new)
    else:
        with pytest.raises(errors.EditRefused):
            edits.core_memory_replace(block(value), old, new)


@given(TEXT, TEXT)
def test_core_memory_append_adds_a_line(value: str, new: str) -> None:
    assert edits.core_memory_append(block(value), new) == (f"{value}\n{new}" if value else new)


@pytest.mark.parametrize(
    "text",
    [
        "1→ likes tea",
        "likes\n 12→ tea",
        "3→tea",
        *(f"x {note}" for note in NUMBERS_NOTES.values()),
    ],
)
def test_line_numbers_of_the_display_are_refused(text: str) -> None:
    for edit in (
        lambda b: edits.memory_insert(b, text),
        lambda b: edits.memory_replace(b, text, "x"),
        lambda b: edits.memory_replace(b, "a", text),
        lambda b: edits.memory_rethink(b, text),
    ):
        with pytest.raises(errors.EditRefused, match="Give the text alone"):
            edit(block("a"))


@pytest.mark.parametrize("text", ["1. tea", "a → b", "room 3→ 4", "Line 1: tea"])
def test_numbers_and_arrows_in_a_text_are_text(text: str) -> None:
    assert edits.memory_rethink(block("a"), text) == text


def test_a_value_over_its_limit_is_refused_with_both_lengths() -> None:
    content = block("four", limit=5).content
    with pytest.raises(errors.BlockTooLong, match="6 characters long; its limit is 5") as refused:
        content.changed({"value": "sixsix"})
    assert (refused.value.facts["length"], refused.value.facts["limit"]) == (6, 5)
    assert replace(content, value="five5").value == "five5"


def test_characters_are_counted_not_bytes() -> None:
    assert BlockContent(label="x", value="三个字", limit=3).value == "三个字"


def test_what_a_block_has_not_can_not_be_changed() -> None:
    with pytest.raises(errors.Invalid, match="no colour"):
        block("a").content.changed({"colour": "red"})


def test_what_is_added_to_an_empty_block_is_its_first_line() -> None:
    assert edits.core_memory_append(block(""), "likes tea") == "likes tea"
    for line in (-1, 0, 1):
        assert edits.memory_insert(block(""), "likes\ntea", line) == "likes\ntea"
