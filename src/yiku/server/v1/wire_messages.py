"""The forms of an agent's messages and of its answer; nothing of ours is imported here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Discriminator

from yiku.server.v1.wire import Out

MessageType = Literal[
    "system_message",
    "user_message",
    "assistant_message",
    "reasoning_message",
    "hidden_reasoning_message",
    "tool_call_message",
    "tool_return_message",
    "approval_request_message",
    "approval_response_message",
    "summary_message",
    "event_message",
]


class MessageOut(Out):
    """What every message has. Several may have one `id`: they are parts of one stored message,
    and `otid` tells them apart."""

    id: str
    date: datetime
    name: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    is_err: bool | None = None
    seq_id: int | None = None


class TextOut(Out):
    text: str
    type: Literal["text"] = "text"


class UrlOut(Out):
    url: str
    type: Literal["url"] = "url"


class Base64Out(Out):
    data: str
    media_type: str
    type: Literal["base64"] = "base64"


class ImageOut(Out):
    source: UrlOut | Base64Out
    type: Literal["image"] = "image"


class SystemMessageOut(MessageOut):
    message_type: Literal["system_message"] = "system_message"
    content: str


class UserMessageOut(MessageOut):
    message_type: Literal["user_message"] = "user_message"
    content: str | list[TextOut | ImageOut]


class AssistantMessageOut(MessageOut):
    message_type: Literal["assistant_message"] = "assistant_message"
    content: str


class ReasoningMessageOut(MessageOut):
    message_type: Literal["reasoning_message"] = "reasoning_message"
    source: Literal["reasoner_model", "non_reasoner_model"] = "reasoner_model"
    reasoning: str
    signature: str | None = None


class HiddenReasoningMessageOut(MessageOut):
    message_type: Literal["hidden_reasoning_message"] = "hidden_reasoning_message"
    state: Literal["redacted", "omitted"]
    hidden_reasoning: str | None = None


class ToolCallOut(Out):
    name: str
    arguments: str
    tool_call_id: str


class ToolCallDeltaOut(Out):
    """The next piece of a call."""

    name: str | None
    arguments: str | None
    tool_call_id: str | None


class ToolCallMessageOut(MessageOut):
    message_type: Literal["tool_call_message"] = "tool_call_message"
    tool_call: ToolCallOut | ToolCallDeltaOut
    """The first of `tool_calls`."""
    tool_calls: list[ToolCallOut] | ToolCallDeltaOut | None


class ApprovalRequestMessageOut(MessageOut):
    """Calls that wait: for a person's answer, or for the client to run them."""

    message_type: Literal["approval_request_message"] = "approval_request_message"
    tool_call: ToolCallOut
    tool_calls: list[ToolCallOut]


class ToolReturnOut(Out):
    type: Literal["tool"] = "tool"
    tool_call_id: str
    status: Literal["success", "error"]
    tool_return: str
    stdout: list[str] | None = None
    stderr: list[str] | None = None


class ToolReturnMessageOut(MessageOut):
    message_type: Literal["tool_return_message"] = "tool_return_message"
    tool_return: str
    """This and the next four are those of the first of `tool_returns`."""
    status: Literal["success", "error"]
    tool_call_id: str
    stdout: list[str] | None = None
    stderr: list[str] | None = None
    tool_returns: list[ToolReturnOut]


class ApprovalOut(Out):
    type: Literal["approval"] = "approval"
    tool_call_id: str
    approve: bool
    reason: str | None = None


class ApprovalResponseMessageOut(MessageOut):
    message_type: Literal["approval_response_message"] = "approval_response_message"
    approvals: list[ApprovalOut | ToolReturnOut]
    approve: bool | None = None
    approval_request_id: str | None = None
    reason: str | None = None


class CompactionStatsOut(Out):
    trigger: str
    context_tokens_before: int
    context_tokens_after: int
    context_window: int
    messages_count_before: int
    messages_count_after: int


class SummaryMessageOut(MessageOut):
    message_type: Literal["summary_message"] = "summary_message"
    summary: str
    compaction_stats: CompactionStatsOut | None = None


class EventMessageOut(MessageOut):
    message_type: Literal["event_message"] = "event_message"
    event_type: Literal["compaction"] = "compaction"
    event_data: dict[str, Any]


AnyMessageOut = Annotated[
    SystemMessageOut
    | UserMessageOut
    | AssistantMessageOut
    | ReasoningMessageOut
    | HiddenReasoningMessageOut
    | ToolCallMessageOut
    | ToolReturnMessageOut
    | ApprovalRequestMessageOut
    | ApprovalResponseMessageOut
    | SummaryMessageOut
    | EventMessageOut,
    Discriminator("message_type"),
]


class StopReasonOut(Out):
    message_type: Literal["stop_reason"] = "stop_reason"
    stop_reason: str


class UsageOut(Out):
    """Tokens of a run."""

    message_type: Literal["usage_statistics"] = "usage_statistics"
    completion_tokens: int
    prompt_tokens: int
    total_tokens: int
    step_count: int
    run_ids: list[str]
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    context_tokens: int | None


class AnswerOut(Out):
    """What an agent said and did until its run ended."""

    messages: list[AnyMessageOut]
    stop_reason: StopReasonOut
    usage: UsageOut
    logprobs: None = None
    turns: None = None


class PingOut(Out):
    message_type: Literal["ping"] = "ping"
    id: str
    date: datetime
    run_id: str


class ErrorMessageOut(Out):
    """A run failed while it was streamed."""

    message_type: Literal["error_message"] = "error_message"
    run_id: str
    error_type: str
    message: str
    detail: str | None = None
    seq_id: int | None = None


class CompactedOut(Out):
    summary: str
    num_messages_before: int
    num_messages_after: int


class FoundOut(Out):
    """A message that a search found."""

    message_id: str
    created_at: datetime
    agent_id: str
    conversation_id: str | None


class FoundUserOut(FoundOut):
    message_type: Literal["user_message"] = "user_message"
    content: str | list[TextOut | ImageOut]


class FoundAssistantOut(FoundOut):
    message_type: Literal["assistant_message"] = "assistant_message"
    content: str


AnyFoundOut = Annotated[FoundUserOut | FoundAssistantOut, Discriminator("message_type")]
