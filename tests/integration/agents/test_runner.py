"""Several runs at once: of one agent one after the other, of many side by side."""

import asyncio
import threading
from typing import Any

import pytest

from tests.fixtures.gates import Meets
from tests.fixtures.running import Opener, Talk, append, first_piece, spoken, user
from tests.servers.scripted_chat import Says, Script
from yiku.agents import conversations
from yiku.core.conversation import ConversationSettings
from yiku.core.errors import (
    AgentBusy,
    AgentNotFound,
    ApprovalPending,
    IdempotencyConflict,
    Invalid,
)
from yiku.core.ids import AgentId
from yiku.core.message import Image, Incoming, MessageRole, Text
from yiku.core.rule import ApprovalRule
from yiku.core.run import RunRequest, RunStatus, StopReason
from yiku.core.tenant import LOCAL_ACTOR


def last_words(request: dict[str, Any]) -> str:
    """Answers with what was said last."""
    said = [one["content"] for one in request["messages"] if one["role"] == "user"]
    return f"You said: {said[-1]}"


async def test_messages_to_one_agent_are_answered_one_after_the_other(talk: Talk) -> None:
    talk.model.respond = last_words
    agent = await talk.agent()
    words = [str(n) for n in range(8)]
    runs = await asyncio.gather(*(talk.send(agent, one) for one in words))
    assert all(run.status is RunStatus.COMPLETED for run in runs)
    said = [one.text for one in (await talk.said(agent))[1:]]
    assert said == [text for one in words for text in (one, f"You said: {one}")]


async def test_two_processes_take_turns(talk: Talk) -> None:
    talk.model.respond = last_words
    agent = await talk.agent()
    async with talk.another_process() as other:
        both = [(talk, "a"), (other, "b"), (talk, "c"), (other, "d")]
        runs = await asyncio.gather(*(one.send(agent, text) for one, text in both))
    assert all(run.status is RunStatus.COMPLETED for run in runs)
    said = (await talk.said(agent))[1:]
    assert sorted(spoken(said, "user")) == ["a", "b", "c", "d"]
    for asked, answer in zip(said[::2], said[1::2], strict=True):
        assert answer.text == f"You said: {asked.text}"
        assert answer.run_id == asked.run_id


async def test_who_waits_too_long_is_told_that_the_agent_is_busy(
    talk: Talk, goes_on: threading.Event
) -> None:
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on))
    agent = await talk.agent()
    active = await talk.start(agent, "Tell me a story.")
    await first_piece(active)
    async with talk.another_process(wait_s=0.1) as other:
        with pytest.raises(AgentBusy) as busy:
            await other.send(agent, "well?")
        assert busy.value.facts["agent_id"] == agent.agent.id
        queued = await other.start(agent, "in the background", background=True)
        with pytest.raises(AgentBusy):  # it waits behind the one in the background
            await other.send(agent, "well?")
        goes_on.set()
        assert (await queued.wait()).status is RunStatus.COMPLETED
    assert spoken(await talk.said(agent), "user") == ["Tell me a story.", "in the background"]


async def test_many_agents_run_side_by_side(talk: Talk) -> None:
    together = Meets(6)

    def respond(request: dict[str, Any]) -> Says:
        return Says(text=last_words(request), goes_on=together)

    talk.model.respond = respond
    agents = [await talk.agent(name=f"agent {n}") for n in range(6)]
    runs = await asyncio.gather(*(talk.send(one, one.agent.name) for one in agents))
    assert {run.status for run in runs} == {RunStatus.COMPLETED}
    for one in agents:
        assert spoken(await talk.said(one)) == [f"You said: {one.agent.name}"]


async def test_background_runs_are_queued_and_begin_in_order(
    talk: Talk, goes_on: threading.Event
) -> None:
    first = Says(text="Once upon a time", piece=5, goes_on=goes_on)
    talk.model.respond = Script(first, then=last_words)
    agent = await talk.agent()
    runs = [await talk.start(agent, "0", background=True)]
    await first_piece(runs[0])
    runs += [await talk.start(agent, str(n), background=True) for n in (1, 2, 3)]
    assert [one.run.status for one in runs[1:]] == [RunStatus.CREATED] * 3
    goes_on.set()
    ended = [await one.wait() for one in runs]
    assert [one.status for one in ended] == [RunStatus.COMPLETED] * 4
    assert [one.seq for one in ended] == sorted(one.seq for one in ended)
    assert [one.created_at for one in ended] == [one.run.created_at for one in runs]
    assert spoken(await talk.said(agent), "user") == ["0", "1", "2", "3"]


async def test_a_queued_run_that_cannot_begin_fails_with_the_reason(
    talk: Talk, goes_on: threading.Event
) -> None:
    asks = Says(text="Once upon a time", piece=5, goes_on=goes_on, calls=(append("x"),))
    talk.model.respond = Script(asks)
    agent = await talk.agent(
        "core_memory_append", tool_rules=(ApprovalRule(tool="core_memory_append"),)
    )
    first = await talk.start(agent, "0", background=True)
    await first_piece(first)
    second = await talk.start(agent, "1", background=True)
    goes_on.set()
    failed = await second.wait()
    assert (failed.status, failed.stop_reason) == (RunStatus.FAILED, StopReason.ERROR)
    assert failed.failure is not None
    assert failed.failure.kind == ApprovalPending.__name__


async def test_nobodys_agent_cannot_be_run(talk: Talk) -> None:
    nobody = AgentId("agent-00000000-0000-4000-8000-000000000000")
    for background in (False, True):
        with pytest.raises(AgentNotFound):
            await talk.runner.start(
                LOCAL_ACTOR, nobody, [user("x")], RunRequest(background=background)
            )


async def test_a_message_sent_again_joins_the_run_it_began(
    talk: Talk, goes_on: threading.Event
) -> None:
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on))
    agent = await talk.agent()
    first = await talk.start(agent, user("Tell me a story.", otid="1"))
    await first_piece(first)
    again = await talk.start(agent, user("Tell me a story.", otid="1"))
    assert again is first
    async with talk.another_process() as other:
        elsewhere = await other.start(agent, user("Tell me a story.", otid="1"))
        goes_on.set()
        assert await elsewhere.wait() == await first.wait()
        late = await other.start(agent, user("Tell me a story.", otid="1"))
        assert late.run.id == first.run.id
    assert spoken(await talk.said(agent), "user") == ["Tell me a story."]
    assert len(talk.model.asked) == 1


async def test_the_same_message_sent_twice_at_once_begins_one_run(talk: Talk) -> None:
    agent = await talk.agent()
    async with talk.another_process() as other:
        runs = await asyncio.gather(
            *(one.send(agent, user("x", otid="1")) for one in (talk, other, talk, other))
        )
    assert len({run.id for run in runs}) == 1
    assert spoken(await talk.said(agent), "user") == ["x"]
    assert len(talk.model.asked) == 1


async def test_a_queued_message_sent_again_joins_its_run(
    talk: Talk, goes_on: threading.Event
) -> None:
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on))
    agent = await talk.agent()
    await first_piece(await talk.start(agent, "0", background=True))
    first = await talk.start(agent, user("1", otid="1"), background=True)
    again = await talk.start(agent, user("1", otid="1"), background=True)
    assert again.run.id == first.run.id
    goes_on.set()
    await first.wait()
    assert spoken(await talk.said(agent), "user") == ["0", "1"]


async def test_of_several_messages_only_the_new_ones_are_stored(talk: Talk) -> None:
    agent = await talk.agent()
    await talk.send(agent, user("a", otid="a"))
    await talk.send(agent, user("a", otid="a"), user("b", otid="b"), user("c"))
    assert spoken(await talk.said(agent), "user") == ["a", "b", "c"]


async def test_an_otid_of_another_message_answers_nothing(
    talk: Talk, goes_on: threading.Event
) -> None:
    agent = await talk.agent()
    await talk.send(agent, user("a", otid="a"))
    beside = await conversations.create(
        talk.app.agents, LOCAL_ACTOR, agent.agent.id, ConversationSettings()
    )
    with pytest.raises(IdempotencyConflict, match="says something else"):
        await talk.send(agent, user("b", otid="a"))
    with pytest.raises(IdempotencyConflict, match="another conversation"):
        await talk.runner.start(
            LOCAL_ACTOR, agent.agent.id, [user("a", otid="a")], RunRequest(), beside.id
        )
    with pytest.raises(Invalid):
        await talk.send(agent, user("b", otid="b"), user("c", otid="b"))
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on))
    await first_piece(await talk.start(agent, "0", background=True))
    queued = await talk.start(agent, user("d", otid="d"), background=True)
    with pytest.raises(IdempotencyConflict, match="says something else"):
        await talk.start(agent, user("e", otid="d"), background=True)
    goes_on.set()
    await queued.wait()
    assert spoken(await talk.said(agent), "user") == ["a", "0", "d"]


@pytest.mark.parametrize("text", ["a\nb", " \t ", "🙂\u2028", "\x7f\\u0000"])
async def test_a_message_is_known_again_whatever_it_says(talk: Talk, text: str) -> None:
    agent = await talk.agent()
    picture = Image(data="aGk=", media_type="image/png")
    sent = Incoming(role=MessageRole.USER, parts=(Text(text), picture), name="Ann", otid="1")
    assert (await talk.send(agent, sent)).id == (await talk.send(agent, sent)).id


async def test_first_messages_are_known_and_belong_to_no_run(talk: Talk) -> None:
    agent = await talk.agent(first_messages=(user("Welcome.", otid="w"),))
    with pytest.raises(IdempotencyConflict):
        await talk.send(agent, user("Welcome.", otid="w"))


async def test_an_agent_with_a_long_history_answers_and_pages(open_talk: Opener) -> None:
    talk = await open_talk()
    talk.model.respond = last_words
    history = tuple(user(f"This was said before, number {n}.") for n in range(2_000))
    agent = await talk.agent(first_messages=history, context_window=200_000)
    for n in range(3):
        run = await talk.send(agent, f"now {n}")
        assert run.status is RunStatus.COMPLETED
    said = await talk.said(agent)
    assert len(said) == 1 + 2_000 + 6
    assert said == await talk.context(agent)
    prompt = str(talk.model.prompt(2))
    assert [f"number {n}." in prompt for n in (0, 1_000, 1_999)] == [True] * 3
    assert talk.texts(2)[-3:] == [
        ("user", "now 1"),
        ("assistant", "You said: now 1"),
        ("user", "now 2"),
    ]
