"""Organizations, users, keys, limits and the audit log, over REST."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import letta_client
import pytest

from tests.fixtures.letta import WAYS, driver
from tests.fixtures.sides import ON_SQLITE
from yiku.app import App, build
from yiku.client.transport import InProcessTransport
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, Scope
from yiku.server.http import build_asgi
from yiku.settings import load
from yiku.store import tenants
from yiku.store.database import Tx


@dataclass
class Admin:
    """A server, and the key of who runs it."""

    app: App
    http: httpx.AsyncClient
    key: str

    async def call(
        self, method: str, path: str, key: str | None = None, *, status: int = 200, **body: Any
    ) -> Any:
        """Asked rightly, or answered with `status`."""
        where, sent = path, {"json": body}
        if method == "GET":
            sent = {"params": body}
        elif "organization_id" in body:
            where = f"{path}?organization_id={body.pop('organization_id')}"
        answer = await self.http.request(
            method, where, headers={"Authorization": f"Bearer {key or self.key}"}, **sent
        )
        assert answer.status_code == status, (method, path, answer.text)
        return answer.json() if answer.content else None

    async def post(self, path: str, key: str | None = None, **body: Any) -> Any:
        return await self.call("POST", path, key, status=body.pop("status", 201), **body)

    async def get(self, path: str, key: str | None = None, **query: Any) -> Any:
        return await self.call("GET", path, key, **query)

    async def organization(self, name: str) -> tuple[str, str]:
        """A new one's id, and a key of its administrator."""
        made = await self.post("/admin/organizations", name=name)
        where = {"organization_id": made["id"]}
        key = await self.post("/admin/keys", **where, name="first", user="ann", scope="admin")
        return made["id"], key["key"]

    async def acts(self, **wanted: Any) -> list[str]:
        found = await self.get("/admin/audit", **wanted)
        return [one["action"] for one in found["events"]]


@pytest.fixture
async def admin(database_url: str, yiku_home: Path) -> AsyncIterator[Admin]:
    settings = load(
        home=yiku_home, database_url=database_url, model="yiku/offline", require_key="always"
    )

    def unit(tx: Tx) -> str:
        owner = tenants.find_user(tx, LOCAL_ORGANIZATION, "local")
        assert owner is not None
        return tenants.add_key(tx, owner, "test", Scope.ADMIN, None)[1]

    async with build(settings) as app:
        key = await app.database.write(LOCAL_ACTOR, unit)
        transport = InProcessTransport(build_asgi(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            yield Admin(app, http, key)


async def test_an_organization_is_made_used_limited_and_its_acts_are_on_record(
    admin: Admin,
) -> None:
    org = await admin.post("/admin/organizations", name="Tea house")
    where = {"organization_id": org["id"]}
    user = await admin.post("/admin/users", **where, name="ann")
    key = await admin.post("/admin/keys", **where, name="laptop", user_id=user["id"])
    assert key["key"].startswith(key["prefix"])
    quota = await admin.call("PUT", "/admin/quotas/agents", **where, most=1)
    assert (quota["most"], quota["used"], quota["own"]) == (1, 0, True)

    agent = await admin.post("/v1/agents/", key["key"], name="first", status=200)
    refused = await admin.post("/v1/agents/", key["key"], name="second", status=429)
    assert refused["error"] == "QuotaExceeded"
    assert refused["detail"].startswith("The organization may have 1 agents and has 1.")
    assert (refused["resource"], refused["limit"], refused["used"]) == ("agents", 1, 1)
    found = await admin.get("/v1/agents/", key["key"])
    assert [one["id"] for one in found] == [agent["id"]]

    events = (await admin.get("/admin/audit", **where))["events"]
    assert [one["action"] for one in events] == [
        "quota.set",
        "key.create",
        "user.create",
        "organization.create",
    ]
    own_key = (await admin.get("/admin/keys"))["keys"][0]["id"]
    for one in events:
        assert (one["organization_id"], one["key_id"]) == (org["id"], own_key)
    assert events[1]["target"] == key["id"]
    assert events[1]["facts"] == {"name": "laptop", "scope": "write", "user": user["id"]}
    assert key["key"] not in str(events)
    assert await admin.acts() == []  # of another organization


@pytest.mark.parametrize("way", WAYS)
@ON_SQLITE
async def test_letta_client_raises_its_own_error(admin: Admin, way: str, free_port: int) -> None:
    _, key = await admin.organization("Tea house")
    where = {
        "organization_id": (await admin.get("/admin/organizations", key))["organizations"][0]["id"]
    }
    await admin.call("PUT", "/admin/quotas/messages_per_day", **where, most=1)
    async with driver(way, build_asgi(admin.app), free_port, key) as letta:
        agent = await letta(lambda c: c.agents.create(name="one"))
        await letta(lambda c: c.agents.messages.create(agent.id, input="hello"))
        for ask in (
            lambda c: c.agents.messages.create(agent.id, input="again"),
            lambda c: c.agents.messages.stream(agent.id, input="again"),
            lambda c: c.agents.messages.create_async(agent.id, input="again"),
        ):
            before = datetime.now(UTC)
            error = await letta.fails(letta_client.RateLimitError, ask)
            assert error.body["resource"] == "messages_per_day"
            assert (error.body["limit"], error.body["used"]) == (1, 1)
            resets = datetime.fromisoformat(error.body["resets_at"])
            assert resets.timetuple()[3:6] == (0, 0, 0)
            wait = timedelta(seconds=int(error.response.headers["Retry-After"]))
            assert abs(before + wait - resets) < timedelta(seconds=30)
            assert error.response.headers["X-Should-Retry"] == "false"
        said = await letta(lambda c: c.agents.messages.list(agent.id))
        texts = [one.content for one in said.items if one.message_type == "user_message"]
        assert texts == ["hello"]
