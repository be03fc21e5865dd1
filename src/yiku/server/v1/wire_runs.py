"""The forms of runs and steps on v1's wire; nothing of ours is imported here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from yiku.server.v1.wire import In, Out, Page

Status = Literal["created", "running", "completed", "failed", "cancelled"]
Feedback = Literal["positive", "negative"]
StopReason = Literal[
    "end_turn",
    "error",
    "llm_api_error",
    "invalid_llm_response",
    "invalid_tool_call",
    "max_steps",
    "max_tokens_exceeded",
    "no_tool_call",
    "tool_rule",
    "cancelled",
    "insufficient_credits",
    "requires_approval",
    "context_window_overflow_in_system_prompt",
]


class RequestConfigOut(Out):
    use_assistant_message: bool
    assistant_message_tool_name: str
    assistant_message_tool_kwarg: str
    include_return_message_types: list[str] | None


class RunOut(Out):
    id: str
    agent_id: str
    conversation_id: str | None
    status: Status
    stop_reason: StopReason | None
    background: bool
    created_at: datetime
    completed_at: datetime | None
    total_duration_ns: int | None
    ttft_ns: int | None
    metadata: dict[str, Any] = Field(description="With `error`, where the run failed.")
    request_config: RequestConfigOut
    base_template_id: None = None
    callback_url: str | None
    callback_sent_at: datetime | None = Field(description="Of the last try.")
    callback_status_code: int | None
    callback_error: str | None = Field(description="Null: it was told, or wasn't tried yet.")


class StepOut(Out):
    id: str
    agent_id: str
    run_id: str
    status: Literal["pending", "success", "failed", "cancelled"]
    stop_reason: StopReason | None
    error_type: str | None
    error_data: dict[str, Any] | None
    model: str
    model_handle: str
    model_endpoint: None = None
    provider_name: str
    provider_category: str | None = None
    provider_id: None = None
    context_window_limit: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_input_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    prompt_tokens_details: dict[str, Any] | None
    completion_tokens_details: dict[str, Any] | None
    feedback: Feedback | None
    tags: list[str]
    messages: list[Any] = Field(default=[], description="Empty: /v1/steps/{step_id}/messages.")
    origin: None = None
    project_id: None = None
    request_id: None = None
    tid: None = None
    trace_id: None = None


class PromptDetailsOut(Out):
    cached_tokens: int
    cache_read_tokens: int | None
    cache_creation_tokens: int | None


class CompletionDetailsOut(Out):
    reasoning_tokens: int


class RunUsageOut(Out):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetailsOut | None
    completion_tokens_details: CompletionDetailsOut | None


class MetricsOut(Out):
    """How long a step took; null: it isn't known."""

    id: str
    agent_id: str
    run_id: str
    step_start_ns: int | None
    step_ns: int | None
    llm_request_start_ns: int | None
    llm_request_ns: int | None
    tool_execution_ns: int | None
    provider_id: None = None
    project_id: None = None
    template_id: None = None
    base_template_id: None = None


class SpanOut(Out):
    """A stretch of time in a run."""

    name: Literal["run", "step", "model", "tools"]
    span_id: str
    parent_span_id: str | None
    start: datetime
    duration_ns: int | None
    attributes: dict[str, Any]


class TraceOut(Out):
    """What a model was shown and what it said, in Yiku's form: that of no provider."""

    id: str
    step_id: str
    run_id: str
    agent_id: str
    org_id: str
    request_json: dict[str, Any]
    response_json: dict[str, Any]
    created_at: datetime
    latency_ms: int | None
    llm_config: dict[str, Any]
    call_type: Literal["agent_step"] = "agent_step"
    source: Literal["yiku"] = "yiku"
    agent_tags: None = None
    billing_context: None = None
    compaction_settings: None = None
    created_by_id: None = None
    last_updated_by_id: None = None
    updated_at: None = None


class RunQuery(In):
    """Which runs are listed."""

    agent_id: str | None = None
    agent_ids: list[str] | None = None
    statuses: list[Status] | None = None
    active: bool = Field(default=False, description="Those that haven't ended.")
    background: bool | None = None
    stop_reason: StopReason | None = None
    conversation_id: str | None = None
    limit: int = Field(default=100, ge=1, le=10_000)
    after: str | None = None
    before: str | None = None
    order: Literal["asc", "desc"] = "desc"
    ascending: bool | None = Field(default=None, description="In place of `order`, as before.")
    order_by: Literal["created_at"] = "created_at"


class ActiveQuery(In):
    agent_ids: list[str] | None = None
    background: bool | None = None


class NewestPage(Page):
    limit: int = Field(default=100, ge=1, le=10_000)
    order: Literal["asc", "desc"] = "desc"


class OldestPage(Page):
    limit: int = Field(default=100, ge=1, le=10_000)


class StepQuery(NewestPage):
    """Which steps are listed."""

    limit: int = Field(default=50, ge=1, le=10_000)
    agent_id: str | None = None
    model: str | None = None
    feedback: Feedback | None = None
    has_feedback: bool | None = None
    tags: list[str] | None = None
    start_date: str | None = None
    end_date: str | None = None
    project_id: str | None = Field(default=None, description="No step has one.")
    trace_ids: list[str] | None = Field(default=None, description="No step has one.")


class RejoinIn(In):
    """From where on a run is streamed."""

    starting_after: int = Field(default=0, ge=0, le=2**62, description="A `seq_id`.")
    include_pings: bool | None = None
    batch_size: int | None = Field(default=None, description="Without effect.")
    poll_interval: float | None = Field(default=None, description="Without effect.")
    agent_id: str | None = None
    run_id: str | None = None
    otid: str | None = None


class FeedbackIn(In):
    feedback: Feedback | None = None
    tags: list[Annotated[str, Field(min_length=1, max_length=200)]] | None = None
