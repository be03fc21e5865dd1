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
from yiku.cli.options import Asked, Command, place_options
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient


@click.command(cls=Command)
@place_options
@click.option("--forgotten", is_flag=True, help="Also what was forgotten.")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file: all of it, or nothing. Default: stdout.",
)
@click.pass_obj
def export(asked: Asked, target: Path | None, user: str, archive: str, forgotten: bool) -> None:
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
    with whole_file(target) as file:
        count = with_memory(asked, lambda memory: work(memory, file))
    if asked.as_json:
        output.print_json({"passages": count, "path": str(target)})
    else:
        click.echo(f"{click.style('exported', fg='green')}  {counted(count, 'passage')}  {target}")


@contextmanager
def whole_file(target: Path) -> Generator[TextIO]:
    """A file that appears complete and durable, in the place of what was there; or not at all."""
    handle, name = tempfile.mkstemp(dir=target.absolute().parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
