"""Agents on the v1 wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from yiku.server.v1.wire import BlockIn, BlockOut, Cursors, In, Out
from yiku.server.v1.wire_groups import GroupOut
from yiku.server.v1.wire_identities import IdentityOut
from yiku.server.v1.wire_models import (
    Budget,
    Compaction,
    EmbeddingConfig,
    EmbeddingConfigOut,
    Handle,
    LlmConfig,
    LlmConfigOut,
    ModelSettings,
    ResponseFormat,
    Tokens,
    Window,
)
from yiku.server.v1.wire_rules import AnyRule
from yiku.server.v1.wire_sent import MessageIn
from yiku.server.v1.wire_tools import ToolOut

Include = Literal[
    "agent.blocks",
    "agent.identities",
    "agent.managed_group",
    "agent.pending_approval",
    "agent.secrets",
    "agent.sources",
    "agent.tags",
    "agent.tools",
]
AgentType = Literal[
    "memgpt_agent",
    "memgpt_v2_agent",
    "letta_v1_agent",
    "react_agent",
    "workflow_agent",
    "split_thread_agent",
    "sleeptime_agent",
    "voice_convo_agent",
    "voice_sleeptime_agent",
    "ephemeral_agent",
    "batch_agent",
]


class AgentFields(In):
    """What can be said of an agent when it is made and when it is changed."""

    system: str | None = None
    description: str | None = None
    model: Handle | None = None
    model_settings: ModelSettings | None = None
    embedding: Handle | None = None
    context_window_limit: Window | None = None
    compaction_settings: Compaction | None = None
    response_format: ResponseFormat | None = None
    tool_rules: list[AnyRule] | None = None
    tool_ids: list[str] | None = None
    block_ids: list[str] | None = None
    folder_ids: list[str] | None = None
    source_ids: list[str] | None = None
    identity_ids: list[str] | None = None
    tags: list[str] | None = None
    metadata: dict[str, Any] | None = None
    secrets: dict[str, str] | None = Field(
        default=None, description="Environment variables of its tools."
    )
    tool_exec_environment_variables: dict[str, str] | None = None
    timezone: str | None = Field(default=None, description="IANA name, like Asia/Shanghai.")
    enable_sleeptime: bool | None = None
    message_buffer_autoclear: bool | None = None
    max_files_open: int | None = Field(default=None, ge=0, le=1_000_000)
    per_file_view_window_char_limit: int | None = Field(default=None, ge=0, le=1_000_000_000)
    hidden: bool | None = None
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    role_memory: bool | None = Field(
        default=None, description="Gated roles in its context, and memories routed (ours)."
    )
    # Deprecated in v1, and still sent.
    llm_config: LlmConfig | None = None
    embedding_config: EmbeddingConfig | None = None
    max_tokens: Tokens | None = None
    parallel_tool_calls: bool | None = None
    reasoning: bool | None = None


class AgentIn(AgentFields):
    """An agent to make."""

    name: str | None = Field(default=None, description="Null: one is made up.")
    agent_type: AgentType = "letta_v1_agent"
    memory_blocks: list[BlockIn] | None = None
    tools: list[str] | None = Field(default=None, description="Names.")
    include_base_tools: bool | None = None
    include_base_tool_rules: bool | None = None
    include_multi_agent_tools: bool | None = None
    include_default_source: bool | None = None
    initial_message_sequence: list[MessageIn] | None = None
    enable_reasoner: bool | None = None
    max_reasoning_tokens: Budget | None = None
    embedding_chunk_size: int | None = None
    from_template: str | None = None
    template: bool | None = None
    memory_variables: dict[str, str] | None = None
    project: str | None = None


class AgentPatch(AgentFields):
    """Fields to change; what is left out, or null, stays. Lists of ids are whole: what they don't
    name is detached."""

    name: str | None = None
    message_ids: list[str] | None = None
    last_run_completion: datetime | None = None
    last_run_duration_ms: int | None = None
    last_stop_reason: str | None = None


class MemoryOut(Out):
    """Deprecated in v1: the agent's blocks once more."""

    agent_type: str
    blocks: list[BlockOut]
    file_blocks: list[dict[str, Any]]
    git_enabled: bool
    prompt_template: str


class SecretOut(Out):
    """An environment variable of the agent's tools."""

    id: str | None
    agent_id: str
    key: str
    value: str = Field(description="Empty where the key may only read.")
    description: str | None
    created_at: datetime | None
    updated_at: datetime | None
    created_by_id: str | None
    last_updated_by_id: str | None
    value_enc: str | None


class AgentOut(Out):
    """An agent with what is attached to it."""

    id: str
    name: str
    agent_type: str
    description: str | None
    system: str
    model: str
    model_settings: dict[str, Any]
    llm_config: LlmConfigOut
    embedding: str
    embedding_config: EmbeddingConfigOut
    compaction_settings: dict[str, Any] | None
    response_format: dict[str, Any] | None
    blocks: list[BlockOut]
    memory: MemoryOut
    tools: list[ToolOut]
    tool_rules: list[AnyRule]
    secrets: list[SecretOut]
    tool_exec_environment_variables: list[SecretOut]
    sources: list[dict[str, Any]]
    identities: list[IdentityOut]
    identity_ids: list[str]
    tags: list[str]
    metadata: dict[str, Any]
    message_ids: list[str]
    pending_approval: dict[str, Any] | None
    managed_group: GroupOut | None
    multi_agent_group: GroupOut | None = Field(description="Deprecated: `managed_group`.")
    timezone: str
    enable_sleeptime: bool
    message_buffer_autoclear: bool
    max_files_open: int | None
    per_file_view_window_char_limit: int | None
    role_memory: bool
    hidden: bool | None
    project_id: str | None
    template_id: str | None
    base_template_id: str | None
    deployment_id: str | None
    entity_id: str | None
    last_stop_reason: str | None
    last_run_completion: datetime | None
    last_run_duration_ms: int | None
    created_at: datetime
    created_by_id: str
    updated_at: datetime
    last_updated_by_id: str


class Included(In):
    """Which relations of an agent are in the answer. Neither given: all."""

    include: list[Include] | None = None
    include_relationships: list[str] | None = Field(
        default=None, description="As `include`, of older clients."
    )


class AgentPages(Included, Cursors):
    """Agents that have something."""

    order: Literal["asc", "desc"] = Field(default="desc", description="desc: the newest first.")
    order_by: Literal["created_at"] = "created_at"


class AgentQuery(Included, Cursors):
    """Which agents are listed."""

    order: Literal["asc", "desc"] = Field(default="desc", description="desc: the newest first.")
    order_by: Literal["created_at", "updated_at", "last_run_completion"] = "created_at"
    sort_by: Literal["created_at", "updated_at", "last_run_completion"] | None = None
    ascending: bool | None = Field(default=None, description="Of older clients; as `order`.")
    name: str | None = None
    query_text: str | None = Field(default=None, description="Part of the name.")
    tags: list[str] | None = Field(default=None, description="Any of these.")
    match_all_tags: bool = Field(default=False, description="All of the tags.")
    project_id: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    identity_id: str | None = None
    identifier_keys: list[str] | None = None
    created_by_id: str | None = None
    last_stop_reason: str | None = None


class ContextOut(Out):
    """What fills an agent's context window; tokens are the model's, as far as they are known."""

    context_window_size_max: int
    context_window_size_current: int
    num_messages: int
    num_archival_memory: int
    num_recall_memory: int
    num_tokens_external_memory_summary: int
    external_memory_summary: str
    num_tokens_system: int
    system_prompt: str
    num_tokens_core_memory: int
    core_memory: str
    num_tokens_summary_memory: int
    summary_memory: str | None
    num_tokens_functions_definitions: int
    functions_definitions: list[dict[str, Any]]
    num_tokens_messages: int
    messages: list[dict[str, Any]]


class RecompileQuery(In):
    dry_run: bool = Field(default=False, description="Show it only.")
    update_timestamp: bool = False


class TagQuery(In):
    """Which tags of agents are listed."""

    limit: int = Field(default=50, ge=1, le=10_000)
    after: str | None = None
    before: str | None = None
    order: Literal["asc", "desc"] = Field(default="asc", description="asc: in the alphabet's order")
    order_by: Literal["name"] = "name"
    name: str | None = Field(default=None, description="Part of the tag.")
    query_text: str | None = Field(default=None, description="As `name`, of older clients.")
