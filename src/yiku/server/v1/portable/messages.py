"""Messages as agent files have them; pure.

A file's message is one of ours, or nearly so: where its form can't say all that ours says, `yiku`
has ours beside it, and who doesn't know that reads the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, cast

from yiku.agents.transfer.carried import CarriedMessage
from yiku.core.errors import InvalidImport
from yiku.core.message import (
    Approval,
    Image,
    Message,
    MessageRole,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
)
from yiku.store import parts as ours

Json = dict[str, Any]
ALERTS = frozenset({"user_message", "system_alert"})
"""Envelopes in which older servers kept what was said, as JSON in a text."""
NATIVE = frozenset({"letta_v1_agent", "react_agent", "workflow_agent"})
"""Kinds of agents whose text is what they say; others say by a tool what isn't a thought."""
MAX_NAME = 255


def to_file(one: Message, key: str, agent_key: str) -> Json:
    form = public(one, key, agent_key)
    if of_file(form, speaks=True).parts != one.parts or role_of(form) is not one.role:
        form["yiku"] = {"role": one.role.value, "parts": ours.to_json(one.parts)}
    return form


def public(one: Message, key: str, agent_key: str) -> Json:
    calls, returns, approvals = one.calls, one.returns, one.approvals
    asks = bool(calls) and all(call.waits == "approval" for call in calls)
    answered = approvals[0] if approvals else None
    return {
        "type": "message",
        "id": key,
        "role": "approval" if asks else one.role.value,
        "content": list(contents(one)),
        "name": one.name or (returns[0].name if len(returns) == 1 else None),
        "otid": one.otid,
        "sender_id": one.sender_id,
        "batch_item_id": None,
        "group_id": one.group_id,
        "model": one.model,
        "agent_id": agent_key,
        "tool_calls": [call_out(call) for call in calls] or None,
        "tool_call_id": returns[0].call_id if len(returns) == 1 else None,
        "tool_returns": [return_out(part) for part in returns],
        "created_at": one.created_at.isoformat(),
        "approve": None if answered is None else all(part.approve for part in approvals),
        "approval_request_id": None,
        "denial_reason": None if answered is None else answered.reason,
        "approvals": [approval_out(part) for part in approvals],
    }


def contents(one: Message) -> Iterator[Json]:
    """What of it is content there; a lone return's text is that, too."""
    for part in one.parts:
        match part:
            case Text():
                yield {"type": "text", "text": part.text, "signature": None}
            case Image(data=None):
                yield {"type": "image", "source": {"type": "url", "url": part.url}}
            case Image():
                source = {"type": "base64", "data": part.data, "media_type": part.media_type}
                yield {"type": "image", "source": source}
            case Reasoning(hidden="redacted"):
                yield {"type": "redacted_reasoning", "data": part.signature or ""}
            case Reasoning(hidden="omitted"):
                yield {"type": "omitted_reasoning", "signature": part.signature}
            case Reasoning():
                thought = {"type": "reasoning", "is_native": True, "reasoning": part.text}
                yield {**thought, "signature": part.signature}
            case ToolReturn():
                if len(one.returns) == 1 and one.role is MessageRole.TOOL:
                    yield {"type": "text", "text": part.text, "signature": None}
            case ToolCall() | Approval():
                pass


def call_out(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "function": function, "type": "function"}


def return_out(part: ToolReturn) -> Json:
    return {
        "tool_call_id": part.call_id,
        "status": "success" if part.ok else "error",
        "stdout": list(part.stdout) or None,
        "stderr": list(part.stderr) or None,
        "func_response": part.text,
    }


def approval_out(part: Approval) -> Json:
    return {
        "type": "approval",
        "tool_call_id": part.call_id,
        "approve": part.approve,
        "reason": part.reason,
    }


def of_file(form: Mapping[str, Any], *, speaks: bool) -> CarriedMessage:
    """`speaks`: the text of its assistant is what it says, even beside calls.

    Raises: InvalidImport, naming the field.
    """
    own = form.get("yiku")
    try:
        role, parts = role_of(form), tuple(parts_of(form, speaks=speaks))
        if isinstance(own, Mapping):
            extra = cast("Mapping[str, Any]", own)
            role, parts = MessageRole(extra["role"]), ours.of_json(extra["parts"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidImport(f"its form can't be read: {type(error).__name__} {error}") from error
    return CarriedMessage(
        key=str(form.get("id") or ""),
        role=role,
        parts=parts,
        created_at=moment(form.get("created_at")),
        model=model_of(form.get("model")),
        name=short(form.get("name")) if role is not MessageRole.TOOL else None,
        otid=short(form.get("otid")),
        sender_id=short(form.get("sender_id")),
        group_id=short(form.get("group_id")),
    )


def role_of(form: Mapping[str, Any]) -> MessageRole:
    """Raises: InvalidImport."""
    said = form.get("role")
    if said == "function":
        return MessageRole.TOOL
    if said == "approval" and form.get("tool_calls"):
        return MessageRole.ASSISTANT
    try:
        return MessageRole(str(said))
    except ValueError as error:
        known = ", ".join(MessageRole)
        raise InvalidImport(f"`role` is one of {known}, not {said!r:.60}") from error


def parts_of(form: Mapping[str, Any], *, speaks: bool) -> Iterator[Part]:
    role, calls = role_of(form), list_in(form, "tool_calls")
    if role in (MessageRole.TOOL, MessageRole.APPROVAL):
        yield from answers(form)
        return
    thinks = bool(calls) and not speaks
    for part in read_contents(form):
        if isinstance(part, Text) and role is not MessageRole.ASSISTANT:
            yield Text(unwrapped(part.text))
        elif isinstance(part, Text) and thinks:
            yield Reasoning(text=part.text)
        else:
            yield part
    waits = "approval" if form.get("role") == "approval" else None
    yield from (call_in(one, waits) for one in calls)


def read_contents(form: Mapping[str, Any]) -> Iterator[Part]:
    content = form.get("content")
    if content is None:
        content = form.get("text")  # of the oldest files
    if isinstance(content, str):
        yield Text(content)
        return
    for one in cast("Sequence[Mapping[str, Any]]", content or ()):
        yield from CONTENTS.get(str(one.get("type", "text")), unknown)(one)


def text_in(one: Mapping[str, Any]) -> Iterator[Part]:
    yield Text(str(one["text"]))


def image_in(one: Mapping[str, Any]) -> Iterator[Part]:
    source = one["source"]
    if source.get("data"):
        yield Image(data=source["data"], media_type=source.get("media_type"))
    elif source.get("url"):
        yield Image(url=source["url"])
    else:
        yield Text(f"[an image that the file doesn't hold: {source.get('file_id')}]")


def reasoning_in(one: Mapping[str, Any]) -> Iterator[Part]:
    yield Reasoning(text=str(one.get("reasoning") or ""), signature=one.get("signature"))


def redacted_in(one: Mapping[str, Any]) -> Iterator[Part]:
    yield Reasoning(text="", signature=one.get("data"), hidden="redacted")


def omitted_in(one: Mapping[str, Any]) -> Iterator[Part]:
    yield Reasoning(text="", signature=one.get("signature"), hidden="omitted")


def summarized_in(one: Mapping[str, Any]) -> Iterator[Part]:
    said = "\n".join(str(each["text"]) for each in one.get("summary") or ())
    yield Reasoning(text=said, signature=one.get("encrypted_content"), id=one.get("id"))


def tool_call_in(one: Mapping[str, Any]) -> Iterator[Part]:
    given = one.get("input")
    arguments = given if isinstance(given, str) else json.dumps(given or {}, ensure_ascii=False)
    yield ToolCall(id=str(one["id"]), name=str(one["name"]), arguments=arguments)


def tool_return_in(one: Mapping[str, Any]) -> Iterator[Part]:
    yield ToolReturn(
        call_id=str(one["tool_call_id"]),
        name="",
        ok=not one.get("is_error"),
        text=str(one.get("content") or ""),
    )


def unknown(one: Mapping[str, Any]) -> Iterator[Part]:
    """What isn't understood is kept as the text it is."""
    yield Text(json.dumps(one, ensure_ascii=False, default=str))


CONTENTS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Part]]] = {
    "text": text_in,
    "image": image_in,
    "reasoning": reasoning_in,
    "redacted_reasoning": redacted_in,
    "omitted_reasoning": omitted_in,
    "summarized_reasoning": summarized_in,
    "tool_call": tool_call_in,
    "tool_return": tool_return_in,
}


def call_in(one: Mapping[str, Any], waits: Literal["approval"] | None) -> ToolCall:
    function = one.get("function") or one
    arguments = function["arguments"]
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(id=str(one["id"]), name=str(function["name"]), arguments=arguments, waits=waits)


def answers(form: Mapping[str, Any]) -> Iterator[Part]:
    """Of tools, and of people to calls that waited."""
    name, said = str(form.get("name") or ""), list(read_contents(form))
    returns = [part for part in said if isinstance(part, ToolReturn)]
    if (told := list_in(form, "tool_returns")) and any("func_response" in one for one in told):
        # The text, not the response, is what the model was shown.
        shown = [part.text for part in said if isinstance(part, Text)]
        for one in told:
            text = one.get("func_response")
            if len(told) == 1 and shown:
                text = unpacked(shown[0])[0]
            yield returned(one, name, str(text or ""))
    elif returns:
        yield from returns
    elif (call_id := form.get("tool_call_id")) is not None:
        text = "\n".join(part.text for part in said if isinstance(part, Text))
        inner, ok = unpacked(text)
        yield ToolReturn(call_id=str(call_id), name=name, ok=ok, text=inner)
    for one in list_in(form, "approvals"):
        if one.get("type") == "tool" or "tool_return" in one:
            text = one.get("tool_return", one.get("func_response"))
            yield returned(one, name, text if isinstance(text, str) else json.dumps(text))
        else:
            yield Approval(
                call_id=str(one["tool_call_id"]),
                approve=bool(one.get("approve")),
                reason=one.get("reason"),
            )


def returned(one: Mapping[str, Any], name: str, text: str) -> ToolReturn:
    return ToolReturn(
        call_id=str(one.get("tool_call_id") or ""),
        name=name,
        ok=one.get("status") == "success",
        text=text,
        stdout=tuple(map(str, one.get("stdout") or ())),
        stderr=tuple(map(str, one.get("stderr") or ())),
    )


def unpacked(text: str) -> tuple[str, bool]:
    """What a tool returned, and whether it worked, out of an older server's envelope."""
    found = envelope(text)
    if found is not None and found.keys() >= {"status", "message"}:
        message: Any = found["message"]
        inner = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        return inner, found["status"] == "OK"
    return text, True


def unwrapped(text: str) -> str:
    """What somebody said, out of an older server's envelope."""
    found = envelope(text)
    if found is not None and found.get("type") in ALERTS and isinstance(found.get("message"), str):
        return str(found["message"])
    return text


def envelope(text: str) -> Json | None:
    if not (text.startswith("{") and text.endswith("}")):
        return None
    try:
        found: Any = json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None
    return cast("Json", found) if isinstance(found, dict) else None


def list_in(form: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return cast("list[Mapping[str, Any]]", form.get(name) or [])


def moment(value: Any, field: str = "created_at") -> datetime | None:
    """Raises: InvalidImport."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError as error:
        words = f"`{field}` is a moment, like 2026-05-07T12:00:00Z, not {value!r:.60}"
        raise InvalidImport(words) from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def model_of(value: Any) -> str | None:
    return None if value is None else str(value)[:MAX_NAME]


def short(value: Any) -> str | None:
    return None if value is None else str(value)[:MAX_NAME]
