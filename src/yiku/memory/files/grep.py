"""Lines of an agent's files that match a regular expression."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yiku.core.errors import Invalid
from yiku.core.file import AgentFile
from yiku.core.ids import AgentId, FileId
from yiku.core.tenant import Actor
from yiku.memory.files import matching
from yiku.store import agent_files, file_text
from yiku.store.database import Database

PROGRAM = Path(matching.__file__)
PAGE = 20
"""Matches of one answer."""
LONGEST = 1_000
"""Characters of a pattern."""
MOST_AROUND = 20
TIMEOUT_S = 30.0
FILES = 10_000
READ = 32
"""Stretches that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grep:
    """What is looked for."""

    pattern: str
    include: str | None = None
    """A pattern of the files' names."""
    context_lines: int = 1
    offset: int = 0
    """Matches that are passed over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    held: AgentFile
    n: int
    """The line's number, from 1."""
    lines: tuple[tuple[int, str], ...]
    """With those around it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matches:
    """A page of matches, in the order of the files' names and their lines."""

    matches: tuple[Match, ...]
    counts: Mapping[str, int]
    """Of all matches, by the name of the file."""
    searched: int
    """How many files were looked through."""

    @property
    def total(self) -> int:
        return sum(self.counts.values())


async def grep(database: Database, actor: Actor, agent_id: AgentId, wanted: Grep) -> Matches:
    """Raises: Invalid."""
    check(wanted)
    there = await database.read(actor, lambda tx: agent_files.every(tx, agent_id, limit=FILES))
    by_id = {one.file.id: one for one in there}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", "-X", "utf8", str(PROGRAM)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=16 * 1024 * 1024,
        env={},
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            chosen, said = await asked(database, actor, child, wanted, by_id)
    except TimeoutError as error:
        raise Invalid(
            f"The search took longer than {TIMEOUT_S:g} seconds. Use a simpler pattern, or fewer"
            " files (`include`).",
            zh=f"搜索超过了 {TIMEOUT_S:g} 秒。请用更简单的模式，或用 `include` 减少文件。",
            field="pattern",
        ) from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    matches = [
        Match(
            held=by_id[FileId(one["file"])],
            n=one["n"],
            lines=tuple([(n, text) for n, text in one["lines"]]),
        )
        for one in said.get("matches", ())
    ]
    counts = {by_id[FileId(k)].path: n for k, n in said.get("counts", {}).items()}
    await database.write(
        actor.bookkeeper,
        lambda tx: agent_files.touch(tx, agent_id, {one.held.file.id for one in matches}),
    )
    return Matches(matches=tuple(matches), counts=counts, searched=chosen)


def check(wanted: Grep) -> None:
    """Raises: Invalid."""
    if not wanted.pattern.strip():
        raise Invalid(
            "The pattern is empty: say what to look for.", zh="模式是空的，请写明要查找什么。"
        )
    if max(len(wanted.pattern), len(wanted.include or "")) > LONGEST:
        raise Invalid(
            f"A pattern has at most {LONGEST:,} characters.", zh=f"模式最多有 {LONGEST} 个字符。"
        )


async def asked(
    database: Database,
    actor: Actor,
    child: Process,
    wanted: Grep,
    there: Mapping[FileId, AgentFile],
) -> tuple[int, Mapping[str, Any]]:
    """How many files the child looked through, and what it found. Raises: Invalid."""
    stdin, stdout = child.stdin, child.stdout
    assert stdin is not None, "a pipe"
    assert stdout is not None, "a pipe"
    header = {
        "pattern": wanted.pattern,
        "include": wanted.include,
        "context_lines": min(max(wanted.context_lines, 0), MOST_AROUND),
        "offset": max(wanted.offset, 0),
        "limit": PAGE,
        "files": [{"file": k, "name": one.path} for k, one in there.items()],
    }
    stdin.write(json.dumps(header).encode() + b"\n")
    await stdin.drain()
    first = json.loads(await stdout.readline() or b"{}")
    if "problem" in first:
        raise Invalid(
            f"The pattern is no regular expression: {first['problem']}. Characters like ( [ * + ?"
            " stand for themselves with a backslash before them.",
            zh=f"模式不是有效的正则表达式：{first['problem']}。"
            "要查找 ( [ * + ? 等字符本身，请在前面加反斜杠。",
            field="pattern",
        )
    chosen: Sequence[str] = first.get("chosen", ())
    for file_id in chosen:
        await send(database, actor, stdin, FileId(file_id))
    stdin.close()
    said = await stdout.read()
    return len(chosen), json.loads(said or b"{}")


async def send(
    database: Database, actor: Actor, stdin: asyncio.StreamWriter, file_id: FileId
) -> None:
    after = -1
    while found := await database.read(
        actor, lambda tx, a=after: file_text.page(tx, file_id, after=a, limit=READ)
    ):
        rows = [
            json.dumps({"file": file_id, "first_line": one.first_line, "text": one.text})
            for one in found
        ]
        stdin.write(("\n".join(rows) + "\n").encode())
        await stdin.drain()
        after = found[-1].n
