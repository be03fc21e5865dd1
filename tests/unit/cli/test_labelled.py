"""Labelled texts, and which of them are learned from."""

from collections import Counter
from pathlib import Path

import pytest

from yiku.cli.labelled import Labelled, demand_roles, labelled_texts, taught
from yiku.core.errors import InvalidFile


def test_a_file_is_read_line_by_line_and_a_language_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(
        '{"text": "我对花生过敏", "roles": ["a", "b"]}\n\n'
        '{"text": "x", "lang": "fr", "roles": []}\n'
    )

    assert labelled_texts(path) == [
        Labelled("我对花生过敏", "zh", frozenset("ab")),
        Labelled("x", "fr", frozenset()),
    ]


@pytest.mark.parametrize(
    "line",
    [
        '{"text": "x"}',
        '{"roles": []}',
        '{"text": "", "roles": []}',
        '{"text": 3, "roles": []}',
        '{"text": "x", "roles": "a"}',
        "[]",
        "{",
    ],
)
def test_a_line_that_is_no_labelled_text_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"text": "x", "roles": []}\n' + line)

    with pytest.raises(InvalidFile, match=r"line 2|JSON"):
        labelled_texts(path)


def test_a_file_without_texts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("\n")

    with pytest.raises(InvalidFile, match="no texts"):
        labelled_texts(tmp_path / "t.jsonl")


def test_labels_that_are_no_roles_are_all_named() -> None:
    texts = [
        Labelled("x", "en", frozenset({"cook", "a"})),
        Labelled("y", "en", frozenset({"bard"})),
    ]

    with pytest.raises(InvalidFile, match=r"texts of bard, cook.*it has a, b"):
        demand_roles(Path("f"), texts, ["a", "b"])
    demand_roles(Path("f"), texts, ["a", "bard", "cook"])


TEXTS = [
    Labelled(f"{lang} {role} {n}", lang, frozenset({role}))
    for lang in ("en", "zh")
    for role in "ab"
    for n in range(9)
] + [Labelled("both", "en", frozenset("ab")), Labelled("none", "zh", frozenset())]


def test_each_role_is_taught_as_many_texts_evenly_by_language() -> None:
    chosen = taught(TEXTS, 7, seed=1)

    counts = Counter((*one.roles, one.lang) for one in chosen)
    assert counts == {("a", "en"): 4, ("a", "zh"): 3, ("b", "en"): 4, ("b", "zh"): 3}
    assert taught(TEXTS, 7, seed=1) == chosen != taught(TEXTS, 7, seed=2)


def test_where_one_language_has_too_few_the_other_fills_up() -> None:
    scarce = [one for one in TEXTS if one.lang == "en" or one.text.endswith(" 0")]

    assert Counter(one.lang for one in taught(scarce, 6, seed=1)) == {"en": 10, "zh": 2}


def test_learning_from_all_texts_is_refused() -> None:
    with pytest.raises(InvalidFile, match="'a' has 18 texts"):
        taught(TEXTS, 18, seed=1)
