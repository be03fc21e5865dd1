"""Lines from whoever writes: a person at a terminal, or a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from yiku.cli.options import decoded

PROMPT = "› "
MORE = "… "


def piped_lines() -> Iterator[str]:
    """Each line that isn't blank. Raises: InvalidFile where it isn't UTF-8."""
    for raw in sys.stdin.buffer:
        line = decoded(raw, "the input")
        if line.strip():
            yield line


def typed_line() -> str:
    """What a person writes; a line that ends with a backslash goes on in the next.

    Raises: EOFError, KeyboardInterrupt.
    """
    line = read(PROMPT)
    while line.endswith("\\"):
        line = f"{line[:-1]}\n{read(MORE)}"
    return line


def ask(question: str, suggested: str) -> str:
    """`suggested` stands in the line to be edited, where the terminal can do that.

    Raises: EOFError, KeyboardInterrupt.
    """
    editor = line_editor()
    if not suggested or editor is None:
        return read(question) or suggested
    editor.set_startup_hook(lambda: editor.insert_text(suggested))
    try:
        return read(question)
    finally:
        editor.set_startup_hook()


def read(prompt: str) -> str:
    line_editor()
    if sys.stdout.isatty():
        return input(prompt)
    click.echo(prompt, nl=False, err=True)  # stdout is for what the agent says
    return input()


def line_editor() -> Any:
    """`input` edits lines and keeps their history once this is imported; Windows has its own."""
    try:
        import readline
    except ImportError:
        return None
    return readline
