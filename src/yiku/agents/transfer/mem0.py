"""mem0's memories, as `get_all` and its exports tell them; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast

from yiku.agents.transfer.chatgpt import as_object
from yiku.agents.transfer.claude import moment
from yiku.core.errors import InvalidImport
from yiku.core.memory import Draft

TEXTS = ("memory", "text", "data", "content")
"""What its versions call the memory itself."""
WHOSE = ("user_id", "agent_id", "app_id", "actor_id")


def memory_of(value: Any, place: str, left_out: Counter[str]) -> tuple[str, Draft] | None:
    """A memory with its id; None: it was deleted there. Raises: InvalidImport."""
    one = as_object(value, place)
    text = next((one[name] for name in TEXTS if isinstance(one.get(name), str)), None)
    if text is None:
        raise InvalidImport(
            f"{place}: a memory of mem0 has its text as `memory`; here are"
            f" {', '.join(list(one)[:8]) or 'no fields'}",
            place=place,
        )
    if one.get("is_deleted") or one.get("event") == "DELETE":
        left_out["deleted memories"] += 1
        return None
    if not text.strip():
        left_out["empty memories"] += 1
        return None
    for name in ("created_at", "updated_at", "expiration_date"):
        if one.get(name) is not None and moment(one[name]) is None:
            left_out["dates that can't be read"] += 1
    if not isinstance(one.get("metadata") or {}, dict):
        left_out["metadata that are no object"] += 1
    key = str(one.get("id") or sha256(text.encode("utf-8", "replace")).hexdigest())
    at = moment(one.get("updated_at")) or moment(one.get("created_at"))
    return key, Draft(
        text=text,
        at=at,
        conversation=short(one.get("run_id")),
        message=None,
        tags=tuple(str(tag)[:200] for tag in listed(one.get("categories")))[:64],
        metadata=about(one),
        valid_from=moment(one.get("created_at")),
        valid_to=moment(one.get("expiration_date")),
    )


def about(one: Mapping[str, Any]) -> dict[str, Any]:
    """Its metadata, and whose it was."""
    given = one.get("metadata")
    found: dict[str, Any] = dict(cast("dict[str, Any]", given)) if isinstance(given, dict) else {}
    found |= {name: one[name] for name in WHOSE if isinstance(one.get(name), str)}
    return {**found, "source": "mem0"}


def listed(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def short(value: Any) -> str | None:
    return None if not isinstance(value, str) or not value.strip() else value[:512]
