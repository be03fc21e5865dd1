"""One organization can neither read, change nor guess another's rows, through any route of the
server; nor can a key do what its scope doesn't say.

The routes are the application's: one that is asked neither here nor in v1/test_tenancy.py, where
v1's are, fails a test.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Mount, Route

from tests.fixtures.sides import ROUTES as OF_V1
from yiku.app import build
from yiku.client.transport import InProcessTransport
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.server import skill_events
from yiku.server.description import PARTS
from yiku.server.http import build_asgi
from yiku.settings import load
from yiku.store import tenants
from yiku.store.database import Tx

SECRET = "the vault code is 7391"
SKILL = "vault_codes"
PROMPT = f"Remember that {SECRET}. {{{{ content }}}}"


@dataclass
class Two:
    """Two organizations on one server, the first with a secret in it."""

    http: httpx.AsyncClient
    routes: set[tuple[str, str]]
    owner: dict[str, str]
    stranger: dict[str, str]
    reader: dict[str, str]
    writer: dict[str, str]
    ids: dict[str, str]
    """What paths are filled with: ids of the owner's rows."""

    @property
    def passage_id(self) -> str:
        return self.ids["passage_id"]

    @property
    def archive_id(self) -> str:
        return self.ids["archive_id"]


def key_of(tx: Tx, name: str, scope: Scope) -> dict[str, str]:
    organization = tenants.find_organization(tx, name) or tenants.add_organization(tx, name)
    user = tenants.add_user(tx, organization.id, f"{name}-{scope}")
    _, secret = tenants.add_key(tx, user, "test", scope, None)
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
async def two(database_url: str, yiku_home: Path) -> AsyncIterator[Two]:
    settings = load(home=yiku_home, database_url=database_url, require_key="always")
    async with build(settings) as app:
        asgi = build_asgi(app)
        transport = InProcessTransport(asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            owner, stranger, reader, writer = await app.database.write(
                LOCAL_ACTOR,
                lambda tx: (
                    key_of(tx, "first", Scope.ADMIN),
                    key_of(tx, "second", Scope.ADMIN),
                    key_of(tx, "first", Scope.READ),
                    key_of(tx, "first", Scope.WRITE),
                ),
            )
            ids = await filled_by(http, owner)
            routes = set(routes_of(asgi)) - {(method, route.path) for method, route in OF_V1}
            yield Two(http, routes, owner, stranger, reader, writer, ids)


def routes_of(asgi: FastAPI) -> Iterator[tuple[str, str]]:
    for route in asgi.routes:
        if isinstance(route, Mount) and route.path == PARTS:
            continue  # scripts of the page at `/docs`
        assert isinstance(route, Route), f"{route} is of a kind that nothing here can ask"
        for method in sorted(route.methods or ()):
            yield method, route.path_format


async def filled_by(http: httpx.AsyncClient, owner: dict[str, str]) -> dict[str, str]:
    """A secret in a role and a skill, a gating that found it, a rerouting: the ids of all that."""
    role = {"role_id": "keeper", "role_description": "Vaults, codes and secrets"}
    ann = {"user": "ann"}

    async def post(path: str, **body: object) -> dict[str, Any]:
        answer = await http.post(path, json={**ann, **body}, headers=owner)
        assert answer.is_success, answer.text
        return answer.json()

    await post("/memory/roles", roles=[role])
    added = await post("/memory/passages", text=SECRET, conversation="c", roles=["keeper"])
    gated = await post("/memory/gate", context="the vault code", threshold=0)
    job = await post("/memory/reroute")
    told = {"name": SKILL, "skill_type": "encoding", "description": SECRET}
    answer = await http.post(
        "/memory/skills", json=told | {"prompt_template": PROMPT}, headers=owner
    )
    changes = await http.get(f"/memory/skills/changelog?skill={SKILL}", headers=owner)
    agent = await http.post("/v1/agents/", json={"name": "keeper"}, headers=owner)
    user, project = [
        await http.post(f"/admin/{kind}", json={"name": SECRET}, headers=owner)
        for kind in ("users", "projects")
    ]
    listed = await http.get("/admin/keys", headers=owner)
    key = listed.json()["keys"][0]
    return {
        "organization_id": key["organization_id"],
        "user_id": user.json()["id"],
        "key_id": key["id"],
        "project_id": project.json()["id"],
        "resource": "agents",
        "skill": answer.json()["id"],
        "change_id": changes.json()["changes"][0]["id"],
        "passage_id": added["passage"]["id"],
        "archive_id": added["passage"]["archive_id"],
        "role_id": "keeper",
        "decision_id": gated["id"],
        "job_id": job["job"],
        "agent_id": agent.json()["id"],
    }


REQUESTS: dict[tuple[str, str], object] = {
    ("POST", "/memory/passages"): {"text": "x y z", "archive_id": "{archive}"},
    ("POST", "/memory/passages/batch"): {
        "passages": [{"text": "x y z"}],
        "archive_id": "{archive}",
    },
    ("POST", "/memory/search"): {"query": "vault code", "archive_ids": ["{archive}"]},
    ("GET", "/memory/passages"): None,
    ("GET", "/memory/passages/{passage_id}"): None,
    ("GET", "/memory/passages/{passage_id}/history"): None,
    ("PATCH", "/memory/passages/{passage_id}"): {"text": "mine now"},
    ("POST", "/memory/passages/{passage_id}/supersede"): {"text": "mine now"},
    ("POST", "/memory/passages/{passage_id}/forget"): {},
    ("POST", "/memory/passages/{passage_id}/undo"): {},
    ("DELETE", "/memory/passages/{passage_id}"): None,
    ("POST", "/memory/passages/delete"): {"ids": ["{passage}"]},
    ("GET", "/memory/export"): None,
    ("GET", "/memory/archives/{archive_id}"): None,
    ("PATCH", "/memory/archives/{archive_id}"): {"name": "mine"},
    ("DELETE", "/memory/archives/{archive_id}"): None,
    ("GET", "/memory/roles"): None,
    ("POST", "/memory/roles"): {"templates": ["technical_expert"], "archive_id": "{archive}"},
    ("GET", "/memory/roles/{role_id}"): None,
    ("PATCH", "/memory/roles/{role_id}"): {"role_name": "mine", "archive_id": "{archive}"},
    ("DELETE", "/memory/roles/{role_id}"): None,
    ("GET", "/memory/roles/{role_id}/history"): None,
    ("POST", "/memory/roles/{role_id}/restore"): {"version": 1, "archive_id": "{archive}"},
    ("GET", "/memory/role-stats"): None,
    ("POST", "/memory/route"): {"text": "vault code", "archive_id": "{archive}"},
    ("POST", "/memory/gate"): {"context": "vault code", "archive_id": "{archive}"},
    ("GET", "/memory/decisions"): None,
    ("GET", "/memory/decisions/{decision_id}"): None,
    ("POST", "/memory/reroute"): {"job": "{job}"},
    ("POST", "/memory/reroute/{job_id}/undo"): None,
    ("GET", "/memory/passages/{passage_id}/roles"): None,
    ("POST", "/memory/passages/{passage_id}/roles"): {"out_of": ["keeper"]},
    ("POST", "/memory/compile"): {"roles": ["keeper"], "archive_id": "{archive}"},
    ("GET", "/memory/skills/{skill}"): None,
    ("PATCH", "/memory/skills/{skill}"): {"prompt_template": "mine {{{{ content }}}}"},
    ("GET", "/memory/skills/{skill}/feedback"): None,
    ("POST", "/memory/skills/{skill}/rollback"): {},
    ("POST", "/memory/skills/{skill}/revert"): {},
    ("POST", "/memory/skills/{skill}/revert/undo"): None,
    ("GET", "/memory/skills/changelog/{change_id}"): None,
    ("GET", "/memory/skills/changelog/{change_id}/preview"): None,
    ("POST", "/memory/skills/changelog/{change_id}/approve"): {},
    ("POST", "/memory/skills/changelog/{change_id}/reject"): {},
    ("POST", "/memory/skills/evolve"): {"skill": SKILL},
    ("POST", "/memory/skills/save"): {"content": "x y z", "archive_id": "{archive}"},
    ("POST", "/memory/skills/query"): {"query": "vault code", "archive_ids": ["{archive}"]},
    ("POST", "/memory/skills/forget"): {"memory": "{passage}", "archive_ids": ["{archive}"]},
    ("GET", "/memory/agents/{agent_id}/history"): None,
    ("POST", "/memory/import"): {"results": []},
}
"""What a stranger tries, with the right ids of the other's rows: each is answered 404."""

ADMIN: dict[tuple[str, str], dict[str, object] | None] = {
    ("GET", "/admin/organizations/{organization_id}"): None,
    ("PATCH", "/admin/organizations/{organization_id}"): {"name": "mine"},
    ("GET", "/admin/users/{user_id}"): None,
    ("PATCH", "/admin/users/{user_id}"): {"name": "mine", "disabled": True},
    ("GET", "/admin/keys/{key_id}"): None,
    ("DELETE", "/admin/keys/{key_id}"): None,
    ("GET", "/admin/projects/{project_id}"): None,
    ("PATCH", "/admin/projects/{project_id}"): {"name": "mine"},
    ("DELETE", "/admin/projects/{project_id}"): None,
}
"""What names a row of another; a stranger also tries it within the other's organization."""

QUERIES = {("POST", "/memory/import"): {"from": "mem0", "agent_id": "{agent}"}}
"""What is asked beside the body."""

ADMIN_WITHIN: dict[tuple[str, str], dict[str, object] | None] = {
    ("GET", "/admin/users"): None,
    ("POST", "/admin/users"): {"name": "mine"},
    ("GET", "/admin/keys"): None,
    ("POST", "/admin/keys"): {"name": "mine"},
    ("GET", "/admin/projects"): None,
    ("POST", "/admin/projects"): {"name": "mine"},
    ("GET", "/admin/quotas"): None,
    ("GET", "/admin/audit"): None,
}
"""What is asked of an organization as a whole."""

OF_THE_SERVER: dict[tuple[str, str], dict[str, object] | None] = {
    ("GET", "/metrics"): None,
    ("GET", "/admin/organizations"): None,
    ("POST", "/admin/organizations"): {"name": "mine"},
    ("DELETE", "/admin/organizations/{organization_id}"): None,
    ("PUT", "/admin/quotas/{resource}"): {"most": 1},
    ("DELETE", "/admin/quotas/{resource}"): None,
}
"""What who runs the server does. (Others list their own organization alone.)"""

IMPORT = ("POST", "/memory/import")
"""Its body is a file; tested below."""

TOLD_TO_ALL = {
    *(("GET", path) for path in ("/", "/ready", "/docs", "/openapi.json")),
    ("HEAD", "/openapi.json"),
}
"""The description of the API, and whether the server is ready, which says nothing of anybody."""

OWN_ROWS_ONLY = {
    ("GET", "/memory/archives"),
    ("POST", "/memory/archives"),
    ("GET", "/memory/jobs/{job_id}"),
    ("GET", "/memory/health"),
    ("GET", "/memory/role-templates"),
    ("GET", "/memory/role-templates/{name}"),
    ("GET", "/memory/skills"),
    ("POST", "/memory/skills"),
    ("GET", "/memory/skills/stats"),
    ("GET", "/memory/skills/changelog"),
    ("GET", "/memory/skills/events"),
    ("POST", "/memory/skills/encode-pending"),
}
"""Routes that name no row of another: tested below."""


def filled(two: Two, value: object) -> object:
    if isinstance(value, str):
        known = {name.removesuffix("_id"): one for name, one in two.ids.items()}
        return value.format(**known)
    if isinstance(value, list):
        return [filled(two, one) for one in value]
    if isinstance(value, dict):
        return {name: filled(two, one) for name, one in value.items()}
    return value


async def test_every_route_is_walked(two: Two) -> None:
    admin = {*ADMIN, *ADMIN_WITHIN, *OF_THE_SERVER}
    assert two.routes == {*REQUESTS, *OWN_ROWS_ONLY, *admin, *TOLD_TO_ALL, IMPORT}


async def test_a_stranger_with_the_right_ids_finds_nothing_and_changes_nothing(two: Two) -> None:
    for (method, path), body in REQUESTS.items():
        where = path.format(**two.ids)
        params = {"archive_id": two.archive_id} if method in ("GET", "DELETE") else {}
        params |= filled(two, QUERIES.get((method, path), {}))
        answer = await two.http.request(
            method, where, json=filled(two, body), params=params, headers=two.stranger
        )
        assert answer.status_code == 404, (method, path, answer.text)
        assert SECRET not in answer.text
    kept = await two.http.get(f"/memory/passages/{two.passage_id}", headers=two.owner)
    assert kept.json()["text"] == SECRET
    assert kept.json()["version"] == 1
    role = await two.http.get("/memory/roles/keeper?user=ann", headers=two.owner)
    assert role.json()["version"] == 1
    held = await two.http.get(f"/memory/passages/{two.passage_id}/roles", headers=two.owner)
    assert [one["role_id"] for one in held.json()["roles"]] == ["keeper"]
    assert len(held.json()["moves"]) == 1


async def administered(two: Two) -> list[object]:
    """All that the first organization's administrator is told of it."""
    lists = [path for method, path in ADMIN_WITHIN if method == "GET"]
    found = [await two.http.get(path, headers=two.owner) for path in lists]
    return [one.json() for one in found]


async def test_a_strangers_administrator_reaches_nothing_here(two: Two) -> None:
    """Nor, by name, through the organization, in which only who runs the server may act."""
    before = await administered(two)
    organization = {"organization_id": two.ids["organization_id"]}
    walked = [(of, {}) for of in ADMIN] + [(of, organization) for of in (*ADMIN, *ADMIN_WITHIN)]
    for (method, path), params in walked:
        if "{organization_id}" in path:
            params = {}
        body = {**ADMIN, **ADMIN_WITHIN}[method, path]
        where = path.format(**two.ids)
        answer = await two.http.request(
            method, where, json=body, params=params, headers=two.stranger
        )
        assert answer.status_code == 404, (method, path, answer.text)
        assert SECRET not in answer.text
    for (method, path), body in OF_THE_SERVER.items():
        where = path.format(**two.ids)
        answer = await two.http.request(method, where, json=body, headers=two.stranger)
        if (method, path) == ("GET", "/admin/organizations"):
            assert [one["name"] for one in answer.json()["organizations"]] == ["second"]
        else:
            assert (answer.status_code, answer.json()["error"]) == (403, "NotAllowed"), path
    for path in (path for method, path in ADMIN_WITHIN if method == "GET"):
        seen = await two.http.get(path, headers=two.stranger)
        assert seen.is_success
        assert not any(one in seen.text for one in (SECRET, *two.ids.values()) if one != "agents")
    assert await administered(two) == before


async def test_nothing_is_imported_into_anothers_agent(two: Two) -> None:
    method, path = IMPORT
    file = [{"id": "1", "memory": "x y z", "created_at": "2026-01-01T00:00:00Z"}]
    where = {"from": "mem0", "agent_id": two.ids["agent_id"]}
    for key, status in ((two.stranger, 404), (two.reader, 403), (two.owner, 200)):
        answer = await two.http.request(method, path, params=where, json=file, headers=key)
        assert answer.status_code == status, answer.text


READ_BY_POST = {
    "/memory/search",
    "/memory/route",
    "/memory/gate",
    "/memory/compile",
    "/memory/skills/query",
}
"""What is asked with a body, and changes nothing of what is asked."""


async def test_a_key_does_what_its_scope_says_at_every_route(two: Two) -> None:
    """With right ids and bodies: a reading key reads, and no other than an admin's administers."""
    own = dict.fromkeys(OWN_ROWS_ONLY)
    exported = await two.http.get("/memory/export?user=ann", headers=two.owner)
    before = await administered(two)
    allowed: dict[tuple[str, str], str] = {}
    for (method, path), body in {**REQUESTS, **own}.items():
        if method == "GET" or path in READ_BY_POST:
            continue
        where = path.format(**two.ids)
        answer = await two.http.request(
            method,
            where,
            json=filled(two, body or MADE.get((method, path))),
            params=filled(two, QUERIES.get((method, path), {})),
            headers=two.reader,
        )
        if answer.status_code != 403:
            allowed[method, path] = answer.text
    assert allowed == {}
    for key in (two.reader, two.writer):
        for (method, path), body in {**ADMIN, **ADMIN_WITHIN, **OF_THE_SERVER}.items():
            where = path.format(**two.ids)
            answer = await two.http.request(method, where, json=body, headers=key)
            assert answer.status_code == 403, (method, path, answer.text)
    assert await administered(two) == before
    after = await two.http.get("/memory/export?user=ann", headers=two.owner)
    assert after.text == exported.text


MADE: dict[tuple[str, str], object] = {
    ("POST", "/memory/archives"): {"name": "no"},
    ("POST", "/memory/skills"): {
        "name": "no",
        "skill_type": "encoding",
        "description": "No",
        "prompt_template": PROMPT,
    },
    ("POST", "/memory/skills/encode-pending"): {},
}
"""What is right, of routes that name no row."""


async def test_names_of_one_organization_mean_nothing_in_another(two: Two) -> None:
    body = {"query": "vault code", "user": "ann"}
    answer = await two.http.post("/memory/search", json=body, headers=two.stranger)
    assert answer.json() == {"hits": []}
    archives = await two.http.get("/memory/archives", headers=two.stranger)
    assert archives.json() == {"archives": []}
    made = await two.http.post(
        "/memory/passages", json={"text": SECRET, "user": "ann"}, headers=two.stranger
    )
    assert made.json()["outcome"] == "added"
    assert made.json()["passage"]["archive_id"] != two.archive_id
    roles = await two.http.get("/memory/roles?user=ann", headers=two.stranger)
    assert roles.json() == {"roles": []}


async def test_a_role_of_the_same_name_is_each_organizations_own(two: Two) -> None:
    own = {"role_id": "keeper", "role_description": "Goals and goalkeepers"}
    body = {"roles": [own], "user": "ann"}
    made = await two.http.post("/memory/roles", json=body, headers=two.stranger)
    assert made.status_code == 201
    context = {"context": "the goalkeeper", "threshold": 0, "user": "ann"}
    gated = await two.http.post("/memory/gate", json=context, headers=two.stranger)
    assert gated.json()["id"] != two.ids["decision_id"]
    listed = await two.http.get("/memory/decisions?user=ann", headers=two.stranger)
    assert [one["id"] for one in listed.json()["decisions"]] == [gated.json()["id"]]
    compiled = await two.http.post(
        "/memory/compile", json={"roles": ["keeper"], "user": "ann"}, headers=two.stranger
    )
    assert compiled.json()["shown"] == []
    gone = await two.http.delete("/memory/roles/keeper?user=ann", headers=two.stranger)
    assert gone.json()["memories"] == 0
    kept = await two.http.get("/memory/roles/keeper?user=ann", headers=two.owner)
    assert kept.json()["role_description"] == "Vaults, codes and secrets"


async def test_a_skill_is_each_organizations_own(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(skill_events, "LASTS_S", 0.0)
    for path in ("", "/stats", "/changelog", "/events?after=0"):
        seen = await two.http.get(f"/memory/skills{path}", headers=two.stranger)
        assert seen.is_success
        assert SKILL not in seen.text
        assert SECRET not in seen.text
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"prompt_template": "mine {{ content }}"}),
        ("POST", "/rollback", {}),
        ("GET", "/feedback", None),
    ):
        where = f"/memory/skills/{SKILL}{path}"
        answer = await two.http.request(method, where, json=body, headers=two.stranger)
        assert answer.status_code == 404
    told = {"name": SKILL, "skill_type": "retrieval", "description": "Mine"}
    body = told | {"prompt_template": "{{ query }}"}
    made = await two.http.post("/memory/skills", json=body, headers=two.stranger)
    assert made.status_code == 201
    kept = await two.http.get(f"/memory/skills/{SKILL}", headers=two.owner)
    assert [one["prompt_template"] for one in kept.json()["versions"]] == [PROMPT]


async def test_idempotency_keys_and_imports_are_each_organizations_own(two: Two) -> None:
    body = {"passages": [{"text": "a fact of mine"}], "job": "import-1", "position": 1}
    for key in (two.owner, two.stranger):
        headers = {**key, "Idempotency-Key": "k"}
        position = await two.http.get("/memory/jobs/import-1", headers=key)
        assert position.json()["position"] == 0
        answer = await two.http.post("/memory/passages/batch", json=body, headers=headers)
        assert answer.json()["results"][0]["outcome"] == "added"


async def test_a_reading_key_reads_and_cannot_write(two: Two) -> None:
    found = await two.http.post(
        "/memory/search", json={"query": "vault", "user": "ann"}, headers=two.reader
    )
    assert found.json()["hits"][0]["passage"]["text"] == SECRET
    for method, path, body in (
        ("POST", "/memory/passages", {"text": "no"}),
        ("POST", f"/memory/passages/{two.passage_id}/forget", {}),
        ("DELETE", f"/memory/passages/{two.passage_id}", None),
        ("POST", "/memory/search", {"query": "v", "user": "ann", "inject_into": "c"}),
        ("POST", "/memory/roles", {"templates": ["technical_expert"]}),
        ("POST", f"/memory/passages/{two.passage_id}/roles", {"out_of": ["keeper"]}),
        ("POST", "/memory/skills/save", {"content": "no"}),
        ("POST", "/memory/skills/forget", {"memory": two.passage_id, "user": "ann"}),
        ("POST", "/memory/skills/encode-pending", {}),
        *for_administrators(two),
    ):
        answer = await two.http.request(method, path, json=body, headers=two.reader)
        assert (answer.status_code, answer.json()["error"]) == (403, "NotAllowed")


def for_administrators(two: Two) -> list[tuple[str, str, object]]:
    added = {"name": "no", "skill_type": "encoding", "description": "No", "prompt_template": PROMPT}
    change, skill = two.ids["change_id"], two.ids["skill"]
    return [
        ("POST", "/memory/skills", added),
        ("PATCH", f"/memory/skills/{SKILL}", {"prompt_template": "no {{ content }}"}),
        ("POST", f"/memory/skills/{SKILL}/rollback", {}),
        ("POST", f"/memory/skills/{skill}/revert", {}),
        ("POST", f"/memory/skills/{skill}/revert/undo", None),
        ("GET", f"/memory/skills/changelog/{change}/preview", None),
        ("POST", f"/memory/skills/changelog/{change}/approve", {}),
        ("POST", f"/memory/skills/changelog/{change}/reject", {}),
        ("POST", "/memory/skills/evolve", {}),
        ("POST", "/memory/skills/evolve", {"background": True}),
    ]


async def test_a_writing_key_decides_nothing_about_skills(two: Two) -> None:
    for method, path, body in for_administrators(two):
        answer = await two.http.request(method, path, json=body, headers=two.writer)
        assert (answer.status_code, answer.json()["error"]) == (403, "NotAllowed"), path
    saved = {"content": "I live in Oslo", "user": "ann"}
    made = await two.http.post("/memory/skills/save", json=saved, headers=two.writer)
    assert made.status_code == 201


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer yk_wrong"}])
async def test_without_a_valid_key_nothing_is_answered(two: Two, header: dict[str, str]) -> None:
    answer = await two.http.get(f"/memory/passages/{two.passage_id}", headers=header)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert SECRET not in answer.text


async def test_one_organizations_words_do_not_weigh_in_anothers_ranking(two: Two) -> None:
    texts = ["the vault is old", "the code is new"]
    for text in texts:
        body = {"text": text, "user": "bo"}
        await two.http.post("/memory/passages", json=body, headers=two.stranger)
    query = {"query": "vault code", "user": "bo"}
    before = await two.http.post("/memory/search", json=query, headers=two.stranger)
    more = {"passages": [{"text": f"vault number {n}"} for n in range(50)], "user": "bo"}
    await two.http.post("/memory/passages/batch", json=more, headers=two.owner)
    after = await two.http.post("/memory/search", json=query, headers=two.stranger)
    assert after.json() == before.json()
