"""One organization can neither read, change nor guess another's rows, through any route of our own
API. (Through v1's: v1/test_tenancy.py.)
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from yiku.app import build
from yiku.client.transport import InProcessTransport
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.server import skill_events
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
            schema = asgi.openapi()
            routes = {
                (method.upper(), path)
                for path, methods in schema["paths"].items()
                for method in methods
                if not path.startswith("/v1/")
            }
            yield Two(http, routes, owner, stranger, reader, writer, ids)


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
    return {
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
}
"""What a stranger tries, with the right ids of the other's rows: each is answered 404."""

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
    assert two.routes == set(REQUESTS) | OWN_ROWS_ONLY


async def test_a_stranger_with_the_right_ids_finds_nothing_and_changes_nothing(two: Two) -> None:
    for (method, path), body in REQUESTS.items():
        where = path.format(**two.ids)
        params = {"archive_id": two.archive_id} if method in ("GET", "DELETE") else {}
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
