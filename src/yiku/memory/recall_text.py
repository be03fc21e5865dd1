"""What a message says, for those who search it (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from yiku.core.message import Message, MessageRole, ToolCall
from yiku.memory.draft import MAX_NAME

SPEAKERS: Mapping[MessageRole, str] = {
    MessageRole.USER: "user",
    MessageRole.ASSISTANT: "assistant",
    MessageRole.TOOL: "tool",
    MessageRole.APPROVAL: "tool",
}
"""Whose messages are searched, and as whose."""

SPEAKING = "send_message"
SILENT = frozenset(
    "send_message conversation_search archival_memory_search archival_memory_insert search_memory"
    " store_memories core_memory_append core_memory_replace core_memory_update memory_insert"
    " memory_replace memory_rethink memory_finish_edits memory rethink_user_memory"
    " finish_rethinking_memory".split()
)
"""Tools that return what the memory has already: it would crowd out what was said."""

LONGEST = 100_000
LONGEST_RETURN = 4_000


def said_in(one: Message) -> str | None:
    """Its text, and what the assistant says by tool; of tool messages, what the tools returned.

    None: it says nothing that is searched.
    """
    if one.role not in SPEAKERS:
        return None
    said = [one.text]
    if one.role is MessageRole.ASSISTANT:
        said += [message_in(call) for call in one.calls if call.name == SPEAKING]
    said += [r.text[:LONGEST_RETURN] for r in one.returns if r.name not in SILENT]
    text = "\n".join(filter(None, said))[:LONGEST].replace("\0", " ")
    text = text.encode("utf-8", "replace").decode()
    return text if text.strip() else None


def message_in(call: ToolCall) -> str:
    try:
        given: Any = json.loads(call.arguments, strict=False)
    except (ValueError, RecursionError):
        return ""
    text = cast("dict[str, Any]", given).get("message") if isinstance(given, dict) else None
    return text if isinstance(text, str) else ""


def speaker_of(one: Message) -> str | None:
    """Who spoke, where messages name their speakers."""
    name = (one.name or "").replace("\0", " ").strip()[:MAX_NAME]
    return name.encode("utf-8", "replace").decode() or None
