"""Between v1's forms of MCP servers and ours; pure."""

from __future__ import annotations

from typing import Any

from yiku.core.mcp import (
    Answered,
    Connection,
    McpServer,
    Remote,
    Stdio,
    Synced,
    Transport,
)
from yiku.server.v1 import wire_mcp as wire
from yiku.server.v1.translate import given
from yiku.server.v1.wire_tools import ResultOut

NAMES = {"server_url": "url", "custom_headers": "headers"}
"""v1's names of what is called otherwise here."""


def connection_of(form: wire.StdioIn | wire.SseIn | wire.StreamableIn) -> Connection:
    fields = fields_of(form)
    if isinstance(form, wire.StdioIn):
        return Stdio(**fields)
    return Remote(transport=Transport(form.mcp_server_type), **fields)


def fields_of(
    form: wire.StdioIn
    | wire.SseIn
    | wire.StreamableIn
    | wire.StdioPatch
    | wire.SsePatch
    | wire.StreamablePatch,
) -> dict[str, Any]:
    """What the form says of a connection, but for its transport."""
    said = {NAMES.get(name, name): one for name, one in given(form).items()}
    said.pop("mcp_server_type", None)
    if "args" in said:
        said["args"] = tuple(said["args"])
    return said


def server_out(one: McpServer, connection: Connection) -> wire.ServerOut:
    known: dict[str, Any] = {
        "id": one.id,
        "server_name": one.name,
        "mcp_server_type": one.transport.value,
        "problem": one.problem,
        "synced_at": one.synced_at,
    }
    if isinstance(connection, Stdio):
        return wire.StdioOut.model_construct(
            **known,
            command=connection.command,
            args=list(connection.args),
            env=dict(connection.env) or None,
        )
    return wire.RemoteOut.model_construct(
        **known,
        server_url=connection.url,
        auth_header=connection.auth_header,
        auth_token=connection.auth_token,
        custom_headers=dict(connection.headers) or None,
    )


def refresh_out(one: Synced) -> wire.RefreshOut:
    return wire.RefreshOut(
        added=list(one.added), updated=list(one.updated), deleted=list(one.deleted)
    )


def answered_out(one: Answered) -> ResultOut:
    return ResultOut.model_construct(
        status="success" if one.ok else "error", func_return=one.text, stdout=[], stderr=[]
    )
