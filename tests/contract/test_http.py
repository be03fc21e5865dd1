"""The HTTP door: forms, sizes, and who may come in without a key."""

import inspect
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from yiku.app import build
from yiku.client.transport import InProcessTransport
from yiku.core import errors
from yiku.server.http import STATUS, build_asgi, status_of
from yiku.settings import load

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def asgi(tmp_path: Path, yiku_home: Path) -> AsyncIterator[FastAPI]:
    settings = load(
        home=yiku_home,
        database_url=f"sqlite:///{tmp_path / 'yiku.db'}",
        max_request_bytes=20_000,
    )
    async with build(settings) as app:
        yield build_asgi(app)


@pytest.fixture
async def http(asgi: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = InProcessTransport(asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


def test_every_error_has_a_status_of_its_own_or_of_its_kind() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.YikuError)
    ]
    assert len(kinds) > 25
    for kind in set(kinds) - {errors.YikuError}:
        assert any(base in STATUS for base in kind.__mro__ if base is not errors.YikuError), kind
    assert status_of(errors.PassageNotFound()) == 404
    assert status_of(errors.InvalidText()) == 422
    assert status_of(errors.DatabaseFull()) == 507


def test_the_tree_drawn_in_the_module_is_the_tree_of_its_classes() -> None:
    drawn = inspect.getdoc(errors) or ""
    for name, kind in inspect.getmembers(errors, inspect.isclass):
        if issubclass(kind, errors.YikuError):
            assert name in drawn
            assert inspect.getdoc(kind), name


async def test_every_error_has_one_form(http: httpx.AsyncClient) -> None:
    for answer, status, name in (
        (await http.get("/memory/passages/passage-x"), 404, "PassageNotFound"),
        (await http.get("/nowhere"), 404, "NotFound"),
        (await http.put("/memory/search"), 405, "MethodNotAllowed"),
        (await http.post("/memory/search", json={}), 422, "Invalid"),
        (await http.post("/memory/search", content=b"{nonsense"), 422, "Invalid"),
        (await http.post("/memory/passages", json={"text": " "}), 422, "InvalidText"),
        (await http.post("/memory/search", data={"query": "x"}), 422, "Invalid"),
    ):
        assert answer.status_code == status, answer.text
        assert answer.json()["error"] == name
        assert len(answer.json()["message"]) > 5


@pytest.mark.parametrize("key", [None, "k1"])
async def test_half_a_character_is_refused_wherever_a_passage_has_it(
    http: httpx.AsyncClient, key: str | None
) -> None:
    headers = JSON if key is None else {**JSON, "Idempotency-Key": key}
    for field, value in (
        ("text", "a\\ud800"),
        ("user", "a\\ud800"),
        ("speaker", "a\\ud800"),
        ("archive", "a\\ud800"),
    ):
        body = f'{{"text": "ok", "{field}": "{value}"}}'.encode()
        for path, sent in (
            ("passages", body),
            ("passages/batch", b'{"passages": [{"text": "a\\ud800"}]}'),
        ):
            answer = await http.post(f"/memory/{path}", content=sent, headers=headers)
            assert answer.status_code == 422, (field, path, answer.text)
            assert "half a character" in answer.json()["message"], answer.text
    tagged = b'{"text": "ok", "tags": ["\\ud800"]}'
    answer = await http.post("/memory/passages", content=tagged, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (422, "InvalidText")


async def test_a_request_over_the_limit_is_refused_before_it_is_read(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post("/memory/passages", json={"text": "x" * 30_000})
    assert (answer.status_code, answer.json()["error"]) == (413, "RequestTooLarge")
    assert "20,000 bytes" in answer.json()["message"]
    archives = await http.get("/memory/archives")
    assert archives.json() == {"archives": []}


async def test_a_page_elsewhere_cannot_reach_a_memory_without_keys(asgi: FastAPI) -> None:
    transport = InProcessTransport(asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://evil.example") as http:
        answer = await http.get("/memory/archives")
    assert answer.status_code == 403
    assert "YIKU_REQUIRE_KEY" in answer.json()["message"]


@pytest.mark.parametrize(("address", "status"), [("203.0.113.5", 403), ("::1", 200)])
async def test_whom_a_proxy_asks_for_needs_a_key(asgi: FastAPI, address: str, status: int) -> None:
    """uvicorn takes a proxy's word for it, where that is on this machine."""
    transport = httpx.ASGITransport(asgi, client=(address, 0))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        assert (await http.get("/v1/agents/")).status_code == status


FOREIGN: tuple[dict[str, str], ...] = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},  # of a page in a frame that is shut in
    {"Origin": "http://["},
    {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"},
)
OWN: tuple[dict[str, str], ...] = (
    {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://localhost"},
    {},
)


async def test_a_page_elsewhere_cannot_send_a_form_without_keys(http: httpx.AsyncClient) -> None:
    agent = {"name": "Ann", "agent_type": "letta_v1_agent"}
    file = {"file": ("a.af", json.dumps({"agents": [agent]}).encode())}
    for headers in FOREIGN:
        answer = await http.post("/v1/agents/import", files=file, headers=headers)
        assert answer.status_code == 403, headers
        assert "page of another site" in answer.text
    assert (await http.get("/v1/agents/", headers=FOREIGN[0])).json() == []
    for headers in OWN:
        answer = await http.post("/v1/agents/import", files=file, headers=headers)
        assert answer.status_code == 200, answer.text


async def test_a_strangers_body_is_not_read(tmp_path: Path, yiku_home: Path) -> None:
    """Reading one would tell that this is no JSON, and could take half a gigabyte."""
    url = f"sqlite:///{tmp_path / 'yiku.db'}"
    async with build(load(home=yiku_home, database_url=url, require_key="always")) as app:
        asgi = build_asgi(app)
        transport = InProcessTransport(asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            asked = 0
            for route in asgi.routes:
                if isinstance(route, APIRoute) and route.body_field is not None:
                    for method in route.methods:
                        answer = await http.request(method, route.path, content="{", headers=JSON)
                        assert answer.status_code == 401, route.path
                        asked += 1
    assert asked > 100


async def test_the_root_leads_to_the_description(http: httpx.AsyncClient) -> None:
    assert (await http.get("/")).headers["location"] == "/docs"


async def test_the_description_is_read_without_a_network(http: httpx.AsyncClient) -> None:
    answer = await http.get("/docs")
    page = answer.text
    assert answer.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert {part.rsplit(".", 1)[-1] for part in parts} == {"js", "css", "png"}
    for part in parts:
        answer = await http.get(part)
        assert answer.status_code == 200, part
        assert len(answer.content) > 1000
    assert not re.findall(r"(?:https?:)?//[a-z]", page)


async def test_health_tells_version_and_model(http: httpx.AsyncClient) -> None:
    answer = (await http.get("/memory/health")).json()
    assert answer["status"] == "ok"
    assert answer["embedding_model"].startswith("local/all-minilm-l6-v2")


def test_the_description_of_the_api_has_examples_and_errors(asgi: FastAPI) -> None:
    described = asgi.openapi()
    assert described["openapi"].startswith("3.1")
    forms = described["components"]["schemas"]
    assert forms["SearchIn"]["examples"]
    assert forms["AddIn"]["examples"]
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), (path, method)
            if path != "/memory/health":
                assert "422" in operation["responses"], (path, method)


async def test_an_export_comes_as_it_is_read(http: httpx.AsyncClient) -> None:
    for start in range(0, 600, 100):
        passages = [{"text": f"fact {n} of many"} for n in range(start, start + 100)]
        await http.post("/memory/passages/batch", json={"passages": passages})
    async with http.stream("GET", "/memory/export") as answer:
        first = await anext(answer.aiter_bytes())
        assert first.count(b"\n") < 600
