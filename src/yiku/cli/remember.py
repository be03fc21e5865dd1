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
@click.option("--role", "roles", multiple=True, help="The role it belongs to; repeatable.")
@click.option("--no-role", is_flag=True, help="Keep it in the general memory.")
@click.pass_obj
def add(asked: Asked, text: str | None, file: Path | None, no_role: bool, **fields: Any) -> None:
    """Remember a TEXT: the argument, a file, or what is piped in.

    What is known already is not stored twice: the answer says which passage holds it. Where the
    archive has roles, it goes to those that claim it, or to those named.
    """
    if no_role and fields["roles"]:
        raise click.UsageError("Give --role or --no-role, not both", click.get_current_context())
    words = text_of(text, file)
    said = given(fields)
    if no_role:
        said["roles"] = []
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
            click.echo(
                f"{click.style('remembered', fg='green')}  {added.passage.id}{home_of(added)}"
            )
        case "duplicate":
            click.secho(f"known already, linked to{home_of(added)}", fg="yellow")
            output.print_passage(added.passage, output.INDENT)
        case "echo":
            click.secho("an echo of what a search put into this conversation", fg="yellow")
            output.print_passage(added.passage, output.INDENT)


def home_of(added: AddOut) -> str:
    """The roles it came to, where there are any to come to."""
    if not added.roles and not added.full and added.decision is None:
        return ""
    roles = ", ".join(output.visible(one) for one in added.roles)
    full = "".join(f"; {output.visible(one)} is full" for one in added.full)
    return f"  → {roles or 'general memory'}{full}"
