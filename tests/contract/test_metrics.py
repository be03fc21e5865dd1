"""Who may read a server's figures, and that there are none where they are off."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from yiku.app import App, build
from yiku.client.transport import InProcessTransport
from yiku.core.ids import OrganizationId
from yiku.core.telemetry import Kind
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, Scope
from yiku.server.http import build_asgi
from yiku.settings import load
from yiku.store import outbox, tenants
from yiku.store.database import Tx
from yiku.telemetry.metrics import MOST_NAMES, Metrics
from yiku.telemetry.open import watching
from yiku.telemetry.watch import Watch


@asynccontextmanager
async def served(
    home: Path, url: str, **more: Any
) -> AsyncGenerator[tuple[App, httpx.AsyncClient]]:
    settings = load(home=home, database_url=url, **more)
    async with AsyncExitStack() as stack:
        found = await stack.enter_async_context(watching(metrics=settings.metrics, traces=False))
        app = await stack.enter_async_context(build(settings, found))
        transport = InProcessTransport(build_asgi(app))
        http = httpx.AsyncClient(transport=transport, base_url="http://localhost")
        yield app, await stack.enter_async_context(http)


def key_of(tx: Tx, organization_id: OrganizationId, name: str) -> dict[str, str]:
    user = tenants.add_user(tx, organization_id, name)
    _, secret = tenants.add_key(tx, user, name, Scope.READ, None)
    return {"Authorization": f"Bearer {secret}"}


async def test_jobs_are_counted_by_what_they_wait_for(database_url: str, yiku_home: Path) -> None:
    async with served(yiku_home, database_url, metrics=True) as (app, http):
        await app.database.write(LOCAL_ACTOR, lambda tx: outbox.put(tx, "dream", "a"))
        await http.get("/memory/archives")
        answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert 'yiku_outbox_jobs{kind="dream",state="due"} 1.0' in answer.text
    assert 'yiku_outbox_jobs{kind="dream",state="failed"} 0.0' in answer.text
    assert 'yiku_outbox_oldest_seconds{kind="dream"}' in answer.text
    assert 'route="/memory/archives",status="200"} 1.0' in answer.text


async def test_without_the_setting_nothing_is_counted(
    sqlite_with_tables: str, yiku_home: Path
) -> None:
    async with served(yiku_home, sqlite_with_tables) as (_, http):
        answer = await http.get("/metrics")
    assert answer.status_code == 404
    assert "YIKU_METRICS" in answer.json()["message"]


async def test_figures_of_all_are_for_keys_of_the_owner(
    sqlite_with_tables: str, yiku_home: Path
) -> None:
    more: dict[str, Any] = {"metrics": True, "require_key": "always"}
    async with served(yiku_home, sqlite_with_tables, **more) as (app, http):
        owner, stranger = await app.database.write(
            LOCAL_ACTOR,
            lambda tx: (
                key_of(tx, LOCAL_ORGANIZATION, "scraper"),
                key_of(tx, tenants.add_organization(tx, "others").id, "stranger"),
            ),
        )
        asked = [await http.get("/metrics", headers=one) for one in ({}, stranger, owner)]
    assert [one.status_code for one in asked] == [401, 403, 200]


def test_names_that_users_choose_are_told_apart_up_to_a_bound() -> None:
    metrics = Metrics()
    watch = Watch([metrics])
    for n in range(MOST_NAMES + 50):
        watch.done(Kind.MODEL, f"some/model-{n}", prompt_tokens=1)
    page = metrics.page([]).decode()
    assert page.count("yiku_model_tokens_total{") == MOST_NAMES + 1
    assert 'yiku_model_tokens_total{model="other",of="prompt"} 50.0' in page
