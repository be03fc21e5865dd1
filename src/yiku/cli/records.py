"""Passages read from a file: JSON Lines, plain text or Markdown. Nothing is stored here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal, get_args

from pydantic import ValidationError

from yiku.core.errors import Invalid
from yiku.memory.draft import check
from yiku.server.translate import draft_of
from yiku.server.wire import PassageIn, PassageOut

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

OURS = frozenset(PassageOut.model_fields) - frozenset(PassageIn.model_fields)
"""What `yiku export` writes and a passage gets anew when it is stored."""

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
            yield from json_lines(file, how)
        case "text":
            parts = (lines if how.split == "line" else paragraphs)(decoded_lines(file))
            yield from (record(line, {"text": text}, text, how) for line, text in parts)
        case "markdown":
            yield from markdown(decoded_lines(file), how)


def json_lines(file: BinaryIO, how: Reading) -> Iterator[Record]:
    for number, raw in enumerate(file, 1):
        content = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if not content.strip():
            continue
        source = content.decode("utf-8", "replace").rstrip("\r\n")
        try:
            made = PassageIn.model_validate_json(without_ours(content))
        except ValidationError as error:
            yield Record(number, {}, told(error), source)
        else:
            yield record(number, made.model_dump(mode="json", exclude_unset=True), source, how)


def without_ours(content: bytes) -> bytes:
    """An exported line without what it gets anew; any other line as it is."""
    if b'"archive_id"' not in content:
        return content
    import json

    try:
        found: Any = json.loads(content)
    except ValueError:
        return content
    if not isinstance(found, dict) or found.get("forgotten_at"):  # pyright: ignore[reportUnknownMemberType] # what JSON holds
        return content
    kept = {name: value for name, value in found.items() if name not in OURS}  # pyright: ignore[reportUnknownVariableType] # what JSON holds
    return json.dumps(kept, ensure_ascii=False).encode("utf-8", "surrogatepass")


def told(error: ValidationError) -> str:
    """What is wrong with a line, in one line."""
    found: list[str] = []
    for one in error.errors(include_url=False, include_input=False)[:3]:
        where = ".".join(str(part) for part in one["loc"])
        match one["type"]:
            case "json_invalid":
                found.append(f"no valid JSON ({one['ctx']['error'] if 'ctx' in one else ''})")
            case "model_type" | "model_attributes_type" | "dict_type":
                found.append(
                    'no JSON object like {"text": "…"}' if not where else f"{where}: {one['msg']}"
                )
            case "missing":
                found.append(f"`{where}` is missing")
            case "extra_forbidden" if where in OURS:
                found.append("it is a forgotten passage")
            case "extra_forbidden":
                found.append(f"`{where}` is no field of a passage")
            case _:
                found.append(f"`{where}`: {one['msg']}")
    return "; ".join(dict.fromkeys(found))


def record(line: int, fields: dict[str, Any], source: str, how: Reading) -> Record:
    """The record with the defaults filled in, checked as the memory would check it."""
    if wrong := next((c for c in source if "\udc80" <= c <= "\udcff"), None):
        return Record(line, {}, f"it isn't UTF-8: byte 0x{ord(wrong) - 0xDC00:02X}", source)
    full = {**how.defaults, **fields}
    try:
        check(draft_of(PassageIn(**full), ""), how.max_text_bytes)
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
