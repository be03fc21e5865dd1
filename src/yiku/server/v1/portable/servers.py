"""MCP servers as agent files have them, without anything that is secret; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from yiku.agents.transfer.carried import CarriedLent, CarriedServer
from yiku.core.errors import InvalidImport, InvalidMcpServer
from yiku.core.mcp import UNTOLD, Found, McpServer, Transport, put_together, split_url
from yiku.core.tool import ToolType
from yiku.memory.skills.secrets import looks_secret, secrets_in
from yiku.server.v1.portable.reading import Json, as_object, list_of
from yiku.tools.mcp.check import check
from yiku.tools.mcp.schema import mended
from yiku.tools.mcp.sync import TAG

SECRET = re.compile(r"token|secret|passw|key|auth|credential|bearer", re.IGNORECASE)
"""In the name of an argument, whose value isn't written then."""
LONG = 16
"""Characters of a part of an address that may be secret."""


def server_to_file(one: McpServer, key: str) -> Json:
    """`needs`: names of variables and headers, without their values."""
    config, is_program = one.config, one.transport is Transport.STDIO
    program: Json | None = None
    if is_program:
        program = {"type": "stdio", "server_name": one.name, "command": config["command"]}
        program["args"] = told_args(config["args"])
    return {
        "id": key,
        "server_type": one.transport.value,
        "server_name": one.name,
        "server_url": None if is_program else told_url(config["url"]),
        "stdio_config": program,
        "metadata_": None,
        "needs": list(config["names"]),
        "auth_header": config.get("auth_header"),
        "needs_token": bool(config.get("token")),
    }


def told_args(args: Sequence[str]) -> list[str]:
    found: list[str] = []
    for n, one in enumerate(args):
        before = args[n - 1] if n else ""
        name, equals, _ = one.partition("=")
        if equals and SECRET.search(name):
            found.append(f"{name}={UNTOLD}")
        elif before.startswith("-") and SECRET.search(before) and "=" not in before:
            found.append(one if one.startswith("-") else UNTOLD)
        else:
            hidden = secrets_in(one) or ("://" in one and split_url(one)[1])
            found.append(UNTOLD if hidden else one)
    return found


def told_url(url: str) -> str:
    """It has no user, password and query any more; here, no part of its path that looks secret."""
    parts = urlsplit(url)
    path = "/".join(
        UNTOLD if len(each) >= LONG and looks_secret(each) else each
        for each in parts.path.split("/")
    )
    return urlunsplit(parts._replace(path=path))


def server_of(value: Any, place: str) -> CarriedServer:
    """What the file says of secrets isn't taken, whatever it says. Raises: InvalidImport."""
    said = as_object(value, place)
    kinds = [kind.value for kind in Transport]
    if said.get("server_type") not in kinds:
        words = f"an MCP server is one of {', '.join(kinds)}"
        raise InvalidImport(f"{place}.server_type: {words}", place=place)
    transport, name = Transport(said["server_type"]), str(said.get("server_name") or "")
    names = [str(one) for one in list_of(said, "needs")]
    if transport is Transport.STDIO:
        program = as_object(said.get("stdio_config"), f"{place}.stdio_config")
        config: dict[str, Any] = {
            "command": str(program.get("command") or ""),
            "args": [str(one) for one in list_of(program, "args")],
            "names": names or [*map(str, cast("Mapping[str, Any]", program.get("env") or {}))],
        }
        where = " ".join([config["command"], *config["args"]])
    else:
        where, _ = split_url(str(said.get("server_url") or ""))
        header, token = said.get("auth_header"), said.get("needs_token") is True
        config = {"url": where, "token": token, "names": names}
        config["auth_header"] = str(header) if header and token else None
    try:
        check(name, put_together(transport, config, None))
    except InvalidMcpServer as error:
        raise InvalidImport(f"{place}: {error.message}", place=place) from error
    return CarriedServer(name=name, transport=transport, config=config, where=where)


def servers_of(values: Sequence[Any]) -> dict[str, CarriedServer]:
    """By their names. Raises: InvalidImport."""
    found: dict[str, CarriedServer] = {}
    for n, value in enumerate(values):
        one = server_of(value, f"mcp_servers[{n}]")
        if one.name in found:
            raise InvalidImport(f"mcp_servers[{n}]: {one.name!r} is there twice")
        found[one.name] = one
    return found


def lent_of(said: Json, place: str) -> CarriedLent | None:
    """Whose tool it is, and what its server calls it; None: it is no MCP server's."""
    if said.get("tool_type") != ToolType.MCP:
        return None
    facts: Any = said.get("metadata_") or said.get("metadata")
    about: Any = cast("Json", facts).get("mcp") if isinstance(facts, dict) else None
    known = cast("Json", about) if isinstance(about, dict) else {}
    tags = [str(one) for one in list_of(said, "tags")]
    tagged = next((one.removeprefix(TAG) for one in tags if one.startswith(TAG)), "")
    schema = as_object(said.get("json_schema") or {}, f"{place}.json_schema")
    parameters, problems = mended(schema.get("parameters") or {})
    return CarriedLent(
        server=str(known.get("server_name") or tagged),
        found=Found(
            remote_name=str(known.get("tool_name") or said.get("name")),
            description=str(said.get("description") or schema.get("description") or ""),
            parameters=parameters,
            problems=tuple(problems),
        ),
    )
