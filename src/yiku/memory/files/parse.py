"""From a file to its text: in this process where it is text, else in a child with limits."""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from yiku.core.errors import InvalidFile
from yiku.core.file import File, Stretch
from yiku.core.tenant import Actor
from yiku.memory.files.decode import blocks
from yiku.memory.files.lines import stretches
from yiku.memory.files.shared import Files
from yiku.memory.files.sniff import HEAD, Reader, sniff
from yiku.store import files as rows

MAX_CHARS = 500_000_000
"""Of the text of one file."""
BATCH = 64
"""Stretches that are stored at once: a megabyte."""


@asynccontextmanager
async def parsed(files: Files, actor: Actor, one: File) -> AsyncGenerator[Iterator[list[Stretch]]]:
    """The file's text in batches; read them in a thread. Raises: InvalidFile, saying why."""
    with tempfile.TemporaryDirectory(prefix="yiku-file-") as folder:
        source = Path(folder) / "source"
        await spool(files, actor, one, source)
        kind = sniff(await asyncio.to_thread(head_of, source), one.original_name)
        if kind.reader is None:
            raise InvalidFile(kind.problem)
        text = source
        if kind.reader is not Reader.TEXT:
            text = Path(folder) / "text"
            await in_child(files, kind.reader, source, text)
        yield batches(text, None if kind.reader is Reader.TEXT else "utf-8")


async def spool(files: Files, actor: Actor, one: File, target: Path) -> None:
    """The file's pieces as a file of this machine."""
    with target.open("wb") as file:
        n = 0
        while True:
            piece = await files.database.read(actor, lambda tx, n=n: rows.piece(tx, one.id, n))
            if piece is None:
                break
            await asyncio.to_thread(file.write, piece)
            n += 1
    if not target.stat().st_size:
        raise InvalidFile("It is empty.")


def head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD)


async def in_child(files: Files, reader: Reader, source: Path, target: Path) -> None:
    """Raises: InvalidFile where it can't be read, or not within the limits."""
    cpu_s = math.ceil(files.parse_timeout_s) + 1
    limits = map(str, (files.parse_memory_mb, cpu_s, MAX_CHARS))
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        # -P: a folder that the server was started in has no part in it.
        *("-P", "-m", "yiku.memory.files.child", reader.value, str(source), str(target), *limits),
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "LANG": "C.UTF-8"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(files.parse_timeout_s):
            said, _ = await child.communicate()
    except TimeoutError as error:
        raise InvalidFile(
            f"Reading it took longer than {files.parse_timeout_s:g} seconds (YIKU_PARSE_TIMEOUT_S)."
        ) from error
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if said:
        raise InvalidFile(str(json.loads(said)["problem"]))
    if child.returncode:
        raise InvalidFile("Reading it ended the process that read it; it may be damaged.")


def batches(path: Path, encoding: str | None) -> Iterator[list[Stretch]]:
    held: list[Stretch] = []
    with path.open("rb") as file:
        for one in stretches(blocks(file, encoding)):
            held.append(one)
            if len(held) == BATCH:
                yield held
                held = []
    if held:
        yield held
