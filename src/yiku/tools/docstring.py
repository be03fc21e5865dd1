"""Docstrings in Google's style: what a function is for, and what each argument is (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from inspect import cleandoc

SECTION = re.compile(
    r"(args|arguments|parameters|params|returns?|yields?|raises|examples?|notes?|attributes"
    r"|warnings?|todo|see also|references)\s*:\s*",
    re.IGNORECASE,
)
ARGUMENTS = re.compile(r"(args|arguments|parameters|params)\s*:\s*", re.IGNORECASE)
ENTRY = re.compile(r"(?P<name>\*{0,2}\w+)\s*(?:\((?P<type>[^:]*)\))?\s*[:：]\s*(?P<words>.*)")


@dataclass(frozen=True, slots=True)
class Docstring:
    description: str = ""
    """All before the first section."""
    arguments: dict[str, str] = field(default_factory=dict[str, str])


def read(text: str | None) -> Docstring:
    """What a docstring says, each argument on one line."""
    before: list[str] = []
    arguments: dict[str, list[str]] = {}
    section = name = ""
    indent = 0
    for line in cleandoc(text or "").splitlines():
        depth = len(line) - len(line.lstrip())
        words = line.strip()
        if depth == 0 and SECTION.fullmatch(words):
            section, name, indent = words, "", 0
        elif not section:
            before.append(line)
        elif depth == 0 and words:
            section = "prose"  # not indented any more: it belongs to no section
        elif ARGUMENTS.fullmatch(section) and words:
            indent = indent or depth
            entry = ENTRY.fullmatch(words) if depth <= indent else None
            if entry is not None:
                name = entry["name"].lstrip("*")
                arguments[name] = [entry["words"]]
            elif name:
                arguments[name].append(words)
    told = {one: " ".join(filter(None, lines)).strip() for one, lines in arguments.items()}
    return Docstring("\n".join(before).strip(), told)
