"""What an edit of a block changed, in few lines. Pure."""

from __future__ import annotations

from difflib import SequenceMatcher
from typing import Literal, NamedTuple

from yiku.cli.output import columns_of, visible, width_of

LEAD = 16
"""Columns of unchanged text that are shown before a change in a long line."""


class Change(NamedTuple):
    sign: Literal["-", "+"]
    line: str


def changes(before: str, after: str, width: int) -> list[Change]:
    """Lines that went and lines that came, in order, each cut to `width` columns around what
    differs in it."""
    old, new = before.splitlines(), after.splitlines()
    found: list[Change] = []
    for tag, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        gone, come = old[i:j], new[k:m]
        if len(gone) == len(come):
            found += [
                change for pair in zip(gone, come, strict=True) for change in edit(*pair, width)
            ]
            continue
        found += [Change("-", around(one, 0, width)) for one in gone]
        found += [Change("+", around(one, 0, width)) for one in come]
    return found


def edit(one: str, other: str, width: int) -> tuple[Change, Change]:
    """One line in another's place."""
    start = common_start(one, other)
    return Change("-", around(one, start, width)), Change("+", around(other, start, width))


def common_start(one: str, other: str) -> int:
    """How many characters they begin with alike."""
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def around(line: str, at: int, width: int) -> str:
    """The line if it fits, else the part of it that begins shortly before `at`."""
    line = visible(line.replace("\t", " "))
    if width_of(line) <= width:
        return line
    start, lead = at, 0
    while start > 0 and lead < LEAD:
        start -= 1
        lead += columns_of(line[start])
    shown, left = ("…" if start else ""), width - (2 if start else 1)
    for c in line[start:]:
        left -= columns_of(c)
        if left < 0:
            return f"{shown}…"
        shown += c
    return shown
