"""What JSON can carry and no database takes, or no answer gives back."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any, cast

MAX_DEPTH = 64


def demand_json(value: Any, depth: int = MAX_DEPTH) -> None:
    """Of what has no form of its own: metadata, arguments, schemas."""
    if isinstance(value, str):
        demand_text(value)
    elif isinstance(value, float) and not isfinite(value):
        raise ValueError(f"JSON has no number {value}")
    elif isinstance(value, dict | list):
        if depth == 0:
            raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")
        for one in cast("Iterable[Any]", value):
            demand_json(one, depth - 1)
        if isinstance(value, dict):
            for one in cast("dict[Any, Any]", value).values():
                demand_json(one, depth - 1)


def demand_text(text: str) -> None:
    if "\0" in text:
        raise ValueError(f"there is a NUL character at position {text.index(chr(0))}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"there is half a character at position {error.start}") from error
