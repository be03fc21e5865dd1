"""From a text that comes in pieces to stretches of whole lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from yiku.core.file import Stretch

LONGEST = 2_000
"""Characters of a line; a longer one is wrapped, so that windows and matches stay readable."""
STRETCH = 16_000
"""Characters after which a stretch ends."""
HELD = 65_536
"""Characters of a line whose end hasn't come yet, beyond which it is wrapped all the same."""


def stretches(pieces: Iterable[str]) -> Iterator[Stretch]:
    """A last line that is empty isn't one."""
    held: list[str] = []
    size, n, first = 0, 0, 1
    for line in lines(pieces):
        if held and size + len(line) > STRETCH:
            yield Stretch(n=n, first_line=first, line_count=len(held), text="\n".join(held))
            n, first, size = n + 1, first + len(held), 0
            held = []
        held.append(line)
        size += len(line) + 1
    if held:
        yield Stretch(n=n, first_line=first, line_count=len(held), text="\n".join(held))


def lines(pieces: Iterable[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *whole, rest = (rest + piece).split("\n")
        for line in whole:
            yield from wrapped(line)
        if len(rest) > HELD:
            *whole, rest = wrapped(rest)
            yield from whole
    if rest:
        yield from wrapped(rest)


def wrapped(line: str) -> Iterator[str]:
    """At spaces where there are any."""
    while len(line) > LONGEST:
        at = line.rfind(" ", LONGEST // 2, LONGEST) + 1 or LONGEST
        yield line[:at].rstrip(" ")
        line = line[at:]
    yield line
