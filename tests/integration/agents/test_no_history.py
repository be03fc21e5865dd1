"""Agents whose runs see their own messages only."""

from typing import Any

import pytest

from tests.fixtures.running import Talk, append, approval, spoken
from tests.servers.scripted_chat import Fails, Says, Script
from yiku.agents import make
from yiku.core.agent import AgentKind
from yiku.core.message import Approval
from yiku.core.rule import ApprovalRule
from yiku.core.run import RunStatus, StopReason
from yiku.core.tenant import LOCAL_ACTOR

KINDS: list[dict[str, Any]] = [
    {"kind": AgentKind.EPHEMERAL},
    {"kind": AgentKind.WORKFLOW},
    {"message_buffer_autoclear": True},
]
every_kind = pytest.mark.parametrize("given", KINDS, ids=["ephemeral", "workflow", "autoclear"])


@every_kind
async def test_each_run_sees_its_own_messages_only(talk: Talk, given: dict[str, Any]) -> None:
    talk.model.respond = Script(
        Says(calls=(append("kept"),)), "One.", Fails(status=400, message="No."), "Three."
    )
    agent = await talk.agent("core_memory_append", **given)
    for words in ("first", "second", "third"):
        await talk.send(agent, words)

    assert [text for role, text in talk.texts(1) if role == "user"][-1] == "first"
    for number, words in ((2, "second"), (3, "third")):
        shown = str(talk.texts(number))
        assert words in shown
        assert not [one for one in ("first", "second", "third") if one in shown and one != words]
    assert "kept" in talk.system(3)  # its memory stays
    assert [one.role for one in await talk.context(agent)] == ["system"]
    assert spoken(await talk.said(agent), "user") == ["first", "second", "third"]


@every_kind
async def test_a_run_that_waits_is_not_forgotten(talk: Talk, given: dict[str, Any]) -> None:
    talk.model.respond = Script(Says(calls=(append("kept"),)), "Done.", "Two.")
    rule = ApprovalRule(tool="core_memory_append")
    agent = await talk.agent("core_memory_append", tool_rules=(rule,), **given)
    run = await talk.send(agent, "first")
    assert run.stop_reason is StopReason.REQUIRES_APPROVAL
    [call] = (await talk.context(agent))[-1].calls
    run = await talk.send(agent, approval(Approval(call_id=call.id, approve=True)))
    assert run.stop_reason is StopReason.END_TURN
    assert "first" in str(talk.texts(1))
    await talk.send(agent, "second")
    assert "first" not in str(talk.texts(2))


async def test_what_was_said_before_it_was_set_so_is_forgotten_too(talk: Talk) -> None:
    agent = await talk.agent()
    await talk.send(agent, "first")
    await make.update(
        talk.app.agents, LOCAL_ACTOR, agent.agent.id, {"message_buffer_autoclear": True}
    )
    run = await talk.send(agent, "second")
    assert run.status is RunStatus.COMPLETED
    assert "first" not in str(talk.texts(1))
