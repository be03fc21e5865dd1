"""What goes over the wire between the real client and us, compared with what was recorded.

`RECORD_EXCHANGES=1 make test args=tests/contract/v1/test_exchanges.py` records anew; read the
difference before you keep it.
"""

import json
import os
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import letta_client
import pytest
from fastapi import FastAPI
from letta_client import AsyncLetta

from tests.servers.scripted_chat import Call, Fails, Says, Script, ScriptedChat
from yiku.client.transport import InProcessTransport

FOLDER = Path(__file__).with_name("exchanges")
ID = re.compile(r"\b([a-z]+)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
DATE = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
TOOK = re.compile(r'"(\w+_ns)": \d+')
HEADERS = ("content-type", "etag", "www-authenticate", "x-should-retry")


class Recorder(httpx.AsyncBaseTransport):
    """Hands requests on, and keeps them with their answers."""

    def __init__(self, asgi: FastAPI) -> None:
        self.exchanges: list[dict[str, Any]] = []
        self._transport = InProcessTransport(asgi)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        answer = await self._transport.handle_async_request(request)
        content = await answer.aread()
        self.exchanges.append(
            {
                "request": {
                    "method": request.method,
                    "path": request.url.path,
                    "query": [list(pair) for pair in request.url.params.multi_items()],
                    "body": json.loads(body) if body else None,
                },
                "answer": {
                    "status": answer.status_code,
                    "headers": {k: answer.headers[k] for k in HEADERS if k in answer.headers},
                    "body": body_of(answer, content),
                },
            }
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


def body_of(answer: httpx.Response, content: bytes) -> Any:
    if answer.headers["content-type"].startswith("text/event-stream"):
        return [line for line in content.decode().split("\n") if line]
    return json.loads(content)


def masked(exchanges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ids numbered as they come up, dates, times and our version taken out."""
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        kind = found[1]
        others = sum(one.startswith(f"{kind}-") for one in numbers.values())
        return numbers.setdefault(found[0], f"{kind}-{others + 1}")

    text = json.dumps(exchanges, ensure_ascii=False)
    text = DATE.sub("DATE", ID.sub(number, text))
    text = UUID.sub(lambda found: numbers.setdefault(found[0], f"UUID-{len(numbers)}"), text)
    text = TOOK.sub(r'"\1": "TIME"', text)
    return json.loads(re.sub(r'"version": "[^"]*"', '"version": "VERSION"', text))


async def health(letta: AsyncLetta) -> None:
    await letta.health()


async def blocks(letta: AsyncLetta) -> None:
    human = await letta.blocks.create(label="human", value="用户喜欢编程和AI技术")
    persona = await letta.blocks.create(
        label="persona",
        value="calm",
        limit=20,
        description="Who you are",
        read_only=True,
        tags=["a", "b"],
        metadata={"k": {"n": [1, None]}},
        is_template=True,
        template_name="calm",
        hidden=False,
    )
    await letta.blocks.retrieve(human.id)
    await letta.blocks.update(human.id, value="用户住在上海", description=None, tags=["c"])
    await letta.blocks.list(limit=1, order="desc")
    await letta.blocks.list(after=human.id, tags=["a", "b"], match_all_tags=True)
    await letta.blocks.list(label="human", connected_to_agents_count_eq=[0, 1])
    for wrong in (
        letta.blocks.update(persona.id, value="x" * 21),
        letta.blocks.create(label="", value=""),
        letta.blocks.create(label="x", value=None, limit=0),
        letta.blocks.update(human.id, value="y", extra_headers={"If-Match": '"1"'}),
        letta.blocks.retrieve("block-00000000-0000-4000-8000-000000000000"),
    ):
        with suppress(letta_client.APIStatusError):
            await wrong
    await letta.blocks.delete(human.id)
    await letta.blocks.list()


ADD = '''
def add(a: int, b: int = 1) -> int:
    """Add two numbers.

    Args:
        a: One of them.
        b: The other one.
    """
    return a + b
'''


async def agents(letta: AsyncLetta) -> None:
    tool = await letta.tools.create(source_code=ADD)
    made = await letta.agents.create(
        name="小忆",
        system="你是小忆。",
        model="kimi/moonshot-v1-32k",
        embedding="openai/text-embedding-3-small",
        memory_blocks=[
            {"label": "human", "value": "用户喜欢编程和AI技术"},
            {"label": "persona", "value": "calm"},
        ],
        tools=["add"],
        include_base_tools=False,
        model_settings={"provider_type": "moonshot", "temperature": 0.3},
        tool_rules=[{"type": "exit_loop", "tool_name": "add"}],
        secrets={"KEY": "value"},
        tags=["a", "b"],
        metadata={"k": [1, None]},
        timezone="Asia/Shanghai",
    )
    await letta.agents.retrieve(made.id, include=["agent.tags"])
    await letta.agents.update(made.id, description="A companion", tags=["c"], max_tokens=100)
    await letta.agents.list(tags=["c"], include=["agent.blocks"], limit=1)
    await letta.agents.blocks.retrieve("human", agent_id=made.id)
    await letta.agents.blocks.update("human", agent_id=made.id, value="用户住在上海")
    await letta.agents.blocks.list(made.id, limit=1, order="asc")
    await letta.agents.tools.list(made.id)
    await letta.agents.tools.update_approval("add", agent_id=made.id, body_requires_approval=True)
    await letta.agents.tools.detach(tool.id, agent_id=made.id)
    await letta.blocks.agents.list(made.blocks[0].id, include=["agent.tags"])
    await letta.tags.list()
    for wrong in (
        letta.agents.create(model="gpt-4o", extra_body={"colour": "red"}),
        letta.agents.create(timezone="Mars/Olympus"),
        letta.agents.update(made.id, name="x", extra_headers={"If-Match": '"1"'}),
        letta.agents.retrieve("agent-00000000-0000-4000-8000-000000000000"),
    ):
        with suppress(letta_client.APIStatusError):
            await wrong
    await letta.agents.delete(made.id)
    await letta.agents.list()


async def tools(letta: AsyncLetta) -> None:
    tool = await letta.tools.create(source_code=ADD, tags=["math"], return_char_limit=100)
    await letta.tools.upsert(source_code=ADD, description="加法")
    await letta.tools.retrieve(tool.id)
    await letta.tools.update(tool.id, description="Adds", metadata={"k": 1})
    await letta.tools.list(tool_types=["custom"], order="asc")
    await letta.tools.search(query="add", tool_types=["custom"])
    for wrong in (
        letta.tools.create(source_code=ADD),
        letta.tools.create(source_code="x", source_type="typescript"),
        letta.tools.retrieve("tool-00000000-0000-4000-8000-000000000000"),
    ):
        with suppress(letta_client.APIStatusError):
            await wrong
    await letta.tools.delete(tool.id)
    await letta.models.list(provider_name="yiku")
    await letta.models.embeddings.list()


async def archives(letta: AsyncLetta) -> None:
    archive = await letta.archives.create(name="team", description="什么都可以")
    await letta.archives.update(archive.id, name="group")
    await letta.archives.passages.create(archive.id, text="小明喜欢喝乌龙茶", tags=["茶"])
    await letta.archives.passages.create_many(
        archive.id, passages=[{"text": "用户住在上海", "metadata": {"k": 1}}]
    )
    agent = await letta.agents.create(
        name="x", system="y", include_base_tools=False, include_base_tool_rules=False
    )
    await letta.agents.archives.attach(archive.id, agent_id=agent.id)
    await letta.archives.list(agent_id=agent.id)
    [added] = await letta.agents.passages.create(agent.id, text="第三条", tags=["x"])
    await letta.agents.passages.list(agent.id, ascending=False, limit=2)
    await letta.agents.passages.search(agent.id, query="乌龙茶", tags=["茶"])
    await letta.passages.search(archive_id=archive.id, limit=1)
    await letta.agents.passages.delete(added.id, agent_id=agent.id)
    await letta.agents.archives.detach(archive.id, agent_id=agent.id)
    for wrong in (
        letta.archives.create(name="group"),
        letta.archives.passages.create(archive.id, text=" "),
        letta.archives.retrieve("archive-00000000-0000-4000-8000-000000000000"),
    ):
        with suppress(letta_client.APIStatusError):
            await wrong
    await letta.archives.delete(archive.id)
    await letta.archives.list()


APPEND = Call("core_memory_append", {"label": "human", "content": "住在上海"}, id="call-a")


async def messages(letta: AsyncLetta, model: ScriptedChat, agent_id: str) -> None:
    thinks = Says(reasoning="Keep that.", text="One moment.", calls=(APPEND,))
    model.respond = Script(thinks, "Noted.", thinks, "Noted.", Fails(status=401), Fails(status=401))
    send = letta.agents.messages.create
    answer = await send(
        agent_id,
        messages=[
            {"role": "user", "content": "我住在上海", "otid": "mine"},
            {"role": "user", "content": [{"type": "text", "text": "!"}], "name": "Li"},
        ],
    )
    await send(agent_id, input="x", streaming=True, stream_tokens=True)
    kinds: Any = ["user_message", "assistant_message"]
    await letta.agents.messages.list(agent_id, include_return_message_types=kinds, limit=3)
    for wrong in (
        send(agent_id, input="y"),
        send(agent_id, messages=[{"type": "approval", "approve": True}]),
        send(agent_id, messages=[{"role": "user", "content": ""}]),
        send(agent_id, messages=[]),
        letta.agents.messages.list(agent_id, after="message-nobody"),
    ):
        with suppress(letta_client.APIStatusError):
            await wrong
    await send(agent_id, input="z", streaming=True)
    [run_id] = answer.usage.run_ids or []
    await letta.agents.messages.cancel(agent_id, run_ids=[run_id])
    await letta.runs.retrieve(run_id)
    await letta.runs.usage.retrieve(run_id)
    await letta.runs.steps.list(run_id, order="asc")
    step_id = answer.messages[0].step_id or ""
    await letta.steps.feedback.create(step_id, feedback="negative", tags=["odd"])
    await letta.steps.metrics.retrieve(step_id)
    await letta.steps.messages.list(step_id)


async def approvals(letta: AsyncLetta, model: ScriptedChat, agent_id: str) -> None:
    weather: Any = {"name": "weather", "parameters": {"type": "object", "properties": {}}}
    calls = (APPEND, Call("weather", {"place": "上海"}, id="call-b"))
    model.respond = Script(Says(calls=calls), "It rains.")
    send = letta.agents.messages.create
    await send(agent_id, input="天气？", client_tools=[weather])
    with suppress(letta_client.ConflictError):
        await send(agent_id, input="well?")
    answers: Any = [
        {"type": "approval", "tool_call_id": "call-a", "approve": False, "reason": "no"},
        {"type": "tool", "tool_call_id": "call-b", "status": "success", "tool_return": "rain"},
    ]
    await send(
        agent_id,
        messages=[{"type": "approval", "approvals": answers}],
        client_tools=[weather],
    )
    kinds: Any = ["approval_request_message", "approval_response_message", "tool_return_message"]
    await letta.agents.messages.list(agent_id, include_return_message_types=kinds, order="asc")


Talk = Callable[[AsyncLetta, ScriptedChat, str], Awaitable[None]]


@pytest.mark.parametrize("play", [messages, approvals], ids=lambda play: play.__name__)
async def test_the_exchanges_with_agents_are_those_recorded(
    talking_asgi: FastAPI, model: ScriptedChat, play: Talk
) -> None:
    rule: Any = {"type": "requires_approval", "tool_name": "core_memory_append"}
    inside = httpx.AsyncClient(transport=InProcessTransport(talking_asgi))
    async with AsyncLetta(base_url="http://localhost", http_client=inside) as letta:
        agent = await letta.agents.create(
            memory_blocks=[{"label": "human", "value": ""}],
            tools=["core_memory_append"],
            tool_rules=[rule] if play is approvals else [],
        )
    await compared(talking_asgi, play.__name__, lambda letta: play(letta, model, agent.id))


@pytest.mark.parametrize(
    "play", [health, blocks, agents, tools, archives], ids=lambda play: play.__name__
)
async def test_the_exchanges_are_those_recorded(
    asgi: FastAPI, play: Callable[[AsyncLetta], Awaitable[None]]
) -> None:
    await compared(asgi, play.__name__, play)


async def compared(asgi: FastAPI, name: str, play: Callable[[AsyncLetta], Awaitable[None]]) -> None:
    """What goes over the wire in a play is what was recorded of it."""
    recorder = Recorder(asgi)
    http = httpx.AsyncClient(transport=recorder)
    async with AsyncLetta(base_url="http://localhost", http_client=http) as letta:
        await play(letta)
    found = masked(recorder.exchanges)

    file = FOLDER / f"{name}.json"
    if os.environ.get("RECORD_EXCHANGES") == "1":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    recorded = json.loads(file.read_text(encoding="utf-8"))
    assert len(found) == len(recorded)
    for one, other in zip(found, recorded, strict=True):
        assert one == other
