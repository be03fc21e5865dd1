"""An agent file as a source of agents: the retired server's and ours, both of its forms."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from itertools import groupby
from typing import Any, BinaryIO, cast

from yiku.agents.transfer.carried import (
    Carried,
    CarriedAgent,
    CarriedFile,
    CarriedMessage,
    CarriedThread,
    CarriedTool,
)
from yiku.agents.transfer.long_json import Skeleton, items, skeleton, values
from yiku.agents.transfer.unquote import first_byte, unquoted
from yiku.core.block import BlockContent
from yiku.core.errors import InvalidImport
from yiku.core.file import Stretch
from yiku.core.memory import Draft
from yiku.memory.files.lines import stretches
from yiku.server.v1.portable import agents, legacy, messages, passages
from yiku.server.v1.portable.conversations import in_context, summary_of, threads_of
from yiku.server.v1.portable.folders import files_of, folder_of
from yiku.server.v1.portable.groups import groups_of
from yiku.server.v1.portable.reading import Json, Notes, as_object, key_of, keyed, list_of
from yiku.server.v1.portable.servers import servers_of
from yiku.server.v1.portable.skills import skills_of

MESSAGES = "agents.item.messages"
THREAD_MESSAGES = "agents.item.conversations.item.messages"
PASSAGES = "archives.item.passages"
OLD_MESSAGES = "messages"
PIECES, CONTENT = "files.item.pieces", "files.item.content"
LONG = (MESSAGES, THREAD_MESSAGES, PASSAGES, OLD_MESSAGES, PIECES)
TOO_MANY = 1_000
"""Agents of one file."""
NUL = b"\\u0000"


class AgentFile:
    """A file on disk or in memory that can be read again and again. Close it at the end."""

    def __init__(self, file: BinaryIO) -> None:
        self._given = file
        self._file: BinaryIO | None = None
        self._carried: Carried | None = None
        self._old = False
        self._has_nul = False
        self._texts: list[tuple[str, int]] = []
        """Of each file, under which path its text is, and in how many pieces."""
        self._speaks: list[bool] = []
        self.mark = digest(file)

    def close(self) -> None:
        """The copy that reading a string needs; what was given stays open."""
        if self._file is not None and self._file is not self._given:
            self._file.close()

    @property
    def file(self) -> BinaryIO:
        if self._file is None:
            self._file = opened(self._given)
        return self._file

    def whole(self) -> Carried:
        """As `Source.whole`; a second time it is at hand."""
        if self._carried is not None:
            return self._carried
        self.file.seek(0)
        self._has_nul = holds(self.file, NUL)
        self.file.seek(0)
        found = skeleton(self.file, LONG, (CONTENT,))
        self._old = "agents" not in found.value
        value = legacy.as_new(found.value) if self._old else found.value
        carried = carried_of(cleaned(value) if self._has_nul else value, found, old=self._old)
        self._speaks = [
            one.given.get("kind", "").value in messages.NATIVE for one in carried.agents
        ]
        pieces = [found.counts.get((PIECES, (n,)), 0) for n in range(len(carried.files))]
        self._texts = [
            (PIECES, count) if count else (CONTENT, found.counts.get((CONTENT, (n,)), 0))
            for n, count in enumerate(pieces)
        ]
        self._carried = carried
        for _ in self.messages():
            pass
        for _ in self.passages():
            pass
        self._carried = replace(carried, files=self.measured(carried))
        return self._carried

    def messages(self) -> Iterator[tuple[int, int, CarriedMessage]]:
        """Raises: InvalidImport."""
        carried = self._carried or self.whole()
        own = [(a, 0, one.threads[0].count) for a, one in enumerate(carried.agents)]
        yield from self._messages(OLD_MESSAGES if self._old else MESSAGES, own)
        others = [
            (a, t, thread.count)
            for a, one in enumerate(carried.agents)
            for t, thread in enumerate(one.threads)
            if t > 0
        ]
        if others:
            yield from self._messages(THREAD_MESSAGES, others)

    def _messages(
        self, path: str, counts: Sequence[tuple[int, int, int]]
    ) -> Iterator[tuple[int, int, CarriedMessage]]:
        found = items(self.file, path)
        for agent, thread, count in counts:
            for n in range(count):
                home = f"agents[{agent}]"
                home += f".conversations[{thread - 1}]" if thread else ""
                where = f"{home}.messages[{n}]"
                value = as_object(next(found, None), where)
                value = cast("Json", cleaned(value)) if self._has_nul else value
                try:
                    one = messages.of_file(value, speaks=self._speaks[agent])
                except InvalidImport as error:
                    raise InvalidImport(f"{where}: {error.message}", place=where) from error
                if self._old or not one.key:
                    one = replace(one, key=f"message-{n}")
                yield agent, thread, one

    def passages(self) -> Iterator[tuple[str, Draft]]:
        """Raises: InvalidImport."""
        carried = self._carried or self.whole()
        if not carried.passages:
            return
        found = items(self.file, PASSAGES)
        for place, (key, archive) in enumerate(carried.archives.items()):
            for n in range(archive.count):
                where = f"archives[{place}].passages[{n}]"
                value = as_object(next(found, None), where)
                yield key, passages.of_file(cleaned(value) if self._has_nul else value, where)

    def stretches(self) -> Iterator[tuple[int, Stretch]]:
        """Raises: InvalidImport."""
        for path in (PIECES, CONTENT):
            for n, group in groupby(self._pieces(path), lambda each: each[0]):
                for stretch in stretches(piece for _, piece in group):
                    yield n, stretch

    def _pieces(self, path: str) -> Iterator[tuple[int, str]]:
        """The texts of files that have them under this path, each with its file's number; a piece
        of a list is whole lines."""
        counts = [(n, count) for n, (of, count) in enumerate(self._texts) if of == path and count]
        if not counts:
            return
        if path == CONTENT:
            found, end = (one for one in values(self.file, path) if one), ""
        else:
            found, end = items(self.file, path), "\n"
        for n, count in counts:
            for p in range(count):
                piece = next(found, None)
                if not isinstance(piece, str):
                    where = f"files[{n}].pieces[{p}]"
                    raise InvalidImport(f"{where}: a text is expected", place=where)
                sound = piece.encode("utf-8", "replace").decode().replace("\r\n", "\n")
                yield n, (cleaned(sound) if self._has_nul else sound) + end

    def measured(self, carried: Carried) -> tuple[CarriedFile, ...]:
        """The files with what their texts tell."""
        lengths = Counter[int]()
        hashes = [sha256() for _ in carried.files]
        for n, stretch in self.stretches():
            lengths[n] += 1
            hashes[n].update(f"{stretch.text}\n".encode())
        return tuple(
            replace(one, count=lengths[n], hash=one.hash or hashes[n].hexdigest())
            for n, one in enumerate(carried.files)
        )


def digest(file: BinaryIO) -> str:
    file.seek(0)
    found = sha256()
    while block := file.read(1 << 20):
        found.update(block)
    return found.hexdigest()[:40]


def opened(file: BinaryIO) -> BinaryIO:
    """The file, or where it is one JSON string, what that holds. Raises: InvalidImport."""
    file.seek(0)
    first = first_byte(file)
    if first == b"{":
        return file
    if first != b'"':
        begins = f"begins with {first.decode('latin-1')!r}" if first else "is empty"
        raise InvalidImport(
            f"An agent file is a JSON object with `agents`; this one {begins}. Conversations of"
            " other programs are taken by `yiku import --from`."
        )
    with ExitStack() as held:
        inner = cast("BinaryIO", held.enter_context(tempfile.TemporaryFile()))
        for piece in unquoted(file):
            inner.write(piece.encode("utf-8", "replace"))
        inner.seek(0)
        if first_byte(inner) != b"{":
            raise InvalidImport("The file is a JSON string, and there is no agent file in it.")
        held.pop_all()  # from here on it is `close` that closes it
    return inner


def holds(file: BinaryIO, sought: bytes) -> bool:
    tail = b""
    while block := file.read(1 << 20):
        if sought in tail + block:
            return True
        tail = block[-len(sought) :]
    return False


def cleaned(value: Any) -> Any:
    """Without NUL characters, which no database keeps."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, list):
        return [cleaned(one) for one in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {str(cleaned(k)): cleaned(one) for k, one in cast("Json", value).items()}
    return value


TOLD: Mapping[str, str] = {
    "skills": "skills: they are folders of the program that talks with the agent",
}
"""Lists of the file that aren't taken."""


def carried_of(value: Json, found: Skeleton, *, old: bool) -> Carried:
    """Raises: InvalidImport."""
    notes = Notes()
    listed = list_of(value, "agents")
    if not listed:
        raise InvalidImport("The file has no agents: `agents` is an empty list.")
    if len(listed) > TOO_MANY:
        raise InvalidImport(f"The file has {len(listed):,} agents; {TOO_MANY:,} are allowed.")
    blocks: dict[str, BlockContent] = keyed(list_of(value, "blocks"), "blocks", agents.block_of)
    tools: dict[str, CarriedTool] = keyed(
        list_of(value, "tools"), "tools", lambda one, place: agents.tool_of(one, place, notes)
    )
    archives = keyed(list_of(value, "archives"), "archives", agents.archive_of)
    archives = {
        key: replace(one, count=found.counts.get((PASSAGES, (n,)), 0))
        for n, (key, one) in enumerate(archives.items())
    }
    folders = keyed(list_of(value, "sources"), "sources", folder_of)
    made: list[CarriedAgent] = []
    for n, one in enumerate(listed):
        fields, place = as_object(one, f"agents[{n}]"), f"agents[{n}]"
        inline(fields, place, blocks, tools)
        made.append(agent_of(fields, n, (blocks, tools, archives, folders), found, notes, old=old))
    if len({one.key for one in made}) < len(made):
        raise InvalidImport("Two agents of the file have the same `id`.")
    for name, words in TOLD.items():
        if there := list_of(value, name):
            notes.say(f"The file's {len(there)} {words} aren't taken.")
    return Carried(
        agents=tuple(made),
        blocks=blocks,
        tools=tools,
        archives=archives,
        groups=groups_of(list_of(value, "groups"), blocks),
        servers=servers_of(list_of(value, "mcp_servers")),
        folders=folders,
        files=files_of(list_of(value, "files"), folders),
        skills=skills_of(list_of(value, "memory_skills")),
        notes=tuple(notes.said),
    )


def inline(
    fields: Json, place: str, blocks: dict[str, BlockContent], tools: dict[str, CarriedTool]
) -> None:
    """Blocks and tools that stand in the agent itself come beside the file's others."""
    for n, one in enumerate(list_of(fields, "memory_blocks")):
        key = f"{place}.memory_blocks[{n}]"
        blocks[key] = agents.block_of(one, key)
        fields["block_ids"] = [*list_of(fields, "block_ids"), key]
    for n, one in enumerate(list_of(fields, "tools")):
        if isinstance(one, str):
            key = f"{place}.tools[{n}]"
            tools[key] = CarriedTool(name=one)
            fields["tool_ids"] = [*list_of(fields, "tool_ids"), key]


def agent_of(
    fields: Json,
    n: int,
    there: tuple[Mapping[str, Any], ...],
    found: Skeleton,
    notes: Notes,
    *,
    old: bool,
) -> CarriedAgent:
    """Raises: InvalidImport."""
    place = f"agents[{n}]"
    kinds = ("block_ids", "tool_ids", "archive_ids", "source_ids")
    keys = [named(fields, kind, place, known) for kind, known in zip(kinds, there, strict=True)]
    count = found.counts.get((OLD_MESSAGES, ()) if old else (MESSAGES, (n,)), 0)
    own = CarriedThread(
        in_context=in_context(fields, place, count),
        count=count,
        summary=summary_of(fields.get("summary"), f"{place}.summary"),
    )
    beside = [
        found.counts.get((THREAD_MESSAGES, (n, t)), 0)
        for t in range(len(list_of(fields, "conversations")))
    ]
    return CarriedAgent(
        key=key_of(fields, place, f"agent-{n}"),
        given=agents.agent_fields(fields, place, notes),
        block_keys=keys[0],
        tool_keys=keys[1],
        archive_keys=keys[2],
        folder_keys=keys[3],
        threads=threads_of(fields, place, own, beside),
    )


def named(fields: Json, kind: str, place: str, known: Mapping[str, Any]) -> tuple[str, ...]:
    """The things of the file that an agent has. Raises: InvalidImport where one isn't there."""
    wanted = [str(one) for one in list_of(fields, kind)]
    for n, one in enumerate(wanted):
        if one not in known:
            what = kind.removesuffix("_ids")
            raise InvalidImport(
                f"{place}.{kind}[{n}]: the file has no {what} {one!r}", place=f"{place}.{kind}[{n}]"
            )
    return tuple(dict.fromkeys(wanted))
