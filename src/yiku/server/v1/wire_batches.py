"""The forms of batches on v1's wire; nothing of ours is imported here."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from yiku.server.v1.wire import In, Out, Page
from yiku.server.v1.wire_sent import CallbackIn, SendIn

Status = Literal["created", "running", "completed", "failed", "cancelled"]


class RequestIn(SendIn):
    """What one agent is sent; its run goes on in the background."""

    agent_id: str


class BatchIn(In):
    requests: list[RequestIn] = Field(min_length=1, max_length=10_000)
    callback_url: CallbackIn | None = Field(
        default=None, description="Where the batch's end is told, with a POST."
    )


class BatchOut(Out):
    id: str
    status: Status
    job_type: Literal["batch"] = "batch"
    background: bool = True
    created_at: datetime
    created_by_id: str
    completed_at: datetime | None
    metadata: dict[str, Any] = Field(description="With `requests`: how many are in each state.")
    agent_id: None = None
    stop_reason: None = None
    total_duration_ns: int | None = None
    ttft_ns: None = None
    updated_at: None = None
    last_updated_by_id: None = None
    callback_url: str | None
    callback_sent_at: datetime | None = Field(description="Of the last try.")
    callback_status_code: int | None
    callback_error: str | None = Field(description="Null: it was told, or wasn't tried yet.")


class BatchQuery(Page):
    limit: int = Field(default=100, ge=1, le=10_000)
    order: Literal["asc", "desc"] = "desc"


class BatchMessageQuery(Page):
    limit: int = Field(default=100, ge=1, le=10_000)
    order: Literal["asc", "desc"] = "desc"
    agent_id: str | None = None


class KeptReturnOut(Out):
    tool_call_id: str
    status: Literal["success", "error"]
    func_response: str
    stdout: list[str]
    stderr: list[str]


class FunctionOut(Out):
    name: str
    arguments: str


class KeptCallOut(Out):
    id: str
    function: FunctionOut
    type: Literal["function"] = "function"


class KeptMessageOut(Out):
    """A message as it is kept: one, whatever it thought, said and called."""

    id: str
    role: Literal["system", "user", "assistant", "tool", "approval", "summary"]
    agent_id: str
    conversation_id: str | None
    run_id: str | None
    step_id: str | None
    batch_item_id: str | None
    content: list[dict[str, Any]]
    tool_calls: list[KeptCallOut] | None
    tool_returns: list[KeptReturnOut]
    model: str | None
    name: str | None
    otid: str | None
    sender_id: str | None
    group_id: str | None
    created_at: datetime
    created_by_id: str


class BatchMessagesOut(Out):
    messages: list[KeptMessageOut]
