"""`yiku export`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

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

    async def work(memory: MemoryClient, write: Callable[[str], object]) -> int:
        count = 0
        found = memory.export(user=user, archive=archive, forgotten=forgotten)
        async with aclosing(found) as passages:  # pyright: ignore[reportArgumentType] # a generator
            async for one in passages:
                write(f"{one.model_dump_json()}\n")
                count += 1
        return count

    if target is None:
        stdout = click.get_text_stream("stdout", encoding="utf-8")
        with_memory(asked, lambda memory: work(memory, stdout.write))
        stdout.flush()
        return
    with_whole = WholeFile(target)
    count = with_whole.write(lambda write: with_memory(asked, lambda memory: work(memory, write)))
    if asked.as_json:
        output.print_json({"passages": count, "path": str(target)})
    else:
        click.echo(
            f"{click.style('exported', fg='green')}  {counted(count, 'passage')}  {target}"
        )


class WholeFile:
    """A file that appears complete, durable, and in the place of what was there; or not at all."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def write(self, work: Callable[[Callable[[str], object]], int]) -> int:
        """Raises: OSError, and what `work` raises."""
        folder = self._target.absolute().parent
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{self._target.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                count = work(file.write)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, self._target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        return count
