"""Text as models and JSON can take it."""

from __future__ import annotations

import json
from math import isfinite
from typing import Any, cast

DEEPEST = 50
"""Levels of lists and objects in a call's arguments that go back as what they are. Some APIs take a
hundred; a model that has lost its way writes thousands of brackets, and none takes those."""


def replace_surrogates(text: str) -> str:
    """Pairs of surrogates become the character they mean, lone ones U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def object_of(arguments: str) -> dict[str, Any]:
    """A call's arguments as every API takes them back: an object. What the model broke is quoted
    in one, and so is what Python reads as JSON and others don't."""
    arguments = replace_surrogates(arguments)
    if not arguments.strip():
        return {}
    try:
        found = portable(json.loads(arguments))
    except (ValueError, RecursionError):
        return {"broken_json": arguments}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {"arguments": found}


def portable(value: Any, depth: int = 0) -> Any:
    """A value of JSON, half characters in it replaced.

    Raises: ValueError for numbers that are none (`NaN`, `1e999`), and for what is nested too deep.
    """
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"JSON has no number {value}.")
    if not isinstance(value, dict | list):
        return value
    if depth == DEEPEST:
        raise ValueError(f"Nested deeper than {DEEPEST} levels.")
    if isinstance(value, list):
        return [portable(one, depth + 1) for one in cast("list[Any]", value)]
    pairs = cast("dict[str, Any]", value).items()
    return {replace_surrogates(name): portable(one, depth + 1) for name, one in pairs}
