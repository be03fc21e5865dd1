"""What kind of file some bytes are."""

import pytest

from yiku.memory.files.sniff import HEAD, Reader, sniff

COMMENT = b"<!-- a --> \n"


@pytest.mark.parametrize(
    ("head", "reader"),
    [
        (b"<!DOCTYPE html><p>a", Reader.HTML),
        (b" \n<html>", Reader.HTML),
        (COMMENT * 3 + b"<body>", Reader.HTML),
        (b"<!----><!---->\t<head>", Reader.HTML),
        (COMMENT + b"<p>a", Reader.TEXT),
        (COMMENT + b"a <html>", Reader.TEXT),
        (b"<!-- <html>", Reader.TEXT),
        (b"<!--> <html>", Reader.TEXT),
        (b"<htmlx>", Reader.TEXT),
    ],
)
def test_html_is_known_by_its_first_tag_behind_comments(head: bytes, reader: Reader) -> None:
    assert sniff(head, "a").reader is reader


def test_a_file_of_comments_is_looked_at_once() -> None:
    """A regular expression would try each comment as the rest of the one before it."""
    head = (b"<!---->" * HEAD)[:HEAD]
    assert sniff(head, "a").reader is Reader.TEXT
