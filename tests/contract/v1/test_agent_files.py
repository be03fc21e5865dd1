"""Agents as files, out and in, with the real client: what was is what is."""

import io
import json
from typing import Any

import letta_client
import pytest

from tests.fixtures.letta import Driver
from tests.fixtures.sides import SOURCE
from tests.fixtures.talking import made
from tests.servers.scripted_chat import Call, Says, Script, ScriptedChat

ONE_WAY = pytest.mark.parametrize("talk", ["async over HTTP"], indirect=True)
"""For what doesn't depend on how it is asked; it is on SQLite."""
APPEND = Call("core_memory_append", {"label": "human", "content": "住在上海"})
PICTURE = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}


async def spoken(talk: Driver, model: ScriptedChat, **more: Any) -> str:
    """An agent that has one of everything, and has spoken."""
    tool = await talk(lambda c: c.tools.upsert(source_code=SOURCE))
    agent_id = await made(
        talk,
        tools=["core_memory_append"],
        tool_ids=[tool.id],
        tags=["tea", "家"],
        description="什么都可以",
        secrets={"TOKEN": "sk-secret"},
        model_settings={"provider_type": "openai", "temperature": 0.3},
        tool_rules=[{"type": "max_count_per_step", "tool_name": "double", "max_count_limit": 2}],
        metadata={"level": [1, {"deep": True}]},
        **more,
    )
    for text in ("小明喜欢喝乌龙茶", "The deploy key was rotated in May"):
        await talk(lambda c, t=text: c.agents.passages.create(agent_id, text=t, tags=["x"]))
    model.respond = Script(Says(calls=(APPEND,)), "记住了。", "好。")
    first = [{"type": "text", "text": "我搬到上海了"}, PICTURE]
    for content in (first, "谢谢"):
        await talk(
            lambda c, said=content: c.agents.messages.create(
                agent_id, messages=[{"role": "user", "content": said}]
            )
        )
    return agent_id


async def imported(talk: Driver, file: str | bytes | dict[str, Any], **more: Any) -> list[str]:
    content = json.dumps(file) if isinstance(file, dict) else file
    content = content.encode() if isinstance(content, str) else content
    answer = await talk(
        lambda c: c.agents.import_file(file=("agent.af", io.BytesIO(content)), **more)
    )
    return answer.agent_ids


async def refused(talk: Driver, file: Any, **more: Any) -> str:
    content = file if isinstance(file, bytes) else json.dumps(file).encode()
    error = await talk.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.import_file(file=("agent.af", io.BytesIO(content)), **more),
    )
    detail = error.body["detail"]
    return detail if isinstance(detail, str) else detail[0]["msg"]


async def told(talk: Driver, agent_id: str) -> dict[str, Any]:
    """What is said of an agent, without what is its own: ids, times, who made it."""
    found = await talk(lambda c: c.agents.retrieve(agent_id))
    said = found.model_dump(mode="json")
    own = {"id", "created_at", "updated_at", "message_ids", "memory", "secrets", "name"}
    own |= {"last_run_completion", "last_run_duration_ms", "last_stop_reason"}
    own |= {"tool_exec_environment_variables"}
    kept = {name: one for name, one in said.items() if name not in own}
    kept["blocks"] = [{k: v for k, v in one.items() if k != "id"} for one in said["blocks"]]
    kept["tools"] = [one["name"] for one in said["tools"]]
    return kept


async def history(talk: Driver, agent_id: str) -> list[dict[str, Any]]:
    found = await talk.all(lambda c: c.agents.messages.list(agent_id, limit=100, order="asc"))
    own = {"id", "otid", "run_id", "step_id"}
    said = [one.model_dump(mode="json") for one in found]
    return [{k: v for k, v in one.items() if k not in own} for one in said[1:]]


async def asked_for(talk: Driver, model: ScriptedChat, agent_id: str) -> dict[str, Any]:
    """What the model is sent when somebody says hello."""
    model.respond = Script("你好")
    await talk(lambda c: c.agents.messages.create(agent_id, input="hello"))
    return model.asked[-1].body


async def test_an_agent_goes_out_and_comes_back_as_it_was(
    talk: Driver, model: ScriptedChat
) -> None:
    agent_id = await spoken(talk, model)
    file = await talk(lambda c: c.agents.export_file(agent_id))
    assert "sk-secret" not in file
    [copy] = await imported(talk, file, name="Yi", secrets='{"TOKEN": "sk-other"}')

    assert await told(talk, copy) == await told(talk, agent_id)
    assert await history(talk, copy) == await history(talk, agent_id)
    passages = [await talk(lambda c, a=one: c.agents.passages.list(a)) for one in (agent_id, copy)]
    assert [(p.text, p.tags, p.created_at) for p in passages[1]] == [
        (p.text, p.tags, p.created_at) for p in passages[0]
    ]
    again = await talk(lambda c: c.agents.retrieve(copy, include=["agent.secrets"]))
    assert [(one.key, one.value) for one in again.secrets] == [("TOKEN", "sk-other")]
    sent = [await asked_for(talk, model, one) for one in (agent_id, copy)]
    assert sent[1] == sent[0]


@ONE_WAY
async def test_the_older_form_holds_all_it_can_say(talk: Driver, model: ScriptedChat) -> None:
    agent_id = await spoken(talk, model)
    file = await talk(lambda c: c.agents.export_file(agent_id, use_legacy_format=True))
    assert {"core_memory", "in_context_message_indices", "version"} <= json.loads(file).keys()
    [copy] = await imported(talk, file)
    was, now = await told(talk, agent_id), await told(talk, copy)
    for name in ("hidden", "max_files_open", "per_file_view_window_char_limit", "model_settings"):
        was.pop(name), now.pop(name)
    assert {k: v for k, v in now.items() if k != "api_model_settings"} == {
        k: v for k, v in was.items() if k != "api_model_settings"
    }
    assert await history(talk, copy) == await history(talk, agent_id)
    named = await talk(lambda c: c.agents.retrieve(copy))
    assert named.name == "Yi_copy"


@ONE_WAY
async def test_what_is_left_out_or_given_anew_is_as_it_was_asked_for(
    talk: Driver, model: ScriptedChat
) -> None:
    agent_id = await spoken(talk, model)
    bare = await talk(lambda c: c.agents.export_file(agent_id, scrub_messages=True))
    assert json.loads(bare)["agents"][0]["messages"] == []
    whole = await talk(lambda c: c.agents.export_file(agent_id, max_steps=3))
    wishes: dict[str, Any] = {"strip_messages": True, "append_copy_suffix": False}
    wishes |= {"model": "openai/gpt-4o", "embedding": "openai/x", "project_id": "p-1"}
    [copy] = await imported(talk, whole, **wishes)
    found = await talk(lambda c: c.agents.retrieve(copy))
    assert (found.name, found.model, found.embedding) == ("Yi", "openai/gpt-4o", "openai/x")
    assert found.project_id == "p-1"
    assert await history(talk, copy) == []

    changed = SOURCE.replace("2 * number", "number + number")
    await talk(lambda c: c.tools.upsert(source_code=changed))
    await imported(talk, whole, override_existing_tools=False)
    [there] = (await talk(lambda c: c.tools.list(name="double"))).items
    assert there.source_code == changed
    await imported(talk, whole)
    [there] = (await talk(lambda c: c.tools.list(name="double"))).items
    assert there.source_code == SOURCE


@ONE_WAY
async def test_a_file_of_the_retired_server_is_read(talk: Driver, model: ScriptedChat) -> None:
    """Its odd parts: JSON in JSON, envelopes, thoughts as text, tools of its own, a dead model."""
    envelope = {"type": "user_message", "message": "你好", "time": "2025-04-01 03:47 AM"}
    returned = {"status": "Failed", "message": "no such block", "time": "x"}
    said = {"id": "c1", "type": "function"}
    said["function"] = {"name": "core_memory_append", "arguments": '{"label": "x"}'}
    messages = [
        {"id": "message-0", "role": "system", "content": [{"type": "text", "text": "compiled"}]},
        {"id": "message-1", "role": "user", "content": json.dumps(envelope, ensure_ascii=False)},
        {"id": "message-2", "role": "assistant", "content": [{"type": "text", "text": "Hm."}],
         "tool_calls": [said], "model": "gpt-4", "created_at": "2025-04-01T03:47:27.514261"},
        {"id": "message-3", "role": "tool", "content": json.dumps(returned), "tool_call_id": "c1",
         "name": "core_memory_append"},
        {"id": "message-4", "role": "assistant", "content": [
            {"type": "redacted_reasoning", "data": "x"}, {"type": "text", "text": "嗯\0"}]},
    ]  # fmt: skip
    agent = {
        "id": "agent-0", "name": "sam", "agent_type": "memgpt_agent", "system": "You are Sam.",
        "llm_config": {"model": "letta-free", "model_endpoint_type": "letta", "handle": "letta/x",
                       "context_window": 8192, "reasoning_effort": "weird", "new": 1},
        "embedding_config": {"embedding_model": "e", "embedding_dim": 3, "handle": "letta/e",
                             "embedding_endpoint_type": "openai"},
        "tool_rules": [{"type": "exit_loop", "tool_name": "send_message"},
                       {"type": "exit_loop", "tool_name": "gone"}, {"type": "unheard_of"}],
        "block_ids": ["block-0"], "tool_ids": ["tool-0", "tool-1", "tool-2"],
        "in_context_message_ids": ["message-0", "message-3", "message-4"], "messages": messages,
        "tool_exec_environment_variables": {"KEY": ""}, "files_agents": [], "group_ids": [],
    }  # fmt: skip
    file = {
        "agents": [agent], "groups": [{"id": "group-0"}], "skills": [{"name": "x", "files": {}}],
        "blocks": [{"id": "block-0", "label": "human", "value": "Chad", "limit": 2}],
        "tools": [
            {"id": "tool-0", "name": "core_memory_append", "tool_type": "letta_core"},
            {"id": "tool-1", "name": "draw_a_card", "tool_type": "letta_core"},
            {"id": "tool-2", "name": "double", "tool_type": "external_composio",
             "source_code": SOURCE, "json_schema": {"name": "double"}, "source_type": "python"},
        ],
    }  # fmt: skip
    twice = json.dumps(json.dumps(file, ensure_ascii=False, indent=2))
    [copy] = await imported(talk, twice)
    found = await talk(lambda c: c.agents.retrieve(copy))
    assert [one.name for one in found.tools] == ["core_memory_append", "double"]
    assert [(one.label, one.value, one.limit) for one in found.blocks] == [("human", "Chad", 4)]
    assert (found.model, found.llm_config.context_window) == ("openai/gpt-4o-mini", 8192)
    told_now = await history(talk, copy)
    assert [one["message_type"] for one in told_now] == [
        *("user_message", "reasoning_message", "tool_call_message", "tool_return_message"),
        *("hidden_reasoning_message", "assistant_message"),
    ]
    assert told_now[0]["content"] == "你好"
    assert (told_now[3]["status"], told_now[3]["tool_return"]) == ("error", "no such block")
    assert told_now[-1]["content"] == "嗯\ufffd"
    assert told_now[1]["date"].startswith("2025-04-01T03:47:27")
    assert len(found.message_ids) == 3


@ONE_WAY
async def test_a_bad_file_is_refused_with_its_place_and_nothing_is_stored(talk: Driver) -> None:
    agent: dict[str, Any] = {"id": "a", "name": "x", "block_ids": ["b"]}
    block = {"id": "b", "label": "human", "value": "x"}

    def with_messages(*messages: Any) -> dict[str, Any]:
        return {"agents": [{**agent, "messages": [*messages]}], "blocks": [block]}

    good = {"role": "user", "content": "hello"}
    for file, words in (
        (b"", "is empty"),
        (b"[]", "begins with '['"),
        (b'"{', "has no end"),
        (b'{"agents": [{"name": "x"', "no JSON any more after agents"),
        (b'{"agents": [{"name": \xff}]}', "no JSON any more"),
        ({}, "`agents`"),
        ({"agents": []}, "no agents"),
        ({"agents": 3}, "is a list"),
        ({"agents": [agent]}, "agents[0].block_ids[0]: the file has no block 'b'"),
        ({"agents": [{"name": ["x"]}]}, "agents[0].name"),
        ({"agents": [agent], "blocks": [{**block, "value": 3}]}, "blocks[0].value"),
        ({"agents": [agent], "blocks": [block, block]}, "blocks[1]: the id 'b' is there twice"),
        ({"agents": [{"timezone": "Mars/Base"}]}, "agents[0], timezone"),
        ({"agents": [{}], "tools": [{"name": "f", "source_code": "def ("}]}, "tools, 'f'"),
        (with_messages(good, {"role": "ghost"}), "agents[0].messages[1]: `role` is one of"),
        (with_messages(good, {**good, "created_at": "x"}), "agents[0].messages[1]: `created_at`"),
        (with_messages({"role": "assistant", "tool_calls": [{}]}), "messages[0]: its form"),
    ):  # fmt: skip
        assert words in await refused(talk, file)
    assert "JSON object of texts" in await refused(talk, {"agents": [{}]}, secrets='{"A": 1}')
    assert await talk.all(lambda c: c.agents.list()) == []
    assert await talk.all(lambda c: c.blocks.list()) == []
    error = await talk.fails(
        letta_client.NotFoundError, lambda c: c.agents.export_file("agent-none")
    )
    assert error.body["error"] == "AgentNotFound"
