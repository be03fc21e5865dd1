"""Text as models and JSON can take it."""

from __future__ import annotations

import json
from typing import Any, cast


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
    in one."""
    arguments = replace_surrogates(arguments)
    if not arguments.strip():
        return {}
    try:
        found = json.loads(arguments)
    except ValueError:
        return {"broken_json": arguments}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {"arguments": found}
