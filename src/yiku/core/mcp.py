"""The nouns of MCP servers: programs whose tools agents may use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict

from yiku.core.ids import McpServerId, OrganizationId, ToolId, UserId
from yiku.core.tool import Tool


class Transport(StrEnum):
    """How a server is spoken to. The names are those of the v1 API."""

    STDIO = "stdio"
    """A program that we start, over its standard input and output."""
    SSE = "sse"
    """HTTP, in the protocol's first form."""
    HTTP = "streamable_http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stdio:
    """A program on this machine."""

    command: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Secret. The program sees these, and what it takes to start: PATH, HOME and the like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A server at an address."""

    transport: Transport
    url: str = field(repr=False)
    """Secret where it has a user, a password or a query."""
    auth_header: str | None = None
    """The header that `auth_token` is sent as; None: `Authorization`."""
    auth_token: str | None = field(default=None, repr=False)
    """Secret."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Secret."""


Connection = Stdio | Remote


UNTOLD = "SET-ME"
"""Stands in an agent file where a secret stood, in an argument or an address."""


class Secrets(TypedDict, total=False):
    """What of a connection is kept encrypted."""

    env: dict[str, str]
    url: str
    auth_token: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServer:
    """A server as it is stored. `(organization_id, name)` is unique."""

    id: McpServerId
    organization_id: OrganizationId
    name: str
    transport: Transport
    config: Mapping[str, Any]
    """What of the connection is no secret, and the names of its variables and headers."""
    secrets: bytes | None = field(default=None, repr=False)
    """`Secrets` as JSON, sealed."""
    problem: str | None = None
    """Why its tools couldn't be read the last time; None: they could."""
    synced_at: datetime | None = None
    """When its tools were read; None: never."""
    created_at: datetime
    created_by: UserId
    updated_at: datetime
    updated_by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class McpTool:
    """Which tool of which server a tool of ours is."""

    tool_id: ToolId
    mcp_server_id: McpServerId
    remote_name: str
    """What the server calls it."""
    problems: Sequence[str]
    """What was wrong with its schema, and what was made of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A tool as a server lists it, made fit to be told to models."""

    remote_name: str
    description: str
    parameters: Mapping[str, Any]
    problems: tuple[str, ...] = ()
    annotations: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """What a refresh has changed: names of our tools."""

    added: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a server's tool has answered."""

    text: str
    ok: bool = True
    """False: the tool itself says that it failed."""


@dataclass(frozen=True, slots=True)
class Lent:
    """A tool of ours, and the server that it is of."""

    tool: Tool
    of: McpTool
    server: McpServer


def split_url(url: str) -> tuple[str, bool]:
    """The address without what may be secret in it, and whether there was any."""
    bare = re.sub(r"[?#].*", "", url, flags=re.DOTALL)
    bare = re.sub(r"^([a-z]+://)[^/]*@", r"\1", bare)
    return bare, bare != url


def taken_apart(connection: Connection) -> tuple[Transport, dict[str, Any], Secrets]:
    """The transport, what may be read in the database, and what is to be sealed."""
    secrets: Secrets = {}
    if isinstance(connection, Stdio):
        if connection.env:
            secrets["env"] = dict(connection.env)
        config: dict[str, Any] = {
            "command": connection.command,
            "args": list(connection.args),
            "names": list(connection.env),
        }
        return Transport.STDIO, config, secrets
    bare, private = split_url(connection.url)
    if private:
        secrets["url"] = connection.url
    if connection.auth_token is not None:
        secrets["auth_token"] = connection.auth_token
    if connection.headers:
        secrets["headers"] = dict(connection.headers)
    config = {
        "url": bare,
        "auth_header": connection.auth_header,
        "token": connection.auth_token is not None,
        "names": list(connection.headers),
    }
    return connection.transport, config, secrets


def put_together(
    transport: Transport, config: Mapping[str, Any], secrets: Secrets | None
) -> Connection:
    """The opposite of `taken_apart`; without `secrets` their values are empty."""
    hidden = dict.fromkeys(config["names"], "")
    if transport is Transport.STDIO:
        env = hidden if secrets is None else secrets.get("env", {})
        return Stdio(command=config["command"], args=tuple(config["args"]), env=env)
    known: Secrets = {"headers": hidden}
    if secrets is not None:
        known = secrets
    elif config["token"]:
        known = {"headers": hidden, "auth_token": ""}
    return Remote(
        transport=transport,
        url=known.get("url", config["url"]),
        auth_header=config["auth_header"],
        auth_token=known.get("auth_token"),
        headers=known.get("headers", {}),
    )


def lacking(config: Mapping[str, Any], secrets: Secrets) -> list[str]:
    """What of a connection is still to be set: one that came with an agent file has no secrets."""
    known = {**secrets.get("env", {}), **secrets.get("headers", {})}
    missing = [name for name in config["names"] if name not in known]
    if config.get("token") and "auth_token" not in secrets:
        missing.append("auth_token")
    if any(UNTOLD in one for one in config.get("args", ())):
        missing.append(f"`args` where they say {UNTOLD}")
    if UNTOLD in secrets.get("url", config.get("url", "")):
        missing.append(f"`server_url` where it says {UNTOLD}")
    return missing


VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*(?:\|([^}]*))?\}\}")
"""`{{ NAME }}` or `{{ NAME | what it is where there is none }}`."""


def filled(connection: Connection, variables: Mapping[str, str]) -> Connection:
    """With `{{ NAME }}` in tokens, headers and environment replaced by an agent's secrets; one that
    it hasn't, and that has no default, stays as it is."""

    def fill(text: str) -> str:
        def value(found: re.Match[str]) -> str:
            default = found[0] if found[2] is None else found[2].strip()
            return variables.get(found[1], default)

        return VARIABLE.sub(value, text)

    def each(texts: Mapping[str, str]) -> dict[str, str]:
        return {name: fill(text) for name, text in texts.items()}

    if isinstance(connection, Stdio):
        return replace(connection, env=each(connection.env))
    token = connection.auth_token
    return replace(
        connection,
        auth_token=None if token is None else fill(token),
        headers=each(connection.headers),
    )
