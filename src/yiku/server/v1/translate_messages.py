"""An agent's messages as v1 tells of them; pure.

One of our messages is several of v1's: what the model thought, what it said, and its calls each are
one. They have its id, and an `otid` of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, Literal, TypedDict, cast
from uuid import NAMESPACE_OID, uuid5

from yiku.core.ids import MessageId
from yiku.core.memory import Json
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
from yiku.server.v1 import wire_messages as wire

PartKind = Literal["reasoning", "hidden", "text", "call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How the client wants to be told of messages."""

    message_tool: str | None = "send_message"
    """Calls of this tool are told of as what they say; None: they aren't."""
    message_argument: str = "message"
    """Which of its arguments that is."""
    types: frozenset[str] | None = None
    """Only messages of these types; None: all."""
    compactions: bool = False
    """Compactions are told of, too."""

    def wants(self, message_type: str) -> bool:
        return self.types is None or message_type in self.types

    def all_types(self) -> Form:
        return self if self.types is None else replace(self, types=None)

    def as_json(self) -> dict[str, Json]:
        return {
            "message_tool": self.message_tool,
            "message_argument": self.message_argument,
            "types": None if self.types is None else [*sorted(self.types)],
            "compactions": self.compactions,
        }


PLAIN = Form()


def form_of(kept: Mapping[str, Any]) -> Form:
    """As `Form.as_json` kept it; what an older version didn't keep is as by default."""
    known = {name: kept[name] for name in ("message_tool", "message_argument") if name in kept}
    types = kept.get("types")
    return Form(
        **known,
        types=None if types is None else frozenset(types),
        compactions=bool(kept.get("compactions")),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What of a message its stream has told already."""

    reasoning: bool = False
    text: bool = False
    calls: frozenset[int] = frozenset()
    """Which of its calls, from 0."""


NOTHING = Told()


def otid_of(message_id: MessageId, kind: PartKind, n: int) -> str:
    """The same for a part of a message whether it is streamed or listed. `n` counts those of its
    kind, from 0."""
    return str(uuid5(NAMESPACE_OID, f"{message_id}/{kind}/{n}"))


class Heads(TypedDict):
    """What each of a message's forms begins with, but its otid."""

    id: str
    date: Any
    name: str | None
    sender_id: str | None
    run_id: str | None
    step_id: str | None


def head_of(one: Message) -> Heads:
    return {
        "id": one.id,
        "date": one.created_at,
        "name": one.name,
        "sender_id": one.sender_id,
        "run_id": one.run_id,
        "step_id": one.step_id,
    }


def messages_out(
    one: Message, form: Form = PLAIN, told: Told = NOTHING
) -> list[wire.AnyMessageOut]:
    """A message as v1's messages, in their order: what was thought and said, then the calls."""
    match one.role:
        case MessageRole.ASSISTANT:
            found = list(assistant_out(one, form, told))
        case MessageRole.TOOL:
            found = list(returns_out(one, form))
        case MessageRole.APPROVAL:
            found = [approval_out(one)]
        case MessageRole.USER:
            otid = one.otid or otid_of(one.id, "text", 0)
            found = [wire.UserMessageOut(**head_of(one), otid=otid, content=content_out(one.parts))]
        case MessageRole.SYSTEM:
            otid = one.otid or otid_of(one.id, "text", 0)
            found = [wire.SystemMessageOut(**head_of(one), otid=otid, content=one.text)]
        case MessageRole.SUMMARY:
            otid = otid_of(one.id, "text", 0)
            found = [wire.SummaryMessageOut(**head_of(one), otid=otid, summary=one.text)]
    return [each for each in found if form.wants(each.message_type)]


def listed_out(
    found: Sequence[Message], form: Form, newest_first: bool
) -> list[wire.AnyMessageOut]:
    """Messages in the order of a listing; the newest first means within a message, too."""
    if not newest_first:
        return [each for one in found for each in messages_out(one, form)]
    return [each for one in found for each in reversed(messages_out(one, form))]


def content_out(parts: Sequence[Part]) -> str | list[wire.TextOut | wire.ImageOut]:
    """Text alone as a string, else part by part."""
    shown = [part for part in parts if isinstance(part, Text | Image)]
    if len(shown) == 1 and isinstance(shown[0], Text):
        return shown[0].text
    return [
        wire.TextOut(text=part.text) if isinstance(part, Text) else image_out(part)
        for part in shown
    ]


def image_out(one: Image) -> wire.ImageOut:
    if one.data is not None:
        kind = one.media_type or "image/png"
        return wire.ImageOut(source=wire.Base64Out(data=one.data, media_type=kind))
    return wire.ImageOut(source=wire.UrlOut(url=one.url or ""))


def assistant_out(one: Message, form: Form, told: Told) -> Iterator[wire.AnyMessageOut]:
    head = head_of(one)
    counts = {"text": 0, "reasoning": 0, "hidden": 0, "call": 0}
    for kind, group in groupby(one.parts, kind_of):
        parts, n = list(group), counts[kind]
        counts[kind] += 1
        otid = otid_of(one.id, kind, n)
        if kind == "text" and not told.text:
            text = "\n".join(part.text for part in parts if isinstance(part, Text))
            if text:
                yield wire.AssistantMessageOut(**head, otid=otid, content=text)
        elif kind == "reasoning" and not told.reasoning:
            yield reasoning_out(head, otid, [p for p in parts if isinstance(p, Reasoning)])
        elif kind == "hidden":
            for part in parts:
                if isinstance(part, Reasoning) and part.hidden is not None:
                    yield wire.HiddenReasoningMessageOut(**head, otid=otid, state=part.hidden)
    yield from calls_out(one, form, told)


def kind_of(part: Part) -> PartKind:
    if isinstance(part, Reasoning):
        return "hidden" if part.hidden is not None else "reasoning"
    return "call" if isinstance(part, ToolCall) else "text"


def reasoning_out(head: Heads, otid: str, parts: Sequence[Reasoning]) -> wire.ReasoningMessageOut:
    signed = [part.signature for part in parts if part.signature is not None]
    return wire.ReasoningMessageOut(
        **head,
        otid=otid,
        reasoning="\n\n".join(part.text for part in parts),
        signature=signed[-1] if signed else None,
    )


def calls_out(one: Message, form: Form, told: Told) -> Iterator[wire.AnyMessageOut]:
    """What its calls of the message tool say; then the other calls; then those that wait."""
    head, calls = head_of(one), [*enumerate(one.calls)]
    shown: list[tuple[int, ToolCall]] = []
    for n, call in calls:
        if n in told.calls and call.waits is None:
            continue
        text = said_by(call, form)
        if text is None:
            shown.append((n, call))
        else:
            yield wire.AssistantMessageOut(**head, otid=otid_of(one.id, "call", n), content=text)
    plain = [pair for pair in shown if pair[1].waits is None]
    waiting = [pair for pair in shown if pair[1].waits is not None]
    if plain:
        outs = [call_out(call) for _, call in plain]
        otid = otid_of(one.id, "call", plain[0][0])
        yield wire.ToolCallMessageOut(**head, otid=otid, tool_call=outs[0], tool_calls=outs)
    if waiting:
        outs = [call_out(call) for _, call in waiting]
        otid = otid_of(one.id, "call", waiting[0][0])
        yield wire.ApprovalRequestMessageOut(**head, otid=otid, tool_call=outs[0], tool_calls=outs)


def said_by(call: ToolCall, form: Form) -> str | None:
    """What a call of the message tool says; None: it isn't one, or is broken."""
    if call.name != form.message_tool or call.waits is not None:
        return None
    try:
        arguments: object = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return None
    if not isinstance(arguments, dict):
        return None
    text = cast("dict[str, object]", arguments).get(form.message_argument)
    return text if isinstance(text, str) else None


def call_out(call: ToolCall) -> wire.ToolCallOut:
    return wire.ToolCallOut(name=call.name, arguments=call.arguments, tool_call_id=call.id)


def returns_out(one: Message, form: Form) -> Iterator[wire.AnyMessageOut]:
    """The message tool's return says nothing, unless it failed."""
    outs = [
        (part.name, return_out(part))
        for part in one.returns
        if part.name != form.message_tool or not part.ok
    ]
    if not outs:
        return
    name, first = outs[0]
    head = head_of(one)
    head["name"] = one.name or name or None
    yield wire.ToolReturnMessageOut(
        **head,
        otid=otid_of(one.id, "call", 0),
        tool_return=first.tool_return,
        status=first.status,
        tool_call_id=first.tool_call_id,
        stdout=first.stdout,
        stderr=first.stderr,
        tool_returns=[out for _, out in outs],
    )


def return_out(part: ToolReturn) -> wire.ToolReturnOut:
    return wire.ToolReturnOut(
        tool_call_id=part.call_id,
        status="success" if part.ok else "error",
        tool_return=part.text,
        stdout=[*part.stdout] or None,
        stderr=[*part.stderr] or None,
    )


def approval_out(one: Message) -> wire.ApprovalResponseMessageOut:
    answers = [
        return_out(part)
        if isinstance(part, ToolReturn)
        else wire.ApprovalOut(tool_call_id=part.call_id, approve=part.approve, reason=part.reason)
        for part in one.parts
        if isinstance(part, ToolReturn | Approval)
    ]
    approvals = one.approvals
    return wire.ApprovalResponseMessageOut(
        **head_of(one),
        otid=one.otid or otid_of(one.id, "call", 0),
        approvals=answers,
        approve=all(each.approve for each in approvals) if approvals else None,
        reason=next((each.reason for each in approvals if each.reason is not None), None),
    )


def found_out(one: Message) -> wire.AnyFoundOut | None:
    """What a search tells of a message; None where it said nothing."""
    about: dict[str, Any] = {
        "message_id": one.id,
        "created_at": one.created_at,
        "agent_id": one.agent_id,
        "conversation_id": one.conversation_id,
    }
    if one.role is MessageRole.USER:
        return wire.FoundUserOut(**about, content=content_out(one.parts))
    said = [out.content for out in messages_out(one) if isinstance(out, wire.AssistantMessageOut)]
    return wire.FoundAssistantOut(**about, content="\n".join(said)) if said else None


ROLES: Mapping[str, MessageRole] = {
    "system_message": MessageRole.SYSTEM,
    "user_message": MessageRole.USER,
    "assistant_message": MessageRole.ASSISTANT,
    "reasoning_message": MessageRole.ASSISTANT,
    "hidden_reasoning_message": MessageRole.ASSISTANT,
    "tool_call_message": MessageRole.ASSISTANT,
    "approval_request_message": MessageRole.ASSISTANT,
    "tool_return_message": MessageRole.TOOL,
    "approval_response_message": MessageRole.APPROVAL,
    "summary_message": MessageRole.SUMMARY,
}
"""Whose messages those of a type are. Events aren't stored."""


def roles_of(types: frozenset[str] | None) -> list[MessageRole] | None:
    """Which messages can be of one of these types; None: every one."""
    if types is None:
        return None
    return sorted({ROLES[each] for each in types if each in ROLES})
