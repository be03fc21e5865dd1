"""Organizations, users, keys, limits and the audit log, over REST."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import letta_client
import pytest
from fastapi import FastAPI
from sqlalchemy import update

from tests.fixtures.letta import WAYS, driver
from tests.fixtures.sides import ON_SQLITE
from tests.servers.scripted_chat import Call, Says, ScriptedChat
from yiku.app import App, build
from yiku.client.transport import InProcessTransport
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, Scope
from yiku.server.http import build_asgi
from yiku.settings import load
from yiku.store import tenants
from yiku.store.database import Tx
from yiku.store.tables import api_key


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
        params = body if method == "GET" else {}
        if method != "GET" and "organization_id" in body:
            params = {"organization_id": body.pop("organization_id")}
        headers = {"Authorization": f"Bearer {key or self.key}"}
        sent = None if method in ("GET", "DELETE") else body
        answer = await self.http.request(method, path, headers=headers, params=params, json=sent)
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
    assert refused["detail"].startswith("The organization may have 1 agents and has 1. Delete")
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


ASKS: list[Callable[[Any, str], Any]] = [
    lambda c, one: c.agents.messages.create(one, input="again"),
    lambda c, one: c.agents.messages.create(one, input="again", streaming=True),
    lambda c, one: c.agents.messages.create_async(one, input="again"),
]


@pytest.mark.parametrize("way", WAYS)
@ON_SQLITE
async def test_letta_client_raises_its_own_error(admin: Admin, way: str, free_port: int) -> None:
    organization_id, key = await admin.organization("Tea house")
    where = {"organization_id": organization_id}
    await admin.call("PUT", "/admin/quotas/messages_per_day", **where, most=1)
    async with driver(way, build_asgi(admin.app), free_port, key) as letta:
        agent = await letta(lambda c: c.agents.create(name="one"))
        await letta(lambda c: c.agents.messages.create(agent.id, input="hello"))
        for ask in ASKS:
            before = datetime.now(UTC)
            error = await letta.fails(
                letta_client.RateLimitError, lambda c, ask=ask: ask(c, agent.id)
            )
            assert error.body["resource"] == "messages_per_day"
            assert (error.body["limit"], error.body["used"]) == (1, 1)
            resets = datetime.fromisoformat(error.body["resets_at"])
            until = (
                f"Wait until {resets:%Y-%m-%dT%H:%MZ}, when it begins anew, or have the server's"
            )
            assert until in error.body["detail"]
            assert resets.timetuple()[3:6] == (0, 0, 0)
            wait = timedelta(seconds=int(error.response.headers["Retry-After"]))
            assert abs(before + wait - resets) < timedelta(seconds=30)
            assert error.response.headers["X-Should-Retry"] == "false"
        said = await letta(lambda c: c.agents.messages.list(agent.id))
        texts = [one.content for one in said.items if one.message_type == "user_message"]
        assert texts == ["hello"]


async def test_lists_are_cursors_and_names_are_taken_once(admin: Admin) -> None:
    org, key = await admin.organization("Tea house")
    kinds = {"users": "UserExists", "projects": "ProjectExists"}
    for kind, taken in kinds.items():
        made = [(await admin.post(f"/admin/{kind}", key, name=f"{kind} {n}"))["id"] for n in "123"]
        refused = await admin.post(f"/admin/{kind}", key, name=f" {kind} 2 ", status=409)
        assert refused["error"] == taken
        assert (await paged(admin, kind, key))[-3:] == made
        for name in ("", " ", "a\nb", "x" * 201):
            await admin.post(f"/admin/{kind}", key, name=name, status=422)
    for n in "123":
        await admin.post("/admin/keys", key, name=n)
    assert len(await paged(admin, "keys", key)) == 4
    for name in ("north", "south"):
        await admin.post("/admin/organizations", name=name)
    refused = await admin.post("/admin/organizations", name="north", status=409)
    assert refused["error"] == "OrganizationExists"
    there = await paged(admin, "organizations", admin.key)
    assert there[:2] == [LOCAL_ORGANIZATION, org]
    assert await paged(admin, "organizations", key) == [org]
    project = await admin.post("/admin/projects", key, name="茶馆", description="tea")
    assert project["slug"] == "茶馆"
    where = f"/admin/projects/{project['id']}"
    changed = await admin.call("PATCH", where, key, name="Tea", slug="tea")
    assert (changed["name"], changed["slug"], changed["description"]) == ("Tea", "tea", "tea")
    await admin.call("PATCH", where, key, slug="users-1/2", status=422)
    await admin.call("DELETE", where, key, status=204)
    await admin.call("GET", where, key, status=404)


async def paged(admin: Admin, kind: str, key: str) -> list[str]:
    """The ids of a list, by pages of two."""
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = await admin.get(f"/admin/{kind}", key, limit=2, **after)
        found += [one["id"] for one in page[kind]]
        if page["next"] is None:
            assert len(found) == len(set(found))
            return found
        after = {"after": page["next"]}


async def test_what_ends_a_key_ends_it_on_every_server_at_once(admin: Admin) -> None:
    org, boss = await admin.organization("Tea house")
    user = await admin.post("/admin/users", boss, name="bob")
    made = [await admin.post("/admin/keys", boss, name=n, user_id=user["id"]) for n in "123"]
    async with build(admin.app.settings) as second:
        transport = InProcessTransport(build_asgi(second))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:

            async def taken() -> list[bool]:
                asked = [
                    await one.get("/v1/agents/", headers={"Authorization": f"Bearer {key['key']}"})
                    for one in (admin.http, http)
                    for key in made
                ]
                return [one.status_code == 200 for one in asked]

            assert await taken() == [True] * 6
            revoked = await admin.call("DELETE", f"/admin/keys/{made[0]['id']}", boss)
            assert revoked["revoked_at"] is not None
            assert await taken() == [False, True, True] * 2
            where = f"/admin/users/{user['id']}"
            assert (await admin.call("PATCH", where, boss, disabled=True))["disabled_at"]
            assert await taken() == [False] * 6
            await admin.post("/admin/keys", boss, name="4", user_id=user["id"], status=409)
            await admin.call("PATCH", where, boss, disabled=False)
            assert await taken() == [False, True, True] * 2
            await admin.app.database.write(LOCAL_ACTOR, lambda tx: expire(tx, made[1]["id"]))
            assert await taken() == [False, False, True] * 2
    again = await admin.call("DELETE", f"/admin/keys/{made[0]['id']}", boss)
    assert again["revoked_at"] == revoked["revoked_at"]
    acts = await admin.acts(organization_id=org, target=user["id"])
    assert acts == ["user.enable", "user.disable", "user.create"]
    own = await admin.post("/admin/keys", boss, name="6", scope="admin", user_id=user["id"])
    await admin.call("PATCH", where, own["key"], disabled=True, status=409)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    await admin.post("/admin/keys", boss, name="5", expires_at=past, status=422)


def expire(tx: Tx, key_id: str) -> None:
    tx.connection.execute(update(api_key).where(api_key.c.id == key_id).values(expires_at=tx.now))


async def test_limits_hold_for_what_comes_in_bulk_and_at_once(admin: Admin) -> None:
    org, key = await admin.organization("Tea house")
    where = {"organization_id": org}
    await admin.call("PUT", "/admin/quotas/passages", **where, most=3)
    texts = [{"text": f"The tea of day {n} was green."} for n in range(4)]
    refused = await admin.post("/memory/passages/batch", key, passages=texts, status=429)
    assert (refused["resource"], refused["limit"], refused["used"]) == ("passages", 3, 0)
    assert "these would be 4 more" in refused["message"]
    assert (await admin.get("/memory/archives", key))["archives"] == []

    def add(n: int) -> Any:
        body = {"text": f"Guest {n} drank oolong.", "user": f"guest {n}"}
        headers = {"Authorization": f"Bearer {key}"}
        return admin.http.post("/memory/passages", json=body, headers=headers)

    answers = await asyncio.gather(*(add(n) for n in range(8)))
    assert sorted(one.status_code for one in answers) == [201] * 3 + [429] * 5
    stored = next(one.json()["passage"]["id"] for one in answers if one.status_code == 201)
    newer = f"/memory/passages/{stored}/supersede"
    await admin.post(newer, key, text="A guest drank black tea.", status=429)
    quotas = (await admin.get("/admin/quotas", key))["quotas"]
    assert {one["resource"]: (one["most"], one["used"]) for one in quotas}["passages"] == (3, 3)
    await admin.call("DELETE", f"/memory/passages/{stored}", key)
    await admin.post("/memory/passages", key, text="Now there is room.")

    await admin.call("PUT", "/admin/quotas/agents", **where, most=2)

    def agent(n: int) -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        return admin.http.post("/v1/agents/", json={"name": f"a{n}"}, headers=headers)

    answers = await asyncio.gather(*(agent(n) for n in range(6)))
    assert sorted(one.status_code for one in answers) == [200] * 2 + [429] * 4
    cleared = await admin.call("DELETE", "/admin/quotas/agents", **where)
    assert (cleared["most"], cleared["used"], cleared["own"]) == (0, 2, False)
    await admin.call("PUT", "/admin/quotas/teapots", most=1, status=422)


@ON_SQLITE
async def test_the_servers_defaults_hold_where_an_organization_has_no_limit(
    database_url: str, yiku_home: Path
) -> None:
    settings = load(home=yiku_home, database_url=database_url, quota_agents=1)
    async with build(settings) as app:
        transport = InProcessTransport(build_asgi(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            codes = [(await http.post("/v1/agents/", json={})).status_code for _ in range(2)]
            assert codes == [200, 429]
            await http.put("/admin/quotas/agents", json={"most": 0})  # no limit, in spite of that
            assert (await http.post("/v1/agents/", json={})).status_code == 200


async def test_tokens_of_a_day_end_a_run_and_refuse_the_next(
    talking: App, talking_asgi: FastAPI, model: ScriptedChat
) -> None:
    model.script(Says(calls=(Call("conversation_search", {"query": "tea"}),)))
    transport = InProcessTransport(talking_asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        await http.put("/admin/quotas/tokens_per_day", json={"most": 1})
        agent = (await http.post("/v1/agents/", json={"name": "one"})).json()["id"]
        where = f"/v1/agents/{agent}/messages"
        first = (await http.post(where, json={"input": "hello"})).json()
        assert first["stop_reason"]["stop_reason"] == "insufficient_credits"
        assert first["usage"]["step_count"] == 1
        used = first["usage"]["total_tokens"]
        second = await http.post(where, json={"input": "hello?"})
        assert (second.status_code, second.json()["used"]) == (429, used)
        quotas = (await http.get("/admin/quotas")).json()["quotas"]
        assert [(one["resource"], one["used"]) for one in quotas if one["resets_at"]] == [
            ("messages_per_day", 1),
            ("tokens_per_day", used),
        ]
        await http.delete("/admin/quotas/tokens_per_day")
        assert (await http.post(where, json={"input": "hello?"})).status_code == 200


async def test_what_administrators_do_is_on_record_and_no_text_is(admin: Admin) -> None:
    _, key = await admin.organization("Tea house")
    text = "The vault code is 7391-amber-lantern."
    archive = (await admin.post("/memory/passages", key, text=text))["passage"]["archive_id"]
    headers = {"Authorization": f"Bearer {key}"}
    exported = await admin.http.get(f"/memory/export?archive_id={archive}", headers=headers)
    assert text in exported.text
    job: dict[str, Any] = {"job": "tea.jsonl", "archive_id": archive}
    for n in (1, 2):
        await admin.post(
            "/memory/passages/batch", key, **job, passages=[{"text": f"{text} {n}"}], position=n
        )
    told = {"name": "vaults", "skill_type": "encoding", "description": text}
    await admin.post("/memory/skills", key, **told, prompt_template="A {{ content }}")
    skill = "/memory/skills/vaults"
    await admin.call("PATCH", skill, key, prompt_template=text + " {{ content }}")
    await admin.call("POST", f"{skill}/rollback", key, reason=text)
    agent = (await admin.post("/v1/agents/", key, name="one", status=200))["id"]
    file = await admin.http.get(f"/v1/agents/{agent}/export", headers=headers)
    sent = {"file": ("agent.af", file.content)}
    imported = await admin.http.post("/v1/agents/import", files=sent, headers=headers)
    assert imported.status_code == 200, imported.text
    server = {"mcp_server_type": "streamable_http", "server_url": "http://127.0.0.1:9/mcp"}
    told = {"server_name": "tea", "config": {**server, "auth_token": "7391-amber-lantern"}}
    mcp = (await admin.post("/v1/mcp-servers/", key, **told, status=200))["id"]
    await admin.call("DELETE", f"/v1/mcp-servers/{mcp}", key)
    await admin.call("DELETE", f"/v1/agents/{agent}", key)
    await admin.call("DELETE", f"/v1/agents/{agent}", key, status=404)
    await admin.call("DELETE", f"/memory/archives/{archive}", key)

    found = await admin.get("/admin/audit", key)
    assert [one["action"] for one in found["events"]] == [
        "archive.delete",
        "agent.delete",
        "mcp_server.delete",
        "mcp_server.add",
        "agent.import",
        "agent.export",
        "skill.rollback",
        "skill.edit",
        "skill.add",
        "memories.import",
        "archive.export",
        "key.create",
        "user.create",
        "organization.create",
    ]
    assert found["next"] is None
    assert "amber-lantern" not in str(found)
    assert found["events"][0]["facts"] == {"name": "default", "passages": 3}
    by_act = {one["action"]: one for one in found["events"]}
    assert by_act["memories.import"]["target"] == "tea.jsonl"

    async def acts(**wanted: Any) -> list[str]:
        seen = await admin.get("/admin/audit", key, **wanted)
        return [one["action"] for one in seen["events"]]

    assert await acts(action="skill") == ["skill.rollback", "skill.edit", "skill.add"]
    assert await acts(action="skill.add") == ["skill.add"]
    assert await acts(action="ski") == []
    assert await acts(target=agent) == ["agent.delete", "agent.export"]
    own = by_act["agent.delete"]["key_id"]
    assert await acts(key_id=own, action="agent.delete") == ["agent.delete"]
    at = by_act["skill.add"]["at"]
    assert await acts(until=at) + await acts(since=at) == [*[*by_act][9:], *[*by_act][:9]]
    page = await admin.get("/admin/audit", key, limit=4)
    rest = await admin.get("/admin/audit", key, limit=10, before=page["next"])
    assert page["events"] + rest["events"] == found["events"]
    unknown = await admin.call("GET", "/admin/audit", key, before="audit-x", status=404)
    assert unknown["error"] == "NotFound"
