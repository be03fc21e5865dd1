"""What was said and done after a lookup, out of a run's messages. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, cast

from yiku.core.message import Message, MessageRole, ToolCall
from yiku.core.skill import Lookup

OWN = frozenset(
    {
        "save_insight",
        "store_preference",
        "query_memory",
        "forget_memory",
        "archival_memory_insert",
        "archival_memory_search",
        "conversation_search",
        "evolve_memory_skills",
        "list_skill_changelog",
    }
)
"""Tools whose arguments draw on no memory: they write one, or look for one."""
THOUGHTS = frozenset({"thinking", "inner_thoughts", "request_heartbeat"})
LONGEST = 20_000
"""Characters of a reply that are looked at."""


def asked(messages: Sequence[Message], lookup: Lookup) -> str:
    """What the user had said last before the lookup; else what was looked up."""
    place = place_of(messages, lookup)
    said = [one.text for one in messages[:place] if one.role is MessageRole.USER and one.text]
    return said[-1][:LONGEST] if said else lookup.query


def answered(messages: Sequence[Message], lookup: Lookup) -> str:
    """What the assistant said and called with after it, up to the user's next words."""
    parts: list[str] = []
    for one in messages[place_of(messages, lookup) :]:
        if one.role is MessageRole.USER and one.text:
            break
        if one.role is MessageRole.ASSISTANT:
            parts.append(one.text)
            for call in one.calls:
                parts += arguments_of(call)
    return "\n".join(part for part in parts if part.strip())[:LONGEST]


def place_of(messages: Sequence[Message], lookup: Lookup) -> int:
    """Of the first message after what the lookup returned."""
    later = [n for n, one in enumerate(messages) if one.created_at >= lookup.created_at]
    for place in later:  # ids of calls may come again in another step
        if lookup.call_id in {returned.call_id for returned in messages[place].returns}:
            return place + 1
    return later[0] if later else len(messages)


def arguments_of(call: ToolCall) -> list[str]:
    if call.name in OWN:
        return []
    try:
        given: Any = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return [call.arguments]
    return list(texts_in(given))


def texts_in(value: Any, depth: int = 0) -> Iterator[str]:
    """Texts and numbers, however deep they stand."""
    if depth > 8:
        return
    if isinstance(value, dict):
        for name, each in cast("dict[str, Any]", value).items():
            if name not in THOUGHTS:
                yield from texts_in(each, depth + 1)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from texts_in(each, depth + 1)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
