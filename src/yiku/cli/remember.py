"""`yiku add`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from yiku.cli import direct, output
from yiku.cli.options import Asked, Command, given, place_options, said_options, text_of
from yiku.cli.running import is_remote, with_memory
from yiku.server.wire import AddOut


@click.command(cls=Command)
@click.argument("text", required=False)
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Take the text from a file.",
)
@place_options
@said_options
@click.option("--language", help="BCP 47 tag; default: recognised.")
@click.pass_obj
def add(asked: Asked, text: str | None, file: Path | None, **fields: Any) -> None:
    """Remember a TEXT: the argument, a file, or what is piped in.

    What is known already is not stored twice: the answer says which passage holds it.
    """
    words = text_of(text, file)
    said = given(fields)
    if is_remote(asked):
        added = with_memory(asked, lambda memory: memory.add(words, **said))
    else:
        added = direct.add(asked, {"text": words, **said})
    if asked.as_json:
        output.print_model(added)
    else:
        print_added(added)


def print_added(added: AddOut) -> None:
    match added.outcome:
        case "added":
            click.echo(f"{click.style('remembered', fg='green')}  {added.passage.id}")
        case "duplicate":
            click.secho("known already, linked to", fg="yellow")
            output.print_passage(added.passage, output.INDENT)
        case "echo":
            click.secho("an echo of what a search put into this conversation", fg="yellow")
            output.print_passage(added.passage, output.INDENT)
