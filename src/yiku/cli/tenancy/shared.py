"""What the commands of administration share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import click

from yiku.cli import output
from yiku.cli.options import Asked
from yiku.cli.running import with_memory

if TYPE_CHECKING:
    from pydantic import BaseModel

    from yiku.client.admin import AdminClient

T = TypeVar("T")

org_option = click.option(
    "--org", help="Another organization's id: for administrators of the server."
)
limit_option = click.option(
    "--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many."
)
after_option = click.option("--after", help="Those made after the one of this id.")


def administered(asked: Asked, work: Callable[[AdminClient], Awaitable[T]]) -> T:
    """Do the work, on the server that was asked for or on this machine's database."""
    return with_memory(asked, lambda memory: work(memory.admin))


def done(asked: Asked, word: str, made: BaseModel, told: str) -> None:
    """What was done, in a line."""
    if asked.as_json:
        output.print_model(made)
    else:
        click.echo(f"{click.style(word, fg='green')}  {output.visible(told)}")


def more(next_id: str | None, option: str) -> None:
    """That there may be more, and how to see it."""
    if next_id is not None:
        output.note(f"There may be more: {option} {next_id}")


def moment(at: datetime | None) -> str:
    return "" if at is None else output.moment(at)
