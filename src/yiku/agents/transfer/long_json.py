"""A long JSON file without its long lists, read in one pass with little memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO, cast

import ijson

from yiku.core.errors import InvalidImport

BLOCK = 1 << 16
LOOK = 1 << 20
DEEPEST = 200
"""Levels of lists and objects. Of each the parser keeps the whole path to it."""
LONGEST = 256 * 1024 * 1024
"""Bytes of one text, which the parser holds whole."""
MOST = 512 * 1024 * 1024
"""Bytes that a file may take but for its long lists, about."""
EACH = 64
"""Bytes of a value but for its text, about."""
STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
NO_STEPS = bytes(set(range(256)) - set(STEPS))
LIST = ("start_array", "end_array", "null")
TEXT = ("string", "null")
INNER = ("map_key", "end_map", "end_array")
"""Events within a thing, and at its end."""


@dataclass(slots=True)
class Skeleton:
    """What the file says, but for the lists that were left out."""

    value: dict[str, Any]
    counts: Mapping[tuple[str, tuple[int, ...]], int]
    """How long each list is that was left out: by its path, and the numbers of the things it is in,
    each from 0."""


def skeleton(file: BinaryIO, leave_out: Collection[str], texts: Collection[str] = ()) -> Skeleton:
    """`leave_out`: paths of lists, like `agents.item.messages`; `texts`: of long texts, which are
    left out likewise, and count as 1 where they aren't empty.

    Raises: InvalidImport, saying up to where the file is good JSON.
    """
    demand_readable(file)
    reader = Reader(frozenset(leave_out), frozenset(texts))
    try:
        for prefix, event, value in ijson.parse(file, use_float=True, buf_size=BLOCK):
            reader.take(prefix, event, value)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise broken(error, reader.last, file) from error
    found: Any = getattr(reader.builder, "value", None)
    if not isinstance(found, dict):
        raise InvalidImport("The file is no JSON object.")
    return Skeleton(cast("dict[str, Any]", found), reader.counts)


class Reader:
    """Builds what the events tell of, but for the lists that are left out."""

    def __init__(self, leave_out: frozenset[str], texts: frozenset[str]) -> None:
        self.builder: Any = ijson.ObjectBuilder()
        self.counts: dict[tuple[str, tuple[int, ...]], int] = {}
        self.last = ""
        self._size = 0
        self._texts = texts
        self._leave_out = leave_out | texts
        self._outer = {path.rpartition(".")[0] for path in self._leave_out} - {""}
        self._numbers: dict[str, int] = {}
        self._left = self._item = ""
        self._at: tuple[str, tuple[int, ...]] = ("", ())

    def take(self, prefix: str, event: str, value: Any) -> None:
        self.last = prefix
        if self._left:
            if prefix.startswith(self._left):
                self.leave(prefix, event, value)
                return
            self._left = ""
        if event == "start_map" and prefix in self._outer:
            self._numbers[prefix] = self._numbers.get(prefix, -1) + 1
            for inner in [one for one in self._numbers if one.startswith(f"{prefix}.")]:
                del self._numbers[inner]
        if event == "map_key" and (path := joined(prefix, value)) in self._leave_out:
            self._left, self._item = path, f"{path}.item"
            self._at = (path, places(prefix, self._numbers))
            self.counts[self._at] = 0
            return
        self._size += EACH + (len(value) if isinstance(value, str) else 0)
        if self._size > MOST:
            raise InvalidImport(
                "The file holds more beside its messages, passages and texts of files than is read:"
                f" {MOST:,} bytes.",
                place=shown(prefix),
            )
        self.builder.event(event, value)

    def leave(self, prefix: str, event: str, value: Any) -> None:
        """Raises: InvalidImport where what is left out is no list, or no text."""
        if self._left in self._texts:
            if prefix == self._left and event not in TEXT:
                raise InvalidImport(f"`{shown(prefix)}` is a text", place=shown(prefix))
            self.counts[self._at] = int(bool(value))
        elif prefix == self._item and event not in INNER:
            self.counts[self._at] += 1
        elif prefix == self._left and event not in LIST:
            raise InvalidImport(f"`{shown(prefix)}` is a list", place=shown(prefix))


def shown(path: str) -> str:
    return path.replace(".item", "[]").replace("item", "[]")


def joined(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def places(prefix: str, numbers: Mapping[str, int]) -> tuple[int, ...]:
    """The numbers of the things that a path goes through."""
    found: list[int] = []
    parts = prefix.split(".")
    for n in range(1, len(parts) + 1):
        path = ".".join(parts[:n])
        if parts[n - 1] == "item" and path in numbers:
            found.append(numbers[path])
    return tuple(found)


def items(file: BinaryIO, path: str) -> Iterator[Any]:
    """What the lists of this path hold, one after the other; of an empty path, of the list that the
    file is. Raises: InvalidImport."""
    return values(file, joined(path, "item"))


def values(file: BinaryIO, path: str) -> Iterator[Any]:
    """What stands at this path, wherever it is there. Raises: InvalidImport."""
    file.seek(0)
    try:
        yield from ijson.items(file, path, use_float=True, buf_size=BLOCK)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise broken(error, path, file) from error


def demand_readable(file: BinaryIO) -> None:
    """Whether a parser can read the file with the memory it may take; before one does.

    Raises: InvalidImport where it is nested too deep, or has a text that is too long.
    """
    file.seek(0)
    depth, length, within, held = 0, 0, False, b""
    while block := file.read(LOOK):
        block = held + block
        # What the last backslash stands before may be in the next block.
        held = b"\\" if (len(block) - len(block.rstrip(b"\\"))) % 2 else b""
        bare = block[: len(block) - len(held)].replace(b"\\\\", b"").replace(b'\\"', b"")
        pieces = bare.split(b'"')  # by turns outside and inside of texts
        steps = b"".join(pieces[within::2]).translate(None, NO_STEPS)
        depths = list(accumulate(map(STEPS.__getitem__, steps), initial=depth))
        if max(depths) > DEEPEST:
            raise InvalidImport(f"The file is nested deeper than {DEEPEST} levels.")
        depth = depths[-1]
        length = length + len(bare) if len(pieces) == 1 else len(pieces[-1])
        within ^= len(pieces) % 2 == 0
        if within and length > LONGEST:
            raise InvalidImport(f"The file has a text of more than {LONGEST:,} bytes.")
    file.seek(0)


def broken(error: Exception, last: str, file: BinaryIO) -> InvalidImport:
    said = str(error).strip().partition("\n")[0]  # the parser draws an arrow below it
    words = " ".join(said.split())[:200]
    place = shown(last) or "its beginning"
    return InvalidImport(
        f"The file is no JSON any more after {place}, within its first {file.tell():,} bytes:"
        f" {words}",
        place=place,
    )


def whole_object(file: BinaryIO, most: int) -> Any:
    """What a short file says. Raises: InvalidImport."""
    file.seek(0)
    content = file.read(most + 1)
    if len(content) > most:
        raise InvalidImport(f"The file is one JSON object of more than {most:,} bytes.")
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise broken(error, "", file) from error
