"""The parts of messages as JSON: each an object with its `type`, without what is as by default."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from yiku.core.memory import Json
from yiku.core.message import Approval, Image, Part, Reasoning, Text, ToolCall, ToolReturn


def to_json(parts: Iterable[Part]) -> list[dict[str, Any]]:
    return [written(part) for part in parts]


def of_json(values: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    """The opposite of `to_json`, exactly."""
    return tuple([READ[one["type"]](one) for one in values])


def written(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            return given("image", part, ("url", "data", "media_type"))
        case Reasoning():
            more = given("reasoning", part, ("signature", "id", "provider", "hidden"))
            if part.details:
                more["details"] = dict(part.details)
            return {**more, "text": part.text}
        case ToolCall():
            more = given("tool_call", part, ("waits",))
            return {**more, "id": part.id, "name": part.name, "arguments": part.arguments}
        case ToolReturn():
            said: dict[str, Any] = {
                "type": "tool_return",
                "call_id": part.call_id,
                "name": part.name,
                "ok": part.ok,
                "text": part.text,
            }
            for name, lines in (("stdout", part.stdout), ("stderr", part.stderr)):
                if lines:
                    said[name] = list(lines)
            return said
        case Approval():
            more = given("approval", part, ("reason", "arguments"))
            return {**more, "call_id": part.call_id, "approve": part.approve}


def given(kind: str, part: Part, optional: Sequence[str]) -> dict[str, Any]:
    """The kind, and the optional fields that say something."""
    values = {name: getattr(part, name) for name in optional}
    return {"type": kind} | {name: value for name, value in values.items() if value is not None}


def image(value: Mapping[str, Any]) -> Image:
    return Image(url=value.get("url"), data=value.get("data"), media_type=value.get("media_type"))


def reasoning(value: Mapping[str, Any]) -> Reasoning:
    details: dict[str, Json] = value.get("details", {})
    return Reasoning(
        text=value["text"],
        signature=value.get("signature"),
        id=value.get("id"),
        provider=value.get("provider"),
        hidden=value.get("hidden"),
        details=details,
    )


def tool_call(value: Mapping[str, Any]) -> ToolCall:
    return ToolCall(
        id=value["id"],
        name=value["name"],
        arguments=value["arguments"],
        waits=value.get("waits"),
    )


def tool_return(value: Mapping[str, Any]) -> ToolReturn:
    return ToolReturn(
        call_id=value["call_id"],
        name=value["name"],
        ok=value["ok"],
        text=value["text"],
        stdout=tuple(value.get("stdout", ())),
        stderr=tuple(value.get("stderr", ())),
    )


def approval(value: Mapping[str, Any]) -> Approval:
    return Approval(
        call_id=value["call_id"],
        approve=value["approve"],
        reason=value.get("reason"),
        arguments=value.get("arguments"),
    )


READ: Mapping[str, Callable[[Mapping[str, Any]], Part]] = {
    "text": lambda value: Text(value["text"]),
    "image": image,
    "reasoning": reasoning,
    "tool_call": tool_call,
    "tool_return": tool_return,
    "approval": approval,
}
