"""Agent files that were written as one JSON string: what a client returned, dumped once more."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import BinaryIO

from yiku.core.errors import InvalidImport

BLOCK = 1 << 16
BOM = codecs.BOM_UTF8
SPACE = b" \t\r\n"
ESCAPE = re.compile(r'\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])')
HIGH = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}$")
"""Half a character, whose other half is the next escape."""


def first_byte(file: BinaryIO) -> bytes:
    """The first that isn't space; the file stands before it then. Empty: there is none."""
    start = len(BOM) if file.read(len(BOM)) == BOM else 0
    file.seek(start)
    while block := file.read(BLOCK):
        rest = block.lstrip(SPACE)
        if rest:
            file.seek(start + len(block) - len(rest))
            return rest[:1]
        start += len(block)
    return b""


def unquoted(file: BinaryIO) -> Iterator[str]:
    """The content of the string that begins where the file stands, piece by piece.

    Raises: InvalidImport where it is none.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.read(1)
    rest, ended = "", False
    try:
        while not ended and (block := file.read(BLOCK)):
            piece, rest, ended = cut(rest + decoder.decode(block))
            yield json.loads(f'"{piece}"', strict=False)
    except ValueError as error:
        raise InvalidImport(f"The string that the file is can't be read: {error}.") from error
    if not ended:
        raise InvalidImport("The file is a string that has no end: it was cut off.")


def cut(text: str) -> tuple[str, str, bool]:
    """The part of a string's text whose escapes are whole, the rest, and whether it ended."""
    at = 0
    while (found := next_mark(text, at)) >= 0:
        if text[found] == '"':
            return text[:found], "", True
        escape = ESCAPE.match(text, found)
        if escape is None:
            if len(text) - found < 6:
                break
            raise ValueError(f"no escape: {text[found : found + 6]!r}")
        at = escape.end()
    whole = text if found < 0 else text[:found]
    if (half := HIGH.search(whole)) is not None:
        whole = whole[: half.start()]
    return whole, text[len(whole) :], False


MARK = re.compile(r'["\\]')


def next_mark(text: str, at: int) -> int:
    found = MARK.search(text, at)
    return -1 if found is None else found.start()
