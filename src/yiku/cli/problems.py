"""What is wrong with a line of a file, and what would be right: in words of its writer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from yiku.server.wire import PassageIn, PassageOut

TOLD = 3
"""Problems told of one line."""

FIELDS = tuple(PassageIn.model_fields)
OURS = frozenset(PassageOut.model_fields) - frozenset(FIELDS)
"""What `yiku export` writes and a passage gets anew when it is stored."""

OBJECT = 'an object like {"text": "…"}'
WANTED = {
    "string_type": "a text in quotes",
    "list_type": 'a list like ["health", "food"]',
    "dict_type": 'an object like {"city": "北京"}',
}


def told(error: ValidationError) -> str:
    """All that is wrong with a line, in one line."""
    found = [problem_of(one) for one in error.errors(include_url=False)[:TOLD]]
    return "; ".join(dict.fromkeys(found))


def problem_of(one: Mapping[str, Any]) -> str:
    kind: str = one["type"]
    name = ".".join(str(part) for part in one["loc"])
    if kind == "json_invalid":
        place = re.search(r"column (\d+)", one["ctx"]["error"])
        return no_json(int(place[1]) if place else 1)
    if not name:
        return f"it is {called(one['input'])}, not {OBJECT}"
    if kind == "missing":
        return f"`{name}` is missing"
    if kind == "extra_forbidden":
        return unknown(name)
    if kind in WANTED:
        return f"`{name}` is {called(one['input'])}, not {WANTED[kind]}"
    if kind == "value_error":
        return f"`{name}`: {one['ctx']['error']}"
    if kind.startswith("datetime"):
        return (
            f"`{name}` is {called(one['input'])}, no date or time like 2026-09-20 or"
            " 2026-09-20T18:30+08:00"
        )
    return f"`{name}`: {one['msg']}"


def no_json(character: int) -> str:
    return f"no valid JSON from character {character} on; a line is {OBJECT}"


def unknown(name: str) -> str:
    if name in OURS:
        return "it is a forgotten passage"
    near = get_close_matches(name, FIELDS, 1)
    right = f"`{near[0]}` is" if near else "what is yours goes into `metadata`"
    return f"`{name}` is no field of a passage ({right})"


def called(value: Any) -> str:
    """What a value is, so that its writer finds it again."""
    match value:
        case list():
            return "a list"
        case dict():
            return "an object"
        case None | bool() | int() | float():
            return json.dumps(value)
        case _:
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= 40 else f'{text[:38]}…"'
