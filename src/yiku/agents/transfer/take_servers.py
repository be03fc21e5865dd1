"""The MCP servers of an import, and their tools. Nothing is started and nobody is asked: the tools
are as the file has them, until somebody has set what is secret and refreshed the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yiku.agents.transfer.carried import Carried, CarriedServer, CarriedTool
from yiku.core.audit import Act
from yiku.core.ids import McpServerId, ToolId, new_id
from yiku.core.mcp import Found, McpServer, McpTool, Transport, lacking
from yiku.core.tenant import Scope
from yiku.core.tool import Tool
from yiku.store import audit, mcp_servers
from yiku.store.database import Tx
from yiku.tools.mcp.sync import free_name, made_tool


@dataclass(frozen=True, slots=True)
class Lending:
    """The tools that stand for those of the file's servers, by their keys there."""

    tools: Mapping[str, Tool]
    notes: tuple[str, ...]


def take_servers(tx: Tx, carried: Carried, *, stdio: bool) -> Lending:
    """`stdio`: this server starts programs. Raises: McpServerExists, ToolExists."""
    used = dict.fromkeys(key for one in carried.agents for key in one.tool_keys)
    wanted: dict[str, list[tuple[str, CarriedTool]]] = {}
    for key in used:
        lent = carried.tools[key].lent
        if lent is not None and lent.server in carried.servers:
            wanted.setdefault(lent.server, []).append((key, carried.tools[key]))
    found: dict[str, Tool] = {}
    notes: list[str] = []
    for name, its in wanted.items():
        server, note = server_for(tx, carried.servers[name], stdio=stdio)
        notes.append(note)
        if server is None:
            continue
        there = {one.of.remote_name: one.tool for one in mcp_servers.tools_of(tx, server.id)}
        for key, tool in its:
            if tool.lent is None:
                continue
            remote = tool.lent.found.remote_name
            if remote in there:
                found[key] = there[remote]
            elif server.synced_at is None:
                found[key] = there[remote] = add_tool(tx, server, tool.lent.found)
            else:
                notes.append(f"The MCP server {server.name!r} has no tool {remote!r} here.")
    return Lending(found, tuple(notes))


def server_for(tx: Tx, one: CarriedServer, *, stdio: bool) -> tuple[McpServer | None, str]:
    """The same one, or a new one; and what is to be said of it."""
    free, n = one.name, 1
    while (there := mcp_servers.find(tx, free)) is not None:
        if same(there, one):
            return there, f"The MCP server {free!r} is here already: the agent uses it."
        n += 1
        free = f"{one.name} ({n})"
    if one.transport is Transport.STDIO and not (stdio and tx.actor.may(Scope.ADMIN)):
        return None, (
            f"The MCP server {one.name!r} is a program of its machine, {one.where!r}: to be added"
            " that takes a key of the scope `admin`, and YIKU_MCP_STDIO=true where Yiku runs. The"
            " agent doesn't have its tools."
        )
    made = add(tx, free, one)
    missing = lacking(made.config, {})
    told = f" It lacks what is secret: set {', '.join(missing)}." if missing else ""
    return made, f"The MCP server {free!r} is new here, {one.where!r}.{told}"


def same(there: McpServer, one: CarriedServer) -> bool:
    names = ("command", "args") if one.transport is Transport.STDIO else ("url",)
    told = [there.config[name] == one.config[name] for name in names if name in there.config]
    return there.transport is one.transport and bool(told) and all(told)


def add(tx: Tx, name: str, one: CarriedServer) -> McpServer:
    missing = lacking(one.config, {})
    made = McpServer(
        id=McpServerId(new_id("mcp_server")),
        organization_id=tx.actor.organization_id,
        name=name,
        transport=one.transport,
        config=one.config,
        problem="It came with an agent file"
        + (f", without what is secret: set {', '.join(missing)}." if missing else "; refresh it."),
        created_at=tx.now,
        created_by=tx.actor.user_id,
        updated_at=tx.now,
        updated_by=tx.actor.user_id,
    )
    mcp_servers.add(tx, made)
    audit.note(tx, Act.MCP_SERVER_ADD, made.id, name=name, transport=made.transport)
    return made


def add_tool(tx: Tx, server: McpServer, one: Found) -> Tool:
    made = made_tool(tx, server, one, free_name(tx, server.name, one.remote_name))
    link = McpTool(
        tool_id=ToolId(made.id),
        mcp_server_id=server.id,
        remote_name=one.remote_name,
        problems=one.problems,
    )
    mcp_servers.add_tool(tx, made, link)
    return made
