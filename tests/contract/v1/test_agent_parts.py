"""What agents have, over v1: blocks, tools, archives, and what fills their context."""

from typing import Any

import httpx
import letta_client
from fastapi import FastAPI

from tests.fixtures.letta import Driver
from yiku.client.transport import InProcessTransport

GREET = '''
import os

def greet(name: str) -> dict:
    """Greet somebody.

    Args:
        name: Who is greeted.
    """
    print("greeting", name)
    return {"words": "你好 " + name, "key": os.environ.get("MY_KEY")}
'''
HUMAN = {"label": "human", "value": "用户喜欢编程和AI技术"}


async def test_an_agents_blocks_are_read_and_changed_by_label(letta: Driver) -> None:
    made = await letta(
        lambda c: c.agents.create(
            memory_blocks=[HUMAN, {"label": "persona", "value": "calm"}], include_base_tools=False
        )
    )
    human = await letta(lambda c: c.agents.blocks.retrieve("human", agent_id=made.id))
    assert (human.id, human.value) == (made.blocks[0].id, HUMAN["value"])
    changed = await letta(
        lambda c: c.agents.blocks.update("human", agent_id=made.id, value="用户住在上海", limit=99)
    )
    assert (changed.id, changed.value, changed.limit) == (human.id, "用户住在上海", 99)
    renamed = await letta(lambda c: c.agents.blocks.update("human", agent_id=made.id, label="user"))
    assert renamed.label == "user"
    error = await letta.fails(
        letta_client.NotFoundError,
        lambda c: c.agents.blocks.retrieve("human", agent_id=made.id),
    )
    assert "user, persona" in error.body["detail"]
    error = await letta.fails(
        letta_client.ConflictError,
        lambda c: c.agents.blocks.update("user", agent_id=made.id, label="persona"),
    )
    assert error.body["error"] == "LabelTaken"
    error = await letta.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.blocks.update("user", agent_id=made.id, value="x" * 100),
    )
    assert error.body["detail"][0]["loc"] == ["body", "value"]

    ids = [one.id for one in made.blocks]

    async def listed(**params: Any) -> list[str]:
        found = await letta.all(lambda c: c.agents.blocks.list(made.id, **params))
        return [one.id for one in found]

    assert await listed() == ids[::-1]
    assert await listed(order="asc", limit=1) == ids
    assert await listed(order="asc", after=ids[0]) == ids[1:]
    await letta.fails(
        letta_client.NotFoundError, lambda c: c.agents.blocks.list(made.id, after="block-x")
    )


async def test_a_block_is_shared_by_agents(letta: Driver) -> None:
    block = await letta(lambda c: c.blocks.create(label="team", value="a"))
    one, two = [await letta(lambda c: c.agents.create(include_base_tools=False)) for _ in range(2)]
    for agent in (one, two):
        state = await letta(lambda c, a=agent: c.agents.blocks.attach(block.id, agent_id=a.id))
        assert [each.id for each in state.blocks] == [block.id]
    holders = await letta.all(lambda c: c.blocks.agents.list(block.id, limit=1))
    assert [each.id for each in holders] == [two.id, one.id]
    await letta(lambda c: c.agents.blocks.update("team", agent_id=one.id, value="b"))
    seen = await letta(lambda c: c.agents.blocks.retrieve("team", agent_id=two.id))
    assert seen.value == "b"
    with_two = await letta.all(lambda c: c.blocks.list(connected_to_agents_count_eq=[2]))
    assert [each.id for each in with_two] == [block.id]
    assert await letta.all(lambda c: c.blocks.list(connected_to_agents_count_gt=2)) == []

    other = await letta(lambda c: c.blocks.create(label="team", value="other"))
    await letta.fails(
        letta_client.ConflictError,
        lambda c: c.agents.blocks.attach(other.id, agent_id=one.id),
    )
    state = await letta(lambda c: c.agents.blocks.detach(block.id, agent_id=one.id))
    assert state.blocks == []
    for method in (
        lambda c: c.agents.blocks.detach(block.id, agent_id=one.id),
        lambda c: c.agents.blocks.attach("block-x", agent_id=one.id),
        lambda c: c.agents.blocks.attach(block.id, agent_id="agent-x"),
        lambda c: c.blocks.agents.list("block-x"),
    ):
        await letta.fails(letta_client.NotFoundError, method)


async def test_an_agents_tools_are_attached_listed_and_run(letta: Driver) -> None:
    made = await letta(
        lambda c: c.agents.create(
            include_base_tools=False, memory_blocks=[HUMAN], secrets={"MY_KEY": "k"}
        )
    )
    greet = await letta(lambda c: c.tools.create(source_code=GREET))
    edit = (await letta(lambda c: c.tools.list(name="memory_insert"))).items[0]
    for tool in (greet, edit, greet):
        state = await letta(lambda c, t=tool: c.agents.tools.attach(t.id, agent_id=made.id))
    assert [one.name for one in state.tools] == ["greet", "memory_insert"]
    listed = await letta.all(lambda c: c.agents.tools.list(made.id, limit=1, order="asc"))
    assert {one.id for one in listed} == {greet.id, edit.id}

    ran = await letta(
        lambda c: c.agents.tools.run("greet", agent_id=made.id, args={"name": "小明"})
    )
    assert ran.status == "success"
    assert ran.func_return == {"words": "你好 小明", "key": "k"}
    assert ran.stdout == ["greeting 小明\n"]
    args = {"label": "human", "new_str": "住在上海"}
    ran = await letta(lambda c: c.agents.tools.run("memory_insert", agent_id=made.id, args=args))
    assert ran.status == "success"
    block = await letta(lambda c: c.agents.blocks.retrieve("human", agent_id=made.id))
    assert block.value == f"{HUMAN['value']}\n住在上海"
    args = {"label": "nothing", "new_str": "x"}
    ran = await letta(lambda c: c.agents.tools.run("memory_insert", agent_id=made.id, args=args))
    assert ran.status == "error"
    assert "human" in ran.func_return

    asks = await letta(
        lambda c: c.agents.tools.update_approval(
            "greet", agent_id=made.id, body_requires_approval=True
        )
    )
    assert [(one.type, one.tool_name) for one in asks.tool_rules] == [
        ("requires_approval", "greet")
    ]
    asks = await letta(
        lambda c: c.agents.tools.update_approval(
            "greet", agent_id=made.id, body_requires_approval=False
        )
    )
    assert asks.tool_rules == []

    for method in (
        lambda c: c.agents.tools.run("nobody", agent_id=made.id, args={}),
        lambda c: c.agents.tools.attach("tool-x", agent_id=made.id),
        lambda c: c.agents.tools.update_approval(
            "nobody", agent_id=made.id, body_requires_approval=True
        ),
    ):
        await letta.fails(letta_client.NotFoundError, method)
    for args in ({}, {"name": "x", "colour": "red"}, {"name": ["x"]}):
        ran = await letta(lambda c, a=args: c.agents.tools.run("greet", agent_id=made.id, args=a))
        assert (ran.status, ran.func_return) == ("error", None)
        assert "`greet`" in ran.stderr[0]
    state = await letta(lambda c: c.agents.tools.detach(greet.id, agent_id=made.id))
    assert [one.name for one in state.tools] == ["memory_insert"]
    await letta.fails(
        letta_client.NotFoundError,
        lambda c: c.agents.tools.detach(greet.id, agent_id=made.id),
    )


async def test_instructions_are_compiled_and_the_context_is_accounted_for(
    letta: Driver, asgi: FastAPI
) -> None:
    made = await letta(lambda c: c.agents.create(memory_blocks=[HUMAN]))
    assert len(made.message_ids) == 1
    text = await letta(lambda c: c.agents.recompile(made.id, dry_run=True))
    assert HUMAN["value"] in text
    await letta(lambda c: c.agents.blocks.update("human", agent_id=made.id, value="用户住在上海"))
    assert "用户住在上海" in await letta(lambda c: c.agents.recompile(made.id))
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        told = (await http.get(f"/v1/agents/{made.id}/context")).json()
        missing = await http.get("/v1/agents/agent-x/context")
    assert missing.status_code == 404
    assert told["context_window_size_max"] == 32_000
    assert 0 < told["context_window_size_current"] < 32_000
    assert "用户住在上海" in told["core_memory"]
    names = [one["function"]["name"] for one in told["functions_definitions"]]
    assert sorted(names) == sorted(one.name for one in made.tools)
    assert [one["message_type"] for one in told["messages"]] == ["system_message"]
    await letta.fails(letta_client.NotFoundError, lambda c: c.agents.recompile("agent-x"))


async def test_an_agent_begins_with_the_messages_it_is_given(letta: Driver) -> None:
    first = [
        {"role": "user", "content": "你好"},
        {"role": "assistant", "content": [{"type": "text", "text": "你好，我是小忆。"}]},
    ]
    made = await letta(lambda c: c.agents.create(initial_message_sequence=first))
    assert len(made.message_ids) == 3
    found = await letta.all(lambda c: c.agents.messages.list(made.id, order="asc"))
    assert [(one.message_type, one.content) for one in found[1:]] == [
        ("user_message", "你好"),
        ("assistant_message", "你好，我是小忆。"),
    ]


ABOUT = '''
def about(label: str, agent_state: "AgentState") -> dict:
    """Tell of the agent.

    Args:
        label: Of a block
    """
    try:
        agent_state.memory.get_block(label).value = "changed"
    except TypeError as error:
        refused = str(error)
    return {
        "id": agent_state.id,
        "name": agent_state["name"],
        "value": agent_state.memory.get_block(label).value,
        "labels": [one["label"] for one in agent_state.blocks],
        "team": agent_state.metadata["team"],
        "tags": agent_state.tags,
        "refused": refused,
    }
'''


async def test_a_tool_is_shown_the_agent_that_calls_it(letta: Driver) -> None:
    """As with Letta, `agent_state` is the server's to fill: no model is told of it."""
    told = {"name": "about", "parameters": {"type": "object", "properties": {}, "required": []}}
    told["parameters"]["properties"] = {"label": {"type": "string"}, "agent_state": {}}
    told["parameters"]["required"] = ["label", "agent_state"]
    for more in ({}, {"json_schema": told}):
        tool = await letta(lambda c, m=more: c.tools.upsert(source_code=ABOUT, **m))
        assert list(tool.json_schema["parameters"]["properties"]) == ["label"]
        assert tool.json_schema["parameters"]["required"] == ["label"]
    made = await letta(
        lambda c: c.agents.create(
            name="小明的助理",
            include_base_tools=False,
            memory_blocks=[HUMAN],
            tool_ids=[tool.id],
            metadata={"team": "a"},
            tags=["x"],
        )
    )
    ran = await letta(
        lambda c: c.agents.tools.run("about", agent_id=made.id, args={"label": "human"})
    )
    assert ran.status == "success", ran
    refused = ran.func_return.pop("refused")
    assert "read only" in refused
    assert ran.func_return == {
        "id": made.id,
        "name": "小明的助理",
        "value": HUMAN["value"],
        "labels": ["human"],
        "team": "a",
        "tags": ["x"],
    }
