"""An agent's tool, called by somebody else: to see what it would do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from yiku.agents.instructions import own_language
from yiku.agents.make import no_tool
from yiku.agents.shared import Agents
from yiku.core.agent import AgentState
from yiku.core.errors import InvalidTool
from yiku.core.ids import AgentId, RunId, StepId, new_id
from yiku.core.message import ToolCall, ToolReturn
from yiku.core.tenant import Actor, Scope
from yiku.core.tool import Ran, Tool, ToolType
from yiku.store import agents as store
from yiku.store.database import demand, now_utc
from yiku.tools import executor
from yiku.tools.arguments import read
from yiku.tools.desk import Desk


@dataclass(frozen=True, slots=True)
class Tried:
    """How a call ended: of a custom tool's code, or of a tool of our own."""

    ended: Ran | ToolReturn


async def call(
    agents: Agents, actor: Actor, agent_id: AgentId, name: str, arguments: Mapping[str, Any]
) -> Tried:
    """Call a tool with the agent's memory and secrets. No message is stored; no rule is asked.

    Raises: AgentNotFound, ToolNotFound, InvalidTool where it can't be called like this,
    SandboxUnavailable, NotAllowed, StoreError.
    """
    demand(actor, Scope.WRITE)
    state = await agents.database.read(actor, lambda tx: store.state(tx, agent_id))
    tool = state.tool(name)
    if tool is None:
        raise no_tool(state, name)
    desk = desk_of(agents, actor, state)
    if tool.tool_type is ToolType.CUSTOM:
        fitting = fitted(tool, arguments, desk)
        return Tried(await agents.tools.run(actor, tool, fitting, desk.environment, agent=state))
    asked = ToolCall(id=desk.call_id, name=name, arguments=json.dumps(arguments))
    planned = executor.plan(state, (), asked, desk.language)
    match planned:
        case executor.Deed():
            deeds = [planned]
            [done] = await agents.database.write(
                actor, lambda tx: executor.perform(tx, desk, deeds)
            )
        case executor.Action():
            [done] = await executor.run_actions(desk, [planned])
        case executor.Refused():
            raise InvalidTool(planned.answer.text, field="args")
        case executor.Waits():
            raise InvalidTool(f"`{name}` has no code here: the client runs it.")
    return Tried(done)


def fitted(tool: Tool, arguments: Mapping[str, Any], desk: Desk) -> Mapping[str, Any]:
    """As a model's arguments would reach it. Raises: InvalidTool."""
    parameters = tool.json_schema.get("parameters", {})
    try:
        return read(tool.name, json.dumps(arguments), parameters, desk.language)
    except InvalidTool as error:
        raise InvalidTool(error.message, field="args") from error


def desk_of(agents: Agents, actor: Actor, state: AgentState) -> Desk:
    return Desk(
        actor=actor,
        state=state,
        run_id=RunId(new_id("run")),
        step_id=StepId(new_id("step")),
        n=1,
        now=now_utc(),
        memory=agents.memory,
        skills=agents.skills,
        toolbox=agents.tools,
        peers=agents.peers,
        language=own_language(state),
        call_id=new_id("call"),
    )
