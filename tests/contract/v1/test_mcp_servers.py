"""/v1/mcp-servers, spoken to with the real client; the servers are real ones, too."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.letta import Driver
from tests.fixtures.talking import MODEL, kinds, made
from tests.servers.scripted_chat import Call, Says, Script, ScriptedChat
from yiku.app import App, build
from yiku.settings import load

TIME: dict[str, Any] = {
    "mcp_server_type": "stdio",
    "command": sys.executable,
    "args": ["-m", "mcp_server_time", "--local-timezone", "Asia/Shanghai"],
}
"""From PyPI."""


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
    server = await talk(lambda c: c.mcp_servers.create(server_name="clock", config=TIME))
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
