"""What commands print: JSON for programs, lines and tables for people."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from yiku.server.wire import PassageOut

INDENT = "     "


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def print_model(model: BaseModel) -> None:
    click.echo(model.model_dump_json())


def console() -> Console:
    """Rich takes 50 ms to import: only what draws tables or progress asks for it."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 120, highlight=False)


def note(message: str) -> None:
    """A word to people, out of the way of what programs read."""
    click.secho(message, dim=True, err=True)


def moment(value: datetime) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M")


def day(value: datetime) -> str:
    return value.astimezone().strftime("%Y-%m-%d")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(visible(cell)) for cell in row))
    console().print(table)


def visible(text: str) -> str:
    """Without control characters, which would steer the terminal of whoever reads a memory."""
    return "".join(
        c
        if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") or c == "\u200d"
        else "\ufffd"
        for c in text
    )


def one_line(text: str, width: int) -> str:
    """`text` on one line of at most `width` columns; Chinese characters take two."""
    line = " ".join(visible(text).split())
    if width_of(line) <= width:
        return line
    taken, kept = 0, ""
    for c in line:
        taken += columns_of(c)
        if taken > width - 1:
            return f"{kept}…"
        kept += c
    return kept


def columns_of(c: str) -> int:
    if unicodedata.combining(c):
        return 0
    return 2 if unicodedata.east_asian_width(c) in "WF" else 1


def width_of(text: str) -> int:
    return sum(map(columns_of, text))


def terminal_width() -> int:
    return shutil.get_terminal_size((100, 24)).columns


def print_passage(passage: PassageOut, lead: str = "") -> None:
    """The text, then a dim line of what is known of it."""
    said = f"{passage.speaker}: " if passage.speaker else ""
    body = visible(passage.text).rstrip().replace("\n", f"\n{INDENT}")
    click.echo(f"{lead}{click.style(visible(said), bold=True)}{body}")
    click.secho(f"{INDENT}{facts_of(passage)}", dim=True)


def facts_of(passage: PassageOut) -> str:
    facts = [moment(passage.at), passage.id]
    facts += [f"#{visible(tag)}" for tag in passage.tags]
    if passage.conversation:
        facts.append(visible(passage.conversation))
    facts += [
        f"{visible(name)}={visible(json.dumps(value, ensure_ascii=False))}"
        for name, value in passage.metadata.items()
    ]
    if passage.superseded_by:
        facts.append(f"superseded by {passage.superseded_by}")
    if passage.valid_to:
        facts.append(f"true until {moment(passage.valid_to)}")
    if passage.forgotten_at:
        facts.append("forgotten")
    return "  ".join(facts)
