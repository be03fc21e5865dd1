"""`yiku import --from`: what other programs export, into an agent's memory."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import click

from yiku.cli import output
from yiku.cli.agent.named import named_agent
from yiku.cli.change import counted
from yiku.cli.options import Asked
from yiku.cli.progress import Bar
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.server.wire_transfer import ImportOut

Program = Literal["chatgpt", "claude", "mem0"]
PROGRAMS: tuple[Program, ...] = get_args(Program)


def take_export(asked: Asked, source: Path, program: Program, agent: str, *, dry_run: bool) -> None:
    """Raises: UsageError where it comes from a pipe: it is read more than once."""
    if str(source) == "-":
        raise click.UsageError("--from needs a file, not a pipe", click.get_current_context())
    with source.open("rb") as file, Bar(f"importing {source.name}", asked, unit="messages") as bar:

        async def work(memory: MemoryClient) -> tuple[str, ImportOut]:
            one = await named_agent(memory.agents, agent)
            done = await memory.transfer.import_into(
                one.id, program, file, dry_run=dry_run, watch=bar.update
            )
            return one.name, done

        name, done = with_memory(asked, work)
    if asked.as_json:
        output.print_model(done)
        return
    parts = [
        counted(done.new_conversations, "conversation"),
        counted(done.new_messages, "message"),
        counted(done.new_passages, "passage"),
    ]
    new = ", ".join(part for part in parts if not part.startswith("0 ")) or "nothing new"
    state = "would import" if dry_run else "imported"
    click.echo(f"{click.style(state, fg='green')}  {source.name} → {output.visible(name)}: {new}")
    tell_rest(done)


def tell_rest(done: ImportOut) -> None:
    """What there is to know besides."""
    known = done.messages + done.passages - done.new_messages - done.new_passages
    if known:
        output.note(f"{known:,} known already")
    if done.first is not None and done.last is not None:
        output.note(f"said from {done.first:%Y-%m-%d} to {done.last:%Y-%m-%d}")
    for what, times in sorted(done.left_out.items()):
        output.note(f"left out: {times:,} × {what}")
    for note in done.notes:
        output.note(note)
