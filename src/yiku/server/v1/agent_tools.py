"""/v1/agents/{id}/tools: the tools that an agent has."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.agents import make, try_tool
from yiku.core.agent import AgentState
from yiku.core.errors import InvalidTool, ToolNotFound
from yiku.core.ids import AgentId, ToolId
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire, wire_agents, wire_tools
from yiku.server.v1.about import told
from yiku.server.v1.listing import answers, part
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_tools import not_tried_out, tool_out, tried_out
from yiku.store import agents
from yiku.store.database import Tx

router = Routes("agents")


@router.get("/v1/agents/{agent_id}/tools", response_model=list[wire_tools.ToolOut])
async def list_tools(
    agent_id: str, query: Annotated[wire.NewestFirst, Query()], app: Here, actor: Asks
) -> Response:
    """An agent's tools, a page of them."""
    state = await app.database.read(actor, lambda tx: agents.state(tx, AgentId(agent_id)))
    there = sorted(state.tools, key=lambda one: (one.created_at, one.name))
    return answers(map(tool_out, part(there, query, lambda one: one.id, ToolNotFound)))


@router.patch("/v1/agents/{agent_id}/tools/attach/{tool_id}", response_model=wire_agents.AgentOut)
async def attach(agent_id: str, tool_id: str, app: Here, actor: Asks) -> Response:
    """Give an agent a tool."""

    def unit(tx: Tx) -> AgentState:
        agents.attach_tool(tx, AgentId(agent_id), ToolId(tool_id))
        return agents.state(tx, AgentId(agent_id))

    return await told(app, actor, await app.database.write(actor, unit))


@router.patch("/v1/agents/{agent_id}/tools/detach/{tool_id}", response_model=wire_agents.AgentOut)
async def detach(agent_id: str, tool_id: str, app: Here, actor: Asks) -> Response:
    """Take a tool from an agent; the tool stays."""

    def unit(tx: Tx) -> AgentState:
        agents.detach_tool(tx, AgentId(agent_id), ToolId(tool_id))
        return agents.state(tx, AgentId(agent_id))

    return await told(app, actor, await app.database.write(actor, unit))


@router.patch(
    "/v1/agents/{agent_id}/tools/approval/{tool_name}", response_model=wire_agents.AgentOut
)
async def approval(
    agent_id: str,
    tool_name: str,
    body: wire_tools.ApprovalIn,
    query: Annotated[wire_tools.ApprovalQuery, Query()],
    app: Here,
    actor: Asks,
) -> Response:
    """Whether a person must allow each call of a tool."""
    changed = await make.ask_before(
        app.agents, actor, AgentId(agent_id), tool_name, asks=body.requires_approval
    )
    return await told(app, actor, changed)


@router.post("/v1/agents/{agent_id}/tools/{tool_name}/run", response_model=wire_tools.ResultOut)
async def run(
    agent_id: str,
    tool_name: str,
    app: Here,
    actor: Asks,
    body: wire_tools.RunIn | None = None,
) -> Response:
    """Call a tool as the agent would: with its memory, and its secrets."""
    arguments = {} if body is None else body.args
    try:
        tried = await try_tool.call(app.agents, actor, AgentId(agent_id), tool_name, arguments)
    except InvalidTool as error:
        if error.facts.get("field") != "args":
            raise
        return answer(not_tried_out(error))
    return answer(tried_out(tried))
