"""/v1/agents/{id}/messages, spoken to with the real client."""

from typing import Any

import letta_client
import pytest

from tests.fixtures.letta import Driver
from tests.fixtures.talking import MODEL, kinds, made
from tests.servers.scripted_chat import Call, Fails, Says, Script, ScriptedChat

pytestmark = pytest.mark.filterwarnings("ignore:deprecated:DeprecationWarning")
"""`messages.stream`, which programs still call, is deprecated in favour of `create`."""

APPEND = Call("core_memory_append", {"label": "human", "content": "住在上海"})
DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "The weather of a place.",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
}


async def remembering(talk: Driver, **more: Any) -> str:
    return await made(talk, tools=["core_memory_append"], **more)


async def asking(talk: Driver) -> str:
    """An agent whose memory is edited only if somebody allows it."""
    rule = {"type": "requires_approval", "tool_name": "core_memory_append"}
    return await remembering(talk, tool_rules=[rule])


async def value_of(talk: Driver, agent_id: str) -> str:
    block = await talk(lambda c: c.agents.blocks.retrieve("human", agent_id=agent_id))
    return block.value


async def send(talk: Driver, agent_id: str, *messages: Any, **more: Any) -> Any:
    body = more if not messages else {"messages": list(messages), **more}
    return await talk(lambda c: c.agents.messages.create(agent_id, **body))


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


async def test_an_agent_answers(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(text="你好！", prompt_tokens=120, completion_tokens=7))
    agent_id = await made(talk)
    answer = await send(talk, agent_id, user("嗨"))

    assert kinds(answer.messages) == ["assistant_message"]
    assert answer.messages[0].content == "你好！"
    assert answer.stop_reason.stop_reason == "end_turn"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (120, 7, 127)
    assert (usage.step_count, len(usage.run_ids)) == (1, 1)
    assert answer.messages[0].run_id == usage.run_ids[0]
    assert model.bodies()[0]["messages"][-1]["content"] == "嗨"


async def test_input_is_a_users_message(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script("a", "b")
    agent_id = await made(talk)
    await send(talk, agent_id, input="hi")
    await send(talk, agent_id, input=[{"type": "text", "text": "ho"}])
    assert [body["messages"][-1]["content"] for body in model.bodies()] == ["hi", "ho"]


async def test_calls_and_their_returns_are_told_of_in_order(
    talk: Driver, model: ScriptedChat
) -> None:
    thinks = Says(reasoning="Keep that.", text="One moment.", calls=(APPEND,))
    model.respond = Script(thinks, "Noted.")
    agent_id = await remembering(talk)
    answer = await send(talk, agent_id, user("我住在上海"))

    assert kinds(answer.messages) == [
        "reasoning_message",
        "assistant_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    thought, said, call, back, last = answer.messages
    assert (thought.reasoning, said.content, last.content) == (
        "Keep that.",
        "One moment.",
        "Noted.",
    )
    assert thought.id == said.id == call.id != back.id
    assert len({one.otid for one in answer.messages}) == 5
    assert call.tool_call.name == "core_memory_append"
    assert (back.status, back.tool_call_id) == ("success", call.tool_call.tool_call_id)
    assert "上海" in await value_of(talk, agent_id)
    assert answer.usage.step_count == 2
    assert thought.step_id == back.step_id != last.step_id


async def test_what_was_said_is_listed_as_it_was_told(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(reasoning="Keep that.", calls=(APPEND,)), "Noted.")
    agent_id = await remembering(talk)
    answer = await send(talk, agent_id, user("我住在上海", otid="mine", name="Li"))

    oldest = await talk.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    assert kinds(oldest)[:2] == ["system_message", "user_message"]
    assert (oldest[1].content, oldest[1].otid, oldest[1].name) == ("我住在上海", "mine", "Li")
    assert oldest[2:] == answer.messages
    newest = await talk.all(lambda c: c.agents.messages.list(agent_id, order="desc"))
    assert newest == oldest[::-1]
    for limit in (1, 2, 3):
        paged = await talk.all(
            lambda c, n=limit: c.agents.messages.list(agent_id, order="asc", limit=n)
        )
        assert paged == oldest

    only = ["user_message", "tool_return_message"]
    found = await talk.all(
        lambda c: c.agents.messages.list(
            agent_id, include_return_message_types=only, order="asc", limit=1
        )
    )
    assert kinds(found) == only


async def test_without_an_order_the_newest_messages_are_listed_as_they_were_said(
    talk: Driver, model: ScriptedChat
) -> None:
    """As Letta's server lists them, whatever its documentation says: programs show a chat by it,
    ask for what is new since the last message they know, and for what was before the first."""
    model.respond = Script(*(f"Reply {n}." for n in range(4)))
    agent_id = await made(talk)
    for n in range(4):
        await send(talk, agent_id, user(f"Question {n}?"))
    all_of_it = await talk.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    assert len(all_of_it) == 9  # the system's, and eight that were said

    async def listed(**query: Any) -> list[Any]:
        return await talk.all(lambda c: c.agents.messages.list(agent_id, **query))

    assert await listed() == all_of_it
    assert await listed(limit=3) == all_of_it[-3:]
    assert await listed(after=all_of_it[4].id, limit=2) == all_of_it[5:]
    assert await listed(after=all_of_it[-1].id) == []
    page = await talk(lambda c: c.agents.messages.list(agent_id, before=all_of_it[4].id, limit=2))
    assert page.items == all_of_it[2:4]
    earlier = await talk(lambda c: c.agents.messages.list(agent_id, before=page.items[0].id))
    assert earlier.items == all_of_it[:2]

    everywhere = await talk(lambda c: c.messages.list(limit=3))
    assert [one.id for one in everywhere] == [one.id for one in all_of_it[-3:]]
    since = await talk(lambda c: c.messages.list(after=all_of_it[6].id))
    assert [one.id for one in since] == [one.id for one in all_of_it[7:]]


async def test_the_message_tool_is_told_of_as_what_it_says(
    talk: Driver, model: ScriptedChat
) -> None:
    speaks = Says(calls=(Call("send_message", {"message": "你好！"}),))
    model.respond = Script(speaks, speaks)
    agent_id = await made(talk, agent_type="memgpt_v2_agent")

    answer = await send(talk, agent_id, user("嗨"))
    assert [(one.message_type, one.content) for one in answer.messages] == [
        ("assistant_message", "你好！")
    ]
    plain = await send(talk, agent_id, user("嗨"), use_assistant_message=False)
    assert kinds(plain.messages) == ["tool_call_message", "tool_return_message"]


async def test_only_wanted_types_are_told_of(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(reasoning="hm", text="a", calls=(APPEND,)), "b")
    agent_id = await remembering(talk)
    answer = await send(
        talk, agent_id, user("x"), include_return_message_types=["assistant_message"]
    )
    assert [one.content for one in answer.messages] == ["a", "b"]


async def test_a_stream_tells_step_by_step(talk: Driver, model: ScriptedChat) -> None:
    script = (Says(reasoning="hm", calls=(APPEND,)), "Noted.")
    model.respond = Script(*script, *script)
    agent_id = await remembering(talk)
    first = await talk.stream(lambda c: c.agents.messages.stream(agent_id, input="x"))
    assert kinds(first) == [
        "reasoning_message",
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
        "stop_reason",
        "usage_statistics",
    ]
    assert first[3].content == "Noted."
    assert first[4].stop_reason == "end_turn"
    again = await talk.stream(
        lambda c: c.agents.messages.create(agent_id, input="x", streaming=True)
    )
    assert kinds(again) == kinds(first)


async def test_a_stream_tells_piece_by_piece(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(
        Says(reasoning="Keep it.", text="One moment.", calls=(APPEND,), piece=4),
        Says(text="That is noted.", piece=4),
    )
    agent_id = await remembering(talk)
    told = await talk.stream(
        lambda c: c.agents.messages.stream(agent_id, input="x", stream_tokens=True)
    )
    assert list(dict.fromkeys(kinds(told))) == [
        "reasoning_message",
        "assistant_message",
        "tool_call_message",
        "tool_return_message",
        "stop_reason",
        "usage_statistics",
    ]
    pieces: dict[str, list[Any]] = {}
    for one in told[:-2]:
        pieces.setdefault(one.otid, []).append(one)
    thought, said, called, _, last = pieces.values()
    assert len(said) > 2
    assert "".join(one.reasoning for one in thought) == "Keep it."
    assert "".join(one.content for one in said) == "One moment."
    assert "".join(one.tool_call.arguments for one in called) == APPEND.json
    assert "".join(one.content for one in last) == "That is noted."

    listed = await talk.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    assert [(one.id, one.otid) for one in listed[2:]] == [
        (each[0].id, otid) for otid, each in pieces.items()
    ]
    numbers = [one.seq_id for one in told[:-2]]
    assert numbers == sorted(set(numbers))


async def test_the_message_tools_words_are_streamed(talk: Driver, model: ScriptedChat) -> None:
    speaks = Says(calls=(Call("send_message", {"message": "你好\n“世界”😀"}),), piece=3)
    model.respond = Script(speaks)
    agent_id = await made(talk, agent_type="memgpt_v2_agent")
    told = await talk.stream(
        lambda c: c.agents.messages.stream(agent_id, input="嗨", stream_tokens=True)
    )
    assert set(kinds(told[:-2])) == {"assistant_message"}
    assert len(told) > 4
    assert "".join(one.content for one in told[:-2]) == "你好\n“世界”😀"


async def test_calls_that_need_approval_wait_for_it(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(calls=(APPEND,)), "Noted.")
    agent_id = await asking(talk)
    asked = await send(talk, agent_id, user("我住在上海"))
    assert kinds(asked.messages) == ["approval_request_message"]
    assert asked.stop_reason.stop_reason == "requires_approval"
    [request] = asked.messages
    assert request.tool_call.name == "core_memory_append"
    assert "上海" not in await value_of(talk, agent_id)

    error = await talk.fails(
        letta_client.ConflictError,
        lambda c: c.agents.messages.create(agent_id, input="well?"),
    )
    assert error.body["error"] == "ApprovalPending"

    yes = {"type": "approval", "approve": True, "approval_request_id": request.id}
    done = await send(talk, agent_id, yes)
    assert kinds(done.messages) == ["tool_return_message", "assistant_message"]
    assert "上海" in await value_of(talk, agent_id)
    listed = await talk.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    response = next(one for one in listed if one.message_type == "approval_response_message")
    assert (response.approve, response.approvals[0].approve) == (True, True)

    error = await talk.fails(
        letta_client.ConflictError, lambda c: c.agents.messages.create(agent_id, messages=[yes])
    )
    assert error.body["error"] == "NothingToApprove"


async def test_an_approval_can_be_denied_or_changed(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(calls=(APPEND,)), "A pity.", Says(calls=(APPEND,)), "Noted.")
    agent_id = await asking(talk)
    [request] = (await send(talk, agent_id, user("x"))).messages
    call_id = request.tool_call.tool_call_id
    no = {"tool_call_id": call_id, "approve": False, "reason": "not that", "type": "approval"}
    denied = await send(talk, agent_id, {"type": "approval", "approvals": [no]})
    assert kinds(denied.messages) == ["tool_return_message", "assistant_message"]
    assert denied.messages[0].status == "error"
    assert "not that" in denied.messages[0].tool_return
    assert "上海" not in await value_of(talk, agent_id)

    [request] = (await send(talk, agent_id, user("x"))).messages
    changed: dict[str, Any] = {
        "tool_call_id": request.tool_call.tool_call_id,
        "approve": True,
        "arguments": {"label": "human", "content": "住在北京"},
    }
    await send(talk, agent_id, {"type": "approval", "approvals": [changed]})
    assert "北京" in await value_of(talk, agent_id)


async def test_an_approval_that_answers_nothing_is_refused_in_words(
    talk: Driver, model: ScriptedChat
) -> None:
    for more in ({"approvals": []}, {"approvals": None}, {}):
        agent_id = await made(talk)
        approval = {"type": "approval", **more}
        error = await talk.fails(
            letta_client.UnprocessableEntityError,
            lambda c, a=agent_id, m=approval: c.agents.messages.create(a, messages=[m]),
        )
        [problem] = error.body["detail"]
        assert problem["loc"] == ["body", "messages"]
        assert "`approvals` has an answer to each" in problem["msg"]


async def test_an_approval_request_is_streamed_whole(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(Says(calls=(APPEND,), piece=4))
    agent_id = await asking(talk)
    told = await talk.stream(
        lambda c: c.agents.messages.stream(agent_id, input="x", stream_tokens=True)
    )
    assert kinds(told) == ["approval_request_message", "stop_reason", "usage_statistics"]
    assert told[0].tool_call.arguments == APPEND.json
    assert told[1].stop_reason == "requires_approval"


@pytest.mark.parametrize("form", ["tool_return", "approval"])
async def test_the_client_runs_its_own_tools(talk: Driver, model: ScriptedChat, form: str) -> None:
    model.respond = Script(Says(calls=(Call("weather", {"place": "上海"}),)), "It rains.")
    agent_id = await made(talk)
    asked = await send(talk, agent_id, user("天气？"), client_tools=[WEATHER])
    [request] = asked.messages
    assert request.message_type == "approval_request_message"
    assert asked.stop_reason.stop_reason == "requires_approval"
    back = {
        "type": "tool",
        "tool_call_id": request.tool_call.tool_call_id,
        "status": "success",
        "tool_return": "rain",
    }
    field = "tool_returns" if form == "tool_return" else "approvals"
    done = await send(talk, agent_id, {"type": form, field: [back]}, client_tools=[WEATHER])
    assert done.messages[-1].content == "It rains."
    shown = model.prompt(1)[-1]
    assert (shown["role"], shown["content"]) == ("tool", "rain")


async def test_one_request_can_have_another_model_and_system(
    talk: Driver, model: ScriptedChat
) -> None:
    agent_id = await made(talk)
    await send(
        talk, agent_id, user("x"), override_model="openai/gpt-4.1", override_system="Be brief."
    )
    [body] = model.bodies()
    assert body["model"] == "gpt-4.1"
    assert body["messages"][0]["content"] == "Be brief."
    assert (await talk(lambda c: c.agents.retrieve(agent_id))).model == MODEL


async def test_a_run_has_no_more_steps_than_it_may(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script(then=Says(calls=(APPEND,)))
    agent_id = await remembering(talk)
    answer = await send(talk, agent_id, user("x"), max_steps=2)
    assert answer.stop_reason.stop_reason == "max_steps"
    assert answer.usage.step_count == 2


async def test_images_reach_the_model(talk: Driver, model: ScriptedChat) -> None:
    agent_id = await made(talk)
    source = {"type": "base64", "media_type": "image/png", "data": DOT}
    parts = [{"type": "text", "text": "See:"}, {"type": "image", "source": source}]
    await send(talk, agent_id, user(parts))
    content = model.bodies()[0]["messages"][-1]["content"]
    assert any(DOT in str(part) for part in content)
    listed = await talk.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    assert [part.type for part in listed[1].content] == ["text", "image"]


async def test_a_model_that_isnt_there_is_not_asked_for_again_and_again(
    talk: Driver, model: ScriptedChat
) -> None:
    """Such an error lasts, and the client repeats 5xx."""
    model.respond = Script(then=Fails(status=404, message="No such model."))
    agent_id = await made(talk)
    error = await talk.fails(
        letta_client.InternalServerError, lambda c: c.agents.messages.create(agent_id, input="x")
    )
    assert (error.status_code, error.body["error"]) == (502, "ModelNotFound")
    assert error.response.headers["X-Should-Retry"] == "false"
    assert len(model.asked) == 1


async def test_a_model_of_nobodys_is_refused_for_one_message(
    talk: Driver, model: ScriptedChat
) -> None:
    agent_id = await made(talk)
    error = await talk.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.messages.create(agent_id, input="x", override_model="nosuch/model"),
    )
    assert "`nosuch`" in str(error.body)
    assert model.asked == []
    assert all(
        one.message_type == "system_message"
        for one in await talk.all(lambda c: c.agents.messages.list(agent_id))
    )


async def test_a_provider_that_fails_is_an_error_and_the_message_is_kept_once(
    talk: Driver, model: ScriptedChat
) -> None:
    """The client tries such errors again by itself, unless it is told not to."""
    model.respond = Script(then=Fails(status=401, message="Wrong key."))
    agent_id = await made(talk)
    error = await talk.fails(
        letta_client.InternalServerError, lambda c: c.agents.messages.create(agent_id, input="x")
    )
    assert error.status_code == 502
    assert (error.body["error"], error.response.headers["x-should-retry"]) == (
        "ProviderRefused",
        "false",
    )
    run = await talk(lambda c: c.runs.retrieve(error.body["run_id"]))
    assert (run.status, run.stop_reason) == ("failed", "llm_api_error")
    assert run.metadata["error"]["type"] == "ProviderRefused"
    listed = await talk.all(lambda c: c.agents.messages.list(agent_id))
    assert kinds(listed).count("user_message") == 1

    model.respond = Script("Here I am.")
    assert (await send(talk, agent_id, user("y"))).messages[-1].content == "Here I am."


async def test_a_provider_that_fails_is_told_of_in_a_stream(
    talk: Driver, model: ScriptedChat
) -> None:
    model.respond = Script(then=Fails(status=401, message="Wrong key."))
    agent_id = await made(talk)
    told = await talk.stream(lambda c: c.agents.messages.stream(agent_id, input="x"))
    assert kinds(told) == ["error_message", "stop_reason", "usage_statistics"]
    assert (told[0].error_type, told[0].detail) == ("ProviderRefused", "llm_api_error")
    assert told[1].stop_reason == "llm_api_error"


async def test_messages_can_be_changed(talk: Driver, model: ScriptedChat) -> None:
    agent_id = await made(talk)
    model.respond = Script("a", "b")
    await send(talk, agent_id, user("x"))
    _, question, answer = await talk.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    path = f"/v1/agents/{agent_id}/messages"
    changed = await talk(
        lambda c: c.patch(
            f"{path}/{answer.id}",
            body={"message_type": "assistant_message", "content": "A"},
            cast_to=object,
        )
    )
    assert (changed["content"], changed["id"]) == ("A", answer.id)
    await talk(
        lambda c: c.patch(
            f"{path}/{question.id}",
            body={"message_type": "user_message", "content": "X"},
            cast_to=object,
        )
    )
    await send(talk, agent_id, user("y"))
    shown = [one["content"] for one in model.prompt(1)]
    assert "X" in shown
    assert "A" in shown
    assert {"x", "a"}.isdisjoint(shown)


async def test_messages_are_erased_by_a_reset(talk: Driver, model: ScriptedChat) -> None:
    agent_id = await made(talk)
    await send(talk, agent_id, user("x"))
    state = await talk(lambda c: c.agents.messages.reset(agent_id))
    assert state.id == agent_id
    listed = await talk.all(lambda c: c.agents.messages.list(agent_id))
    assert kinds(listed) in ([], ["system_message"])


async def test_a_conversation_is_summarized(talk: Driver, model: ScriptedChat) -> None:
    agent_id = await made(talk)
    for n in range(6):
        await send(talk, agent_id, user(f"message {n}"))
    model.respond = Script(then="They counted.")
    done = await talk(lambda c: c.agents.messages.compact(agent_id))
    assert "They counted." in done.summary
    assert done.num_messages_after < done.num_messages_before

    empty = await made(talk)
    nothing = await talk(lambda c: c.agents.messages.compact(empty))
    assert (nothing.summary, nothing.num_messages_before) == ("", nothing.num_messages_after)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "messages"]),
        ({"messages": []}, ["body", "messages"]),
        ({"input": ""}, ["body", "input"]),
        ({"input": "a", "max_steps": 0}, ["body", "max_steps"]),
        ({"input": "a", "return_logprobs": True}, ["body", "return_logprobs"]),
        (
            {"messages": [{"role": "user", "content": "a\0"}]},
            ["body", "messages", 0, "content"],
        ),
        ({"messages": [{"type": "odd"}]}, ["body", "messages", 0]),
    ],
)
async def test_a_wrong_field_is_named(talk: Driver, body: dict[str, Any], place: list[Any]) -> None:
    agent_id = await made(talk)
    error = await talk.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.messages.create(agent_id, **body),
    )
    assert error.body["detail"][0]["loc"] == place


async def test_an_agent_that_is_not_there_is_not_found(talk: Driver) -> None:
    nobody = "agent-00000000-0000-4000-8000-000000000000"
    approval = {"type": "approval", "approve": True}
    for method in (
        lambda c: c.agents.messages.create(nobody, input="x"),
        lambda c: c.agents.messages.create(nobody, messages=[approval]),
        lambda c: c.agents.messages.stream(nobody, input="x"),
        lambda c: c.agents.messages.create_async(nobody, input="x"),
        lambda c: c.agents.messages.list(nobody),
        lambda c: c.agents.messages.cancel(nobody),
        lambda c: c.agents.messages.reset(nobody),
        lambda c: c.agents.messages.compact(nobody),
        lambda c: c.messages.search(query="x", agent_id=nobody),
        lambda c: c.messages.retrieve("message-00000000-0000-4000-8000-000000000000"),
    ):
        await talk.fails(letta_client.NotFoundError, method)


async def test_messages_of_all_agents(talk: Driver, model: ScriptedChat) -> None:
    model.respond = Script("Tea is fine.", "Tram 4 goes there.")
    one, other = await made(talk), await made(talk, name="Er")
    await send(talk, one, user("什么茶好喝？"))
    await send(talk, other, user("How do I get to the station?"))

    listed = await talk(lambda c: c.messages.list(order="asc"))
    said = [one for one in listed if one.message_type == "assistant_message"]
    assert [one.content for one in said] == ["Tea is fine.", "Tram 4 goes there."]
    [same] = await talk(lambda c: c.messages.retrieve(said[0].id))
    assert same == said[0]
    only = await talk(lambda c: c.messages.list(include_return_message_types=["user_message"]))
    assert set(kinds(only)) == {"user_message"}

    found = await talk(lambda c: c.messages.search(query="station tram"))
    assert found[0].agent_id == other
    assert found[0].message_type in ("user_message", "assistant_message")
    mine = await talk(lambda c: c.messages.search(query="station", agent_id=one))
    assert {each.agent_id for each in mine} <= {one}
    none = await talk(lambda c: c.messages.search(query="tea", end_date="2020-01-01"))
    assert none == []
