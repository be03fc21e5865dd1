"""What agents say to each other, by tools of theirs.

To be told something is a run of the other agent's own, like any other: it is queued while that one
is busy, and goes on wherever its server dies. Asked with the same key, it is the same run.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from yiku.core.errors import AgentBusy, Conflict, Invalid, RunFailed, RunNotFound
from yiku.core.ids import AgentId
from yiku.core.message import Incoming, Message, MessageFilter, MessagePage, MessageRole, Text
from yiku.core.run import Run, RunFilter, RunPage, RunRequest, RunStatus, StopReason
from yiku.store import agents, messages, runs
from yiku.store.database import Tx
from yiku.tools.desk import Told

if TYPE_CHECKING:
    from yiku.agents.active import ActiveRun
    from yiku.agents.runner import Runner

MAX_HOPS = 10
"""Messages from agent to agent that one word of a person's can lead to, one after the other."""
SPEAKS = "send_message"
GOING_ON = (RunStatus.CREATED, RunStatus.RUNNING)


class Peers:
    """The other agents, to a tool's call."""

    def __init__(self) -> None:
        self.runner: Runner | None = None
        """Of this process; it says so itself."""

    async def tell(self, told: Told) -> None:
        """On return what was said is durable; nobody waits for what the other makes of it.

        Raises: AgentNotFound, Invalid, StoreError.
        """
        await self._begun(told, awaited=False)

    async def ask(self, told: Told) -> str:
        """What the other one answers. Raises: as `tell`, and Conflict where it waits itself,
        RunFailed, AgentBusy."""
        active = await self._begun(told, awaited=True)
        run = await active.wait()
        if run.failure is not None:
            raise RunFailed(f"Agent {told.receiver} could not answer: {run.failure.message}")
        if not run.status.ended:
            raise AgentBusy(f"Agent {told.receiver} will answer later: this server is closing.")
        if run.stop_reason is StopReason.REQUIRES_APPROVAL:
            raise Conflict(
                f"Agent {told.receiver} waits for a person's approval before it answers."
            )
        database = self._runner.agents.database
        return await database.read(told.actor, lambda tx: answer_of(tx, run))

    @property
    def _runner(self) -> Runner:
        assert self.runner is not None, "agents run, so there is a runner"
        return self.runner

    async def _begun(self, told: Told, *, awaited: bool) -> ActiveRun:
        runner = self._runner

        def unit(tx: Tx) -> int:
            demand_other(tx, told)
            if awaited:
                demand_no_ring(tx, told)
            return hops_to(tx, told)

        hops = await runner.agents.database.read(told.actor, unit)
        said = Incoming(
            role=MessageRole.USER,
            parts=(Text(told.text),),
            otid=f"peer:{hashlib.sha256(told.key.encode()).hexdigest()[:40]}",
            sender_id=told.sender,
        )
        request = RunRequest(background=True, asked_by=told.sender, awaited=awaited, hops=hops)
        return await runner.start(told.actor, told.receiver, [said], request)


def demand_other(tx: Tx, told: Told) -> None:
    """Raises: AgentNotFound, Invalid."""
    agents.get(tx, told.receiver)
    if told.receiver == told.sender:
        raise Invalid("That is you: send it to another agent.", zh="那是你自己：请发给别的智能体。")


def hops_to(tx: Tx, told: Told) -> int:
    """How many messages of agents there are in a row, with this one. Raises: Invalid."""
    try:
        before = runs.get(tx, told.run_id).request.hops
    except RunNotFound:  # somebody tries the tool
        before = 0
    if before >= MAX_HOPS:
        raise Invalid(
            f"Agents have sent each other {MAX_HOPS} messages in a row, and no person has said"
            " anything in between. End here, and tell your user what came of it.",
            zh=f"智能体之间已连续发送 {MAX_HOPS} 条消息，其间没有人说话。"
            "请到此为止，并把结果告诉用户。",
        )
    return before + 1


def demand_no_ring(tx: Tx, told: Told) -> None:
    """Raises: Conflict where the other one waits for this one, itself or through others."""
    waits: dict[AgentId, set[AgentId]] = defaultdict(set)
    going_on = RunFilter(statuses=GOING_ON)
    for run in runs.page(tx, going_on, RunPage(limit=1000)):
        if run.request.awaited and run.request.asked_by is not None:
            waits[run.request.asked_by].add(run.agent_id)
    seen, left = {told.receiver}, [told.receiver]
    while left:
        new = waits[left.pop()] - seen
        if told.sender in new:
            raise Conflict(
                f"Agent {told.receiver} waits for your own answer: neither of you would ever get"
                " one. Answer it first, or use send_message_to_agent_async.",
                zh=f"智能体 {told.receiver} 正在等你的答复，双方会互相等下去。"
                "请先答复它，或改用 send_message_to_agent_async。",
            )
        seen |= new
        left += new


def answer_of(tx: Tx, run: Run) -> str:
    """What an agent has said in a run."""
    wanted = MessageFilter(run_id=run.id, roles=[MessageRole.ASSISTANT])
    said = messages.page(tx, wanted, MessagePage(limit=1000, newest_first=False))
    return "\n".join(filter(None, map(words_of, said)))


def words_of(one: Message) -> str:
    spoke = (spoken(call.arguments) for call in one.calls if call.name == SPEAKS)
    return "\n".join(filter(None, [one.text, *spoke]))


def spoken(arguments: str) -> str:
    try:
        given: Any = json.loads(arguments)
    except (ValueError, RecursionError):
        return ""
    return str(given.get("message", "")) if isinstance(given, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] # what JSON holds
