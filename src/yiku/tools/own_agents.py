"""Tools by which agents speak to each other; names, parameters and meaning are v1's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from yiku.core.agent import Agent, AgentFilter, AgentPage
from yiku.core.errors import Invalid, YikuError
from yiku.core.ids import AgentId
from yiku.core.tenant import Scope
from yiku.core.tool import ToolType
from yiku.store import agents
from yiku.store.database import demand
from yiku.tools.desk import TEXT, TEXTS, Desk, OwnTool, Param, PeersOfAgent, Told

MOST = 20
"""Agents that can be asked at once."""
AT_ONCE = 5


def peers(desk: Desk) -> PeersOfAgent:
    """Raises: Invalid, NotAllowed."""
    demand(desk.actor, Scope.WRITE)
    if desk.peers is None:
        raise Invalid("Other agents can't be reached from here.", zh="这里无法联系其他智能体。")
    return desk.peers


def told(desk: Desk, receiver: AgentId, message: str, way: str) -> Told:
    words = desk.words[way].format(name=desk.state.agent.name, id=desk.agent_id, message=message)
    return Told(
        actor=desk.actor,
        sender=desk.agent_id,
        run_id=desk.run_id,
        receiver=receiver,
        text=words,
        key=f"{desk.idempotency_key}:{receiver}",
    )


async def send(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: AgentNotFound, Invalid."""
    receiver = AgentId(given["other_agent_id"])
    await peers(desk).tell(told(desk, receiver, given["message"], "from_agent"))
    return desk.words["sent_to_agent"]


async def send_and_wait(desk: Desk, given: Mapping[str, Any]) -> str:
    """Raises: AgentNotFound, Invalid, Conflict, RunFailed, AgentBusy."""
    receiver = AgentId(given["other_agent_id"])
    answer = await peers(desk).ask(told(desk, receiver, given["message"], "asked_by_agent"))
    return answer or desk.words["no_answer"]


async def send_to_tagged(desk: Desk, given: Mapping[str, Any]) -> str:
    """The answers as JSON, one of each agent; one that can't answer says why. Raises: Invalid."""
    others = await tagged(desk, given.get("match_all") or (), given.get("match_some") or ())
    if not others:
        raise Invalid("No other agent has these tags.", zh="没有其他智能体带有这些标签。")
    if len(others) > MOST:
        raise Invalid(
            f"More than {MOST} agents have these tags; name tags that fewer have.",
            zh=f"带有这些标签的智能体超过 {MOST} 个，请使用更少智能体才有的标签。",
        )
    room, there = asyncio.Semaphore(AT_ONCE), peers(desk)

    async def asked(one: Agent) -> dict[str, str]:
        who = {"agent_id": one.id, "name": one.name}
        async with room:
            try:
                words = told(desk, one.id, given["message"], "asked_by_agent")
                return {**who, "response": await there.ask(words)}
            except YikuError as error:
                return {**who, "error": error.told(desk.language)}

    answers = await asyncio.gather(*map(asked, others))
    return json.dumps(answers, ensure_ascii=False)


async def tagged(desk: Desk, every: Any, some: Any) -> list[Agent]:
    """The other agents that have all of the tags `every`, and one of `some` where there are any;
    one more than can be asked, where there are more. Raises: Invalid."""
    if not every and not some:
        raise Invalid(
            "Say which agents: tags in `match_all` or `match_some`.",
            zh="请用 `match_all` 或 `match_some` 里的标签说明是哪些智能体。",
        )
    wanted = AgentFilter(tags=tuple(every or some), all_tags=bool(every))
    found = await desk.database.read(
        desk.actor, lambda tx: agents.page(tx, wanted, AgentPage(limit=1000))
    )
    fitting = [one for one in found if not some or set(some) & set(one.config.tags)]
    return [one for one in fitting if one.id != desk.agent_id][: MOST + 1]


MESSAGE = Param(name="message", schema=TEXT, en="What to say.", zh="要说的内容。")
OTHER = Param(
    name="other_agent_id",
    schema=TEXT,
    en="The other agent's id: agent-…",
    zh="对方智能体的 id：agent-…",
)

TOOLS = (
    OwnTool(
        name="send_message_to_agent_and_wait_for_reply",
        tool_type=ToolType.MULTI_AGENT,
        en="Send a message to another agent and wait for its answer.",
        zh="给另一个智能体发送消息，并等待它的答复。",
        params=(MESSAGE, OTHER),
        action=send_and_wait,
        parallel=True,
    ),
    OwnTool(
        name="send_message_to_agent_async",
        tool_type=ToolType.MULTI_AGENT,
        en="Send a message to another agent without waiting. What it answers comes as a message of"
        " its own, if it sends you one.",
        zh="给另一个智能体发送消息，不等待答复。对方若要答复，会另发消息给你。",
        params=(MESSAGE, OTHER),
        action=send,
        parallel=True,
    ),
    OwnTool(
        name="send_message_to_agents_matching_tags",
        tool_type=ToolType.MULTI_AGENT,
        en="Send a message to all agents that have certain tags, and wait for their answers.",
        zh="给带有某些标签的所有智能体发送消息，并等待它们的答复。",
        params=(
            MESSAGE,
            Param(
                name="match_all",
                schema=TEXTS,
                en="Tags that each of them must have.",
                zh="必须全部带有的标签。",
            ),
            Param(
                name="match_some",
                schema=TEXTS,
                en="Tags of which each of them must have one; none: it doesn't matter.",
                zh="至少带有其中一个的标签；留空则不限。",
            ),
        ),
        action=send_to_tagged,
    ),
)
