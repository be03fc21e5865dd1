"""What MCP servers are asked: which tools they have, and to call one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from yiku.core.errors import McpUnavailable
from yiku.core.ids import McpServerId
from yiku.core.mcp import Answered, Connection, Found
from yiku.tools.mcp import answer, schema
from yiku.tools.mcp.pool import Held, Pool, first_of

if TYPE_CHECKING:
    import mcp_types
    from mcp import MCPError

NO_SESSION = "Session terminated"
"""What the SDK says where a server answers 404 to a session: it was started again meanwhile."""
MOST_TOOLS = 1000
"""Of one server: more are no list that ends, or no use to a model."""


class Forgotten(Exception):
    """The server knows nothing of the session: what was asked in it hasn't begun."""


async def tools(pool: Pool, server_id: McpServerId, connection: Connection) -> list[Found]:
    """The tools it lists, each once. Raises: McpUnavailable."""
    async with pool.session(server_id, connection) as (client, held):
        try:
            async with asyncio.timeout(pool.limits.timeout_s):
                found: dict[str, Found] = {}
                cursor: str | None = None
                while True:
                    page = await client.list_tools(cursor=cursor)
                    for one in page.tools:
                        found.setdefault(one.name, found_of(one))
                    cursor = page.next_cursor
                    if not cursor or len(found) >= MOST_TOOLS:
                        return list(found.values())[:MOST_TOOLS]
        except Exception as error:
            held.ended.set()
            raise McpUnavailable(held.why(error)) from error


def found_of(one: mcp_types.Tool) -> Found:
    parameters, problems = schema.mended(one.input_schema)
    hints = one.annotations.model_dump(exclude_none=True) if one.annotations else {}
    return Found(
        remote_name=one.name,
        description=(one.description or one.title or "").strip(),
        parameters=parameters,
        problems=tuple(problems),
        annotations=hints,
    )


async def call(
    pool: Pool,
    server: tuple[McpServerId, str],
    connection: Connection,
    name: str,
    arguments: Mapping[str, Any],
) -> Answered:
    """Call the tool that the server, of this id and name, knows by this name.

    A session that the server no longer knows is opened anew, and the call made in that.
    Raises: McpUnavailable, saying whether the call may have taken effect.
    """
    try:
        return await call_once(pool, server, connection, name, arguments)
    except Forgotten:
        try:
            return await call_once(pool, server, connection, name, arguments)
        except Forgotten as error:
            raise unreachable(server[1], "it ends each session at once") from error


async def call_once(
    pool: Pool,
    server: tuple[McpServerId, str],
    connection: Connection,
    name: str,
    arguments: Mapping[str, Any],
) -> Answered:
    """Raises: McpUnavailable, Forgotten."""
    from mcp import MCPError

    server_id, title = server
    async with AsyncExitStack() as stack:
        try:
            client, held = await stack.enter_async_context(pool.session(server_id, connection))
        except McpUnavailable as error:
            raise unreachable(title, error.message) from error
        try:
            async with asyncio.timeout(pool.limits.timeout_s):
                got = await client.call_tool(name, dict(arguments))
        except MCPError as error:
            return refused(title, held, error)
        except RuntimeError as error:  # what it answers breaks its own output schema
            return Answered(text=str(error), ok=False)
        except Exception as error:
            raise broken(title, held, error) from error
    return answer.told(got)


def refused(title: str, held: Held, error: MCPError) -> Answered:
    """The server's own error, as its answer. Raises: McpUnavailable, Forgotten."""
    from mcp_types import CONNECTION_CLOSED, INVALID_REQUEST

    if error.code == INVALID_REQUEST and error.message == NO_SESSION:
        held.ended.set()
        raise Forgotten from error
    if error.code == CONNECTION_CLOSED or held.ended.is_set():
        held.ended.set()
        raise cut_off(title, held.why(error)) from error
    return Answered(text=error.message, ok=False)


def broken(title: str, held: Held, error: Exception) -> McpUnavailable:
    """The next call takes a new session: this one hangs, or is dead."""
    held.ended.set()
    if isinstance(first_of(error), TimeoutError):
        return late(title, held.why(error))
    return cut_off(title, held.why(error))


def unreachable(title: str, why: str) -> McpUnavailable:
    return McpUnavailable(
        f"The MCP server {title!r} can't be reached: {why}. Nothing was called. Try again later, or"
        " go on without it.",
        zh=f"无法连接 MCP 服务器 {title!r}：{why}。没有调用任何工具。请稍后再试，或者不用它继续。",
        server=title,
    )


def unset(title: str, missing: Sequence[str]) -> McpUnavailable:
    names = ", ".join(missing)
    return McpUnavailable(
        f"The MCP server {title!r} came with an agent file, which holds nothing that is secret: set"
        f" {names} of it (`mcp_servers.update`, PATCH /v1/mcp-servers/…). Nothing was called.",
        zh=f"MCP 服务器 {title!r} 来自代理文件，文件中不含任何机密：请先设置它的 {names}"
        "（`mcp_servers.update`，PATCH /v1/mcp-servers/…）。没有调用任何工具。",
        server=title,
    )


def cut_off(title: str, why: str) -> McpUnavailable:
    return McpUnavailable(
        f"The MCP server {title!r} broke off in the middle of the call: {why}. The call may or may"
        " not have taken effect: find out before you make it again.",
        zh=f"MCP 服务器 {title!r} 在调用途中中断：{why}。这次调用可能已经生效，也可能没有："
        "再次调用前请先确认。",
        server=title,
    )


def late(title: str, why: str) -> McpUnavailable:
    return McpUnavailable(
        f"The MCP server {title!r} gave {why}. The call may still take effect: find out before you"
        " make it again, or ask for less at once.",
        zh=f"MCP 服务器 {title!r} 没有按时应答：{why}。这次调用仍可能生效："
        "再次调用前请先确认，或者一次少要一些。",
        server=title,
    )
