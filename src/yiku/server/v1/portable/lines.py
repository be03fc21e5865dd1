"""JSON text, as agent files lay it out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]
DEPTH = 2
"""Spaces of one level, as v1 has it."""


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def indented(value: Any, level: int) -> str:
    pad = " " * (DEPTH * level)
    return json.dumps(value, ensure_ascii=False, indent=DEPTH).replace("\n", f"\n{pad}")


def fields(values: Mapping[str, Any], level: int) -> Iterator[bytes]:
    """Fields of an object that goes on behind them."""
    pad = " " * (DEPTH * level)
    for name, value in values.items():
        yield f'{pad}"{name}": {indented(value, level)},\n'.encode("utf-8", "replace")
