"""/v1/runs and /v1/steps, spoken to with the real client."""

import asyncio
from typing import Any

import letta_client
import pytest

from tests.fixtures.letta import Driver
from tests.fixtures.talking import kinds, made
from tests.servers.scripted_chat import Call, Fails, Says, Script, ScriptedChat

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
"""`messages.stream`, which programs still call, is deprecated in favour of `create`."""

APPEND = Call("core_memory_append", {"label": "human", "content": "住在上海"})
SLOW = Says(text="one two three four five six", piece=4, gap_s=0.1)
ENDLESS = Says(text="one two three four five six " * 20, piece=4, gap_s=0.1)
"""Nothing waits for its end: it is cancelled."""


async def ended(talk: Driver, run_id: str) -> Any:
    async with asyncio.timeout(60):
        while True:
            run = await talk(lambda c: c.runs.retrieve(run_id))
            if run.status not in ("created", "running"):
                return run
            await asyncio.sleep(0.02)


async def test_a_run_in_the_background(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(text="Hello.", wait_s=2))
    agent_id = await made(talk)
    run = await talk(lambda c: c.agents.messages.create_async(agent_id, input="hi"))
    assert (run.status, run.background, run.agent_id) == ("running", True, agent_id)
    active = await talk(lambda c: c.runs.list(active=True))
    assert [one.id for one in active.items] == [run.id]

    done = await ended(talk, run.id)
    assert (done.status, done.stop_reason) == ("completed", "end_turn")
    assert done.completed_at >= done.created_at
    assert done.total_duration_ns > 0
    said = await talk.all(lambda c: c.runs.messages.list(run.id))
    assert kinds(said) == ["user_message", "assistant_message"]
    assert said[1].content == "Hello."
    assert (await talk(lambda c: c.runs.list(active=True))).items == []


async def test_runs_are_listed_and_filtered(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script("a", "b", Fails(status=401), then="c")
    one, other = await made(talk), await made(talk, name="Er")
    first = await talk(lambda c: c.agents.messages.create(one, input="x"))
    second = await talk(lambda c: c.agents.messages.create(other, input="x"))
    failed = await talk.fails(
        letta_client.APIStatusError, lambda c: c.agents.messages.create(one, input="x")
    )
    later = await talk(lambda c: c.agents.messages.create_async(other, input="x"))
    await ended(talk, later.id)
    ids = [first.usage.run_ids[0], second.usage.run_ids[0], failed.body["run_id"], later.id]

    async def listed(**query: Any) -> list[str]:
        return [run.id for run in await talk.all(lambda c: c.runs.list(**query))]

    assert await listed() == ids[::-1]
    assert await listed(order="asc", limit=2) == ids
    assert await listed(ascending=True, limit=3) == ids
    assert await listed(after=ids[2]) == [ids[1], ids[0]]
    assert await listed(agent_id=one) == [ids[2], ids[0]]
    assert await listed(agent_ids=[other]) == [ids[3], ids[1]]
    assert await listed(statuses=["failed"]) == [ids[2]]
    assert await listed(statuses=["failed", "completed"], order="asc") == ids
    assert await listed(stop_reason="llm_api_error") == [ids[2]]
    assert await listed(stop_reason="insufficient_credits") == []
    assert await listed(background=True) == [ids[3]]
    assert await listed(agent_id="agent-nobody") == []


async def test_a_stream_can_be_left_and_joined_again(live: Driver, model: ScriptedChat) -> None:
    """Leaving doesn't end the run; and what was seen isn't told again."""
    model.respond = Script(SLOW)
    agent_id = await made(live)
    stream = await live(
        lambda c: c.agents.messages.stream(agent_id, input="x", stream_tokens=True, background=True)
    )
    seen: list[Any] = []
    async for one in stream:
        seen.append(one)
        if len(seen) == 2:
            break
    await stream.close()

    rest = await live.stream(
        lambda c: c.runs.messages.stream(seen[0].run_id, starting_after=seen[-1].seq_id)
    )
    assert kinds(rest)[-2:] == ["stop_reason", "usage_statistics"]
    assert "".join(one.content for one in (*seen, *rest[:-2])) == SLOW.text
    everything = await live.stream(lambda c: c.runs.messages.stream(seen[0].run_id))
    told = [(one.seq_id, one.otid, one.content) for one in (*seen, *rest[:-2])]
    assert [(one.seq_id, one.otid, one.content) for one in everything[:-2]] == told


async def test_a_foreground_stream_that_is_left_goes_on(live: Driver, model: ScriptedChat) -> None:
    model.respond = Script(SLOW)
    agent_id = await made(live)
    stream = await live(lambda c: c.agents.messages.stream(agent_id, input="x", stream_tokens=True))
    first = await anext(aiter(stream))
    await stream.close()
    assert (await ended(live, first.run_id)).status == "completed"
    listed = await live.all(lambda c: c.agents.messages.list(agent_id))
    assert listed[-1].content == SLOW.text


async def test_a_run_is_cancelled_in_the_middle_of_a_stream(
    live: Driver, model: ScriptedChat
) -> None:
    model.respond = Script(ENDLESS, "Hello again.")
    agent_id = await made(live)
    stream = await live(lambda c: c.agents.messages.stream(agent_id, input="x", stream_tokens=True))
    told: list[Any] = []
    async for one in stream:
        told.append(one)
        if len(told) == 2:
            asked = await live(lambda c: c.agents.messages.cancel(agent_id))
            assert asked == {told[0].run_id: "cancelled"}
    assert told[-2].stop_reason == "cancelled"
    said = "".join(one.content for one in told[:-2])
    assert ENDLESS.text.startswith(said)
    assert len(said) < len(ENDLESS.text)
    run = await live(lambda c: c.runs.retrieve(told[0].run_id))
    assert (run.status, run.stop_reason) == ("cancelled", "cancelled")

    again = await live(lambda c: c.agents.messages.create(agent_id, input="y"))
    assert again.messages[-1].content == "Hello again."


async def test_only_the_named_runs_are_cancelled(talk: Driver, model: ScriptedChat) -> None:
    agent_id = await made(talk)
    answer = await talk(lambda c: c.agents.messages.create(agent_id, input="x"))
    [run_id] = answer.usage.run_ids
    found = await talk(lambda c: c.agents.messages.cancel(agent_id, run_ids=[run_id]))
    assert found == {run_id: "not running"}
    await talk.fails(
        letta_client.NotFoundError,
        lambda c: c.agents.messages.cancel(agent_id, run_ids=["run-nobody"]),
    )


async def test_a_run_tells_what_it_cost(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(
        Says(calls=(APPEND,), prompt_tokens=100, completion_tokens=20, cached_tokens=64),
        Says(text="ok", prompt_tokens=130, completion_tokens=3),
    )
    agent_id = await made(talk, tools=["core_memory_append"])
    answer = await talk(lambda c: c.agents.messages.create(agent_id, input="x"))
    [run_id] = answer.usage.run_ids

    usage = await talk(lambda c: c.runs.usage.retrieve(run_id))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (230, 23, 253)
    assert usage.prompt_tokens_details.cached_tokens == 64

    newest, oldest = await talk.all(lambda c: c.runs.steps.list(run_id, limit=1))
    assert (oldest.prompt_tokens, newest.prompt_tokens) == (100, 130)
    assert {one.run_id for one in (newest, oldest)} == {run_id}
    assert oldest.id == answer.messages[0].step_id
    assert (oldest.status, newest.stop_reason) == ("success", "end_turn")
    assert (oldest.provider_name, oldest.model) == ("openai", "gpt-4o-mini")

    spans = await talk(lambda c: c.runs.trace.retrieve(run_id))
    assert [one["name"] for one in spans].count("step") == 2
    assert len(await talk(lambda c: c.runs.trace.retrieve(run_id, limit=1))) == 1


async def test_steps_are_listed_judged_and_measured(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(calls=(APPEND,)), "ok")
    agent_id = await made(talk, tools=["core_memory_append"])
    answer = await talk(lambda c: c.agents.messages.create(agent_id, input="x"))
    second, first = await talk.all(lambda c: c.steps.list(agent_id=agent_id))
    assert await talk(lambda c: c.steps.retrieve(first.id)) == first

    judged = await talk(
        lambda c: c.steps.feedback.create(first.id, feedback="positive", tags=["good"])
    )
    assert (judged.feedback, judged.tags) == ("positive", ["good"])

    async def listed(**query: Any) -> list[str]:
        return [one.id for one in await talk.all(lambda c: c.steps.list(**query))]

    assert await listed(feedback="positive") == [first.id]
    assert await listed(has_feedback=False) == [second.id]
    assert await listed(tags=["good", "other"]) == [first.id]
    assert await listed(order="asc", limit=1) == [first.id, second.id]
    assert await listed(start_date="2020-01-01", end_date="2020-01-02") == []
    assert len(await listed(start_date="2020-01-01T00:00:00+08:00")) == 2
    assert await listed(trace_ids=["t"]) == []
    await talk.fails(
        letta_client.UnprocessableEntityError, lambda c: c.steps.list(start_date="soon")
    )
    taken_back = await talk(lambda c: c.steps.feedback.create(first.id, feedback=None))
    assert (taken_back.feedback, taken_back.tags) == (None, ["good"])

    said = await talk.all(lambda c: c.steps.messages.list(first.id))
    assert said == answer.messages[:2]
    metrics = await talk(lambda c: c.steps.metrics.retrieve(first.id))
    assert metrics.id == first.id
    assert metrics.llm_request_ns > 0
    assert await talk(lambda c: c.steps.trace.retrieve(first.id)) is None


async def test_a_run_can_be_erased_when_it_has_ended(live: Driver, model: ScriptedChat) -> None:
    model.respond = Script(ENDLESS)
    agent_id = await made(live)
    run = await live(lambda c: c.agents.messages.create_async(agent_id, input="x"))
    path = f"/v1/runs/{run.id}"
    await live.fails(letta_client.ConflictError, lambda c: c.delete(path, cast_to=object))
    await live(lambda c: c.agents.messages.cancel(agent_id))
    await ended(live, run.id)
    assert await live(lambda c: c.delete(path, cast_to=object)) is None
    await live.fails(letta_client.NotFoundError, lambda c: c.runs.retrieve(run.id))
    listed = await live.all(lambda c: c.agents.messages.list(agent_id))
    assert "user_message" in kinds(listed)


async def test_what_is_not_there_is_not_found(talk: Driver) -> None:
    run, step = "run-nobody", "step-nobody"
    for method in (
        lambda c: c.runs.retrieve(run),
        lambda c: c.runs.messages.list(run),
        lambda c: c.runs.messages.stream(run),
        lambda c: c.runs.steps.list(run),
        lambda c: c.runs.usage.retrieve(run),
        lambda c: c.runs.trace.retrieve(run),
        lambda c: c.runs.list(after=run),
        lambda c: c.steps.retrieve(step),
        lambda c: c.steps.feedback.create(step, feedback="positive"),
        lambda c: c.steps.messages.list(step),
        lambda c: c.steps.metrics.retrieve(step),
        lambda c: c.steps.trace.retrieve(step),
    ):
        await talk.fails(letta_client.NotFoundError, method)
