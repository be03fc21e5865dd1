"""A run that somebody ends: in the middle of the model's words, of a tool, or before it began."""

import asyncio
import threading

from tests.fixtures.gates import TOOL, Gate
from tests.fixtures.running import (
    Talk,
    append,
    approval,
    first_piece,
    first_stored,
    returned,
    spoken,
)
from tests.servers.scripted_chat import Call, Says, Script
from yiku.agents import begin, make
from yiku.core.message import Approval
from yiku.core.rule import ApprovalRule
from yiku.core.run import RunStatus, StepStatus, StopReason
from yiku.core.tenant import LOCAL_ACTOR
from yiku.store.database import Tx


async def test_in_the_middle_of_the_models_words(talk: Talk, goes_on: threading.Event) -> None:
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on), "Hello.")
    agent = await talk.agent()
    active = await talk.start(agent, "Tell me a story.")
    piece = await first_piece(active)
    assert await talk.runner.cancel(LOCAL_ACTOR, agent.agent.id) == [active.run.id]
    run = await active.wait()

    assert (run.status, run.stop_reason) == (RunStatus.CANCELLED, StopReason.CANCELLED)
    assert run.failure is None
    half = (await talk.said(agent))[-1]
    assert (half.text, half.id, half.step_id) == ("Once ", piece.message_id, piece.step_id)
    [step] = await talk.steps(run)
    assert (step.id, step.status) == (piece.step_id, StepStatus.CANCELLED)
    assert (await talk.send(agent, "Never mind.")).status is RunStatus.COMPLETED
    assert [one for one in talk.texts(1) if one[0] == "assistant"] == [("assistant", "Once ")]


async def test_in_the_middle_of_a_custom_tool(talk: Talk, gate: Gate) -> None:
    await talk.custom(TOOL)
    calls = (append("first"), Call("slow", {"port": gate.port}))
    talk.model.respond = Script(Says(calls=calls), "Hello.")
    agent = await talk.agent("slow", "core_memory_append")
    active = await talk.start(agent, "x")
    await gate.came()
    await talk.runner.cancel(LOCAL_ACTOR, agent.agent.id, [active.run.id])
    run = await active.wait()

    assert run.status is RunStatus.CANCELLED
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [False, False]
    assert (await talk.block(agent)).value == "用户喜欢编程和AI技术"
    [step] = await talk.steps(run)
    assert step.status is StepStatus.CANCELLED
    assert (run.step_count, run.usage) == (1, step.usage)
    assert (await talk.send(agent, "y")).status is RunStatus.COMPLETED


async def test_between_two_steps(talk: Talk) -> None:
    agent = await talk.agent("core_memory_append")

    def respond(request: object) -> Says:
        loop.call_soon_threadsafe(cancel)
        asked.wait(60)
        return Says(calls=(append("a"),))

    asked, loop = threading.Event(), asyncio.get_running_loop()

    def cancel() -> None:
        task = loop.create_task(talk.write(cancel_all))
        task.add_done_callback(lambda done: asked.set())

    def cancel_all(tx: Tx) -> None:
        begin.ask_to_end(tx, agent.agent.id, None)

    talk.model.respond = respond
    run = await talk.send(agent, "x")
    assert (run.status, run.step_count) == (RunStatus.CANCELLED, 1)
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [True]


async def test_from_another_process(talk: Talk, goes_on: threading.Event) -> None:
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on))
    agent = await talk.agent()
    active = await talk.start(agent, "Tell me a story.")
    await first_piece(active)
    async with talk.another_process() as other:
        assert await other.runner.cancel(LOCAL_ACTOR, agent.agent.id) == [active.run.id]
        watched = await other.runner.watch(LOCAL_ACTOR, active.run.id)
        assert (await watched.wait()).status is RunStatus.CANCELLED
    assert (await active.wait()).status is RunStatus.CANCELLED


async def test_before_it_began(talk: Talk, goes_on: threading.Event) -> None:
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on), "Third.")
    agent = await talk.agent()
    first = await talk.start(agent, "one", background=True)
    await first_piece(first)
    second = await talk.start(agent, "two", background=True)
    third = await talk.start(agent, "three", background=True)
    assert second.run.status is RunStatus.CREATED
    assert await talk.runner.cancel(LOCAL_ACTOR, agent.agent.id, [second.run.id])
    assert (await second.wait()).status is RunStatus.CANCELLED
    goes_on.set()
    assert (await third.wait()).status is RunStatus.COMPLETED
    assert spoken(await talk.said(agent), "user") == ["one", "three"]
    assert await talk.runner.cancel(LOCAL_ACTOR, agent.agent.id, [second.run.id]) == []


async def test_what_ended_is_not_cancelled(talk: Talk) -> None:
    agent = await talk.agent()
    run = await talk.send(agent, "x")
    assert await talk.runner.cancel(LOCAL_ACTOR, agent.agent.id) == []
    assert (await talk.run(run.id)).status is RunStatus.COMPLETED


async def test_an_approved_call_in_the_middle(talk: Talk, gate: Gate) -> None:
    await talk.custom(TOOL)
    call = Call("slow", {"port": gate.port})
    talk.model.respond = Script(Says(calls=(call,)), "Hello.")
    agent = await talk.agent("slow", tool_rules=(ApprovalRule(tool="slow"),))
    await talk.send(agent, "x")
    [asked] = (await talk.said(agent))[-1].calls
    active = await talk.start(agent, approval(Approval(call_id=asked.id, approve=True)))
    await gate.came()
    await talk.runner.cancel(LOCAL_ACTOR, agent.agent.id)
    assert (await active.wait()).status is RunStatus.CANCELLED
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [False]
    assert (await talk.send(agent, "y")).status is RunStatus.COMPLETED


async def test_an_agent_that_is_deleted_in_the_middle(talk: Talk, goes_on: threading.Event) -> None:
    """Its run ends, whoever watches it, and other agents' runs go on."""
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on), "Hello.")
    agent, other = await talk.agent(), await talk.agent(name="Er")
    active = await talk.start(agent, "Tell me a story.")
    await first_piece(active)
    await make.delete(talk.app.agents, LOCAL_ACTOR, agent.agent.id)
    goes_on.set()
    assert (await active.wait()).status is RunStatus.CANCELLED
    assert (await talk.send(other, "x")).status is RunStatus.COMPLETED


async def test_watching_from_another_process(talk: Talk, goes_on: threading.Event) -> None:
    talk.model.respond = Script(
        Says(calls=(append("a"),)), Says(text="Once upon a time", piece=5, goes_on=goes_on)
    )
    agent = await talk.agent("core_memory_append")
    active = await talk.start(agent, "x")
    await first_stored(active)
    async with talk.another_process() as other:
        watched = await other.runner.watch(LOCAL_ACTOR, active.run.id)
        assert (await first_stored(watched)).text == "x"
        goes_on.set()
        assert await watched.wait() == await active.wait()
