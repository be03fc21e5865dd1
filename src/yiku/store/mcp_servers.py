"""Queries on MCP servers and on which of our tools are theirs. Each sees the actor's organization
only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, insert, select, update

from yiku.core.errors import McpServerExists, McpServerNotFound, ToolNotFound
from yiku.core.ids import McpServerId, ToolId
from yiku.core.mcp import Lent, McpServer, McpTool, Transport
from yiku.core.tool import Tool
from yiku.store import tools
from yiku.store.admin_tables import mcp_server, mcp_tool
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.tool_tables import tool

NAMES = tuple(f.name for f in fields(McpServer))
COLUMNS = [mcp_server.c[name] for name in NAMES]
LINKS = tuple(f.name for f in fields(McpTool))
LINK_COLUMNS = [mcp_tool.c[name] for name in LINKS]


def own(tx: Tx) -> ColumnElement[bool]:
    return mcp_server.c.organization_id == tx.actor.organization_id


def of_row(row: Row[Any] | Sequence[Any]) -> McpServer:
    values: dict[str, Any] = dict(zip(NAMES, tuple(row), strict=True))
    values["transport"] = Transport(values["transport"])
    return McpServer(**values)


def link_of(row: Sequence[Any]) -> McpTool:
    values: dict[str, Any] = dict(zip(LINKS, row, strict=True))
    values["problems"] = tuple(values["problems"])
    return McpTool(**values)


def to_row(one: McpServer) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(one, name) for name in NAMES}
    return values | {"transport": one.transport.value, "config": dict(one.config)}


def add(tx: Tx, one: McpServer) -> None:
    """Raises: McpServerExists."""
    demand_free(tx, one.name)
    tx.connection.execute(insert(mcp_server).values(to_row(one)))


def anyones(tx: Tx, server_id: McpServerId) -> McpServer | None:
    """Whose it is, the sessions of a process don't know."""
    row = tx.connection.execute(select(*COLUMNS).where(mcp_server.c.id == server_id)).first()
    return None if row is None else of_row(row)


def put(tx: Tx, seen: McpServer, one: McpServer) -> None:
    """Write `one` in place of `seen`. Raises: McpServerExists where its new name is another's."""
    if one.name != seen.name:
        demand_free(tx, one.name)
    tx.connection.execute(
        update(mcp_server).where(own(tx), mcp_server.c.id == seen.id).values(to_row(one))
    )


def demand_free(tx: Tx, name: str) -> None:
    there = find(tx, name)
    if there is not None:
        raise McpServerExists(
            f"There is already an MCP server {name!r}: {there.id}. Update it, or choose another"
            " name.",
            mcp_server_id=there.id,
        )


def find(tx: Tx, name: str) -> McpServer | None:
    query = select(*COLUMNS).where(own(tx), mcp_server.c.name == name)
    row = tx.connection.execute(query).first() if askable(name) else None
    return None if row is None else of_row(row)


def get(tx: Tx, server_id: McpServerId, *, to_change: bool = False) -> McpServer:
    """`to_change`: until the commit nobody else changes it. Raises: McpServerNotFound."""
    query = select(*COLUMNS).where(own(tx), mcp_server.c.id == server_id)
    query = query.with_for_update() if to_change else query
    row = tx.connection.execute(query).first() if askable(server_id) else None
    if row is None:
        raise McpServerNotFound(
            f"There is no MCP server {server_id}.", mcp_server_id=str(server_id)
        )
    return of_row(row)


def listed(tx: Tx) -> list[McpServer]:
    """The oldest first."""
    query = select(*COLUMNS).where(own(tx)).order_by(mcp_server.c.seq)
    return [of_row(row) for row in tx.connection.execute(query)]


def remove(tx: Tx, server_id: McpServerId) -> McpServer:
    """With its tools; agents that have them lose them. Raises: McpServerNotFound."""
    gone = get(tx, server_id, to_change=True)
    for one in tools_of(tx, server_id):
        tools.remove(tx, one.tool.id)
    tx.connection.execute(delete(mcp_server).where(own(tx), mcp_server.c.id == server_id))
    return gone


def tools_of(tx: Tx, server_id: McpServerId) -> list[Lent]:
    """In the order they came. Raises: McpServerNotFound."""
    server = get(tx, server_id)
    found = tx.connection.execute(
        select(*tools.COLUMNS, *LINK_COLUMNS)
        .join(mcp_tool, mcp_tool.c.tool_id == tool.c.id)
        .where(tools.own(tx), mcp_tool.c.mcp_server_id == server_id)
        .order_by(tool.c.seq)
    )
    return [lent(tuple(row), server) for row in found]


def lent(row: Sequence[Any], server: McpServer) -> Lent:
    ours = tools.of_values(dict(zip(tools.NAMES, row[: len(tools.NAMES)], strict=True)))
    return Lent(ours, link_of(row[len(tools.NAMES) :]), server)


def tool_of(tx: Tx, server_id: McpServerId, tool_id: ToolId) -> Lent:
    """Raises: McpServerNotFound, ToolNotFound."""
    found = next((one for one in tools_of(tx, server_id) if one.tool.id == tool_id), None)
    if found is None:
        raise ToolNotFound(
            f"The MCP server {server_id} has no tool {tool_id}.", tool_id=str(tool_id)
        )
    return found


def server_of(tx: Tx, tool_id: ToolId) -> tuple[McpTool, McpServer]:
    """Raises: ToolNotFound where the tool is no server's."""
    query = (
        select(*COLUMNS, *LINK_COLUMNS)
        .join(mcp_tool, mcp_tool.c.mcp_server_id == mcp_server.c.id)
        .where(own(tx), mcp_tool.c.tool_id == tool_id)
    )
    row = tx.connection.execute(query).first()
    if row is None:
        raise ToolNotFound(
            f"No MCP server has the tool {tool_id} any more: refresh the server's tools.",
            zh=f"已没有 MCP 服务器提供工具 {tool_id}：请刷新该服务器的工具。",
            tool_id=str(tool_id),
        )
    values = tuple(row)
    return link_of(values[len(NAMES) :]), of_row(values[: len(NAMES)])


def of_tools(tx: Tx, tool_ids: Sequence[ToolId]) -> list[McpServer]:
    """Those that these tools are of, the oldest first."""
    query = (
        select(*COLUMNS)
        .where(own(tx))
        .where(
            mcp_server.c.id.in_(
                select(mcp_tool.c.mcp_server_id).where(mcp_tool.c.tool_id.in_(tool_ids))
            )
        )
        .order_by(mcp_server.c.seq)
    )
    return [of_row(row) for row in tx.connection.execute(query)] if tool_ids else []


def add_tool(tx: Tx, one: Tool, of: McpTool) -> None:
    """Raises: ToolExists."""
    tools.add(tx, one)
    values = asdict(of) | {"problems": list(of.problems)}
    values["organization_id"] = tx.actor.organization_id
    tx.connection.execute(insert(mcp_tool).values(values))


def put_tool(tx: Tx, seen: Lent, one: Tool, problems: Sequence[str]) -> None:
    """Raises: ToolExists where its new name is another's."""
    tools.put(tx, seen.tool, one)
    tx.connection.execute(
        update(mcp_tool)
        .where(
            mcp_tool.c.organization_id == tx.actor.organization_id,
            mcp_tool.c.tool_id == seen.tool.id,
        )
        .values(problems=list(problems))
    )
