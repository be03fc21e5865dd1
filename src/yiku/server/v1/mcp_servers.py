"""/v1/mcp-servers: servers that lend tools, and those tools."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.app import App
from yiku.core.errors import McpUnavailable
from yiku.core.ids import AgentId, McpServerId, ToolId
from yiku.core.mcp import Answered, McpServer, Transport
from yiku.core.tenant import Actor
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_mcp as wire
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_mcp import (
    answered_out,
    connection_of,
    fields_of,
    refresh_out,
    server_out,
)
from yiku.server.v1.translate_tools import tool_out
from yiku.server.v1.wire_tools import ResultOut, ToolOut
from yiku.store import agents

router = Routes("mcp-servers")


def out(app: App, actor: Actor, one: McpServer) -> wire.ServerOut:
    return server_out(one, app.tools.mcp.shown(actor, one))


@router.post("/v1/mcp-servers/", response_model=wire.ServerOut)
async def create(body: wire.McpServerIn, app: Here, actor: Asks) -> Response:
    """Add an MCP server, and read its tools. One that can't be reached is added, with the
    problem."""
    connection = connection_of(body.config)
    made = await app.tools.mcp.create(actor, body.server_name, connection)
    return answer(out(app, actor, made))


@router.get("/v1/mcp-servers/", response_model=list[wire.ServerOut])
async def list_servers(app: Here, actor: Asks) -> Response:
    """The MCP servers there are, the oldest first."""
    return answers(out(app, actor, one) for one in await app.tools.mcp.listed(actor))


@router.get("/v1/mcp-servers/{mcp_server_id}", response_model=wire.ServerOut)
async def retrieve(mcp_server_id: str, app: Here, actor: Asks) -> Response:
    """One MCP server."""
    return answer(out(app, actor, await app.tools.mcp.get(actor, McpServerId(mcp_server_id))))


@router.patch("/v1/mcp-servers/{mcp_server_id}", response_model=wire.ServerOut)
async def update(mcp_server_id: str, body: wire.McpServerPatch, app: Here, actor: Asks) -> Response:
    """Change an MCP server, and read its tools again."""
    transport, fields = Transport(body.config.mcp_server_type), fields_of(body.config)
    changed = await app.tools.mcp.update(
        actor, McpServerId(mcp_server_id), body.server_name, transport, fields
    )
    return answer(out(app, actor, changed))


@router.delete("/v1/mcp-servers/{mcp_server_id}", response_model=None)
async def delete(mcp_server_id: str, app: Here, actor: Asks) -> Response:
    """Delete an MCP server with its tools; agents that have them lose them."""
    await app.tools.mcp.delete(actor, McpServerId(mcp_server_id))
    return Response(b"null", media_type="application/json")


@router.patch("/v1/mcp-servers/{mcp_server_id}/refresh", response_model=wire.RefreshOut)
async def refresh(
    mcp_server_id: str, query: Annotated[wire.RefreshQuery, Query()], app: Here, actor: Asks
) -> Response:
    """Read an MCP server's tools again: new ones come, changed ones change, and those that it has
    no more are deleted."""
    server_id, variables = McpServerId(mcp_server_id), {}
    if query.agent_id is not None:
        agent_id = AgentId(query.agent_id)
        state = await app.database.read(actor, lambda tx: agents.state(tx, agent_id))
        variables = app.agents.opened(state.agent)
    synced = await app.tools.mcp.refresh(actor, server_id, variables)
    return answer(refresh_out(synced))


@router.get("/v1/mcp-servers/{mcp_server_id}/tools", response_model=list[ToolOut])
async def list_tools(mcp_server_id: str, app: Here, actor: Asks) -> Response:
    """An MCP server's tools, as they were last read."""
    found = await app.tools.mcp.tools(actor, McpServerId(mcp_server_id))
    return answers(tool_out(one.tool) for one in found)


@router.get("/v1/mcp-servers/{mcp_server_id}/tools/{mcp_tool_id}", response_model=ToolOut)
async def retrieve_tool(mcp_server_id: str, mcp_tool_id: str, app: Here, actor: Asks) -> Response:
    """One of an MCP server's tools."""
    found = await app.tools.mcp.tool(actor, McpServerId(mcp_server_id), ToolId(mcp_tool_id))
    return answer(tool_out(found.tool))


@router.post("/v1/mcp-servers/{mcp_server_id}/tools/{mcp_tool_id}/run", response_model=ResultOut)
async def run_tool(
    mcp_server_id: str,
    mcp_tool_id: str,
    app: Here,
    actor: Asks,
    body: wire.McpRunIn | None = None,
) -> Response:
    """Call one of an MCP server's tools, without an agent."""
    given = {} if body is None else body.args
    try:
        answered = await app.tools.mcp.run(
            actor, McpServerId(mcp_server_id), ToolId(mcp_tool_id), given
        )
    except McpUnavailable as error:
        # The call has ended, and how is its result, as with a tool that fails.
        answered = Answered(text=error.message, ok=False)
    return answer(answered_out(answered))
