"""Pages of agents are kept as they were sent; nothing that was changed is told as it was."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.servers.scripted_chat import ScriptedChat
from yiku.app import App
from yiku.client.transport import InProcessTransport
from yiku.server.http import build_asgi
from yiku.server.v1.agent_pages import Kept

RETURNS_ONE = {"source_code": "def one() -> int:\n    '''Gives one.'''\n    return 1\n"}
RETURNS_TWO = {"source_code": "def one() -> int:\n    '''Gives two.'''\n    return 2\n"}


class Side:
    """Two agents that share a block and a tool, and a server that has told of them before."""

    def __init__(self, http: httpx.AsyncClient, shared: dict[str, str]) -> None:
        self.http = http
        self.shared = shared

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, path.format(**self.shared), json=body)
        assert answer.is_success, answer.text
        return answer.json()


Deed = Callable[[Side], Awaitable[Any]]


def asks(method: str, path: str, body: Any = None) -> Deed:
    return lambda side: side.ask(method, path, body)


async def is_for_somebody(side: Side) -> None:
    body = {"identifier_key": "k", "name": "Ann", "identity_type": "user"}
    made = await side.ask("POST", "/v1/identities/", {**body, "agent_ids": [side.shared["agent"]]})
    await side.ask("GET", "/v1/agents/")
    await side.ask("PATCH", f"/v1/identities/{made['id']}", {"name": "Anna"})


async def manages(side: Side) -> None:
    agent, other = side.shared["agent"], side.shared["other"]
    manager = {"manager_type": "supervisor", "manager_agent_id": agent}
    body = {"description": "two", "agent_ids": [other], "manager_config": manager}
    made = await side.ask("POST", "/v1/groups/", body)
    await side.ask("GET", "/v1/agents/")
    await side.ask("PATCH", f"/v1/groups/{made['id']}", {"description": "of two"})


async def reads_a_folder(side: Side) -> None:
    made = await side.ask("POST", "/v1/folders/", {"name": "papers"})
    await side.ask("PATCH", f"/v1/agents/{{agent}}/folders/attach/{made['id']}")
    await side.ask("GET", "/v1/agents/")
    await side.ask("PATCH", f"/v1/folders/{made['id']}", {"description": "read"})


CHANGES: dict[str, Deed] = {
    "another name": asks("PATCH", "/v1/agents/{agent}", {"name": "bob"}),
    "another tag": asks("PATCH", "/v1/agents/{agent}", {"tags": ["b", "a"]}),
    "a secret": asks("PATCH", "/v1/agents/{agent}", {"secrets": {"KEY": "x"}}),
    "another text of its block": asks("PATCH", "/v1/blocks/{block}", {"value": "likes coffee"}),
    "another label": asks("PATCH", "/v1/blocks/{block}", {"label": "person"}),
    "a block less": asks("DELETE", "/v1/blocks/{block}"),
    "a block taken off": asks("PATCH", "/v1/agents/{agent}/core-memory/blocks/detach/{block}"),
    "another tool": asks("PATCH", "/v1/tools/{tool}", RETURNS_TWO),
    "a tool less": asks("DELETE", "/v1/tools/{tool}"),
    "a tool taken off": asks("PATCH", "/v1/agents/{agent}/tools/detach/{tool}"),
    "an agent less": asks("DELETE", "/v1/agents/{agent}"),
    "for whom it is": is_for_somebody,
    "a group": manages,
    "a folder": reads_a_folder,
    "a run": asks("POST", "/v1/agents/{agent}/messages", {"input": "hello"}),
}


async def side_of(http: httpx.AsyncClient) -> Side:
    side = Side(http, {})
    block = await side.ask("POST", "/v1/blocks/", {"label": "human", "value": "likes tea"})
    tool = await side.ask("POST", "/v1/tools/", RETURNS_ONE)
    has = {"block_ids": [block["id"]], "tool_ids": [tool["id"]], "include_base_tools": False}
    for name in ("agent", "other"):
        made = await side.ask("POST", "/v1/agents/", {**has, "name": name, "tags": ["a"]})
        side.shared[name] = made["id"]
    side.shared |= {"block": block["id"], "tool": tool["id"]}
    return side


def client(asgi: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=InProcessTransport(asgi), base_url="http://localhost")


@pytest.mark.parametrize("asked", ["", "?include=agent.blocks"])
@pytest.mark.parametrize("change", CHANGES)
async def test_what_changed_is_told_at_once(
    talking: App, model: ScriptedChat, change: str, asked: str
) -> None:
    """Also where another server over the same database changed it."""
    page = f"/v1/agents/{asked}"
    kept = build_asgi(talking)
    async with client(kept) as http, client(build_asgi(talking)) as elsewhere:
        side = await side_of(http)
        before = await side.ask("GET", page)
        assert len(before) == 2
        assert kept.state.agent_answers.size > 0
        assert await side.ask("GET", page) == before

        await CHANGES[change](Side(elsewhere, side.shared))

        async with client(build_asgi(talking)) as anew:
            now = (await anew.get(page)).json()
        assert await side.ask("GET", page) == now
        if not asked:  # all is told
            assert now != before


async def test_no_secret_is_kept(asgi: FastAPI) -> None:
    async with client(asgi) as http:
        await http.post("/v1/agents/", json={"name": "a", "secrets": {"KEY": "x"}})
        (told,) = (await http.get("/v1/agents/")).json()
    assert told["secrets"][0]["value"] == "x"
    assert asgi.state.agent_answers.size == 0


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    kept = Kept(max_bytes=10)
    for name in "abc":
        kept.put(name, name.encode() * 4)
    assert kept.get("abc") == [None, b"bbbb", b"cccc"]
    kept.get("b")
    kept.put("d", b"dddd")
    kept.put("e", b"too long to be kept")
    assert kept.get("bcde") == [b"bbbb", None, b"dddd", None]
    assert kept.size == 8
