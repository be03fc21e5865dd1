"""Whether a server is ready, and what it says where it isn't."""

import httpx
import pytest
from fastapi import FastAPI

from tests.fixtures.running import Talk, user
from tests.fixtures.running import open_talk as open_talk
from tests.fixtures.running import talk as talk
from yiku.app import App
from yiku.client.transport import InProcessTransport
from yiku.core.errors import ServerEnding
from yiku.core.run import RunRequest
from yiku.core.tenant import LOCAL_ACTOR
from yiku.server.http import build_asgi
from yiku.store.database import Tx
from yiku.worker.work import working


def asked(asgi: FastAPI) -> httpx.AsyncClient:
    transport = InProcessTransport(asgi)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_a_server_is_ready_while_all_of_it_works(app: App) -> None:
    asgi = build_asgi(app)
    async with working(app) as worker, asked(asgi) as http:
        asgi.state.worker = worker
        whole = await http.get("/ready")
        await worker.close()
        without = await http.get("/ready")
    assert (whole.status_code, whole.json()) == (
        200,
        {"ready": True, "server": "ok", "database": "ok", "worker": "ok", "embedding": "ok"},
    )
    assert (without.status_code, without.json()["worker"]) == (503, "ended")


async def test_a_server_that_ends_is_alive_and_not_ready(app: App) -> None:
    asgi = build_asgi(app)
    async with asked(asgi) as http:
        asgi.state.ending = True
        ready, alive = await http.get("/ready"), await http.get("/v1/health/")
    assert (ready.status_code, ready.json()["server"]) == (503, "ending")
    assert (alive.status_code, alive.json()["status"]) == (200, "ok")


async def test_a_schema_of_another_version_is_not_ready(app: App) -> None:
    def newer(tx: Tx) -> None:
        tx.connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")

    await app.database.write(LOCAL_ACTOR, newer)
    async with asked(build_asgi(app)) as http:
        ready = await http.get("/ready")
    assert (ready.status_code, ready.json()["database"]) == (503, "MigrationNeeded")


async def test_a_closed_runner_begins_nothing(talk: Talk) -> None:
    agent = await talk.agent()
    await talk.runner.close()
    with pytest.raises(ServerEnding):
        await talk.runner.start(LOCAL_ACTOR, agent.agent.id, [user("hello")], RunRequest())
    assert len(await talk.said(agent)) == 1, "its instructions; what came in isn't stored"
