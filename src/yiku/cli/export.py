"""`yiku export`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import click

from yiku.cli import output
from yiku.cli.change import counted
from yiku.cli.options import Asked, Command, NewFile, place_options
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.core.errors import Conflict, InvalidFile


@click.command(cls=Command)
@place_options
@click.option("--forgotten", is_flag=True, help="Also what was forgotten.")
@click.option(
    "-o",
    "--output",
    "target",
    type=NewFile(),
    help="Write to this file: all of it, or nothing. Default: stdout.",
)
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def export(
    asked: Asked, target: Path | None, force: bool, user: str, archive: str, forgotten: bool
) -> None:
    """Write an archive as JSON Lines, in the order it was stored; `yiku import` reads them."""

    async def work(memory: MemoryClient, file: TextIO) -> int:
        count = 0
        async for one in memory.export(user=user, archive=archive, forgotten=forgotten):
            file.write(f"{one.model_dump_json()}\n")
            count += 1
        return count

    if target is None:
        stdout = sys.stdout
        with_memory(asked, lambda memory: work(memory, stdout))
        stdout.flush()
        return
    with whole_file(target, replace=force) as file:
        count = with_memory(asked, lambda memory: work(memory, file))
    if asked.as_json:
        output.print_json({"passages": count, "path": str(target)})
    else:
        click.echo(f"{click.style('exported', fg='green')}  {counted(count, 'passage')}  {target}")


@contextmanager
def whole_file(target: Path, *, replace: bool) -> Generator[TextIO]:
    """A file that appears complete and durable, or not at all.

    Raises: Conflict where there is one and it may not be replaced, InvalidFile.
    """
    if target.exists() and not replace:
        raise taken(target)
    try:
        handle, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.")
    except OSError as error:
        raise InvalidFile(f"{target} can't be written: {error.strerror}.") from error
    written = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(written, target)
        else:
            put(written, target)
    finally:
        written.unlink(missing_ok=True)


def put(written: Path, target: Path) -> None:
    """Give the file its name, where nothing has it. Raises: Conflict."""
    try:
        os.link(written, target)
    except FileExistsError as error:
        raise taken(target) from error
    except OSError as error:  # a file system without links
        if target.exists():
            raise taken(target) from error
        os.replace(written, target)


def taken(target: Path) -> Conflict:
    return Conflict(f"{target} exists already; --force writes over it.")
