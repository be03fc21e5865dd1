"""Passages read from a file: JSON Lines, plain text or Markdown. Nothing is stored here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from json import JSONDecodeError, JSONDecoder
from typing import Any, BinaryIO, Literal, get_args

from pydantic import ValidationError

from yiku.cli.problems import OURS, no_json, told
from yiku.core.errors import Invalid
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.draft import check, passages_of
from yiku.server.translate import draft_of
from yiku.server.wire import PassageIn
from yiku.store.database import now_utc

Format = Literal["jsonl", "text", "markdown"]
Split = Literal["line", "paragraph"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".txt": "text",
    ".text": "text",
    ".log": "text",
    ".md": "markdown",
    ".markdown": "markdown",
}

BOM = b"\xef\xbb\xbf"
PEEK = 4096
"""Bytes in which an array begins, if the file is one."""
SPACE = re.compile(r"[ \t\r\n]*")
HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*$")
FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class Record:
    """One passage of a file, or why there is none."""

    line: int
    """Where it begins, from 1."""
    fields: dict[str, Any]
    """As the client takes them."""
    problem: str | None = None
    source: str = ""
    """Its text in the file, where there is a problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a file is to be read."""

    format: Format
    split: Split = "line"
    name: str = ""
    """The file's, kept in the metadata of Markdown passages."""
    max_text_bytes: int
    defaults: dict[str, Any]
    """Fields for records that don't have them."""


def records(file: BinaryIO, how: Reading) -> Iterator[Record]:
    """The file's passages in order, good and bad."""
    match how.format:
        case "jsonl":
            yield from json_objects(file, how)
        case "text":
            parts = (lines if how.split == "line" else paragraphs)(decoded_lines(file))
            yield from (record(line, {"text": text}, text, how) for line, text in parts)
        case "markdown":
            yield from markdown(decoded_lines(file), how)


def json_objects(file: BinaryIO, how: Reading) -> Iterator[Record]:
    """Each line's object; or each element's, where the file is one array."""
    is_array = file.read(PEEK).removeprefix(BOM).lstrip().startswith(b"[")
    file.seek(0)
    try:
        for line, content in (elements if is_array else filled_lines)(file):
            yield json_object(line, content, how)
    except JSONDecodeError as error:
        rest = error.doc[error.pos :].partition("\n")[0]
        yield Record(error.lineno, {}, no_json(error.colno), rest)


def filled_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    for number, raw in enumerate(file, 1):
        content = (raw.removeprefix(BOM) if number == 1 else raw).rstrip()
        if content:
            yield number, content


def elements(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """An array's elements as they are written, each with the line it begins in.

    Raises: JSONDecodeError where it is no array any more.
    """
    text = file.read().removeprefix(BOM).decode("utf-8", "surrogateescape")
    decoder, line, counted = JSONDecoder(), 1, 0
    at = past_space(text, text.index("[") + 1)
    while text[at : at + 1] != "]":
        try:
            end = decoder.raw_decode(text, at)[1]
        except RecursionError as error:
            raise JSONDecodeError("too deep", text, at) from error
        line, counted = line + text.count("\n", counted, at), at
        yield line, text[at:end].encode("utf-8", "surrogateescape")
        at = past_space(text, end)
        if text[at : at + 1] == ",":
            at = past_space(text, at + 1)
        elif text[at : at + 1] != "]":
            raise JSONDecodeError("neither , nor ]", text, at)
    if past_space(text, at + 1) < len(text):
        raise JSONDecodeError("more after the array", text, past_space(text, at + 1))


def past_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def json_object(line: int, content: bytes, how: Reading) -> Record:
    source = content.decode("utf-8", "replace")
    try:
        content.decode()
        made = PassageIn.model_validate_json(without_ours(content))
    except UnicodeDecodeError as error:
        return Record(line, {}, f"it isn't UTF-8: byte 0x{content[error.start]:02X}", source)
    except ValidationError as error:
        return Record(line, {}, told(error), source)
    return record(line, made.model_dump(mode="json", exclude_unset=True), source, how)


def without_ours(content: bytes) -> bytes:
    """An exported line without what it gets anew; any other line as it is."""
    if b'"archive_id"' not in content:
        return content
    try:
        found: Any = json.loads(content)
    except ValueError:
        return content
    if not isinstance(found, dict) or found.get("forgotten_at"):  # pyright: ignore[reportUnknownMemberType] # what JSON holds
        return content
    kept = {name: value for name, value in found.items() if name not in OURS}  # pyright: ignore[reportUnknownVariableType] # what JSON holds
    return json.dumps(kept, ensure_ascii=False).encode("utf-8", "surrogatepass")


def record(line: int, fields: dict[str, Any], source: str, how: Reading) -> Record:
    """The record with the defaults filled in, checked as the memory would check it."""
    if wrong := next((c for c in source if "\udc80" <= c <= "\udcff"), None):
        return Record(line, {}, f"it isn't UTF-8: byte 0x{ord(wrong) - 0xDC00:02X}", source)
    full = {**how.defaults, **fields}
    try:
        draft = draft_of(PassageIn(**full), "")
        check(draft, how.max_text_bytes)
        if draft.valid_to is not None:
            passages_of([draft], LOCAL_ACTOR, now_utc())  # refuses an end before the beginning
    except Invalid as error:
        return Record(line, {}, error.message, source)
    except ValidationError as error:
        return Record(line, {}, told(error), source)
    return Record(line, full)


def decoded_lines(file: BinaryIO) -> Iterator[tuple[int, str]]:
    """Numbered lines without ends; what isn't UTF-8 becomes lone surrogates, refused later."""
    for number, raw in enumerate(file, 1):
        content = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        yield number, content.decode("utf-8", "surrogateescape").rstrip("\r\n")


def lines(numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    return ((number, line.strip()) for number, line in numbered if line.strip())


def paragraphs(numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Lines up to a blank one; each with the number of its first line."""
    start, gathered = 0, list[str]()
    for number, line in numbered:
        if line.strip():
            start = start if gathered else number
            gathered.append(line.rstrip())
        elif gathered:
            yield start, "\n".join(gathered)
            gathered = []
    if gathered:
        yield start, "\n".join(gathered)


def markdown(numbered: Iterator[tuple[int, str]], how: Reading) -> Iterator[Record]:
    """A passage a paragraph; a list, a table or a block of code is one.

    The headings above it are kept in its metadata: `{"heading": "Trips > Chengdu"}`.
    """
    above: list[tuple[int, str]] = []
    start, gathered = 0, list[str]()
    fence: str | None = None

    def flush() -> Iterator[Record]:
        text = "\n".join(gathered).strip("\n")
        gathered.clear()
        if text.strip():
            yield record(start, with_headings(text, above, how), text, how)

    for number, line in without_front_matter(numbered):
        mark = FENCE.match(line)
        if fence is None and not mark and (not line.strip() or HEADING.match(line)):
            yield from flush()
            if heading := HEADING.match(line):
                level = len(heading[1])
                above = [(n, title) for n, title in above if n < level] + [(level, heading[2])]
            continue
        if mark:
            fence = None if fence and closes(mark[1], fence, line) else fence or mark[1]
        start = start if gathered else number
        gathered.append(line.rstrip())
    yield from flush()


def closes(mark: str, fence: str, line: str) -> bool:
    return mark[0] == fence[0] and len(mark) >= len(fence) and line.strip() == mark


def without_front_matter(numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Without the `---` block of YAML that a file may begin with."""
    held: list[tuple[int, str]] = []
    for number, line in numbered:
        if number == 1 and line.rstrip() == "---":
            held.append((number, line))
        elif held:
            held.append((number, line))
            if line.rstrip() in ("---", "..."):
                held = []
                break
        else:
            yield number, line
            break
    yield from held  # it never ended, so it was none
    yield from numbered


def with_headings(text: str, above: Sequence[tuple[int, str]], how: Reading) -> dict[str, Any]:
    metadata: dict[str, Any] = {"file": how.name} if how.name else {}
    if above:
        metadata["heading"] = " > ".join(title for _, title in above)
    return {"text": text, "metadata": metadata} if metadata else {"text": text}
