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

ONE_WAY = pytest.mark.parametrize("talk", ["async in this process"], indirect=True)
"""For what doesn't depend on how it is asked."""
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
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
