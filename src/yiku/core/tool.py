"""The nouns of tools: a tool, a call of its code, and how that ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from yiku.core.ids import OrganizationId, ToolId, UserId
from yiku.core.memory import Json

DEFAULT_RETURN_CHAR_LIMIT = 50_000
MAX_RETURN_CHAR_LIMIT = 1_000_000


class ToolType(StrEnum):
    """Who brings a tool's code. The names are those of the v1 API."""

    CUSTOM = "custom"
    CORE = "letta_core"
    MEMORY = "letta_memory_core"
    MULTI_AGENT = "letta_multi_agent_core"
    SLEEPTIME = "letta_sleeptime_core"
    VOICE_SLEEPTIME = "letta_voice_sleeptime_core"
    BUILTIN = "letta_builtin"
    FILES = "letta_files_core"
    LANGCHAIN = "external_langchain"
    COMPOSIO = "external_composio"
    MCP = "external_mcp"

    @property
    def ours(self) -> bool:
        """Whether Yiku itself brings the code."""
        return self.value.startswith("letta_")


class SourceType(StrEnum):
    PYTHON = "python"
    """`source_code` is a module with the function in it; it runs in the sandbox."""
    JSON = "json"
    """There is a schema only: the client runs the tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """A package that a tool's code needs."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDraft:
    """What somebody says of a tool; the rest is read from its code."""

    source_code: str | None = None
    source_type: SourceType = SourceType.PYTHON
    json_schema: Mapping[str, Any] | None = None
    """`name`, `description` and `parameters`; None: made from the source."""
    args_json_schema: Mapping[str, Any] | None = None
    """`parameters` alone."""
    description: str | None = None
    tags: Sequence[str] = ()
    pip_requirements: Sequence[Requirement] = ()
    npm_requirements: Sequence[Requirement] = ()
    return_char_limit: int = DEFAULT_RETURN_CHAR_LIMIT
    enable_parallel_execution: bool = False
    default_requires_approval: bool | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    tool_type: ToolType = ToolType.CUSTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool as it is stored. `(organization_id, name)` is unique."""

    id: ToolId
    organization_id: OrganizationId
    name: str
    description: str
    tool_type: ToolType
    source_type: SourceType
    source_code: str | None
    json_schema: Mapping[str, Any]
    """`name`, `description` and `parameters`, as models are told of it."""
    args_json_schema: Mapping[str, Any] | None
    """What somebody gave in place of the parameters made from the source."""
    tags: Sequence[str]
    pip_requirements: Sequence[Requirement]
    npm_requirements: Sequence[Requirement]
    return_char_limit: int
    enable_parallel_execution: bool
    default_requires_approval: bool | None
    metadata: Mapping[str, Json]
    created_at: datetime
    updated_at: datetime
    created_by: UserId
    updated_by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFilter:
    """Which tools are meant: those that fit all that is given; None: any."""

    names: Sequence[str] | None = None
    ids: Sequence[ToolId] | None = None
    types: Sequence[ToolType] | None = None
    excluded_types: Sequence[ToolType] = ()
    name_has: str | None = None
    """Part of the name; capitals don't matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPage:
    """A part of a list by the time of creation. `after` and `before` are said of that order."""

    limit: int = 50
    after: ToolId | None = None
    before: ToolId | None = None
    newest_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolHit:
    """A tool that answered a search."""

    tool: Tool
    score: float
    """0..1 of the query's words, those in the name counted more; higher is better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One call of a function in a sandbox."""

    source: str
    function: str
    arguments: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """All the environment variables it sees, but for a few of the sandbox's own."""
    packages: str | None = None
    """A folder with the packages of its own requirements."""
    described_apart: bool = False
    """Whether its parameters were described beside the source: what they are annotated with
    needn't be there."""
    takes_agent: bool = False
    """Whether the function has the parameter `agent_state`, which no model fills."""
    agent: Mapping[str, Any] | None = None
    """What it is shown there, in JSON's types; None: no agent calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    value: Any
    """JSON's types only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The tool's own error."""

    error: str
    """The exception's class."""
    message: str
    traceback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedOut:
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfMemory:
    memory_mb: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """It ended without an answer: by a signal, or by leaving in the middle."""

    signal: int | None
    exit_code: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputTooLarge:
    limit_bytes: int


Outcome = Returned | Raised | TimedOut | OutOfMemory | Killed | OutputTooLarge


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a call went. `stdout` and `stderr` end with a note where they were cut."""

    outcome: Outcome
    stdout: str
    stderr: str
    took_s: float
