"""The nouns of a run: one invocation of an agent, its steps, and what is told of them meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal

from yiku.core.ids import (
    AgentId,
    ConversationId,
    MessageId,
    OrganizationId,
    RunId,
    StepId,
    UserId,
)
from yiku.core.memory import Json
from yiku.core.message import Incoming, Message
from yiku.core.model import Piece, ToolSpec, Usage
from yiku.core.role import RoleUse

MAX_STEPS = 50


class StopReason(StrEnum):
    """Why a run ended. The names are those of the v1 API."""

    END_TURN = "end_turn"
    """The model called no tool."""
    TOOL_RULE = "tool_rule"
    """A tool that ends runs was called."""
    MAX_STEPS = "max_steps"
    REQUIRES_APPROVAL = "requires_approval"
    """Calls wait: for a person's approval, or for the client to run them."""
    CANCELLED = "cancelled"
    NO_TOOL_CALL = "no_tool_call"
    """The agent's kind or rules ask for a tool call, and the model made none."""
    INVALID_TOOL_CALL = "invalid_tool_call"
    MAX_TOKENS_EXCEEDED = "max_tokens_exceeded"
    """The model's answer was cut off at its limit."""
    INVALID_LLM_RESPONSE = "invalid_llm_response"
    LLM_API_ERROR = "llm_api_error"
    CONTEXT_OVERFLOW = "context_window_overflow_in_system_prompt"
    """What must be in the context is larger than the window."""
    INSUFFICIENT_CREDITS = "insufficient_credits"
    """The organization has used as many tokens today as it may."""
    ERROR = "error"

    @property
    def failed(self) -> bool:
        return self in FAILURES


FAILURES = frozenset(
    {
        StopReason.ERROR,
        StopReason.LLM_API_ERROR,
        StopReason.INVALID_LLM_RESPONSE,
        StopReason.INVALID_TOOL_CALL,
        StopReason.CONTEXT_OVERFLOW,
    }
)


class RunStatus(StrEnum):
    CREATED = "created"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in (RunStatus.CREATED, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """How a run was asked for: what a restart needs to go on with it."""

    max_steps: int = MAX_STEPS
    client_tools: tuple[ToolSpec, ...] = ()
    """Tools the client runs: a call of one ends the run, and its return begins the next."""
    model: str | None = None
    """A handle in place of the agent's."""
    system: str | None = None
    """Instructions in place of the agent's compiled ones."""
    stream_tokens: bool = False
    background: bool = False
    incoming: tuple[Incoming, ...] = ()
    """What a run that hasn't begun yet will begin with; empty once its messages are stored."""
    asked_by: AgentId | None = None
    """The agent that sends these messages, where one does."""
    awaited: bool = False
    """That agent waits for the answer."""
    hops: int = 0
    """How many messages from agent to agent led here, one after the other."""
    roles: RoleUse | None = None
    """Of role memory; None: as usual."""
    callback_url: str | None = None
    """Where its end is to be told."""
    wire: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """What only the door needs to tell it in its own form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong, in words that its reader can act on."""

    kind: str
    """The error's name."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One invocation of an agent."""

    seq: int = 0
    id: RunId
    organization_id: OrganizationId
    agent_id: AgentId
    conversation_id: ConversationId | None
    status: RunStatus
    stop_reason: StopReason | None = None
    failure: Failure | None = None
    request: RunRequest
    usage: Usage = field(default_factory=Usage)
    """Of all its steps."""
    context_tokens: int | None = None
    """What its last prompt took of the window."""
    step_count: int = 0
    created_at: datetime
    created_by: UserId
    completed_at: datetime | None = None
    ttft_ns: int | None = None
    """Until the model's first piece; in nanoseconds."""
    duration_ns: int | None = None
    cancel_asked: bool = False
    resumptions: int = 0
    """How often it was taken over from a process that died, since its last step."""
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    callback_sent_at: datetime | None = None
    """When its end was last told to who asked to be called back, or that was tried."""
    callback_status_code: int | None = None
    callback_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """A try to tell the end of a run, or of a batch, to who asked to be called back."""

    sent_at: datetime
    status_code: int | None = None
    """What was answered; None: nothing."""
    error: str | None = None
    """Why it isn't told; None: it is."""


class StepStatus(StrEnum):
    PENDING = "pending"
    """The model has answered, and tools that act outside the database are running."""
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One model call with its tools. `(run_id, n)` is unique."""

    seq: int = 0
    id: StepId
    organization_id: OrganizationId
    run_id: RunId
    agent_id: AgentId
    n: int
    """From 1."""
    status: StepStatus
    stop_reason: StopReason | None = None
    failure: Failure | None = None
    model: str
    """The handle."""
    context_window: int
    usage: Usage
    created_at: datetime
    model_ns: int | None = None
    """How long the model took."""
    tools_ns: int | None = None
    ttft_ns: int | None = None
    feedback: Literal["positive", "negative"] | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    agent_ids: tuple[AgentId, ...] = ()
    statuses: tuple[RunStatus, ...] = ()
    stop_reason: StopReason | None = None
    background: bool | None = None
    conversation_id: ConversationId | None = None
    """Empty: those of agents' own conversations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPage:
    limit: int = 100
    after: RunId | None = None
    before: RunId | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFilter:
    run_id: RunId | None = None
    agent_id: AgentId | None = None
    model: str | None = None
    feedback: Literal["positive", "negative"] | None = None
    has_feedback: bool | None = None
    tags: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPage:
    limit: int = 100
    after: StepId | None = None
    before: StepId | None = None
    newest_first: bool = True


# What is told of a run while it goes on: pieces at once, messages once they are durable.


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A piece of the message `message_id`, which isn't stored yet."""

    message_id: MessageId
    step_id: StepId
    piece: Piece
    waits: Literal["approval", "client"] | None = None
    """Of a call's piece: for whom the call will wait, as in `ToolCall.waits`."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A message of the run is durable."""

    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """Older messages gave way to a summary."""

    summary_id: str
    text: str
    trigger: Literal["window", "overflow", "asked"]
    messages_before: int
    messages_after: int
    tokens_before: int
    tokens_after: int
    context_window: int


@dataclass(frozen=True, slots=True)
class Stepped:
    step: Step


@dataclass(frozen=True, slots=True)
class Ended:
    """The last event of every run; `run` is as it is stored."""

    run: Run


RunEvent = Said | Stored | Compacted | Stepped | Ended
