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
        ("nope", "no valid JSON"),
        ("[1]", "no JSON object"),
        ('"text"', "no JSON object"),
        ("{}", "`text` is missing"),
        ('{"text": 1}', "`text`"),
        ('{"text": "a", "speakr": "b"}', "`speakr` is no field"),
        ('{"text": "a", "at": "soon"}', "`at`"),
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
