"""/v1/conversations, spoken to with the real client."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import letta_client
import pytest
from fastapi import FastAPI

from tests.fixtures.gates import Meets
from tests.fixtures.letta import Driver, driver
from tests.fixtures.talking import MODEL, kinds, made
from tests.servers.scripted_chat import Call, Says, Script, ScriptedChat

APPEND = Call("core_memory_append", {"label": "human", "content": "住在上海"})
NOBODY = "conv-00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def here(talking_asgi: FastAPI, free_port: int) -> AsyncIterator[Driver]:
    """The client in one way, on both kinds of database."""
    async with driver("async in this process", talking_asgi, free_port) as found:
        yield found


async def begun(talk: Driver, agent_id: str, **more: Any) -> str:
    one = await talk(lambda c: c.conversations.create(agent_id=agent_id, **more))
    return one.id


async def say(talk: Driver, conversation_id: str, text: str, **more: Any) -> list[Any]:
    return await talk.stream(
        lambda c: c.conversations.messages.create(conversation_id, input=text, **more)
    )


async def words(talk: Driver, listed: Callable[[Any], Any]) -> list[str]:
    """What was said, without the instructions."""
    found = await talk.all(listed)
    return [one.content for one in found if one.message_type != "system_message"]


async def words_in(talk: Driver, conversation_id: str, **query: Any) -> list[str]:
    return await words(
        talk, lambda c: c.conversations.messages.list(conversation_id, order="asc", **query)
    )


async def test_what_is_said_in_a_conversation_stays_in_it(
    talk: Driver, model: ScriptedChat
) -> None:
    model.respond = Script("Green tea.", "A walk.", "Nothing.")
    agent_id = await made(talk)
    tea, walk = await begun(talk, agent_id), await begun(talk, agent_id, summary="Walks")

    told = await say(talk, tea, "What shall I drink?")
    assert kinds(told) == ["assistant_message", "stop_reason", "usage_statistics"]
    answer = await talk(
        lambda c: c.post(
            f"/v1/conversations/{walk}/messages",
            body={"input": "What shall I do?", "streaming": False},
            cast_to=object,
        )
    )
    assert answer["messages"][0]["content"] == "A walk."
    await talk(lambda c: c.agents.messages.create(agent_id, input="What did I ask?"))

    assert await words_in(talk, tea) == ["What shall I drink?", "Green tea."]
    assert await words_in(talk, walk) == ["What shall I do?", "A walk."]
    own = ["What did I ask?", "Nothing."]
    assert await words_in(talk, "default", agent_id=agent_id) == own
    assert await words_in(talk, agent_id) == own
    for named in ({}, {"conversation_id": "default"}, {"conversation_id": agent_id}):
        found = await words(
            talk, lambda c, n=named: c.agents.messages.list(agent_id, order="asc", **n)
        )
        assert found == own
    found = await words(
        talk, lambda c: c.agents.messages.list(agent_id, order="asc", conversation_id=tea)
    )
    assert found == ["What shall I drink?", "Green tea."]
    shown = [one["content"] for body in model.bodies() for one in body["messages"][1:]]
    assert shown.count("What shall I drink?") == 1

    run = told[0].run_id
    assert (await talk(lambda c: c.runs.retrieve(run))).conversation_id == tea
    runs = await talk.all(lambda c: c.runs.list(conversation_id=tea))
    assert [one.id for one in runs] == [run]
    for named in ("default", agent_id):
        runs = await talk.all(lambda c, n=named: c.runs.list(conversation_id=n))
        assert [one.conversation_id for one in runs] == [None]


async def test_memory_is_shared(here: Driver, model: ScriptedChat) -> None:
    """What one conversation has learned is in the next one's prompt, and its words can be found."""
    model.respond = Script(Says(calls=(APPEND,)), "Noted.", "In Shanghai.")
    agent_id = await made(here, tools=["core_memory_append"])
    one, other = await begun(here, agent_id), await begun(here, agent_id)
    await say(here, one, "我住在上海")
    await say(here, other, "Where do I live?")
    assert "住在上海" in model.bodies()[-1]["messages"][0]["content"]

    async def found(**where: Any) -> list[Any]:
        hits = await here(lambda c: c.messages.search(query="Where do I live?", **where))
        return [one.conversation_id for one in hits]

    assert await found(agent_id=agent_id, conversation_id=one) == [one, one]
    assert set(await found(agent_id=agent_id)) == {one, other}
    assert await found(agent_id=agent_id, conversation_id="default") == []
    everywhere = await here(lambda c: c.messages.list(conversation_id=other))
    assert [one.content for one in everywhere[-2:]] == ["Where do I live?", "In Shanghai."]
    error = await here.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.messages.search(query="x", conversation_id="default"),
    )
    assert error.body["detail"][0]["loc"] == ["body", "agent_id"]


async def test_runs_of_several_conversations_go_on_at_once(
    live: Driver, model: ScriptedChat
) -> None:
    """Each model waits until the other one has been asked, too."""
    together = Meets(3)
    model.respond = Script(then=Says(text="Here.", goes_on=together))
    agent_id = await made(live)
    one, other = await begun(live, agent_id), await begun(live, agent_id)
    async with asyncio.timeout(60):
        told = await asyncio.gather(
            say(live, one, "a"), say(live, other, "b"), say(live, agent_id, "c")
        )
    assert [each[0].content for each in told] == ["Here."] * 3
    assert await words_in(live, one) == ["a", "Here."]
    assert await words_in(live, other) == ["b", "Here."]


async def test_what_a_conversation_is_set_to_wins(here: Driver, model: ScriptedChat) -> None:
    agent_id = await made(
        here, context_window_limit=20_000, model_settings={"provider_type": "openai"}
    )
    settings = {"provider_type": "openai", "temperature": 0.25, "max_output_tokens": 77}
    one = await here(
        lambda c: c.conversations.create(
            agent_id=agent_id,
            model="openai/gpt-4.1-mini",
            model_settings=settings,
            context_window_limit=9_000,
        )
    )
    assert (one.model, one.context_window_limit) == ("openai/gpt-4.1-mini", 9_000)
    assert one.api_model_settings.temperature == 0.25
    told = await say(here, one.id, "a")
    asked = model.bodies()[-1]
    assert (asked["model"], asked["temperature"]) == ("gpt-4.1-mini", 0.25)
    [step] = await here.all(lambda c: c.runs.steps.list(told[0].run_id))
    assert (step.model_handle, step.context_window_limit) == ("openai/gpt-4.1-mini", 9_000)

    await say(here, one.id, "b", override_model="openai/gpt-4o")
    assert model.bodies()[-1]["model"] == "gpt-4o"
    await say(here, agent_id, "c")
    assert model.bodies()[-1]["model"] == MODEL.removeprefix("openai/")
    changed = await here(
        lambda c: c.conversations.update(one.id, model=None, model_settings=None, summary="S")
    )
    assert (changed.model, changed.api_model_settings, changed.summary) == (None, None, "S")
    assert changed.context_window_limit == 9_000
    await say(here, one.id, "d")
    assert model.bodies()[-1]["model"] == MODEL.removeprefix("openai/")
    assert "temperature" not in model.bodies()[-1]


async def test_conversations_are_listed(here: Driver) -> None:
    agent_id, other = await made(here), await made(here, name="Er")
    ids = [await begun(here, agent_id, summary=f"Talk {n}", description="d") for n in range(4)]
    elsewhere = await begun(here, other)
    await begun(here, agent_id, hidden=True)

    async def listed(**query: Any) -> list[str]:
        found = await here(lambda c: c.conversations.list(**query))
        assert all(one.in_context_message_ids is None for one in found)
        return [one.id for one in found]

    assert await listed() == [elsewhere, *ids[::-1]]
    assert await listed(agent_id=agent_id) == ids[::-1]
    assert await listed(agent_id=agent_id, order="asc", limit=2) == ids[:2]
    assert await listed(agent_id=agent_id, order="asc", after=ids[1]) == ids[2:]
    assert await listed(agent_id=agent_id, after=ids[1]) == [ids[0]]
    assert await listed(summary_search="TALK 2") == [ids[2]]
    assert await listed(summary_search="%") == []

    await say(here, ids[2], "x")
    await say(here, ids[0], "x")
    for by in ("last_message_at", "last_run_completion"):
        at = ids[2] if by == "last_message_at" else ids[0]
        found = await listed(agent_id=agent_id, order_by=by)
        assert found[:2] == [ids[0], ids[2]]
        assert set(found) == set(ids)  # those that nobody spoke in come last
        rest = found[found.index(at) + 1 :]
        assert await listed(agent_id=agent_id, order_by=by, after=at) == rest

    done = await here(lambda c: c.conversations.update(ids[1], archived=True))
    assert done.archived
    assert done.archived_at is not None
    again = await here(lambda c: c.conversations.update(ids[1], summary="away"))
    assert (again.archived_at, again.summary) == (done.archived_at, "away")
    left = [one for one in ids[::-1] if one != ids[1]]
    assert await listed(agent_id=agent_id) == left
    assert await listed(agent_id=agent_id, archive_status="archived") == [ids[1]]
    assert await listed(agent_id=agent_id, archive_status="all") == ids[::-1]
    back = await here(lambda c: c.conversations.update(ids[1], archived=False))
    assert (back.archived, back.archived_at) == (False, None)
    for query in ({"after": NOBODY}, {"agent_id": "agent-nobody"}):
        await here.fails(letta_client.NotFoundError, lambda c, q=query: c.conversations.list(**q))


async def test_a_fork_goes_its_own_way(here: Driver, model: ScriptedChat) -> None:
    model.respond = Script("one", "two", "left", "right", "third")
    agent_id = await made(here)
    source = await begun(here, agent_id, summary="Roads")
    for text in ("a", "b"):
        await say(here, source, text)
    await here(lambda c: c.agents.blocks.update("human", agent_id=agent_id, value="新的"))
    there = await here(lambda c: c.conversations.retrieve(source))
    fork = await here(lambda c: c.conversations.fork(source))
    assert (fork.agent_id, fork.summary) == (agent_id, "Roads")
    assert len(fork.in_context_message_ids) == len(there.in_context_message_ids)
    [system, *_] = await here.all(
        lambda c: c.conversations.messages.list(fork.id, order="asc", limit=1)
    )
    assert "新的" in system.content

    await say(here, source, "c")
    await say(here, fork.id, "d")
    assert await words_in(here, source) == ["a", "one", "b", "two", "c", "left"]
    assert await words_in(here, fork.id) == ["a", "one", "b", "two", "d", "right"]
    shown = [one["content"] for one in model.bodies()[-1]["messages"]]
    assert [text for text in shown[1:] if not text.startswith("[")][-5:] == [
        "a", "one", "b", "two", "d",
    ]  # fmt: skip

    part = await here(
        lambda c: c.conversations.fork(source, message_id=there.in_context_message_ids[2])
    )
    assert await words_in(here, part.id) == ["a", "one"]
    again = await here(lambda c: c.conversations.fork(part.id, hidden=True))
    assert await words_in(here, again.id) == ["a", "one"]
    assert again.id not in [one.id for one in await here(lambda c: c.conversations.list())]
    # What was said once is listed and found once, wherever it was taken.
    everywhere = await here(lambda c: c.messages.list(order="asc"))
    assert [one.content for one in everywhere].count("a") == 1
    hits = await here(lambda c: c.messages.search(query="a", agent_id=agent_id, limit=3))
    ids = [one.message_id for one in hits]
    assert len(set(ids)) == len(ids) == 3
    said = [one.content for one in hits]
    assert len(set(map(str, said))) == 3
    hits = await here(
        lambda c: c.messages.search(query="one", agent_id=agent_id, conversation_id=part.id)
    )
    assert {one.conversation_id for one in hits} == {part.id}


async def test_an_agents_own_conversation_is_forked(here: Driver, model: ScriptedChat) -> None:
    model.respond = Script("one", "two")
    agent_id = await made(here)
    await say(here, "default", "a", agent_id=agent_id)
    for fork in (
        await here(lambda c: c.conversations.fork("default", agent_id=agent_id)),
        await here(lambda c: c.conversations.fork(agent_id)),
    ):
        assert await words_in(here, fork.id) == ["a", "one"]
    error = await here.fails(
        letta_client.NotFoundError, lambda c: c.conversations.fork(agent_id, message_id="message-x")
    )
    assert "in_context_message_ids" in error.body["detail"]
    error = await here.fails(
        letta_client.UnprocessableEntityError, lambda c: c.conversations.fork("default")
    )
    assert error.body["detail"][0]["loc"][-1] == "agent_id"
    other = await made(here, name="Er")
    error = await here.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.conversations.fork(fork.id, agent_id=other),
    )
    assert other in error.body["detail"][0]["msg"]


async def test_a_call_that_waits_waits_in_a_fork_too(here: Driver, model: ScriptedChat) -> None:
    rule = {"type": "requires_approval", "tool_name": "core_memory_append"}
    model.respond = Script(Says(calls=(APPEND,)), "Kept.", "Not kept.")
    agent_id = await made(here, tools=["core_memory_append"], tool_rules=[rule])
    source = await begun(here, agent_id)
    told = await say(here, source, "我住在上海")
    assert told[-2].stop_reason == "requires_approval"
    fork = await here(lambda c: c.conversations.fork(source))
    for where, approve in ((source, True), (fork.id, False)):
        answer = {"type": "approval", "approve": approve}
        await here.stream(
            lambda c, w=where, a=answer: c.conversations.messages.create(w, messages=[a])
        )
    block = await here(lambda c: c.agents.blocks.retrieve("human", agent_id=agent_id))
    assert block.value.count("住在上海") == 1
    later = await here(lambda c: c.conversations.fork(source))
    await say(here, later.id, "Go on.")  # nothing waits in it


async def test_a_conversation_is_compacted(here: Driver, model: ScriptedChat) -> None:
    agent_id = await made(here)
    one = await begun(here, agent_id)
    for n in range(6):
        await say(here, one, f"message {n}")
    model.respond = Script(then="They counted.")
    done = await here(lambda c: c.conversations.messages.compact(one))
    assert "They counted." in done.summary
    assert done.num_messages_after < done.num_messages_before
    own = await here(lambda c: c.conversations.messages.compact("default", agent_id=agent_id))
    assert (own.summary, own.num_messages_before) == ("", own.num_messages_after)

    fork = await here(lambda c: c.conversations.fork(one))
    await say(here, fork.id, "What was it?")
    assert "They counted." in str(model.bodies()[-1]["messages"])


async def test_instructions_are_compiled_anew(here: Driver) -> None:
    agent_id = await made(here)
    one = await begun(here, agent_id)
    await here(lambda c: c.agents.blocks.update("human", agent_id=agent_id, value="新的"))

    async def stored() -> str:
        [system] = await here.all(lambda c: c.conversations.messages.list(one))
        return system.content

    async def compiled(named: str, **more: Any) -> str:
        return json.loads(await here(lambda c: c.conversations.recompile(named, **more)))

    shown = await compiled(one, dry_run=True)
    assert "新的" in shown
    assert "新的" not in await stored()
    assert await compiled(one) == await stored() == shown
    assert await compiled("default", agent_id=agent_id) == shown


async def test_cancelling_ends_the_runs_of_one_conversation(
    live: Driver, model: ScriptedChat
) -> None:
    slow = Says(text="one two three four five six " * 20, piece=4, gap_s=0.1)
    model.respond = Script(then=slow)
    agent_id = await made(live)
    one, other = await begun(live, agent_id), await begun(live, agent_id)
    streams = [
        await live(
            lambda c, w=where: c.conversations.messages.create(w, input="x", stream_tokens=True)
        )
        for where in (one, other)
    ]
    mine, theirs = [(await anext(aiter(each))).run_id for each in streams]
    assert await live(lambda c: c.conversations.cancel(one)) == {mine: "cancelled"}
    rest = [each async for each in streams[0]]
    assert rest[-2].stop_reason == "cancelled"
    assert (await live(lambda c: c.runs.retrieve(theirs))).status == "running"
    assert await live(lambda c: c.conversations.cancel(one)) == {}
    assert await live(lambda c: c.conversations.cancel("default", agent_id=agent_id)) == {}
    assert await live(lambda c: c.conversations.cancel(other)) == {theirs: "cancelled"}
    assert [each async for each in streams[1]][-2].stop_reason == "cancelled"


async def test_a_stream_is_joined_again(live: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(text="one two three four five six", piece=4, gap_s=0.1))
    agent_id = await made(live)
    one = await begun(live, agent_id)
    sent = {"role": "user", "content": "x", "otid": "mine"}
    stream = await live(
        lambda c: c.conversations.messages.create(
            one, messages=[sent], stream_tokens=True, background=True
        )
    )
    first = await anext(aiter(stream))
    await stream.close()

    async def joined(**which: Any) -> str:
        told = await live.stream(lambda c: c.conversations.messages.stream(one, **which))
        return first.content + "".join(each.content for each in told[:-2])

    seen = first.seq_id
    assert await joined(starting_after=seen) == "one two three four five six"
    for which in ({"otid": "mine"}, {"run_id": first.run_id}):  # it has ended
        assert await joined(starting_after=seen, **which) == "one two three four five six"
    for which in ({}, {"otid": "yours"}, {"run_id": "run-x"}):
        error = await live.fails(
            letta_client.NotFoundError,
            lambda c, w=which: c.conversations.messages.stream(one, **w),
        )
        assert error.body["error"] == "RunNotFound"


async def test_a_deleted_conversation_is_gone(here: Driver, model: ScriptedChat) -> None:
    model.respond = Script("I shall forget it.", then="Hello.")
    agent_id = await made(here)
    one, other = await begun(here, agent_id), await begun(here, agent_id)
    told = await say(here, one, "The word is xylophone.")
    await say(here, other, "Hello there.")
    hits = await here(lambda c: c.messages.search(query="xylophone", agent_id=agent_id))
    assert one in [hit.conversation_id for hit in hits]
    await here(lambda c: c.conversations.delete(one))

    for method in (
        lambda c: c.conversations.retrieve(one),
        lambda c: c.conversations.delete(one),
        lambda c: c.conversations.update(one, summary="x"),
        lambda c: c.conversations.messages.list(one),
        lambda c: c.conversations.messages.create(one, input="x"),
        lambda c: c.conversations.messages.compact(one),
        lambda c: c.conversations.cancel(one),
    ):
        error = await here.fails(letta_client.NotFoundError, method)
        assert error.body["error"] == "ConversationNotFound"
    gone = told[0]
    await here.fails(letta_client.NotFoundError, lambda c: c.runs.retrieve(gone.run_id))
    await here.fails(letta_client.NotFoundError, lambda c: c.steps.retrieve(gone.step_id))
    await here.fails(letta_client.NotFoundError, lambda c: c.messages.retrieve(gone.id))
    hits = await here(lambda c: c.messages.search(query="xylophone", agent_id=agent_id))
    assert {hit.conversation_id for hit in hits} == {other}
    assert [one.id for one in await here(lambda c: c.conversations.list())] == [other]
    await here(lambda c: c.agents.delete(agent_id))
    assert await here(lambda c: c.conversations.list()) == []


async def test_a_run_ends_where_its_conversation_is_deleted(
    live: Driver, model: ScriptedChat
) -> None:
    slow = Says(text="one two three four five six " * 3, piece=4, gap_s=0.1)
    model.respond = Script(then=slow)
    one = await begun(live, await made(live))
    stream = await live(
        lambda c: c.conversations.messages.create(one, input="x", stream_tokens=True)
    )
    await anext(aiter(stream))
    await live(lambda c: c.conversations.delete(one))
    async with asyncio.timeout(60):
        rest = [each async for each in stream]
    assert rest[-2].stop_reason == "cancelled"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "nothing"}, "model"),
        ({"context_window_limit": 10}, "context_window_limit"),
        ({"summary": "a\0"}, "summary"),
        ({"model_settings": {"temperature": 9}}, "model_settings"),
    ],
)
async def test_a_wrong_setting_is_named(here: Driver, body: dict[str, Any], field: str) -> None:
    agent_id = await made(here)
    one = await begun(here, agent_id)
    for method in (
        lambda c: c.conversations.create(agent_id=agent_id, **body),
        lambda c: c.conversations.update(one, **body),
    ):
        error = await here.fails(letta_client.UnprocessableEntityError, method)
        assert field in error.body["detail"][0]["loc"]
