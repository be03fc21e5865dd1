"""From a model's call of a tool to the tool's answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from yiku.core.agent import AgentState
from yiku.core.errors import Conflict, Invalid, NotAllowed, NotFound, YikuError
from yiku.core.language import Language
from yiku.core.message import ToolCall, ToolReturn
from yiku.core.model import ToolSpec
from yiku.core.telemetry import SILENT, Kind, Telemetry
from yiku.core.tool import Returned, SourceType, Tool, ToolType
from yiku.store.database import Tx
from yiku.tools.arguments import parsed, read
from yiku.tools.desk import ActionWork, DeedWork, Desk
from yiku.tools.own import own_tool
from yiku.tools.registry import cut, reason, text_of

logger = logging.getLogger(__name__)

ACTION_TIMEOUT_S = 120.0
"""For an action of our own; custom code has the sandbox's own limit."""


@dataclass(frozen=True, slots=True)
class Deed:
    """A call that is carried out in the step's own transaction."""

    call: ToolCall
    tool: Tool
    arguments: Mapping[str, Any]
    work: DeedWork


@dataclass(frozen=True, slots=True)
class Action:
    """A call that is carried out outside of any transaction."""

    call: ToolCall
    tool: Tool
    arguments: Mapping[str, Any]
    work: ActionWork | None
    """None: the tool's own code, in the sandbox, or an MCP server's."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A call of a tool that the client runs."""

    call: ToolCall


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that can't be carried out, and what the model is told of it."""

    call: ToolCall
    answer: ToolReturn


Planned = Deed | Action | Waits | Refused


def plan(
    state: AgentState,
    client_tools: Sequence[ToolSpec],
    call: ToolCall,
    language: Language = "en",
) -> Planned:
    """What is to be done about a call (pure). Rules and approvals are for the caller to look at.

    `language`: in which the model is told why it can't be carried out.
    """
    try:
        theirs = next((one for one in client_tools if one.name == call.name), None)
        if theirs is not None:
            parsed(call.name, call.arguments, theirs.parameters, language)
            return Waits(call)
        return planned(state, call, language)
    except YikuError as error:
        return Refused(call, failed(call, error.told(language)))


def planned(state: AgentState, call: ToolCall, language: Language) -> Planned:
    """Raises: NotFound, InvalidTool."""
    tool = state.tool(call.name)
    if tool is None:
        names = [one.name for one in state.tools]
        raise NotFound(
            f"You have no tool {call.name!r:.80}. Your tools: {', '.join(names) or 'none'}.",
            zh=f"你没有名为 {call.name!r:.80} 的工具。你的工具：{'、'.join(names) or '无'}。",
        )
    arguments = read(tool.name, call.arguments, tool.json_schema.get("parameters", {}), language)
    ours = own_tool(tool)
    if ours is not None and ours.deed is not None:
        return Deed(call, tool, arguments, ours.deed)
    if ours is not None:
        return Action(call, tool, arguments, ours.action)
    if tool.tool_type is ToolType.MCP:
        return Action(call, tool, arguments, None)
    if tool.tool_type is not ToolType.CUSTOM:
        raise NotFound(
            f"The tool `{tool.name}` ({tool.tool_type}) is not there in this version.",
            zh=f"此版本中没有工具 `{tool.name}`（{tool.tool_type}）。",
        )
    if tool.source_type is SourceType.JSON:
        return Waits(call)
    return Action(call, tool, arguments, None)


def perform(tx: Tx, desk: Desk, deeds: Sequence[Deed]) -> list[ToolReturn]:
    """Carry deeds out, in order, each on what those before it left.

    `desk` stays as it is: the unit of work that this is in may be run again.
    """
    working = replace(desk, blocks=dict(desk.blocks))
    return [performed(tx, replace(working, call_id=one.call.id), one) for one in deeds]


def performed(tx: Tx, desk: Desk, deed: Deed) -> ToolReturn:
    try:
        text = deed.work(tx, desk, deed.arguments)
    except (NotFound, Invalid, Conflict, NotAllowed) as error:
        return failed(deed.call, error.told(desk.language), deed.tool, desk.language)
    return succeeded(deed.call, text, deed.tool, desk.language)


async def run_actions(
    desk: Desk, actions: Sequence[Action], telemetry: Telemetry = SILENT
) -> list[ToolReturn]:
    """Carry actions out: side by side where all their tools allow it, else in order.

    Answers are in the order of the calls. Cancelling it ends what is running.
    """
    if not all(one.tool.enable_parallel_execution for one in actions):
        return [await told(desk, one, telemetry) for one in actions]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(told(desk, one, telemetry)) for one in actions]
    return [task.result() for task in tasks]


async def told(desk: Desk, action: Action, telemetry: Telemetry) -> ToolReturn:
    with telemetry.doing(Kind.TOOL, told_as(action.tool)) as doing:
        answer = await run_action(desk, action)
        doing.note(ok=answer.ok)
        return answer


def told_as(tool: Tool) -> str:
    """The name of one of ours; of others their kind: what users call their tools is theirs."""
    return tool.name if own_tool(tool) is not None else tool.tool_type.value


async def run_action(desk: Desk, action: Action) -> ToolReturn:
    """Whatever the tool does, this answers; only cancelling passes through."""
    call, tool = action.call, action.tool
    here = replace(desk, call_id=call.id)
    try:
        if tool.tool_type is ToolType.MCP:
            return await run_lent(here, action)
        if action.work is None:
            return await run_custom(here, action)
        async with asyncio.timeout(ACTION_TIMEOUT_S):
            text = await action.work(here, action.arguments)
            return succeeded(call, text, tool, desk.language)
    except TimeoutError:
        late = desk.words["late"].format(tool=tool.name, seconds=ACTION_TIMEOUT_S)
        return failed(call, late, tool)
    except YikuError as error:
        return failed(call, error.told(desk.language), tool, desk.language)
    except Exception as error:
        logger.exception("a tool failed", extra={"tool": tool.name, "run": desk.run_id})
        kind = type(error).__name__
        return failed(call, desk.words["bug"].format(tool=tool.name, kind=kind), tool)


async def run_custom(desk: Desk, action: Action) -> ToolReturn:
    """Raises: InvalidTool, SandboxUnavailable, NotAllowed."""
    tool = action.tool
    ran = await desk.toolbox.run(
        desk.actor, tool, action.arguments, desk.environment, agent=desk.state
    )
    if isinstance(ran.outcome, Returned):
        value = ran.outcome.value
        text = "None" if value is None else text_of(value)
        made = succeeded(action.call, text, tool, desk.language)
    else:
        why = desk.words["failed"].format(tool=tool.name, why=reason(ran, desk.language))
        made = failed(action.call, why, tool, desk.language)
    return replace(made, stdout=printed(ran.stdout), stderr=printed(ran.stderr))


async def run_lent(desk: Desk, action: Action) -> ToolReturn:
    """An MCP server's tool. Raises: ToolNotFound, McpUnavailable, NotAllowed, SecretUnreadable."""
    servers, tool = desk.toolbox.mcp, action.tool
    answered = await servers.call(desk.actor, tool, action.arguments, desk.secrets)
    if answered.ok:
        return succeeded(action.call, answered.text, tool, desk.language)
    why = desk.words["failed"].format(tool=tool.name, why=answered.text)
    return failed(action.call, why, tool, desk.language)


def printed(text: str) -> tuple[str, ...]:
    return (text,) if text else ()


def succeeded(call: ToolCall, text: str, tool: Tool, language: Language = "en") -> ToolReturn:
    told = cut(text, tool.return_char_limit, language)
    return ToolReturn(call_id=call.id, name=call.name, ok=True, text=told)


def failed(
    call: ToolCall, text: str, tool: Tool | None = None, language: Language = "en"
) -> ToolReturn:
    told = text if tool is None else cut(text, tool.return_char_limit, language)
    return ToolReturn(call_id=call.id, name=call.name, ok=False, text=told)
