"""Agents whose memory is a mixture of roles: what is said opens some, and is kept in them."""

import pytest

from tests.fixtures.running import Talk, append, approval, spoken
from tests.servers.scripted_chat import Call, Fails, Says, Script
from yiku.agents import make
from yiku.core.agent import AgentKind, AgentState
from yiku.core.message import Approval
from yiku.core.rule import ApprovalRule
from yiku.core.run import RunStatus
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.roles import manage
from yiku.store import passages
from yiku.store.database import Tx

OFFER = "The client wants our revised offer before noon on Wednesday"
PARSER = "The parser module is being rewritten with async Python code"
QUESTION = "When does the client expect the revised offer?"


async def kept(talk: Talk, agent: AgentState) -> list[str]:
    """What is in the agent's archive, the oldest first."""
    [archive] = (await talk.state(agent)).archives

    def texts(tx: Tx) -> list[str]:
        return [one.text for one in passages.page(tx, archive, after=0, limit=100)]

    return await talk.app.database.read(LOCAL_ACTOR, texts)


def prompt_of(talk: Talk, number: int) -> str:
    return str(talk.texts(number))


async def test_what_is_said_opens_roles_and_their_memories_are_shown(talk: Talk) -> None:
    talk.model.respond = Script("I see.", "Good luck.", "On Wednesday, before noon.")
    agent = await talk.agent(role_memory=True, message_buffer_autoclear=True, blocks=())
    assert await manage.listed(talk.app.memory, LOCAL_ACTOR, agent.archives[0])
    await talk.send(agent, OFFER)
    await talk.send(agent, PARSER)
    await talk.send(agent, QUESTION)

    shown = prompt_of(talk, 2)
    assert OFFER in shown
    assert shown.index(OFFER) < shown.index(QUESTION)
    assert PARSER not in shown
    texts = await kept(talk, agent)
    assert OFFER in texts
    assert PARSER in texts


async def test_an_answer_that_repeats_a_memory_is_not_learned(talk: Talk) -> None:
    echo = "The client wants your revised offer before noon on Wednesday."
    talk.model.respond = Script("I see.", echo)
    agent = await talk.agent(role_memory=True, message_buffer_autoclear=True, blocks=())
    await talk.send(agent, OFFER)
    await talk.send(agent, QUESTION)
    assert OFFER in prompt_of(talk, 1)
    texts = await kept(talk, agent)
    assert echo not in texts
    assert QUESTION in texts


async def test_all_steps_of_a_run_are_shown_the_same(talk: Talk) -> None:
    talk.model.respond = Script("I see.", Says(calls=(append("x"),)), "On Wednesday.")
    agent = await talk.agent("core_memory_append", role_memory=True)
    await talk.send(agent, OFFER)
    await talk.send(agent, QUESTION)
    first, second = (talk.model.prompt(n)[1:] for n in (1, 2))
    assert second[: len(first)] == first


async def test_what_a_failed_run_was_asked_is_kept_with_the_next(
    talk: Talk, caplog: pytest.LogCaptureFixture
) -> None:
    talk.model.respond = Script(Fails(status=400, message="No."), "I see.")
    agent = await talk.agent(role_memory=True)
    assert (await talk.send(agent, OFFER)).status is RunStatus.FAILED
    await talk.send(agent, PARSER)
    texts = await kept(talk, agent)
    assert texts.count(OFFER) == texts.count(PARSER) == 1


async def test_what_is_said_by_a_tool_is_kept_too(talk: Talk) -> None:
    speaks = Says(calls=(Call("send_message", {"message": "Your offer is late, I fear."}),))
    talk.model.respond = Script(speaks)
    agent = await talk.agent(kind=AgentKind.V2, base_tools=True, role_memory=True)
    await talk.send(agent, OFFER)
    assert "Your offer is late, I fear." in await kept(talk, agent)


async def test_a_run_that_waits_keeps_each_message_once(talk: Talk) -> None:
    talk.model.respond = Script(Says(text="May I?", calls=(append("x"),)), "Done, thank you.")
    rule = ApprovalRule(tool="core_memory_append")
    agent = await talk.agent("core_memory_append", tool_rules=(rule,), role_memory=True)
    await talk.send(agent, OFFER)
    [call] = (await talk.context(agent))[-1].calls
    await talk.send(agent, approval(Approval(call_id=call.id, approve=True)))
    texts = await kept(talk, agent)
    assert sorted(texts) == sorted([OFFER, "May I?", "Done, thank you."])


async def test_an_agent_gets_roles_later(talk: Talk) -> None:
    agent = await talk.agent()
    await talk.send(agent, OFFER)
    assert not agent.archives
    agent = await make.update(talk.app.agents, LOCAL_ACTOR, agent.agent.id, {"role_memory": True})
    await talk.send(agent, PARSER)
    texts = await kept(talk, agent)
    assert OFFER in texts
    assert PARSER in texts
    assert spoken(await talk.said(agent), "user") == [OFFER, PARSER]
