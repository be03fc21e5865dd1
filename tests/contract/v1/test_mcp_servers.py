"""/v1/mcp-servers, spoken to with the real client; the servers are real ones, too."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import letta_client
import pytest
from sqlalchemy import select, update

from tests.fixtures.letta import Driver
from tests.fixtures.mcp import CLOCK, form, program, serving_tools
from tests.fixtures.talking import MODEL, kinds, made
from tests.servers.scripted_chat import Call, Says, Script, ScriptedChat
from yiku.app import App, build
from yiku.core.tenant import LOCAL_ACTOR
from yiku.settings import load
from yiku.store.agent_tables import agent as table
from yiku.store.database import Tx


@pytest.fixture
async def talking(database_url: str, yiku_home: Path, model: ScriptedChat) -> AsyncIterator[App]:
    settings = load(
        home=yiku_home,
        database_url=database_url,
        model=MODEL,
        model_base_url=model.url,
        model_api_key="sk-test",
        mcp_stdio=True,
        mcp_timeout_s=20,
    )
    async with build(settings) as built:
        yield built


async def test_an_agent_calls_a_tool_of_a_program(talk: Driver, model: ScriptedChat) -> None:
    server = await talk(lambda c: c.mcp_servers.create(server_name="clock", config=form(CLOCK)))
    assert server.problem is None
    assert server.id.startswith("mcp_server-")
    there = await talk(lambda c: c.mcp_servers.tools.list(server.id))
    assert [one.name for one in there] == ["get_current_time", "convert_time"]
    args = {
        "source_timezone": "Asia/Shanghai",
        "time": "09:30",
        "target_timezone": "Asia/Tokyo",
    }
    ran = await talk(
        lambda c: c.mcp_servers.tools.run(there[1].id, mcp_server_id=server.id, args=args)
    )
    assert ran.status == "success"
    assert "T10:30" in ran.func_return

    agent_id = await made(talk, tool_ids=[there[1].id])
    model.respond = Script(Says(calls=(Call("convert_time", args),)), "In Tokyo it is 10:30.")
    answer = await talk(lambda c: c.agents.messages.create(agent_id, input="And in Tokyo?"))
    assert kinds(answer.messages) == [
        "tool_call_message",
        "tool_return_message",
        "assistant_message",
    ]
    assert answer.messages[1].status == "success"
    assert "T10:30" in answer.messages[1].tool_return


async def test_a_server_is_listed_changed_and_deleted(talk: Driver) -> None:
    async with serving_tools("http") as address:
        config = {
            "mcp_server_type": "streamable_http",
            "server_url": address.url,
            "auth_token": "t0p",
            "custom_headers": {"X-Team": "{{ TEAM | nobody }}"},
        }
        made_one = await talk(lambda c: c.mcp_servers.create(server_name="ours", config=config))
        assert made_one.problem is None
        assert (made_one.auth_token, made_one.server_url) == ("t0p", address.url)
        assert await talk(lambda c: c.mcp_servers.retrieve(made_one.id)) == made_one
        assert await talk(lambda c: c.mcp_servers.list()) == [made_one]
        await talk.fails(
            letta_client.ConflictError,
            lambda c: c.mcp_servers.create(server_name="ours", config=config),
        )

        there = {
            one.name: one for one in await talk(lambda c: c.mcp_servers.tools.list(made_one.id))
        }
        header = there["header"]
        one = await talk(
            lambda c: c.mcp_servers.tools.retrieve(header.id, mcp_server_id=made_one.id)
        )
        assert one == header
        assert one.tool_type == "external_mcp"
        assert one.tags == ["mcp:ours"]
        set_by_us = await talk(
            lambda c: c.tools.update(header.id, tags=["net"], default_requires_approval=True)
        )
        assert set_by_us.tags == ["net"]
        await talk.fails(
            letta_client.UnprocessableEntityError,
            lambda c: c.tools.update(header.id, description="Mine."),
        )

        changed = await talk(
            lambda c: c.mcp_servers.update(
                made_one.id,
                server_name="theirs",
                config={"mcp_server_type": "streamable_http", "auth_token": "n3w"},
            )
        )
        assert (changed.id, changed.server_name, changed.auth_token) == (
            made_one.id,
            "theirs",
            "n3w",
        )
        assert changed.custom_headers == config["custom_headers"]
        kept = await talk(lambda c: c.tools.retrieve(header.id))
        assert kept.tags == ["mcp:theirs", "net"]
        assert kept.default_requires_approval is True

        agent = await talk(
            lambda c: c.agents.create(
                tool_ids=[header.id], include_base_tools=False, secrets={"TEAM": "tea"}
            )
        )
        told = await talk(
            lambda c: c.agents.tools.run("header", agent_id=agent.id, args={"text": "x-team"})
        )
        assert (told.status, told.func_return) == ("success", "tea")
        synced = await talk(lambda c: c.mcp_servers.refresh(made_one.id, agent_id=agent.id))
        assert synced == {"added": [], "updated": [], "deleted": []}

        assert await talk(lambda c: c.mcp_servers.delete(made_one.id)) is None
        assert await talk(lambda c: c.mcp_servers.list()) == []
        await talk.fails(letta_client.NotFoundError, lambda c: c.tools.retrieve(header.id))
        left = await talk(lambda c: c.agents.retrieve(agent.id))
        assert left.tools == []


async def test_a_dead_server_is_an_error_that_the_agent_acts_on(
    talk: Driver, model: ScriptedChat
) -> None:
    ours = form(program())
    server = await talk(lambda c: c.mcp_servers.create(server_name="ours", config=ours))
    there = {one.name: one for one in await talk(lambda c: c.mcp_servers.tools.list(server.id))}
    ran = await talk(
        lambda c: c.mcp_servers.tools.run(there["die"].id, mcp_server_id=server.id, args={})
    )
    assert ran.status == "error"
    wrong = await talk.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.mcp_servers.tools.run(there["echo"].id, mcp_server_id=server.id, args={"x": 1}),
    )
    assert "`text`" in str(wrong.body["detail"])

    agent_id = await made(talk, tool_ids=[there["die"].id, there["echo"].id])
    again = Says(calls=(Call("echo", {"text": "茶"}),))
    model.respond = Script(Says(calls=(Call("die", {}),)), again, "好了。")
    answer = await talk(lambda c: c.agents.messages.create(agent_id, input="请试一下"))
    _, died, _, lived, _ = answer.messages
    assert (died.status, lived.status) == ("error", "success")
    assert "可能已经生效，也可能没有" in died.tool_return
    assert "memory is full of 茶" in died.tool_return
    assert lived.tool_return == "茶"
    assert answer.stop_reason.stop_reason == "end_turn"


async def test_secrets_of_agents_are_sealed_and_older_plain_ones_are_read(
    talk: Driver, talking: App
) -> None:
    agent = await talk(lambda c: c.agents.create(secrets={"KEY": "pa55word"}))
    assert [(one.key, one.value) for one in agent.secrets] == [("KEY", "pa55word")]

    def config(tx: Tx) -> Any:
        query = select(table.c.config).where(table.c.id == agent.id)
        return tx.connection.execute(query).scalar_one()

    stored = await talking.database.read(LOCAL_ACTOR, config)
    assert "pa55word" not in str(stored)
    assert list(stored["secrets"]) == ["KEY"]
    same = await talk(lambda c: c.agents.update(agent.id, secrets={"KEY": "pa55word"}))
    assert same.updated_at == agent.updated_at
    assert await talking.database.read(LOCAL_ACTOR, config) == stored

    def as_before(tx: Tx) -> None:
        plain = {**stored, "secrets": {"KEY": "plain"}}
        tx.connection.execute(update(table).where(table.c.id == agent.id).values(config=plain))

    await talking.database.write(LOCAL_ACTOR, as_before)
    older = await talk(lambda c: c.agents.retrieve(agent.id))
    assert [one.value for one in older.secrets] == ["plain"]
