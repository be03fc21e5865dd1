"""ChatGPT's export, `conversations.json`: each conversation is a tree of messages; pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from yiku.agents.transfer.carried import CarriedChat, CarriedMessage
from yiku.core.errors import InvalidImport
from yiku.core.message import MessageRole, Text

Json = Mapping[str, Any]
SPEAKERS = {"user": MessageRole.USER, "assistant": MessageRole.ASSISTANT}
PICTURES = ("image_asset_pointer", "audio_asset_pointer", "video_container_asset_pointer",
            "real_time_user_audio_video_asset_pointer")  # fmt: skip


def chat_of(value: Any, place: str, left_out: Counter[str]) -> CarriedChat:
    """Raises: InvalidImport."""
    found = as_object(value, place)
    nodes = as_object(found.get("mapping"), f"{place}.mapping")
    key = found.get("conversation_id") or found.get("id")
    if not isinstance(key, str):
        raise InvalidImport(f"{place}: a conversation needs its `id`", place=place)
    started = moment(found.get("create_time"))
    messages: list[CarriedMessage] = []
    branch = path_of(found, nodes, place)
    for name in branch:
        said = message_of(as_object(nodes[name], f"{place}.mapping"), started, left_out)
        if said is not None:
            messages.append(said)
    if others := spoken(nodes) - spoken({name: nodes[name] for name in branch}):
        left_out["messages of branches that were left"] += others
    title = found.get("title")
    return CarriedChat(
        key=key,
        title=title if isinstance(title, str) and title.strip() else None,
        created_at=started,
        messages=tuple(messages),
    )


def spoken(nodes: Json) -> int:
    """How many of the nodes are somebody's words."""
    found = (cast("Json", one).get("message") for one in nodes.values() if isinstance(one, dict))
    return sum(isinstance(one, dict) and role_of(cast("Json", one)) in SPEAKERS for one in found)


def path_of(chat: Json, nodes: Json, place: str) -> list[str]:
    """The nodes of the branch that was shown last, from its beginning. Raises: InvalidImport."""
    at = chat.get("current_node")
    if at not in nodes:
        at = last_leaf(nodes)
    found: list[str] = []
    seen: set[str] = set()
    while isinstance(at, str) and at in nodes:
        if at in seen:
            raise InvalidImport(f"{place}.mapping: {at!r:.60} is its own ancestor", place=place)
        seen.add(at)
        found.append(at)
        at = as_object(nodes[at], f"{place}.mapping").get("parent")
    return found[::-1]


def last_leaf(nodes: Json) -> str | None:
    """Without a current node: the leaf that was written last."""

    def written(name: str) -> float:
        message = cast("Json", nodes[name].get("message") or {})
        return float(message.get("create_time") or 0)

    leaves = [
        name
        for name, one in nodes.items()
        if isinstance(one, dict) and not cast("Json", one).get("children")
    ]
    return max(leaves, key=written, default=None)


def message_of(
    node: Json, started: datetime | None, left_out: Counter[str]
) -> CarriedMessage | None:
    """None: nobody said it to anybody."""
    message = node.get("message")
    if not isinstance(message, dict):
        return None
    one = cast("Json", message)
    about = cast("Json", one.get("metadata") or {})
    role = SPEAKERS.get(role_of(one))
    if role is None or about.get("is_visually_hidden_from_conversation") or one.get("weight") == 0:
        if role_of(one) == "tool":
            left_out["what tools returned"] += 1
        return None
    if one.get("recipient") not in (None, "all"):
        left_out["calls of tools"] += 1
        return None
    text = text_of(cast("Json", one.get("content") or {}), left_out)
    if not text.strip():
        return None
    slug = about.get("model_slug")
    return CarriedMessage(
        key=str(one.get("id") or node.get("id")),
        role=role,
        parts=(Text(text),),
        created_at=moment(one.get("create_time")) or started,
        model=f"openai/{slug}" if role is MessageRole.ASSISTANT and slug else None,
    )


def role_of(message: Json) -> str:
    author = message.get("author")
    return str(cast("Json", author).get("role")) if isinstance(author, dict) else ""


def text_of(content: Json, left_out: Counter[str]) -> str:
    kind = content.get("content_type")
    if kind in ("text", "multimodal_text"):
        parts = cast("Sequence[Any]", content.get("parts") or ())
        return "\n".join(filter(None, (part_of(one, left_out) for one in parts)))
    if kind == "code":
        return str(content.get("text") or "")
    left_out[f"content of the kind {kind}"] += 1
    return ""


def part_of(one: Any, left_out: Counter[str]) -> str:
    if isinstance(one, str):
        return one
    part = cast("Json", one if isinstance(one, dict) else {})
    if isinstance(part.get("text"), str):
        return str(part["text"])  # what was said into the microphone
    if part.get("content_type") in PICTURES:
        left_out["pictures and sound"] += 1
    return ""


def as_object(value: Any, place: str) -> Json:
    """Raises: InvalidImport."""
    if not isinstance(value, dict):
        raise InvalidImport(f"{place}: an object is expected, not {json_kind(value)}", place=place)
    return cast("Json", value)


KINDS: dict[type[Any], str] = {str: "a text", list: "a list", dict: "an object"}


def json_kind(value: Any) -> str:
    """What JSON calls it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return next((name for kind, name in KINDS.items() if isinstance(value, kind)), "a number")


def moment(value: Any) -> datetime | None:
    """Of seconds since 1970."""
    if not isinstance(value, int | float) or not 0 < value < 253_402_300_799:
        return None
    return datetime.fromtimestamp(value, UTC)
