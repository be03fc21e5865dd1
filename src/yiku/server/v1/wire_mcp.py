"""MCP servers on the v1 wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, cast

from pydantic import Discriminator, Field, Tag

from yiku.server.v1.wire import In, Out


class StdioIn(In):
    """A program that is started on the server's machine."""

    mcp_server_type: Literal["stdio"] = "stdio"
    command: str
    args: list[str]
    env: dict[str, str] | None = None


class RemoteIn(In):
    server_url: str
    auth_header: str | None = Field(default=None, description="The header that the token goes in.")
    auth_token: str | None = Field(
        default=None,
        description="The token; `{{ NAME }}` in it, and in headers, stands for an agent's secret.",
    )
    custom_headers: dict[str, str] | None = None


class SseIn(RemoteIn):
    """A server over HTTP, in the protocol's first form."""

    mcp_server_type: Literal["sse"] = "sse"


class StreamableIn(RemoteIn):
    """A server over HTTP."""

    mcp_server_type: Literal["streamable_http"] = "streamable_http"


class StdioPatch(In):
    """What is left out, or null, stays."""

    mcp_server_type: Literal["stdio"] = "stdio"
    command: str | None = None
    args: list[str] | None = None
    env: dict[str, str] | None = None


class RemotePatch(In):
    server_url: str | None = None
    auth_header: str | None = None
    auth_token: str | None = None
    custom_headers: dict[str, str] | None = None


class SsePatch(RemotePatch):
    """What is left out, or null, stays."""

    mcp_server_type: Literal["sse"] = "sse"


class StreamablePatch(RemotePatch):
    """What is left out, or null, stays."""

    mcp_server_type: Literal["streamable_http"] = "streamable_http"


def kind_of(given: Any) -> str | None:
    """What it says it is; where it doesn't, what its fields are of."""
    if not isinstance(given, dict):
        return getattr(given, "mcp_server_type", None)
    fields = cast("dict[str, Any]", given)
    said = fields.get("mcp_server_type")
    if said is None:
        return "stdio" if "command" in fields else "streamable_http"
    return said if isinstance(said, str) else None


ConfigIn = Annotated[
    Annotated[StdioIn, Tag("stdio")]
    | Annotated[SseIn, Tag("sse")]
    | Annotated[StreamableIn, Tag("streamable_http")],
    Discriminator(kind_of),
]
ConfigPatch = Annotated[
    Annotated[StdioPatch, Tag("stdio")]
    | Annotated[SsePatch, Tag("sse")]
    | Annotated[StreamablePatch, Tag("streamable_http")],
    Discriminator(kind_of),
]


class McpServerIn(In):
    """An MCP server to add."""

    server_name: str
    config: ConfigIn


class McpServerPatch(In):
    """An MCP server to change."""

    server_name: str | None = None
    config: ConfigPatch


class RefreshQuery(In):
    agent_id: str | None = Field(
        default=None, description="Whose secrets stand for `{{ NAME }}` in tokens and headers."
    )


class McpRunIn(In):
    args: dict[str, Any] = Field(default_factory=dict)


class KnownOut(Out):
    """What every server has; `problem` and `synced_at` are of Yiku's own."""

    id: str
    server_name: str
    problem: str | None = Field(
        description="Why its tools couldn't be read the last time; null: they could."
    )
    synced_at: datetime | None = Field(description="When its tools were read.")


class StdioOut(KnownOut):
    mcp_server_type: Literal["stdio"]
    command: str
    args: list[str]
    env: dict[str, str] | None


class RemoteOut(KnownOut):
    mcp_server_type: Literal["sse", "streamable_http"]
    server_url: str
    auth_header: str | None
    auth_token: str | None
    custom_headers: dict[str, str] | None


ServerOut = StdioOut | RemoteOut


class RefreshOut(Out):
    """Names of tools."""

    added: list[str]
    updated: list[str]
    deleted: list[str]
