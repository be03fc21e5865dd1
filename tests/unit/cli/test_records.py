"""Files as passages, good and bad."""

import io
from typing import Any

import pytest

from yiku.cli.records import Format, Reading, Record, Split, records


def read(
    content: str | bytes, format: Format, split: Split = "line", **defaults: Any
) -> list[Record]:
    raw = content.encode() if isinstance(content, str) else content
    how = Reading(format=format, split=split, name="f", max_text_bytes=1000, defaults=defaults)
    return list(records(io.BytesIO(raw), how))


def texts(content: str, format: Format, split: Split = "line") -> list[str]:
    return [one.fields["text"] for one in read(content, format, split)]


def test_lines_and_paragraphs_know_where_they_begin() -> None:
    content = "\n一\r\n二\n\n\n三\n"

    assert [(one.line, one.fields["text"]) for one in read(content, "text")] == [
        (2, "一"),
        (3, "二"),
        (6, "三"),
    ]
    paragraphs = read(content, "text", "paragraph")
    assert [(one.line, one.fields["text"]) for one in paragraphs] == [(2, "一\n二"), (6, "三")]


def test_only_line_feeds_end_a_line() -> None:
    assert texts("a\u2028b\x85c\n", "text") == ["a\u2028b\x85c"]


def test_an_empty_file_has_no_passages() -> None:
    for format in ("jsonl", "text", "markdown"):
        assert read("", format) == []
        assert read("\n \n", format) == []


def test_defaults_fill_in_what_a_line_leaves_out() -> None:
    one, other = read('{"text": "a"}\n{"text": "b", "speaker": "bo"}', "jsonl", speaker="ann")

    assert one.fields == {"text": "a", "speaker": "ann"}
    assert other.fields == {"text": "b", "speaker": "bo"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nope", 'no valid JSON from character 2 on; a line is an object like {"text": "…"}'),
        ('{"text": "a"', "no valid JSON from character 12 on"),
        ("[1]", 'it is a list, not an object like {"text": "…"}'),
        ('"text"', 'it is "text", not an object like {"text": "…"}'),
        ("{}", "`text` is missing"),
        ('{"text": 1}', "`text` is 1, not a text in quotes"),
        ('{"text": "a", "tags": "b"}', '`tags` is "b", not a list like ["health", "food"]'),
        ('{"text": "a", "tags": ["b", null]}', "`tags.1` is null, not a text in quotes"),
        ('{"text": "a", "metadata": []}', "`metadata` is a list, not an object like {"),
        ('{"text": "a", "speakr": "b"}', "`speakr` is no field of a passage (`speaker` is)"),
        ('{"text": "a", "colour": "b"}', "`colour` is no field of a passage (what is yours"),
        ('{"text": "a", "at": "soon"}', '`at` is "soon", no date or time like 2026-09-20'),
        ('{"text": "a", "at": "9999-12-31T23:00-05:00"}', "`at`: years 1 to 9999 can be kept"),
        ('{"text": "a", "valid_from": "2026-02-02", "valid_to": "2026-02-01"}', "not after"),
        ('{"text": "  "}', "empty"),
        ('{"text": "a\\u0000b"}', "NUL"),
        ('{"text": "' + "x" * 2000 + '"}', "bytes long"),
        ('{"text": "a", "tags": ["' + "x" * 600 + '"]}', "tag"),
        ('{"text": "a", "archive_id": "archive-1", "forgotten_at": "2026-01-01"}', "forgotten"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(line: str, problem: str) -> None:
    good, bad = read(f'{{"text": "good"}}\n{line}\n', "jsonl")

    assert good.problem is None
    assert (bad.line, bad.source) == (2, line)
    assert bad.problem is not None
    assert problem in bad.problem
    assert "Input should" not in bad.problem


def test_an_array_is_read_as_its_elements() -> None:
    content = '\ufeff\n[ {"text": "a"},\n\n{"text": "二",\n "tags": ["x"]} , {"text": "]"}\n]\n'

    found = [(one.line, one.fields) for one in read(content, "jsonl")]

    assert found == [(2, {"text": "a"}), (4, {"text": "二", "tags": ["x"]}), (5, {"text": "]"})]
    assert read("[]", "jsonl") == []
    assert read(" [\n] ", "jsonl") == []


def test_a_bad_element_of_an_array_is_named_by_its_line() -> None:
    good, bad, last = read('[{"text": "a"},\n{"txt": "b"},\n{"text": "c"}]', "jsonl")

    assert (good.problem, last.problem) == (None, None)
    assert (bad.line, bad.source) == (2, '{"txt": "b"}')


@pytest.mark.parametrize(
    ("content", "line", "character"),
    [
        ('[{"text": "a"}\n {"text": "b"}]', 2, 2),
        ('[{"text": "a"},\n {"text": b}]', 2, 11),
        ('[{"text": "a"},\n', 2, 1),
        ('[{"text": "a"}]\n[{"text": "b"}]', 2, 1),
    ],
)
def test_a_broken_array_says_where_it_breaks(content: str, line: int, character: int) -> None:
    good, broken = read(content, "jsonl")

    assert good.fields == {"text": "a"}
    assert broken.line == line
    assert broken.problem is not None
    assert f"no valid JSON from character {character} on" in broken.problem


def test_an_exported_line_loses_what_a_passage_gets_anew() -> None:
    line = '{"id": "passage-1", "archive_id": "a", "version": 3, "text": "t", "context_id": null}'

    assert read(line, "jsonl")[0].fields == {"text": "t"}


def test_bytes_that_are_no_utf8_are_a_problem() -> None:
    for format in ("text", "markdown", "jsonl"):
        (one,) = read(b"caf\xe9 au lait", format)
        assert one.problem


def test_headings_are_kept_by_their_levels() -> None:
    content = "intro\n# A #\na\n### C\nc\n## B\nb\n# D\n\nd\n"

    found = [
        (one.fields["text"], one.fields["metadata"].get("heading"))
        for one in read(content, "markdown")
    ]

    assert found == [("intro", None), ("a", "A"), ("c", "A > C"), ("b", "A > B"), ("d", "D")]


def test_a_block_of_code_is_one_passage() -> None:
    content = "# A\n```python\n# no heading\n\nx = 1\n```\n\nafter\n"

    assert texts(content, "markdown") == ["```python\n# no heading\n\nx = 1\n```", "after"]


def test_a_block_of_code_that_never_ends_is_kept() -> None:
    assert texts("~~~\na\n\n```\nb", "markdown") == ["~~~\na\n\n```\nb"]


def test_front_matter_is_left_out_and_a_rule_is_not() -> None:
    assert texts("---\ntitle: x\n---\ntext\n", "markdown") == ["text"]
    assert texts("---\n\ntext\n", "markdown") == ["---", "text"]
    assert texts("---", "markdown") == ["---"]
