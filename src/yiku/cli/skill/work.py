"""`yiku skill evolve | encode-pending`: what asks a model, and takes its time."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass

import click

from yiku.cli import output
from yiku.cli.change import counted
from yiku.cli.options import Asked, Command
from yiku.cli.progress import Bar
from yiku.cli.running import with_memory
from yiku.cli.skill import show as shown
from yiku.client.memory import MemoryClient

STEP = 10
"""Texts a request."""
UNAVAILABLE = 5
"""The exit code where the model failed."""


@click.command(cls=Command)
@click.argument("name", required=False)
@click.option("--background", is_flag=True, help="Don't wait: have a worker do it.")
@click.pass_obj
def evolve(asked: Asked, name: str | None, background: bool) -> None:
    """Have a skill with too many failures examined, and a better prompt proposed and tried.

    Of the skill NAME, or of the worst of all. Nothing changes before `yiku skill approve`.
    """
    if background:
        job = with_memory(asked, lambda memory: memory.skills.evolve_later(name))
        if asked.as_json:
            output.print_model(job)
        else:
            what = "all skills" if name is None else name
            click.echo(
                f"{click.style('asked', fg='green')}  {what}; `yiku skill changelog` shows it"
            )
        return
    if sys.stderr.isatty() and not asked.as_json:
        output.note("the Designer examines the skills and tries a prompt; this takes some minutes")
    made = with_memory(asked, lambda memory: memory.skills.evolve(name))
    if asked.as_json:
        output.print_model(made)
    else:
        shown.print_evolution(made)


@dataclass(slots=True)
class Going:
    """How far the encoding is."""

    encoded: int = 0
    kept: int = 0
    failed: int = 0
    left: int = 0
    """Pending still, the failed among them; 100 stands for that and more."""


@click.command("encode-pending", cls=Command)
@click.option("--limit", type=click.IntRange(min=1), help="So many texts at most.")
@click.pass_obj
def encode_pending(asked: Asked, limit: int | None) -> None:
    """Encode texts that were stored while there was no model, the oldest first.

    Interrupted, it goes on where it was. Ends with 5 where the model fails.
    """
    going = Going()
    with Bar("encoding", asked, unit="passages") as bar:
        with_memory(asked, lambda memory: encoded(memory, going, bar, limit))
    if asked.as_json:
        output.print_json(asdict(going))
    else:
        done = f"{counted(going.encoded, 'text')}, {going.kept:,} kept as they came"
        click.echo(f"{click.style('encoded', fg='green')}  {done}")
        if going.left:
            more = "or more " if going.left == 100 else ""
            output.note(f"{going.left:,} {more}left; `yiku skill stats` says of which skills")
    if going.failed:
        output.note("the model failed; what failed stays as it came, and can be tried again")
        click.get_current_context().exit(UNAVAILABLE)


async def encoded(memory: MemoryClient, going: Going, bar: Bar, limit: int | None) -> None:
    """Step by step, while something is done and something is left."""
    figures = await memory.skills.stats()
    total = sum(one.encodings.get("pending", 0) for one in figures.versions)
    total = total if limit is None else min(total, limit)
    done = 0
    while limit is None or done < limit:
        step = await memory.skills.encode_pending(
            STEP if limit is None else min(STEP, limit - done)
        )
        going.encoded += step.encoded
        going.kept += step.kept
        going.failed, going.left = step.failed, step.left
        done = going.encoded + going.kept
        bar.update(done, max(total, done))
        if not step.left or not (step.encoded or step.kept):
            return
