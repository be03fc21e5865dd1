"""Postgres is cut off, full of others' locks, or lost just while it commits."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.servers.wire import Wire
from yiku.app import App, build
from yiku.client.transport import InProcessTransport
from yiku.core import errors
from yiku.core.tenant import LOCAL_ACTOR
from yiku.server.http import build_asgi
from yiku.settings import load
from yiku.store import tenants
from yiku.store.database import Tx
from yiku.store.postgres import PostgresDatabase

WAIT_S = 0.5
MORE_THAN_CONNECTIONS = 30


@pytest.fixture
async def wire(postgres_with_tables: str) -> AsyncIterator[Wire]:
    async with Wire(postgres_with_tables) as one:
        yield one


@pytest.fixture
async def app(wire: Wire, yiku_home: Path) -> AsyncIterator[App]:
    settings = load(home=yiku_home, database_url=wire.url, busy_timeout_s=WAIT_S)
    async with build(settings) as opened:
        yield opened


@pytest.fixture
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    transport = InProcessTransport(build_asgi(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_while_it_is_away_requests_are_to_be_sent_again_and_then_they_are_served(
    wire: Wire, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    block = {"label": "human", "value": "Ann keeps crates."}
    assert (await http.post("/v1/blocks/", json=block)).status_code == 200
    await wire.cut()
    for answer in (
        await http.get("/v1/blocks/"),
        await http.post("/v1/blocks/", json=block),
        await http.get("/memory/health"),
    ):
        assert answer.status_code == 503, answer.text
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"] == "DatabaseUnreachable"
        assert "Connection refused" in answer.text
    told = [one for one in caplog.records if one.name == "yiku.server.http"]
    assert [(one.levelname, one.exc_info) for one in told] == [("WARNING", None)] * 3
    assert all("Connection refused" in vars(one)["problem"] for one in told)
    await wire.mend()
    assert len((await http.get("/v1/blocks/")).json()) == 1
    assert (await http.post("/v1/blocks/", json=block)).status_code == 200


async def test_locks_of_others_and_a_lack_of_connections_are_waited_for_so_long_only(
    app: App, postgres_with_tables: str
) -> None:
    async def read() -> str:
        try:
            await app.database.read(LOCAL_ACTOR, tenants.list_keys)
        except errors.DatabaseBusy as error:
            return error.message
        return "done"

    address = postgres_with_tables.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(address) as other:
        await other.execute("LOCK TABLE api_key IN ACCESS EXCLUSIVE MODE")
        async with asyncio.timeout(60):
            told = await asyncio.gather(*(read() for _ in range(MORE_THAN_CONNECTIONS)))
        await other.rollback()
    assert all("waited too long for a lock or a connection" in one for one in told), told
    assert await read() == "done"


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux's")
@pytest.mark.parametrize(("given", "most_ms"), [("", 30_000), ("?tcp_user_timeout=7000", 7_000)])
async def test_a_machine_that_went_without_a_word_is_not_waited_for_for_ever(
    wire: Wire, given: str, most_ms: int
) -> None:
    database = await PostgresDatabase.open(wire.url + given, WAIT_S, auto_migrate=False, limits={})

    def kernel_waits_ms(tx: Tx) -> int:
        driver: Any = tx.connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as same:
            return same.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)

    try:
        assert await database.read(LOCAL_ACTOR, kernel_waits_ms) == most_ms
    finally:
        await database.close()


async def test_a_write_that_is_lost_with_its_commit_is_not_said_to_have_failed(
    wire: Wire, app: App, http: httpx.AsyncClient
) -> None:
    wire.loses_commits = True
    lost = await http.post("/v1/blocks/", json={"label": "human", "value": "Ann keeps crates."})
    wire.loses_commits = False
    assert lost.status_code == 503
    assert lost.headers["x-should-retry"] == "false", "letta-client would store it twice"
    assert "Look before you send it again" in lost.json()["detail"]
    assert [one["label"] for one in (await http.get("/v1/blocks/")).json()] == ["human"]
