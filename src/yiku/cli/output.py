"""What commands print: JSON for programs, lines and tables for people."""

from __future__ import annotations

import json
import shutil
import sys
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console
    from rich.table import Table

    from yiku.server.wire import PassageOut

INDENT = "     "
PIPED = 120
"""Columns of a table that no terminal shows, at least."""
ID = "id"
NARROW = 12
"""Columns that a table's cell has at least, where its text is longer."""
GAP = 3
"""Columns between two of a table."""


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def print_model(model: BaseModel) -> None:
    click.echo(model.model_dump_json())


def console(width: int | None = None) -> Console:
    """Rich takes 50 ms to import: only what draws tables or progress asks for it."""
    from rich.console import Console

    if width is None and not sys.stdout.isatty():
        width = PIPED
    return Console(width=width, highlight=False)


def note(message: str) -> None:
    """A word to people, out of the way of what programs read."""
    click.secho(message, dim=True, err=True)


def moment(value: datetime) -> str:
    return value.astimezone().strftime("%Y-%m-%d %H:%M")


def day(value: datetime) -> str:
    return value.astimezone().strftime("%Y-%m-%d")


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    whole: Collection[str] = (),
    width: int | None = None,
) -> None:
    """A line a row; or a paragraph, where the terminal is too narrow for the ids beside the rest.

    Ids are never cut or broken, so that they can be copied; nor are the columns that `whole` names.
    `width`: None, the terminal's.
    """
    cells = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(width_of, column)) for column in zip(columns, *cells, strict=True)]
    fixed = [
        size if name == ID or name in whole else None
        for name, size in zip(columns, widths, strict=True)
    ]
    least = sum(kept or min(size, NARROW) for kept, size in zip(fixed, widths, strict=True))
    least += GAP * (len(columns) - 1)
    if width is None and not sys.stdout.isatty():
        width = max(PIPED, least)
    screen = console(width)
    if least <= screen.width or not any(fixed):
        screen.print(drawn(columns, cells, fixed))
    else:
        print_records(columns, cells)


def print_records(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    """A paragraph a row, a line a cell; empty ones are left out."""
    lead = max(map(width_of, columns))
    told = [
        "\n".join(
            f"{click.style(name + ' ' * (lead - width_of(name)), dim=True)}  {cell}"
            for name, cell in zip(columns, row, strict=True)
            if cell
        )
        for row in cells
    ]
    click.echo("\n\n".join(told))


def drawn(
    columns: Sequence[str], cells: Iterable[Sequence[str]], widths: Sequence[int | None]
) -> Table:
    """`widths`: of columns that must have theirs."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name, width in zip(columns, widths, strict=True):
        table.add_column(name, overflow="fold", min_width=width, no_wrap=width is not None)
    for row in cells:
        table.add_row(*map(Text, row))
    return table


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
