"""Which tool an output stands for, by a conditional rule."""

from __future__ import annotations

import json

from yiku.core.rule import ConditionalRule


def mapped(rule: ConditionalRule, output: str) -> str | None:
    """The tool that the output stands for: the same text, truth value or number."""
    exact = rule.child_output_mapping.get(output)
    if exact is not None:
        return exact
    meant = plain(output)
    return next(
        (child for key, child in rule.child_output_mapping.items() if plain(key) == meant), None
    )


def plain(text: str) -> tuple[str, object]:
    """What an output says: `True` is `true`, `1` is `1.0`, `"a"` is `a`."""
    bare = text.strip()
    try:
        value: object = json.loads(bare.lower() if bare in ("True", "False") else bare)
    except (ValueError, RecursionError):
        return "text", bare
    if isinstance(value, bool):
        return "truth", value
    if isinstance(value, int | float):
        return "number", value
    return "text", value if isinstance(value, str) else bare
