"""What kind of file some bytes are; by what they say, and by their name only where that says
nothing."""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, cast

HEAD = 65_536
"""Bytes that are looked at."""
OOXML = "application/vnd.openxmlformats-officedocument"
DOCX = f"{OOXML}.wordprocessingml.document"
HTML = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.I)
TYPES = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".jsonl": "application/jsonl",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".ts": "text/typescript",
    ".tsx": "text/typescript",
    ".rs": "text/x-rust",
    ".go": "text/x-go",
    ".log": "text/plain",
    ".rst": "text/x-rst",
    ".tex": "text/x-tex",
}
"""What Python's own table doesn't know, or knows otherwise on other machines."""


class Reader(StrEnum):
    """How a file's text is got at."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"
    PDF = "pdf"
    DOCX = "docx"


@dataclass(frozen=True, slots=True)
class Kind:
    media_type: str
    reader: Reader | None
    """None: nothing here reads it."""
    problem: str = ""


def sniff(head: bytes, name: str) -> Kind:
    """`head`: the first bytes of the file, `HEAD` of them if there are so many."""
    suffix = PurePosixPath(name.lower()).suffix
    if b"%PDF-" in head[:1024]:
        return Kind("application/pdf", Reader.PDF)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return zipped(head, suffix)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return Kind(
            "application/x-ole-storage",
            None,
            "It is an Office document that is encrypted, or in the format before 2007. Save it"
            " without a password as .docx or PDF.",
        )
    if is_binary(head):
        kind = named_binary(head, name)
        return Kind(
            kind,
            None,
            f"It is no text ({kind}). What can be read: text, Markdown, HTML, PDF, DOCX, CSV, JSON"
            " and source code.",
        )
    if suffix in (".html", ".htm", ".xhtml") or HTML.match(behind_comments(head)):
        return Kind("text/html", Reader.HTML)
    if suffix == ".json":
        return Kind("application/json", Reader.JSON)
    return Kind(text_type(suffix), Reader.TEXT)


def behind_comments(head: bytes) -> bytes:
    """Without a regular expression: whoever uploads a file could make one take for ever."""
    head = head.lstrip()
    place = 0
    while head.startswith(b"<!--", place) and (end := head.find(b"-->", place + 4)) >= 0:
        place = end + 3
        while head[place : place + 1].isspace():
            place += 1
    return head[place:]


def zipped(head: bytes, suffix: str) -> Kind:
    if suffix == ".docx" or b"word/" in head:
        return Kind(DOCX, Reader.DOCX)
    if suffix in (".xlsx", ".pptx") or b"xl/" in head or b"ppt/" in head:
        kind = "spreadsheetml.sheet" if suffix == ".xlsx" else "presentationml.presentation"
        return Kind(
            f"{OOXML}.{kind}", None, "Of Office documents, DOCX can be read; save it as PDF."
        )
    return Kind("application/zip", None, "It is an archive; upload the files in it one by one.")


def is_binary(head: bytes) -> bool:
    """Whether it can't be text in any encoding we know."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return False
    nuls = head.count(0)
    if nuls:
        return not is_utf16(head)
    odd = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head)
    return odd * 20 > len(head)


def is_utf16(head: bytes) -> str | None:
    """Which of its two forms text without a mark is in; None: neither.

    Every second byte of most texts is the same few values: NUL in Latin, 4E to 9F in Chinese.
    """
    if len(head) < 4:
        return None
    even, odd = head[: len(head) & ~1 : 2], head[1 : len(head) & ~1 : 2]
    for high, low, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        plausible = sum(byte == 0 or 0x4E <= byte <= 0x9F or byte in (0x30, 0xFF) for byte in high)
        if plausible * 10 >= len(high) * 9 and low.count(0) * 20 <= len(low):
            return name
    return None


def named_binary(head: bytes, name: str) -> str:
    import puremagic  # a table of signatures: for files that nothing here reads

    try:
        found: str = cast(Any, puremagic).from_string(head, mime=True, filename=name)
    except (puremagic.PureError, ValueError):
        found = ""
    return found or mimetypes.guess_type(name)[0] or "application/octet-stream"


def text_type(suffix: str) -> str:
    known = TYPES.get(suffix) or mimetypes.types_map.get(suffix)
    if known is None:
        return "text/plain"
    texts = ("application/json", "application/xml", "application/x-sh", "application/javascript")
    return (
        known if known.startswith("text/") or known in (*texts, *TYPES.values()) else "text/plain"
    )
