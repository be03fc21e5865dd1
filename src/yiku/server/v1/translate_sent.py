"""What clients send to agents, as the domain's nouns; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from yiku.core.errors import Invalid, NothingToApprove
from yiku.core.ids import AgentId, ConversationId, MessageId
from yiku.core.memory import Json
from yiku.core.message import (
    Approval,
    Image,
    Incoming,
    Message,
    MessageFilter,
    MessagePage,
    MessageRole,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
)
from yiku.core.model import ToolSpec
from yiku.core.run import RunRequest
from yiku.server.v1 import wire_sent as wire
from yiku.server.v1.translate_messages import Form, said_by
from yiku.server.v1.translate_runs import conversation_named, moment_in
from yiku.server.v1.wire import Page

T = TypeVar("T")
Listing = Page | wire.ToldQuery | wire.MessageQuery | wire.EveryMessageQuery

NO_PARAMETERS: Mapping[str, Json] = {"type": "object", "properties": {}}


def form_in(telling: wire.Telling, *, compactions: bool = False) -> Form:
    types = telling.include_return_message_types
    return Form(
        message_tool=telling.assistant_message_tool_name if telling.use_assistant_message else None,
        message_argument=telling.assistant_message_tool_kwarg,
        types=None if types is None else frozenset(types),
        compactions=compactions,
    )


def request_in(
    body: wire.SendIn, *, stream_tokens: bool = False, background: bool = False
) -> RunRequest:
    return RunRequest(
        max_steps=body.max_steps,
        client_tools=tuple(client_tool_in(tool) for tool in body.client_tools or ()),
        model=body.override_model,
        system=body.override_system,
        stream_tokens=stream_tokens,
        background=background,
        wire=form_in(body, compactions=body.include_compaction_messages).as_json(),
    )


def client_tool_in(tool: wire.ClientToolIn) -> ToolSpec:
    return ToolSpec(
        name=tool.name,
        description=tool.description or "",
        parameters=tool.parameters or NO_PARAMETERS,
    )


def answers_calls(body: wire.SendIn) -> bool:
    """Whether the calls that wait must be known to understand it."""
    return any(not isinstance(one, wire.MessageIn) for one in body.messages or ())


def incoming_in(body: wire.SendIn, pending: Message | None = None) -> list[Incoming]:
    """`pending` is the agent's message whose calls wait, where `answers_calls` asks for it.

    Raises: Invalid, NothingToApprove.
    """
    if (body.input is None) == (body.messages is None):
        both = "`messages` or `input`, not both" if body.input is not None else "`messages`"
        raise Invalid(f"Send {both}.", field="messages")
    if body.input is not None:
        return [Incoming(role=MessageRole.USER, parts=parts_in(body.input))]
    return [one_in(each, pending) for each in body.messages or ()]


def one_in(
    one: wire.MessageIn | wire.ApprovalIn | wire.ToolReturnsIn, pending: Message | None
) -> Incoming:
    """Raises: Invalid, NothingToApprove."""
    if isinstance(one, wire.MessageIn):
        return message_in(one)
    if isinstance(one, wire.ToolReturnsIn):
        answers: Sequence[Part] = [return_in(each, pending) for each in one.tool_returns]
    else:
        answers = approvals_in(one, pending)
    return Incoming(
        role=MessageRole.APPROVAL, parts=tuple(answers), otid=one.otid, group_id=one.group_id
    )


def message_in(one: wire.MessageIn) -> Incoming:
    """Raises: Invalid."""
    role = MessageRole(one.role)
    parts = parts_in(one.content)
    if role is not MessageRole.USER and any(isinstance(part, Image) for part in parts):
        raise Invalid("Only a user's message can hold images.", field="messages")
    return Incoming(
        role=role,
        parts=parts,
        name=one.name,
        otid=one.otid,
        sender_id=one.sender_id,
        group_id=one.group_id,
    )


def parts_in(content: str | Sequence[wire.TextIn | wire.ImageIn]) -> tuple[Part, ...]:
    if isinstance(content, str):
        return (Text(content),)
    return tuple(
        Text(part.text) if isinstance(part, wire.TextIn) else image_in(part) for part in content
    )


def image_in(one: wire.ImageIn) -> Image:
    if isinstance(one.source, wire.UrlIn):
        return Image(url=one.source.url)
    return Image(data="".join(one.source.data.split()), media_type=one.source.media_type)


def approvals_in(one: wire.ApprovalIn, pending: Message | None) -> list[Part]:
    """Raises: Invalid, NothingToApprove."""
    if not one.approvals and one.approve is None:
        raise Invalid(
            "An approval answers the calls that wait: `approvals` has an answer to each, by its"
            " `tool_call_id`, or `approve` one to all of them; here is neither.",
            field="messages",
        )
    asked = one.approval_request_id
    if asked is not None and (pending is None or asked != pending.id):
        raise NothingToApprove(f"The agent doesn't wait for an answer to {asked!r}.")
    if one.approvals:
        return [
            return_in(each, pending)
            if isinstance(each, wire.ToolReturnIn)
            else approval_in(each, one.reason)
            for each in one.approvals
        ]
    waiting = [] if pending is None else [c for c in pending.calls if c.waits == "approval"]
    if not waiting:
        raise NothingToApprove
    return [Approval(call_id=c.id, approve=bool(one.approve), reason=one.reason) for c in waiting]


def approval_in(one: wire.ApprovalOfCallIn, reason: str | None) -> Approval:
    given = one.arguments
    return Approval(
        call_id=one.tool_call_id,
        approve=one.approve,
        reason=reason if one.reason is None else one.reason,
        arguments=json.dumps(given, ensure_ascii=False) if isinstance(given, dict) else given,
    )


def return_in(one: wire.ToolReturnIn, pending: Message | None) -> ToolReturn:
    """A call that doesn't wait has no name here; whether it does is the run's to say."""
    calls: tuple[ToolCall, ...] = () if pending is None else pending.calls
    text = one.tool_return
    return ToolReturn(
        call_id=one.tool_call_id,
        name=next((call.name for call in calls if call.id == one.tool_call_id), ""),
        ok=one.status == "success",
        text=text if isinstance(text, str) else "\n".join(part.text for part in text),
        stdout=tuple(one.stdout or ()),
        stderr=tuple(one.stderr or ()),
    )


def conversation_in(name: str | None) -> ConversationId | None:
    """None: the agent's own conversation, which v1 calls the default one."""
    return None if name is None or name == "default" else conversation_named(name)


def message_filter(agent_id: str, query: wire.MessageQuery) -> MessageFilter:
    named = query.conversation_id
    return MessageFilter(
        agent_id=AgentId(agent_id),
        conversation_id=None if named == agent_id else conversation_in(named),
        group_id=query.group_id,
    )


def searched_conversation(body: wire.MessageSearchIn) -> ConversationId | None:
    """As recall memory names it: an agent's own conversation by the agent's id; None: all.

    Raises: Invalid.
    """
    named, agent_id = body.conversation_id, body.agent_id
    if named != "default":
        return None if named is None else conversation_named(named)
    if agent_id is None:
        raise Invalid(
            "Each agent has a conversation `default`: say which agent's, by its `agent_id`.",
            field="agent_id",
        )
    return ConversationId(agent_id)


def message_page(query: Listing) -> MessagePage:
    """Without an order: as the messages were said, and without a bound those at the end, which are
    taken from there (`as_asked` turns them round)."""
    return MessagePage(
        limit=query.limit,
        after=None if query.after is None else MessageId(query.after),
        before=None if query.before is None else MessageId(query.before),
        newest_first=query.order == "desc" or at_the_end(query),
    )


def at_the_end(query: Listing) -> bool:
    return query.order is None and query.after is None and query.before is None


def as_asked(told: list[T], query: Listing) -> list[T]:
    return told[::-1] if at_the_end(query) else told


def times_in(body: wire.MessageSearchIn) -> tuple[datetime | None, datetime | None]:
    """From when to when, the end not included; v1 means the end's day, or moment, too.

    Raises: Invalid.
    """
    since, last = moment_in("start_date", body.start_date), moment_in("end_date", body.end_date)
    if last is None:
        return since, None
    is_day = len(body.end_date or "") <= len("2026-01-01")
    try:
        until = last + (timedelta(days=1) if is_day else timedelta(microseconds=1))
    except OverflowError:
        return since, None  # nothing is said after the last day there is
    if since is not None and since >= until:
        raise Invalid("`start_date` must come before `end_date`.", field="start_date")
    return since, until


def patched(
    one: Message,
    patch: wire.SystemPatch | wire.UserPatch | wire.AssistantPatch | wire.ReasoningPatch,
    form: Form,
) -> Message:
    """The message saying what `patch` says, in the first place where it said such a thing.

    Raises: Invalid where it says no such thing, or wouldn't any more.
    """
    if one.role is MessageRole.SYSTEM and one.run_id is None:
        raise Invalid(
            "These are the agent's compiled instructions; change its `system`, or its blocks.",
            field="content",
        )
    if isinstance(patch, wire.ReasoningPatch):
        parts = list(rethought(one, patch.reasoning))
        changed = one.role is MessageRole.ASSISTANT and len(parts) > 0
    elif isinstance(patch, wire.AssistantPatch):
        text = patch.content
        words = text if isinstance(text, str) else "\n".join(part.text for part in text)
        if not words:
            raise Invalid("A message that says nothing can't be kept.", field="content")
        parts = list(reworded(one, words, form))
        changed = one.role is MessageRole.ASSISTANT and len(parts) > 0
    else:
        parts = list(parts_in(patch.content))
        role = MessageRole.USER if isinstance(patch, wire.UserPatch) else MessageRole.SYSTEM
        changed = one.role is role
    if not changed:
        raise Invalid(f"{one.id} has no {patch.message_type}.", field="message_type")
    return replace(one, parts=tuple(parts))


def rethought(one: Message, text: str) -> Iterator[Part]:
    """Nothing where it thought nothing. A provider's signature is of its own text only."""
    open_thoughts = [p for p in one.parts if isinstance(p, Reasoning) and p.hidden is None]
    for part in one.parts if open_thoughts else ():
        if part is open_thoughts[0]:
            yield replace(open_thoughts[0], text=text, signature=None)
        elif part not in open_thoughts:
            yield part


def reworded(one: Message, text: str, form: Form) -> Iterator[Part]:
    """Nothing where it said nothing."""
    texts = [part for part in one.parts if isinstance(part, Text)]
    called = next((call for call in one.calls if said_by(call, form) is not None), None)
    if not texts and called is None:
        return
    for part in one.parts:
        if texts and part is texts[0]:
            yield Text(text)
        elif not texts and isinstance(part, ToolCall) and part is called:
            arguments: dict[str, Any] = {**json.loads(part.arguments), form.message_argument: text}
            yield replace(part, arguments=json.dumps(arguments, ensure_ascii=False))
        elif not isinstance(part, Text):
            yield part
