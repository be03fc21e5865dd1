"""Searching the web: each provider is asked in its own way, and its answers are read alike."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fixtures.desks import a_desk, called
from tests.fixtures.desks import call as call_of
from tests.servers.served import Asked, Reply, Served
from yiku.app import App
from yiku.core.errors import Invalid, ProviderUnavailable, SettingInvalid
from yiku.tools.search_engine import SearchEngine, engine, providers
from yiku.tools.web_search import Found, search

TEA = "https://tea.example/"
ROWS: dict[str, Any] = {
    "tavily": {"results": [{"title": "茶", "url": TEA, "content": "绿茶", "score": 0.9}]},
    "exa": {
        "results": [{"title": "茶", "url": TEA, "text": "绿茶", "publishedDate": "2026-05-07"}]
    },
    "brave": {"web": {"results": [{"title": "茶", "url": TEA, "description": "绿茶"}]}},
    "serper": {"organic": [{"title": "茶", "link": TEA, "snippet": "绿茶", "position": 1}]},
    "bocha": {"data": {"webPages": {"value": [{"name": "茶", "url": TEA, "summary": "绿茶"}]}}},
    "searxng": {"results": [{"title": "茶", "url": TEA, "content": "绿茶"}]},
}
"""What each provider answers."""
ASKED: dict[str, dict[str, Any]] = {
    "tavily": {"query": "绿 茶", "max_results": 3, "include_domains": ["a.example"]},
    "exa": {"query": "绿 茶", "numResults": 3, "includeDomains": ["a.example"]},
    "brave": {"q": "绿 茶 site:a.example", "count": "3"},
    "serper": {"q": "绿 茶 site:a.example", "num": 3},
    "bocha": {"query": "绿 茶 site:a.example", "count": 3, "summary": True},
    "searxng": {"q": "绿 茶 site:a.example", "format": "json"},
}
HEADERS = {
    "tavily": ("authorization", "Bearer k-1"),
    "exa": ("x-api-key", "k-1"),
    "brave": ("x-subscription-token", "k-1"),
    "serper": ("x-api-key", "k-1"),
    "bocha": ("authorization", "Bearer k-1"),
}


class SearchServer(Served):
    """Speaks each provider's form."""

    def __init__(self) -> None:
        super().__init__()
        self.says: Any = {}
        self.status = 200

    def reply(self, asked: Asked) -> Reply:
        body = self.says if isinstance(self.says, bytes) else json.dumps(self.says).encode()
        headers = {"Content-Type": "application/json"}
        return Reply(status=self.status, headers=headers, body=body)


@pytest.fixture
def server() -> Any:
    with SearchServer() as made:
        yield made


def at(server: SearchServer, name: str) -> SearchEngine:
    found = engine(name, "k-1", f"{server.root}/", {})
    assert found is not None
    return found


@pytest.mark.parametrize("name", providers())
async def test_each_provider_is_asked_in_its_own_way(server: SearchServer, name: str) -> None:
    server.says = ROWS[name]
    given = {"query": "绿 茶", "num_results": 3, "include_domains": ["a.example"]}

    [found] = await search(at(server, name), given)

    date = "2026-05-07" if name == "exa" else None
    assert found == Found(title="茶", url=TEA, text="绿茶", date=date)
    [asked] = server.asked
    query = {key: one[0] for key, one in parse_qs(urlsplit(asked.path).query).items()}
    assert (asked.body or query).items() >= ASKED[name].items()
    if name in HEADERS:
        header, value = HEADERS[name]
        assert asked.headers[header] == value


@pytest.mark.parametrize(
    ("status", "says", "kind", "told"),
    [
        (401, {}, Invalid, "refuses this server's key"),
        (429, {}, ProviderUnavailable, "too many questions"),
        (500, {}, ProviderUnavailable, "answered 500"),
        (200, b"<html>", ProviderUnavailable, "no JSON"),
    ],
)
async def test_what_goes_wrong_is_told(
    server: SearchServer, status: int, says: Any, kind: type[Exception], told: str
) -> None:
    server.status, server.says = status, says
    with pytest.raises(kind, match=told):
        await search(at(server, "tavily"), {"query": "tea"})


@pytest.mark.parametrize("says", [[], {}, {"results": None}, {"results": ["x"]}])
async def test_an_answer_without_results_is_none(server: SearchServer, says: Any) -> None:
    server.says = says
    assert await search(at(server, "tavily"), {"query": "tea"}) == []


def test_which_provider_is_asked() -> None:
    assert engine(None, None, None, {"OPENAI_API_KEY": "x"}) is None
    found = engine(None, None, None, {"SERPER_API_KEY": "s", "BOCHA_API_KEY": "b"})
    assert found is not None
    assert (found.provider.name, found.key) == ("serper", "s")
    for name, words in (
        ("ask", "there are tavily, exa"),
        ("brave", "BRAVE_API_KEY"),
        ("searxng", "YIKU_SEARCH_BASE_URL"),
    ):
        with pytest.raises(SettingInvalid, match=words):
            engine(name, None, None, {})
    assert "secret" not in repr(engine("brave", "secret", None, {}))


async def test_an_agent_is_told_what_was_found(app: App, server: SearchServer) -> None:
    server.says = {"results": [{"title": "t", "url": TEA, "content": "x" * 1000}]}
    desk = await a_desk(app)
    desk = replace(desk, toolbox=replace(desk.toolbox, web=at(server, "tavily")))
    short, whole = await called(
        app,
        desk,
        call_of("web_search", query="tea"),
        call_of("web_search", query="tea", include_text=True),
    )
    assert (short.ok, whole.ok) == (True, True)
    [one] = json.loads(short.text)["results"]
    assert (one["url"], len(one["text"])) == (TEA, 300)
    assert len(json.loads(whole.text)["results"][0]["text"]) == 1000
