"""What agent files carry beside the agent itself: conversations."""

import io
import json
from collections.abc import AsyncIterator
from typing import Any

import letta_client
import pytest
from fastapi import FastAPI

from tests.fixtures.letta import Driver, driver
from tests.fixtures.talking import made
from tests.servers.scripted_chat import Script, ScriptedChat


@pytest.fixture
async def here(talking_asgi: FastAPI, free_port: int) -> AsyncIterator[Driver]:
    """The client in one way, on both kinds of database."""
    async with driver("async in this process", talking_asgi, free_port) as found:
        yield found


async def exported(talk: Driver, agent_id: str, **more: Any) -> dict[str, Any]:
    return json.loads(await talk(lambda c: c.agents.export_file(agent_id, **more)))


async def imported(talk: Driver, file: Any, **more: Any) -> str:
    content = io.BytesIO(json.dumps(file).encode())
    answer = await talk(lambda c: c.agents.import_file(file=("agent.af", content), **more))
    return answer.agent_ids[0]


async def refused(talk: Driver, file: Any) -> str:
    content = io.BytesIO(json.dumps(file).encode())
    error = await talk.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.import_file(file=("agent.af", content)),
    )
    detail = error.body["detail"]
    return detail if isinstance(detail, str) else detail[0]["msg"]


async def begun(talk: Driver, agent_id: str, **more: Any) -> str:
    one = await talk(lambda c: c.conversations.create(agent_id=agent_id, **more))
    return one.id


async def say(talk: Driver, conversation_id: str, text: str) -> None:
    await talk.stream(lambda c: c.conversations.messages.create(conversation_id, input=text))


async def conversations_of(talk: Driver, agent_id: str) -> list[Any]:
    return await talk(
        lambda c: c.conversations.list(agent_id=agent_id, order="asc", archive_status="all")
    )


async def words(talk: Driver, conversation_id: str) -> list[tuple[str, str, Any]]:
    found = await talk.all(lambda c: c.conversations.messages.list(conversation_id, order="asc"))
    told = [(one.message_type, one.content, one.date) for one in found]
    return [one for one in told if one[0] != "system_message"]


async def own_words(talk: Driver, agent_id: str) -> list[str]:
    found = await talk.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    return [one.content for one in found if one.message_type != "system_message"]


async def sent(talk: Driver, model: ScriptedChat, conversation_id: str) -> Any:
    """What the model is sent when somebody asks the next thing there."""
    model.respond = Script("好")
    await say(talk, conversation_id, "And then?")
    return model.asked[-1].body


SETTINGS = ("summary", "description", "model", "model_settings", "context_window_limit")
SAME = (*SETTINGS, "archived", "archived_at", "last_message_at", "created_at")


async def talker(talk: Driver, model: ScriptedChat) -> tuple[str, list[str]]:
    """An agent that has spoken in its own conversation, in two others, and in a fork of one."""
    model.respond = Script("Own.", "龙井。", "A walk.", "In the park.")
    agent_id = await made(talk)
    await talk(lambda c: c.agents.messages.create(agent_id, input="Hello"))
    temperature: Any = {"provider_type": "openai", "temperature": 0.1}
    tea = await begun(talk, agent_id, summary="茶", description="All of it")
    walk = await begun(
        talk, agent_id, model="openai/gpt-4o", model_settings=temperature,
        context_window_limit=9_000,
    )  # fmt: skip
    await say(talk, tea, "喝什么？")
    await say(talk, walk, "What shall we do?")
    fork = (await talk(lambda c: c.conversations.fork(walk))).id
    await say(talk, fork, "Where?")
    await talk(lambda c: c.conversations.update(tea, archived=True))
    return agent_id, [tea, walk, fork]


async def test_conversations_come_along_with_what_was_said_in_them(
    here: Driver, model: ScriptedChat
) -> None:
    agent_id, theirs = await talker(here, model)
    file = await exported(here, agent_id)
    copy = await imported(here, file)

    was, now = [await conversations_of(here, one) for one in (agent_id, copy)]
    assert [[getattr(one, name) for name in SAME] for one in now] == [
        [getattr(one, name) for name in SAME] for one in was
    ]
    assert [one.id for one in was] == theirs
    said = [await words(here, one.id) for one in now]
    assert said == [await words(here, one) for one in theirs]
    assert [len(one) for one in said] == [2, 2, 4]
    assert await own_words(here, copy) == ["Hello", "Own."]
    keys = [one["forked_from"] for one in file["agents"][0]["conversations"]]
    assert keys == [None, None, "conversation-1"]
    again = await exported(here, copy)
    assert [one["forked_from"] for one in again["agents"][0]["conversations"]] == keys
    assert await sent(here, model, now[2].id) == await sent(here, model, theirs[2])


async def test_a_conversation_alone_takes_the_place_of_the_agents_own(
    here: Driver, model: ScriptedChat
) -> None:
    agent_id, theirs = await talker(here, model)
    file = await exported(here, agent_id, conversation_id=theirs[1])
    assert "conversations" not in file["agents"][0]
    copy = await imported(here, file)
    assert await own_words(here, copy) == ["What shall we do?", "A walk."]
    assert await conversations_of(here, copy) == []
    old = await exported(here, agent_id, conversation_id=theirs[0], use_legacy_format=True)
    assert await own_words(here, await imported(here, old)) == ["喝什么？", "龙井。"]

    stranger = await made(here)
    for whose, which in ((stranger, theirs[0]), (agent_id, "conv-none")):
        error = await here.fails(
            letta_client.NotFoundError,
            lambda c, a=whose, b=which: c.agents.export_file(a, conversation_id=b),
        )
        assert error.body["error"] == "ConversationNotFound"


async def test_what_stands_for_old_messages_of_a_conversation_comes_along(
    here: Driver, model: ScriptedChat
) -> None:
    model.respond = Script("Green tea.", "A walk.", "They spoke of tea and walks.")
    agent_id = await made(here)
    tea = await begun(here, agent_id)
    for text in ("What shall I drink?", "And then?"):
        await say(here, tea, text)
    await here(lambda c: c.conversations.messages.compact(tea))
    file = await exported(here, agent_id)
    [one] = file["agents"][0]["conversations"]
    assert one["context_summary"]["text"] == "They spoke of tea and walks."
    copy = await imported(here, file)
    [there] = await conversations_of(here, copy)
    assert await sent(here, model, there.id) == await sent(here, model, tea)


async def test_without_messages_no_conversation_is_written_or_made(
    here: Driver, model: ScriptedChat
) -> None:
    agent_id, _ = await talker(here, model)
    file = await exported(here, agent_id, scrub_messages=True)
    assert "conversations" not in file["agents"][0]
    bare = await imported(here, await exported(here, agent_id), strip_messages=True)
    assert (await conversations_of(here, bare), await own_words(here, bare)) == ([], [])


async def test_a_bad_conversation_is_refused_with_its_place(here: Driver) -> None:
    said = {"role": "user", "content": "x"}

    def file(*conversations: Any, **more: Any) -> dict[str, Any]:
        return {"agents": [{"id": "a", "conversations": [*conversations], **more}]}

    good = {"id": "c", "messages": [said]}
    for bad, words in (
        (file(3), "agents[0].conversations[0]: an object"),
        (file(good, good), "agents[0].conversations[1]: the id 'c' is there twice"),
        (file({"summary": 3}), "agents[0].conversations[0].summary"),
        (file({"model": "none"}), "agents[0].conversations[0], model"),
        (file({"created_at": "then"}), "agents[0].conversations[0]: `created_at` is a moment"),
        (file({"context_summary": {}}), "agents[0].conversations[0].context_summary: it needs"),
        (file(good, {"messages": [said, {"role": "x"}]}),
         "agents[0].conversations[1].messages[1]: `role` is one of"),
        (file(good, messages=[said, 3]), "agents[0].messages[1]: an object is expected"),
        (file({"messages": [3, said]}), "agents[0].conversations[0].messages[0]: an object"),
        (file({"messages": {"a": said}}), "`agents[].conversations[].messages` is a list"),
    ):  # fmt: skip
        assert words in await refused(here, bad)
    assert await here.all(lambda c: c.agents.list()) == []
