"""Tools on the v1 wire."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from yiku.server.v1.wire import In, NewestFirst, Out


class Requirement(In):
    """A package."""

    name: str
    version: str | None = None


class ToolIn(In):
    """A tool to make: of Python source, or of a JSON schema alone, which the client then runs."""

    source_code: str | None = None
    source_type: str | None = Field(default=None, description="`python` or `json`.")
    json_schema: dict[str, Any] | None = None
    args_json_schema: dict[str, Any] | None = None
    description: str | None = None
    tags: list[str] | None = None
    pip_requirements: list[Requirement] | None = None
    npm_requirements: list[Requirement] | None = None
    return_char_limit: int | None = Field(
        default=None, json_schema_extra={"minimum": 1, "maximum": 1_000_000}
    )
    default_requires_approval: bool | None = None
    enable_parallel_execution: bool | None = None


class ToolPatch(ToolIn):
    """Fields to change; what is left out, or null, stays."""

    metadata_: dict[str, Any] | None = None


class ToolOut(Out):
    id: str
    name: str
    description: str
    tool_type: str
    source_type: str
    source_code: str | None
    json_schema: dict[str, Any]
    args_json_schema: dict[str, Any] | None
    tags: list[str]
    pip_requirements: list[dict[str, str | None]]
    npm_requirements: list[dict[str, str | None]]
    return_char_limit: int
    default_requires_approval: bool | None
    enable_parallel_execution: bool
    metadata_: dict[str, Any]
    project_id: str | None
    created_by_id: str
    last_updated_by_id: str


class ToolChoice(In):
    """Which tools are meant."""

    name: str | None = None
    names: list[str] | None = None
    tool_ids: list[str] | None = None
    search: str | None = Field(default=None, description="Part of the name.")
    tool_types: list[str] | None = None
    exclude_tool_types: list[str] | None = None
    return_only_letta_tools: bool | None = Field(
        default=None, description="Only those that come with the server."
    )


class ToolQuery(ToolChoice, NewestFirst):
    pass


class ToolCount(ToolChoice):
    """Older clients' way to count: without the server's own tools, unless asked."""

    include_base_tools: bool | None = None


class ToolSearchIn(In):
    query: str | None = None
    limit: int = Field(default=50, ge=1, le=1000)
    search_mode: Literal["vector", "fts", "hybrid"] = Field(
        default="hybrid", description="Tools are found by words, whatever is asked here."
    )
    tags: list[str] | None = None
    tool_types: list[str] | None = None


class ToolHitOut(Out):
    tool: ToolOut
    combined_score: float
    embedded_text: str | None
    fts_rank: int | None
    vector_rank: int | None


class RunIn(In):
    """A call of a tool that an agent has."""

    args: dict[str, Any] = Field(default_factory=dict)


class ToolRunIn(In):
    """A call of code that isn't a tool yet."""

    source_code: str
    args: dict[str, Any] = Field(default_factory=dict)
    name: str | None = None
    env_vars: dict[str, str] | None = None
    source_type: str | None = None
    json_schema: dict[str, Any] | None = None
    args_json_schema: dict[str, Any] | None = None
    pip_requirements: list[Requirement] | None = None
    npm_requirements: list[Requirement] | None = None


class ResultOut(Out):
    """How a call ended."""

    status: Literal["success", "error"]
    func_return: Any
    stdout: list[str]
    stderr: list[str]
    agent_state: None = None
    sandbox_config_fingerprint: str | None = None


class ToolReturnOut(Out):
    """How a call ended, in the form of a message."""

    id: str
    date: str
    message_type: Literal["tool_return_message"]
    name: str | None
    status: Literal["success", "error"]
    tool_call_id: str
    tool_return: str
    stdout: list[str]
    stderr: list[str]


class ApprovalIn(In):
    requires_approval: bool


class ApprovalQuery(In):
    """Deprecated in v1; the body decides."""

    requires_approval: bool | None = None
