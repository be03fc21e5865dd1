"""The program that looks for a pattern in lines: Python's own library alone.

It runs in a process of its own, because a regular expression can take for ever, and nothing in the
process that runs it can end it. On its standard input it gets a JSON value a line: what is looked
for, then stretches, each with its file. On its standard output it says what it has found.
"""

from __future__ import annotations

import fnmatch
import json
import re
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any


def compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def named(include: str) -> re.Pattern[str]:
    """A pattern of names; `*.md`, which is none, means what it means to a shell."""
    try:
        return compiled(include)
    except re.error:
        return re.compile(fnmatch.translate(include), re.IGNORECASE)


def lines(source: Iterator[str]) -> Iterator[tuple[str, int, str]]:
    """File, number and text of each line; the text is None behind the last one of a file."""
    for row in source:
        stretch = json.loads(row)
        for n, text in enumerate(stretch["text"].split("\n"), stretch["first_line"]):
            yield stretch["file"], n, text


def found(wanted: dict[str, Any], source: Iterator[str]) -> dict[str, Any]:
    """How many lines of each file match, and a page of them with the lines around each."""
    pattern, around = compiled(wanted["pattern"]), int(wanted["context_lines"])
    first, last = int(wanted["offset"]), int(wanted["offset"]) + int(wanted["limit"])
    counts: dict[str, int] = {}
    matches: list[dict[str, Any]] = []
    before: deque[tuple[int, str]] = deque(maxlen=around)
    open_matches: list[dict[str, Any]] = []
    now, total = None, 0
    for file, n, text in lines(source):
        if file != now:
            now = file
            before.clear()
            open_matches = []
        for one in open_matches:
            one["lines"].append((n, text))
        open_matches = [one for one in open_matches if n < one["n"] + around]
        if pattern.search(text):
            counts[file] = counts.get(file, 0) + 1
            if first <= total < last:
                one = {"file": file, "n": n, "lines": [*before, (n, text)]}
                matches.append(one)
                if around:
                    open_matches.append(one)
            total += 1
        before.append((n, text))
    return {"counts": counts, "matches": matches}


def main() -> None:
    wanted = json.loads(sys.stdin.readline())
    try:
        compiled(wanted["pattern"])
        names = named(wanted["include"] or "")
    except (re.error, OverflowError, RecursionError) as error:
        print(json.dumps({"problem": str(error)}))
        return
    chosen = [one["file"] for one in wanted["files"] if names.search(one["name"])]
    print(json.dumps({"chosen": chosen}), flush=True)
    if chosen:
        print(json.dumps(found(wanted, sys.stdin)))


if __name__ == "__main__":
    main()
