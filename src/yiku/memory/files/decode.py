"""From bytes to text: UTF-8, UTF-16, GB18030, Big5, Windows-1252."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

from yiku.memory.files.sniff import is_utf16

SAMPLE = 1_048_576
BLOCK = 262_144
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
PAIR = re.compile(rb"[\x81-\xfe][\x30-\xfe]")
CONTROLS = {n: None for n in range(32) if chr(n) not in "\t\n\r\f\v"}
"""Without meaning in a text; one of the databases can't keep a NUL."""


def encoding_of(sample: bytes) -> str:
    """The encoding of a text, by its first bytes.

    Nearly every text that isn't UTF-8 is in its country's old encoding. Chinese in GB18030 is made
    of pairs of high bytes; a high byte of French or German stands alone between ASCII letters.
    """
    for mark, name in MARKS:
        if sample.startswith(mark):
            return name
    wide = is_utf16(sample[:65_536])
    if wide is not None and (b"\0" in sample or not is_utf8(sample)):
        return wide
    if is_utf8(sample):
        return "utf-8"
    pairs: list[bytes] = PAIR.findall(sample)
    high = sum(byte >= 0x80 for byte in sample)
    both_high = [pair for pair in pairs if pair[1] >= 0xA1]
    if len(both_high) * 2 >= high * 0.9:
        return "gb18030"
    trails = [pair for pair in pairs if 0x40 <= pair[1] <= 0x7E or pair[1] >= 0xA1]
    common = sum(0xA4 <= pair[0] <= 0xC6 or pair[0] == 0xA1 for pair in trails)
    if common * 10 >= len(pairs) * 8 and len(both_high) * 2 >= high * 0.3:
        return "big5"
    return "cp1252"


def is_utf8(sample: bytes) -> bool:
    """But for a few broken characters, and one that is cut at the end."""
    text = sample.decode("utf-8", "replace")
    bad = text.count("�")
    good = sum(1 for one in text if one > "\x7f") - bad
    return bad <= 1 if good == 0 else bad * 20 <= good


def blocks(file: BinaryIO, encoding: str | None = None) -> Iterator[str]:
    """The text of a file, piece by piece; what can't be read is U+FFFD. Newlines are `\\n`."""
    sample = file.read(SAMPLE)
    decoder = codecs.getincrementaldecoder(encoding or encoding_of(sample))("replace")
    held = ""
    block = sample
    while block:
        text = held + decoder.decode(block)
        # A carriage return at the end may have its newline in the next block.
        held = "\r" if text.endswith("\r") else ""
        yield clean(text.removesuffix("\r"))
        block = file.read(BLOCK)
    yield clean(held + decoder.decode(b"", final=True))


def clean(text: str) -> str:
    """What a database can keep, and a reader read: one kind of newline, no control characters."""
    if not text.isprintable():
        text = text.replace("\r\n", "\n").translate(CONTROLS)
        text = text.replace("\r", "\n").replace("\f", "\n").replace("\v", "\n")
        text = text.encode("utf-8", "replace").decode("utf-8")
    return text
