"""The nouns of agents: what one is set to, and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Literal

from yiku.core.block import Block
from yiku.core.file import DEFAULT_FILES_OPEN, DEFAULT_VIEW_CHARS, Directory
from yiku.core.ids import (
    AgentId,
    ArchiveId,
    BlockId,
    OrganizationId,
    RunId,
    ToolId,
    UserId,
)
from yiku.core.memory import Json
from yiku.core.rule import AnyRule
from yiku.core.run import StopReason
from yiku.core.tool import Tool

DEFAULT_CONTEXT_WINDOW = 32_000


class AgentKind(StrEnum):
    """A row of `agents/kinds.py`. The names are those of the v1 API, and two of our own."""

    STANDARD = "letta_v1_agent"
    MEMGPT = "memgpt_agent"
    V2 = "memgpt_v2_agent"
    REACT = "react_agent"
    WORKFLOW = "workflow_agent"
    SPLIT_THREAD = "split_thread_agent"
    SLEEPTIME = "sleeptime_agent"
    VOICE = "voice_convo_agent"
    VOICE_SLEEPTIME = "voice_sleeptime_agent"
    EPHEMERAL = "ephemeral_agent"
    """No memory of its own: each run sees its own messages only."""
    BATCH = "batch_agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """How older messages give way to a summary. Fields as in the v1 API."""

    mode: Literal["all", "sliding_window", "self_compact_all", "self_compact_sliding_window"] = (
        "sliding_window"
    )
    model: str | None = None
    """A handle; None: the agent's."""
    model_settings: Mapping[str, Json] | None = None
    prompt: str | None = None
    """None: ours, in the conversation's language."""
    prompt_acknowledgement: bool = False
    clip_chars: int | None = 50_000
    """The longest summary."""
    sliding_window_percentage: float = 0.3
    """Of the messages, how many give way, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    """What can be set of an agent."""

    name: str
    kind: AgentKind = AgentKind.STANDARD
    system: str = ""
    """Its instructions, before blocks and the rest are compiled in."""
    description: str | None = None
    model: str | None = None
    """`<provider>/<model>`; None: the server's (YIKU_MODEL), or the offline responder."""
    model_settings: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """As the v1 API has them: `provider_type`, `temperature`, `max_output_tokens` …"""
    embedding: str | None = None
    """A handle; None: the server's (YIKU_EMBEDDING)."""
    context_window: int = DEFAULT_CONTEXT_WINDOW
    tool_rules: tuple[AnyRule, ...] = ()
    compaction: Compaction | None = None
    response_format: Mapping[str, Json] | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Environment variables of its tools."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    timezone: str = "UTC"
    """IANA name."""
    message_buffer_autoclear: bool = False
    """Each run sees its own messages only; blocks and memories stay."""
    enable_sleeptime: bool = False
    role_memory: bool = False
    """Gated roles are compiled into its context, and what it stores is routed to roles."""
    max_files_open: int | None = None
    """None: five."""
    per_file_view_window_char_limit: int | None = None
    """Characters of an open file that are shown at once; None: 15,000."""
    hidden: bool | None = None
    identity_ids: tuple[str, ...] = ()
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None

    @property
    def files_open(self) -> int:
        limit = self.max_files_open
        return DEFAULT_FILES_OPEN if limit is None else limit

    @property
    def view_chars(self) -> int:
        limit = self.per_file_view_window_char_limit
        return DEFAULT_VIEW_CHARS if limit is None else limit


EDITABLE = tuple(f.name for f in fields(AgentConfig))


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """An agent as its row holds it."""

    seq: int
    id: AgentId
    organization_id: OrganizationId
    config: AgentConfig
    version: int
    """Counts the changes of its config, and of what is attached to it."""
    created_at: datetime
    created_by: UserId
    updated_at: datetime
    updated_by: UserId
    last_stop_reason: StopReason | None = None
    last_run_completed_at: datetime | None = None
    last_run_ms: int | None = None

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def kind(self) -> AgentKind:
        return self.config.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """An agent with all that is attached to it: what a run begins with."""

    agent: Agent
    blocks: tuple[Block, ...]
    """In the order they were attached; no two have the same label."""
    tools: tuple[Tool, ...]
    """In the order they were attached."""
    archives: tuple[ArchiveId, ...] = ()
    """The first is where it writes."""
    folders: tuple[Directory, ...] = ()
    """In the order they were attached; in lists of agents without their files."""

    def block(self, label: str) -> Block | None:
        return next((one for one in self.blocks if one.label == label), None)

    def tool(self, name: str) -> Tool | None:
        return next((one for one in self.tools if one.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDraft:
    """An agent to make, and what is attached to it."""

    config: AgentConfig
    block_ids: tuple[BlockId, ...] = ()
    tool_ids: tuple[ToolId, ...] = ()
    archive_ids: tuple[ArchiveId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFilter:
    """Which agents are listed; what isn't given doesn't matter."""

    name: str | None = None
    name_has: str | None = None
    """Part of the name; capitals don't matter."""
    tags: tuple[str, ...] = ()
    all_tags: bool = False
    """All of the tags, not any of them."""
    kinds: tuple[AgentKind, ...] = ()
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    identity_id: str | None = None
    created_by: str | None = None
    last_stop_reason: StopReason | None = None
    block_id: BlockId | None = None
    tool_id: ToolId | None = None
    archive_id: ArchiveId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPage:
    limit: int = 50
    after: AgentId | None = None
    before: AgentId | None = None
    newest_first: bool = True
    order_by: Literal["created_at", "updated_at", "last_run_completion"] = "created_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """The right to run an agent's conversation: one run has it at a time."""

    agent_id: AgentId
    conversation_id: str
    """Empty: the agent's own."""
    run_id: RunId
    holder: str
    """The server process that runs it."""
    until: datetime
