"""`yiku edit`, `supersede`, `forget`, `undo`, `delete`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from yiku.cli import output
from yiku.cli.options import (
    Asked,
    Command,
    Pair,
    When,
    given,
    metadata_of,
    reason_option,
    said_options,
    text_of,
)
from yiku.cli.running import with_memory
from yiku.client.memory import MemoryClient
from yiku.server.wire import DeleteOut, PassageOut, PassagesOut

text_file = click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the new text from a file.",
)
passage_ids = click.argument("passage_ids", metavar="PASSAGE_ID...", nargs=-1, required=True)


@click.command(cls=Command)
@click.argument("passage_id")
@click.argument("text", required=False)
@text_file
@click.option("--speaker", help="Who said it.")
@click.option("--language", help="BCP 47 tag.")
@click.option("--at", type=When(), help="When it was said.")
@click.option("--valid-from", type=When(), help="True from then.")
@click.option("--valid-to", type=When(), help="True until then.")
@click.option("--tag", "tags", multiple=True, help="The tags it has from now on; repeatable.")
@click.option("--no-tags", is_flag=True, help="Take all its tags away.")
@click.option("--meta", "metadata", multiple=True, type=Pair(), help="Metadata to set; repeatable.")
@click.option("--no-meta", "dropped", multiple=True, help="Metadata to take away; repeatable.")
@click.option("--version", type=int, help="Refuse if it isn't at this version any more.")
@reason_option
@click.pass_obj
def edit(
    asked: Asked,
    passage_id: str,
    text: str | None,
    file: Path | None,
    metadata: Sequence[tuple[str, Any]],
    dropped: Sequence[str],
    no_tags: bool,
    reason: str | None,
    version: int | None,
    **fields: Any,
) -> None:
    """Change a passage: its TEXT, or what is known of it. Its history keeps what was."""
    changes = given(fields)
    if text is not None or file is not None:
        changes["text"] = text_of(text, file)
    if no_tags:
        changes["tags"] = ()
    if not (changes or metadata or dropped):
        raise click.UsageError("Nothing to change was given", click.get_current_context())

    async def work(memory: MemoryClient) -> PassageOut:
        seen = version
        if metadata or dropped:
            before = await memory.get(passage_id)
            kept = {k: v for k, v in before.metadata.items() if k not in dropped}
            changes["metadata"] = {**kept, **metadata_of(metadata)}
            seen = before.version if version is None else version
        return await memory.edit(passage_id, reason=reason, version=seen, **changes)

    show(asked, "edited", with_memory(asked, work))


@click.command(cls=Command)
@click.argument("passage_id")
@click.argument("text", required=False)
@text_file
@said_options
@reason_option
@click.pass_obj
def supersede(
    asked: Asked,
    passage_id: str,
    text: str | None,
    file: Path | None,
    reason: str | None,
    **fields: Any,
) -> None:
    """Put a newer TEXT in a passage's place.

    The old one is kept: `yiku search --as-of` finds what was true before. A passage that says the
    TEXT already takes the place; nothing is stored twice.
    """
    words = text_of(text, file)
    both = with_memory(
        asked, lambda memory: memory.supersede(passage_id, words, reason=reason, **given(fields))
    )
    if asked.as_json:
        output.print_model(both)
    else:
        output.print_passage(both.old, click.style("old  ", fg="yellow"))
        output.print_passage(both.new, click.style("new  ", fg="green"))
        if both.outcome == "duplicate":
            click.secho(
                f"{output.INDENT}known already: this passage takes the old one's place; `yiku undo"
                f" {both.old.id}` takes that back",
                fg="yellow",
            )


@click.command(cls=Command)
@passage_ids
@reason_option
@click.pass_obj
def forget(asked: Asked, passage_ids: Sequence[str], reason: str | None) -> None:
    """Hide passages from every search; `yiku undo` brings them back."""

    async def work(memory: MemoryClient) -> list[PassageOut]:
        return [await memory.forget(one, reason=reason) for one in passage_ids]

    show_all(asked, "forgotten", with_memory(asked, work))


@click.command(cls=Command)
@click.argument("passage_id")
@reason_option
@click.pass_obj
def undo(asked: Asked, passage_id: str, reason: str | None) -> None:
    """Take back a passage's last change; again, the one before.

    Where only its adding is left, it is hidden. A deletion can't be taken back.
    """
    show_all(
        asked, "undone", with_memory(asked, lambda memory: memory.undo(passage_id, reason=reason))
    )


@click.command(cls=Command)
@passage_ids
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.pass_obj
def delete(asked: Asked, passage_ids: Sequence[str], yes: bool) -> None:
    """Erase passages for good, with vectors, tokens and history; all of them or none."""

    async def work(memory: MemoryClient) -> DeleteOut:
        if not yes:  # nobody is asked about what isn't there
            for one in passage_ids:
                await memory.get(one)
            confirm(f"Erase {counted(len(set(passage_ids)), 'passage')} for good?")
        return await memory.delete(*passage_ids)

    erased = with_memory(asked, work)
    if asked.as_json:
        output.print_model(erased)
        return
    click.echo(f"{click.style('erased', fg='green')}  {counted(erased.deleted, 'passage')}")
    for one in erased.ended:
        click.echo(
            f"{output.INDENT}{one} stays superseded, though what superseded it is gone:"
            f" `yiku undo {one}` makes it true again"
        )


def confirm(question: str, left: str = "Nothing was erased.") -> None:
    """Raises: UsageError where nobody can be asked, ClickException where the answer is no."""
    if not sys.stdin.isatty():
        raise click.UsageError(
            "Nobody is there to be asked: give --yes", click.get_current_context()
        )
    if not click.confirm(question, err=True):
        raise click.ClickException(left)


def counted(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def show(asked: Asked, done: str, one: PassageOut) -> None:
    if asked.as_json:
        output.print_model(one)
    else:
        click.secho(done, fg="green")
        output.print_passage(one, output.INDENT)


def show_all(asked: Asked, done: str, touched: Sequence[PassageOut]) -> None:
    if asked.as_json:
        output.print_model(PassagesOut(passages=list(touched)))
        return
    click.secho(done, fg="green")
    for one in touched:
        output.print_passage(one, output.INDENT)
