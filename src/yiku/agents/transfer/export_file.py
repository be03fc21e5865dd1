"""Another program's export on disk: its JSON, or the archive that it came in."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal, get_args

from yiku.agents.transfer import chatgpt, claude, mem0
from yiku.agents.transfer.carried import CarriedChat
from yiku.agents.transfer.long_json import demand_readable, items, whole_object
from yiku.agents.transfer.unquote import first_byte
from yiku.core.errors import InvalidImport
from yiku.core.memory import Draft

Kind = Literal["chatgpt", "claude", "mem0"]
KINDS: tuple[Kind, ...] = get_args(Kind)
WITHIN: Mapping[Kind, re.Pattern[str]] = {
    "chatgpt": re.compile(r"(.*/)?conversations(-\d+)?\.json"),
    "claude": re.compile(r"(.*/)?(conversations|memories)\.json"),
    "mem0": re.compile(r".*\.json"),
}
"""What is read of an archive."""
LISTS: Mapping[Kind, tuple[str, ...]] = {
    "chatgpt": ("conversations",),
    "claude": ("conversations",),
    "mem0": ("results", "memories"),
}
"""Names of the list, where the file is an object that has one."""
SINGLE = 256 * 1024 * 1024
"""Bytes of a file that is one conversation."""
MARKS: Mapping[str, str] = {
    "mapping": "chatgpt",
    "chat_messages": "claude",
    "memory": "mem0",
    "agents": "agent files",
}
"""Fields by which an export is known for another program's."""


@dataclass(slots=True)
class ExportFile:
    """Read as often as one likes, from its beginning; it stays open."""

    kind: Kind
    file: BinaryIO
    most: int
    """Bytes that an archive may unpack to."""
    left_out: Counter[str] = field(default_factory=Counter[str])
    looked_at: set[str] = field(default_factory=set[str])
    """The parts that are known to be readable."""

    def chats(self) -> Iterator[CarriedChat]:
        if self.kind == "mem0":
            return
        self.left_out.clear()
        of = chatgpt.chat_of if self.kind == "chatgpt" else claude.chat_of
        for place, value in self.elements():
            if not is_memory(value):
                demand_kind(self.kind, value, place)
                yield of(value, place, self.left_out)

    def memories(self) -> Iterator[tuple[str, Draft]]:
        if self.kind == "chatgpt":
            return
        if self.kind == "mem0":
            self.left_out.clear()
        for place, value in self.elements():
            if self.kind == "mem0":
                demand_kind(self.kind, value, place)
                found = mem0.memory_of(value, place, self.left_out)
                if found is not None:
                    yield found
            elif is_memory(value):
                yield from claude.memories_of(value)

    def elements(self) -> Iterator[tuple[str, Any]]:
        """What the lists hold, each with its place."""
        for name, opened in self.parts():
            with opened as file:
                if name not in self.looked_at:
                    demand_readable(file)
                    self.looked_at.add(name)
                path = self.list_in(file)
                if path is None:
                    yield name or "the file", whole_object(file, SINGLE)
                    continue
                for n, value in enumerate(items(file, path)):
                    yield f"{name}{path}[{n}]", value

    def parts(self) -> Iterator[tuple[str, Any]]:
        """The files there are, each with how it is opened. Raises: InvalidImport."""
        self.file.seek(0)
        if not zipfile.is_zipfile(self.file):
            yield "", kept_open(self.file)
            return
        with zipfile.ZipFile(self.file) as archive:
            names = [one for one in sorted(archive.namelist()) if WITHIN[self.kind].fullmatch(one)]
            if not names:
                raise InvalidImport(
                    f"The archive holds no export of {self.kind}: there is no file like"
                    f" {WITHIN[self.kind].pattern!r} in it."
                )
            unpacked = sum(archive.getinfo(one).file_size for one in names)
            if unpacked > self.most:
                raise InvalidImport(
                    f"Unpacked it would be {unpacked:,} bytes long; {self.most:,} are allowed"
                    " (YIKU_MAX_IMPORT_BYTES)."
                )
            for name in names:
                yield f"{name}: ", archive.open(name)

    def list_in(self, file: BinaryIO) -> str | None:
        """The path of the file's list; empty: the file is one; None: it is one thing itself.

        Raises: InvalidImport.
        """
        file.seek(0)
        first = first_byte(file)
        if first == b"[":
            return ""
        if first != b"{":
            begins = f"begins with {first.decode('latin-1')!r}" if first else "is empty"
            raise InvalidImport(f"An export of {self.kind} is JSON, or a zip of it; this {begins}.")
        for name in LISTS[self.kind]:
            if next(items(file, name), None) is not None:
                return name
        return None


def demand_kind(kind: Kind, value: Any, place: str) -> None:
    """Raises: InvalidImport where it is plainly another program's."""
    if not isinstance(value, dict):
        return
    found = {MARKS[name] for name in MARKS if name in value}
    if found and kind not in found:
        other = found.pop()
        how = (
            "`yiku agent import` takes those" if other == "agent files" else f"import it as {other}"
        )
        raise InvalidImport(
            f"{place}: this looks like an export of {other}, not of {kind}; {how}.", place=place
        )


def is_memory(value: Any) -> bool:
    return isinstance(value, dict) and "conversations_memory" in value


@contextmanager
def kept_open(file: BinaryIO) -> Generator[BinaryIO]:
    yield file
