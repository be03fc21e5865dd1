"""Role memory over HTTP and in Python: every route, what it refuses, what it explains."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import yiku
from yiku.app import build
from yiku.client.memory import MemoryClient
from yiku.client.transport import InProcessTransport
from yiku.core import errors
from yiku.core.role import EmbeddingRoleConfig
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.server.http import build_asgi
from yiku.settings import load
from yiku.store import tenants
from yiku.store.database import Tx

COOK = {
    "role_id": "cook",
    "role_type": "custom",
    "role_name": "厨师",
    "role_description": "Cooking, recipes, kitchens and what people like to eat",
    "keywords": ["recipe", "oven", "dinner", "菜谱"],
    "examples": ["Bake the bread at 230 degrees", "红烧肉要先焯水"],
}
CODER = {
    "role_id": "coder",
    "role_type": "technical",
    "role_description": "Programming, servers, databases and debugging",
    "keywords": ["python", "server", "bug", "程序"],
    "examples": ["The unit test fails on Postgres only", "接口返回五百错误"],
}
BREAD = "The sourdough recipe needs a very hot oven and a long rest"
BUG = "The python server leaks memory in the database driver"


@pytest.fixture
async def asgi(database_url: str, yiku_home: Path) -> AsyncIterator[FastAPI]:
    async with build(load(home=yiku_home, database_url=database_url)) as app:
        yield build_asgi(app)


@pytest.fixture
async def http(asgi: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = InProcessTransport(asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def own_templates(yiku_home: Path) -> Iterator[Path]:
    """The user's folder of templates, with one in it, and a file beside it that is none."""
    folder, beside = yiku_home / "roles", yiku_home / "beside.toml"
    folder.mkdir()
    beside.write_text('[en]\ndescription = "secret"\n', encoding="utf-8")
    (folder / "gardener.toml").write_text(
        '[en]\nname = "Gardener"\ndescription = "Plants and soil"\n'
        '[zh]\nname = "园丁"\ndescription = "植物与土壤"\n',
        encoding="utf-8",
    )
    yield folder
    shutil.rmtree(folder)
    beside.unlink()


async def done(answer: httpx.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


async def with_two(http: httpx.AsyncClient) -> None:
    await done(await http.post("/memory/roles", json={"roles": [COOK, CODER]}), 201)


async def added(http: httpx.AsyncClient, text: str, **said: Any) -> Any:
    return await done(await http.post("/memory/passages", json={"text": text, **said}), 201)


async def test_a_role_is_made_shown_edited_restored_and_removed(http: httpx.AsyncClient) -> None:
    body = {"user": "ann", "archive": "work"}
    made = await done(await http.post("/memory/roles", json={**body, "roles": [COOK]}), 201)
    [role] = made["roles"]
    assert {name: role[name] for name in COOK} == COOK
    assert (role["version"], role["activation_threshold"], role["max_memory_size"]) == (1, 0.4, 100)
    assert role["memory_retention_strategy"] == "semantic"

    assert await done(await http.get("/memory/roles", params=body)) == made
    by_id = {"archive_id": role["archive_id"]}
    assert await done(await http.get("/memory/roles/cook", params=by_id)) == role
    assert await done(await http.get("/memory/roles")) == {"roles": []}

    change = {**by_id, "activation_threshold": 0.6, "keywords": ["soup"], "reason": "too chatty"}
    edited = await done(await http.patch("/memory/roles/cook", json=change))
    assert (edited["version"], edited["activation_threshold"]) == (2, 0.6)
    assert (edited["keywords"], edited["examples"]) == (["soup"], COOK["examples"])

    back = await done(await http.post("/memory/roles/cook/restore", json={**body, "version": 1}))
    assert (back["version"], back["keywords"]) == (3, COOK["keywords"])

    history = await done(await http.get("/memory/roles/cook/history", params=body))
    told = [(one["version"], one["reason"]) for one in history["versions"]]
    assert told == [(3, "back to version 1"), (2, "too chatty"), (1, None)]
    assert history["versions"][1]["config"]["activation_threshold"] == 0.6

    gone = await done(await http.delete("/memory/roles/cook", params=body))
    assert gone == {"role_id": "cook", "memories": 0}
    assert (await http.get("/memory/roles/cook", params=body)).status_code == 404


@pytest.mark.usefixtures("own_templates")
async def test_roles_come_from_templates_and_sets(http: httpx.AsyncClient) -> None:
    there = await done(await http.get("/memory/role-templates"))
    assert there["templates"][0] == "gardener"
    assert "technical_expert" in there["templates"]
    assert len(there["sets"]["all"]) == 4

    one = await done(await http.get("/memory/role-templates/gardener", params={"language": "zh"}))
    assert one["role_name"] == "园丁"
    assert one["role_description"] == "Plants and soil\n植物与土壤"

    body = {
        "roles": [COOK],
        "templates": ["gardener"],
        "template_set": "technical_expert_set",
        "language": "zh",
    }
    made = await done(await http.post("/memory/roles", json=body), 201)
    names = {role["role_id"]: role["role_name"] for role in made["roles"]}
    assert list(names)[:3] == ["cook", "gardener", "technical_expert"]
    assert names["technical_expert"] == "技术专家"


@pytest.mark.parametrize("name", ["../beside", "..", "sets", "nobody", "a/b", "C:\\x", "x\0y"])
@pytest.mark.usefixtures("own_templates")
async def test_a_template_is_no_way_to_other_files(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.post("/memory/roles", json={"templates": [name]})
    assert answer.status_code == 404, answer.text
    assert answer.json()["error"] == "TemplateNotFound"
    assert "technical_expert" in answer.json()["message"]
    assert (await http.get("/memory/archives")).json() == {"archives": []}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"activation_threshold": 1.5}, ["`activation_threshold`", "from 0 to 1", "1.5"]),
        ({"activation_threshold": "high"}, ["activation_threshold", "number"]),
        ({"role_description": " "}, ["`role_description`", "what the role is about"]),
        ({"memory_retention_strategy": "luck"}, ["semantic", "recency", "importance", "usage"]),
        ({"role_type": "king"}, ["`role_type`", "technical"]),
        ({"max_memory_size": 0}, ["`max_memory_size`", "1,000,000"]),
        ({"role_id": "a b"}, ["`role_id`", "letters"]),
        ({"keywords": ["x"] * 201}, ["`keywords`", "200"]),
        ({"colour": "red"}, ["colour"]),
    ],
)
async def test_a_bad_role_is_refused_whole_and_by_name(
    http: httpx.AsyncClient, fields: dict[str, Any], told: list[str]
) -> None:
    body = {"roles": [CODER, {**COOK, **fields}], "template_set": "all"}
    answer = await http.post("/memory/roles", json=body)
    assert (answer.status_code, answer.json()["error"]) == (422, "Invalid"), answer.text
    for word in ("roles.1", *told):
        assert word in answer.json()["message"]
    assert await done(await http.get("/memory/roles")) == {"roles": []}
    assert await done(await http.get("/memory/archives")) == {"archives": []}


@pytest.mark.parametrize(
    ("body", "status", "error", "told"),
    [
        ({}, 422, "Invalid", "template_set"),
        ({"roles": [COOK, COOK, CODER]}, 422, "Invalid", "twice: cook."),
        ({"templates": ["nobody"]}, 404, "TemplateNotFound", "technical_expert"),
        ({"roles": [COOK], "template_set": "none"}, 404, "TemplateNotFound", "all"),
        ({"roles": [{"role_id": "x"}]}, 422, "Invalid", "roles.0.role_description"),
        ({"roles": [COOK] * 2001}, 422, "Invalid", "2000"),
        ({"roles": [COOK], "archive_id": "archive-x"}, 404, "ArchiveNotFound", "archive-x"),
    ],
)
async def test_nothing_is_made_of_a_request_that_is_refused(
    http: httpx.AsyncClient, body: dict[str, Any], status: int, error: str, told: str
) -> None:
    answer = await http.post("/memory/roles", json=body)
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert told in answer.json()["message"]
    assert await done(await http.get("/memory/archives")) == {"archives": []}


async def test_a_role_id_that_is_taken_is_a_conflict(http: httpx.AsyncClient) -> None:
    await with_two(http)
    answer = await http.post("/memory/roles", json={"template_set": "all", "roles": [COOK]})
    assert (answer.status_code, answer.json()["error"]) == (409, "RoleExists")
    assert answer.json()["role_id"] == "cook"
    roles = (await done(await http.get("/memory/roles")))["roles"]
    assert [role["role_id"] for role in roles] == ["cook", "coder"]


async def test_a_bad_edit_changes_nothing(http: httpx.AsyncClient) -> None:
    await with_two(http)
    for change, told in (
        ({"activation_threshold": -1}, "from 0 to 1"),
        ({"role_description": ""}, "what the role is about"),
        ({"role_description": None}, "`role_description`"),
        ({"memory_retention_strategy": "luck"}, "semantic"),
        ({"role_id": "chef"}, "role_id"),
    ):
        answer = await http.patch("/memory/roles/cook", json=change)
        assert answer.status_code == 422, answer.text
        assert told in answer.json()["message"]
    answer = await http.post("/memory/roles/cook/restore", json={"version": 9})
    assert (answer.status_code, "versions 1 to 1" in answer.json()["message"]) == (422, True)
    assert (await done(await http.get("/memory/roles/cook")))["version"] == 1
    for method, path in (
        ("GET", "/memory/roles/nobody"),
        ("PATCH", "/memory/roles/nobody"),
        ("DELETE", "/memory/roles/nobody"),
        ("GET", "/memory/roles/nobody/history"),
    ):
        body = {"role_name": "x"} if method == "PATCH" else None
        answer = await http.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (404, "RoleNotFound")
        assert "cook" in answer.json()["message"]


async def test_memories_route_themselves_or_go_where_they_are_told(
    http: httpx.AsyncClient,
) -> None:
    await with_two(http)
    routed = await added(http, BREAD)
    assert routed["roles"] == ["cook"]
    assert routed["decision"].startswith("decision-")
    told = await added(http, "Half a joke", roles=["coder", "cook"])
    assert (sorted(told["roles"]), told["decision"]) == (["coder", "cook"], None)
    kept_out = await added(http, BUG, roles=[])
    assert (kept_out["roles"], kept_out["decision"]) == ([], None)
    answer = await http.post("/memory/passages", json={"text": "y", "roles": ["nobody"]})
    assert (answer.status_code, answer.json()["error"]) == (404, "RoleNotFound")

    found = await done(
        await http.post("/memory/search", json={"query": "memory leak", "roles": ["cook"]})
    )
    texts = {hit["passage"]["text"] for hit in found["hits"]}
    assert texts == {BREAD, "Half a joke"}
    general = await done(await http.post("/memory/search", json={"query": "leak", "roles": []}))
    assert [hit["passage"]["text"] for hit in general["hits"]] == [BUG]


async def test_a_request_repeated_with_its_key_tells_the_same_roles(
    http: httpx.AsyncClient,
) -> None:
    await with_two(http)
    first, second = [
        await http.post("/memory/passages", json={"text": BREAD}, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert first.json()["roles"] == ["cook"]
    assert second.json() == first.json()


async def test_a_role_without_room_is_named(http: httpx.AsyncClient, memory: MemoryClient) -> None:
    await done(
        await http.post("/memory/roles", json={"roles": [{**COOK, "max_memory_size": 1}]}), 201
    )
    first = await added(http, BREAD, roles=["cook"])
    key = {"Idempotency-Key": "k"}
    second, again = [
        await done(
            await http.post("/memory/passages", json={"text": BUG, "roles": ["cook"]}, headers=key),
            201,
        )
        for _ in range(2)
    ]
    assert (first["roles"], first["full"]) == (["cook"], [])
    assert (second["roles"], second["full"]) == ([], ["cook"])
    assert again == second

    await memory.add_roles([{**COOK, "max_memory_size": 1}], user="ann")
    both = await memory.add_many(
        [{"text": one, "roles": ["cook"]} for one in (BREAD, BUG)], user="ann"
    )
    assert [(one.roles, one.full) for one in both] == [(["cook"], []), ([], ["cook"])]


async def test_a_passage_that_takes_anothers_place_takes_its_roles(
    http: httpx.AsyncClient,
) -> None:
    await with_two(http)
    old = (await added(http, BREAD))["passage"]["id"]
    await done(await http.post(f"/memory/passages/{old}/roles", json={"to": ["cook"]}))
    path = f"/memory/passages/{old}/supersede"
    code = "The parser crashes on an empty list; add a regression test to the module"
    new = (await done(await http.post(path, json={"text": code}), 201))["new"]["id"]
    found = await done(await http.get(f"/memory/passages/{new}/roles"))
    assert {one["role_id"]: one["why"] for one in found["roles"]} == {
        "coder": "routed",
        "cook": "corrected",
    }
    assert old in [one["detail"] for one in found["moves"]]

    path = f"/memory/passages/{new}/supersede"
    answer = await http.post(path, json={"text": "x", "roles": ["nobody"]})
    assert (answer.status_code, answer.json()["error"]) == (404, "RoleNotFound")
    made = await done(await http.post(path, json={"text": "x", "roles": ["coder"]}), 201)
    found = await done(await http.get(f"/memory/passages/{made['new']['id']}/roles"))
    assert [(one["role_id"], one["why"]) for one in found["roles"]] == [("coder", "given")]


async def test_routing_is_explained_in_full_and_stores_nothing(http: httpx.AsyncClient) -> None:
    await with_two(http)
    made = await done(await http.post("/memory/route", json={"text": BREAD, "threshold": 0.35}))
    assert (made["id"], made["kind"], made["routing"]) == (None, "route", "experts")
    assert (made["chosen"], made["roles"]) == (["cook"], 2)
    assert made["model"].startswith("local/all-minilm-l6-v2")
    best, other = made["scores"]
    assert (best["role_id"], best["chosen"], best["threshold"]) == ("cook", True, 0.35)
    assert made["margin"] == pytest.approx(best["score"] - 0.35)
    assert {"description", "keywords", "examples"} <= best["parts"].keys()
    assert sum(best["parts"].values()) == pytest.approx(best["raw"], abs=1e-3)
    assert best["nearest"]
    assert (other["role_id"], other["chosen"]) == ("coder", False)
    assert "below its threshold 0.35" in other["reason"]
    assert await done(await http.get("/memory/decisions")) == {"decisions": []}

    plain = {"text": BREAD, "routing": "cosine", "threshold": 0}
    made = await done(await http.post("/memory/route", json=plain))
    assert (made["routing"], made["scores"][0]["parts"]) == ("cosine", {})
    assert made["chosen"] == ["cook", "coder"]


async def test_gating_activates_few_and_is_remembered(http: httpx.AsyncClient) -> None:
    await with_two(http)
    body = {"context": "My python server has a bug", "conversation": "c1"}
    made = await done(await http.post("/memory/gate", json=body))
    assert (made["kind"], made["chosen"], made["conversation"]) == ("gate", ["coder"], "c1")
    assert made["scores"][0]["threshold"] == 0.4
    kept = await done(await http.get(f"/memory/decisions/{made['id']}"))
    assert kept["scores"][1]["reason"] == made["scores"][1]["reason"]
    assert kept["margin"] == pytest.approx(made["margin"], abs=1e-3)

    wide = {"context": "dinner", "threshold": 0, "max_roles": 1}
    made = await done(await http.post("/memory/gate", json=wide))
    assert made["chosen"] == ["cook"]
    assert "but one role is better" in made["scores"][1]["reason"]

    routed = await added(http, BREAD)
    listed = (await done(await http.get("/memory/decisions")))["decisions"]
    assert [one["kind"] for one in listed] == ["route", "gate", "gate"]
    gates = await done(await http.get("/memory/decisions", params={"kind": "gate", "limit": 1}))
    assert [one["id"] for one in gates["decisions"]] == [made["id"]]
    about = {"passage_id": routed["passage"]["id"]}
    [one] = (await done(await http.get("/memory/decisions", params=about)))["decisions"]
    assert (one["id"], one["passage_id"]) == (routed["decision"], about["passage_id"])


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/memory/route", {"text": "x", "threshold": 1.1}, "`threshold` is a number from 0 to 1"),
        ("/memory/route", {"text": "x", "routing": "dice"}, '"experts" or "cosine"'),
        ("/memory/route", {"text": " "}, "empty"),
        ("/memory/gate", {"context": " "}, "The context is empty"),
        ("/memory/gate", {"context": "x", "threshold": -0.1}, "`threshold`"),
        ("/memory/gate", {"context": "x", "max_roles": 0}, "`max_roles`"),
        ("/memory/gate", {"context": "x", "conversation": " "}, "conversation"),
        ("/memory/compile", {}, "`context`"),
        ("/memory/compile", {"context": "x", "budget": 0}, "`budget`"),
        ("/memory/compile", {"roles": ["cook"], "conversation": " "}, "conversation"),
        ("/memory/reroute", {"threshold": 2}, "`threshold`"),
        ("/memory/reroute", {"job": "reroute-x", "roles": ["cook"]}, "when a rerouting begins"),
        ("/memory/decisions?kind=guess", None, '"route" or "gate"'),
        ("/memory/decisions?limit=0", None, "`limit`"),
    ],
)
async def test_bad_questions_are_told_what_is_allowed(
    http: httpx.AsyncClient, path: str, body: dict[str, Any] | None, told: str
) -> None:
    await with_two(http)
    answer = await (http.get(path) if body is None else http.post(path, json=body))
    assert answer.status_code == 422, answer.text
    assert told in answer.json()["message"]


async def test_what_is_not_there_is_told(http: httpx.AsyncClient) -> None:
    await added(http, "An archive without roles")
    for method, path, body, error in (
        ("POST", "/memory/route", {"text": "x"}, "RoleNotFound"),
        ("POST", "/memory/gate", {"context": "x"}, "RoleNotFound"),
        ("POST", "/memory/compile", {"context": "x"}, "RoleNotFound"),
        ("POST", "/memory/reroute", {}, "RoleNotFound"),
        ("POST", "/memory/reroute", {"job": "reroute-x"}, "JobNotFound"),
        ("POST", "/memory/reroute/reroute-x/undo", None, "JobNotFound"),
        ("GET", "/memory/role-stats", None, "RoleNotFound"),
        ("GET", "/memory/decisions/decision-x", None, "DecisionNotFound"),
        ("GET", "/memory/passages/passage-x/roles", None, "PassageNotFound"),
        ("POST", "/memory/passages/passage-x/roles", {"to": ["cook"]}, "PassageNotFound"),
        ("POST", "/memory/route", {"text": "x", "archive": "none"}, "ArchiveNotFound"),
    ):
        answer = await http.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (404, error), (path, answer.text)
    await done(await http.post("/memory/roles", json={"roles": [COOK], "user": "ann"}), 201)
    await with_two(http)
    for path, body in (
        ("/memory/compile", {"roles": ["cook", "nobody"]}),
        ("/memory/reroute", {"roles": ["nobody"]}),
        ("/memory/search", {"query": "x", "roles": ["nobody"]}),
        ("/memory/search", {"query": "x", "roles": ["nobody"], "user": "ann"}),  # has no memories
    ):
        answer = await http.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (404, "RoleNotFound"), answer.text


async def test_a_correction_moves_a_memory_and_is_in_its_history(http: httpx.AsyncClient) -> None:
    await with_two(http)
    one = (await added(http, BREAD))["passage"]["id"]
    path = f"/memory/passages/{one}/roles"
    body = {"to": ["coder"], "out_of": ["cook"]}
    now = (await done(await http.post(path, json=body)))["roles"]
    assert [(at["role_id"], at["why"]) for at in now] == [("coder", "corrected")]
    found = await done(await http.get(path))
    assert found["roles"] == now
    moves = [(move["role_id"], move["joined"], move["why"]) for move in found["moves"]]
    assert moves[0] == ("cook", True, "routed")
    assert set(moves[1:]) == {("coder", True, "corrected"), ("cook", False, "corrected")}
    history = await done(await http.get(f"/memory/passages/{one}/history"))
    assert (history["roles"], history["moves"]) == (found["roles"], found["moves"])
    for body, told in (
        ({}, "`out_of`"),
        ({"to": ["cook"], "out_of": ["cook"]}, "cook"),
    ):
        answer = await http.post(path, json=body)
        assert (answer.status_code, told in answer.json()["message"]) == (422, True)
    answer = await http.post(path, json={"to": ["coder"], "out_of": ["nobody"]})
    assert (answer.status_code, answer.json()["error"]) == (404, "RoleNotFound")
    assert await done(await http.get(path)) == found


async def test_a_rerouting_goes_step_by_step_and_back(http: httpx.AsyncClient) -> None:
    texts = [{"text": f"Recipe {n}: bake it in a hot oven for dinner"} for n in range(250)]
    await done(await http.post("/memory/passages/batch", json={"passages": texts}), 201)
    await done(
        await http.post("/memory/roles", json={"roles": [{**COOK, "max_memory_size": 1000}]}), 201
    )
    first = await done(await http.post("/memory/reroute", json={"roles": ["cook"]}))
    assert (first["state"], first["position"], first["total"]) == ("running", 200, 250)
    assert (first["looked_at"], first["joined"], first["roles"]) == (200, 200, ["cook"])
    job = {"job": first["job"]}
    last = await done(await http.post("/memory/reroute", json=job))
    assert (last["state"], last["position"], last["looked_at"]) == ("done", 250, 50)
    after = await done(await http.post("/memory/reroute", json=job))
    assert (after["state"], after["looked_at"], after["joined"]) == ("done", 0, 0)

    figures = await done(await http.get("/memory/role-stats"))
    [cook] = figures["roles"]
    assert (cook["memories"], figures["memories"], figures["general"]) == (250, 250, 0)
    undo = f"/memory/reroute/{first['job']}/undo"
    undone = await done(await http.post(undo))
    assert undone == {"job": first["job"], "moved": 250}
    assert (await done(await http.get("/memory/role-stats")))["general"] == 250
    for path, body in ((undo, None), ("/memory/reroute", job)):
        answer = await http.post(path, json=body)
        assert (answer.status_code, answer.json()["error"]) == (409, "Conflict")


async def test_active_roles_are_rendered_for_the_prompt(http: httpx.AsyncClient) -> None:
    await with_two(http)
    bread = (await added(http, BREAD))["passage"]["id"]
    bug = (await added(http, BUG))["passage"]["id"]
    body = {"context": "a bug in my python server", "conversation": "c1"}
    made = await done(await http.post("/memory/compile", json=body))
    assert (made["roles"], made["shown"], made["left_out"]) == (["coder"], [bug], 0)
    assert BUG in made["text"]
    assert 0 < made["tokens"] <= 2000
    gated = await done(await http.get(f"/memory/decisions/{made['decision']}"))
    assert (gated["chosen"], gated["conversation"]) == (["coder"], "c1")
    echo = await added(http, BUG, conversation="c1", speaker="assistant")
    assert echo["outcome"] == "echo"

    given = await done(await http.post("/memory/compile", json={"roles": ["coder", "cook"]}))
    assert (given["shown"], given["decision"]) == ([bread, bug], None)
    tight = await done(
        await http.post("/memory/compile", json={"roles": ["coder", "cook"], "budget": 5})
    )
    assert (tight["shown"], tight["left_out"]) == ([], 2)
    none = await done(await http.post("/memory/compile", json={"roles": []}))
    assert (none["text"], none["tokens"]) == ("", 0)


async def test_stats_tell_what_each_role_has_and_does(http: httpx.AsyncClient) -> None:
    await with_two(http)
    await added(http, BREAD)
    await added(http, "zzz", roles=[])
    await done(await http.post("/memory/gate", json={"context": "dinner recipe"}))
    figures = await done(await http.get("/memory/role-stats"))
    assert (figures["memories"], figures["general"]) == (2, 1)
    cook, coder = figures["roles"]
    assert (cook["memories"], cook["gated"], cook["considered"]) == (1, 1, 1)
    assert cook["mean_margin"] > 0
    assert (coder["memories"], coder["gated"], coder["considered"]) == (0, 0, 1)
    assert coder["last_routed"] is None


def key_of(tx: Tx, scope: Scope) -> dict[str, str]:
    organization = tenants.find_organization(tx, "o") or tenants.add_organization(tx, "o")
    user = tenants.add_user(tx, organization.id, f"{scope}")
    _, secret = tenants.add_key(tx, user, "test", scope, None)
    return {"Authorization": f"Bearer {secret}"}


async def test_a_reading_key_routes_gates_lists_and_explains(
    database_url: str, yiku_home: Path
) -> None:
    settings = load(home=yiku_home, database_url=database_url, require_key="always")
    async with build(settings) as app:
        writer, reader = await app.database.write(
            LOCAL_ACTOR, lambda tx: (key_of(tx, Scope.WRITE), key_of(tx, Scope.READ))
        )
        transport = InProcessTransport(build_asgi(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
            http.headers = writer
            await with_two(http)
            one = (await added(http, BREAD))["passage"]["id"]
            await done(await http.patch("/memory/roles/cook", json={"role_name": "Chef"}))
            http.headers = reader
            made = await done(await http.post("/memory/gate", json={"context": "dinner recipe"}))
            kept = await done(await http.get(f"/memory/decisions/{made['id']}"))
            assert kept["chosen"] == made["chosen"] == ["cook"]
            await done(await http.post("/memory/route", json={"text": BUG}))
            await done(await http.post("/memory/compile", json={"context": "dinner"}))
            figures = await done(await http.get("/memory/role-stats"))
            assert figures["roles"][0]["considered"] == 2
            for path in (
                "/memory/roles",
                "/memory/roles/cook/history",
                "/memory/role-templates",
                "/memory/decisions",
                f"/memory/passages/{one}/roles",
            ):
                await done(await http.get(path))
            for method, path, body in (
                ("POST", "/memory/roles", {"template_set": "all"}),
                ("PATCH", "/memory/roles/cook", {"role_name": "x"}),
                ("DELETE", "/memory/roles/cook", None),
                ("POST", "/memory/roles/cook/restore", {"version": 1}),
                ("POST", "/memory/reroute", {}),
                ("POST", f"/memory/passages/{one}/roles", {"to": ["coder"]}),
                ("POST", "/memory/compile", {"roles": ["cook"], "conversation": "c"}),
            ):
                answer = await http.request(method, path, json=body)
                assert (answer.status_code, answer.json()["error"]) == (403, "NotAllowed"), path


def test_the_description_of_the_api_has_every_route_with_an_example(asgi: FastAPI) -> None:
    described = asgi.openapi()
    told = {
        (method.upper(), path)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if operation.get("tags") == ["roles"]
    }
    assert len(told) == 19
    forms = described["components"]["schemas"]
    for name in ("RolesIn", "RoleEditIn", "RouteIn", "GateIn", "CompileIn", "CorrectIn"):
        assert forms[name]["examples"], name


async def test_the_client_has_all_of_it(memory: MemoryClient) -> None:
    mine = {"user": "ann", "archive": "work"}
    cook = EmbeddingRoleConfig(**COOK)
    made = await memory.add_roles([cook, CODER], templates=["creative_assistant"], **mine)
    assert [role.role_id for role in made] == ["cook", "coder", "creative_assistant"]
    assert await memory.roles(**mine) == made
    assert await memory.role("cook", **mine) == made[0]
    assert "all" in (await memory.role_templates()).sets
    named = await memory.role_template("creative_assistant", language="zh")
    assert named.role_name == "创意助手"

    edited = await memory.edit_role(
        "cook", activation_threshold=0.2, keywords=("soup",), reason="shy", **mine
    )
    assert (edited.version, edited.keywords) == (2, ["soup"])
    assert (await memory.restore_role("cook", 1, **mine)).keywords == COOK["keywords"]
    assert [one.version for one in await memory.role_history("cook", **mine)] == [3, 2, 1]

    added = await memory.add(BREAD, **mine)
    assert added.roles == ["cook"]
    told = await memory.add("x", roles=["coder"], **mine)
    hits = await memory.search("bread", user="ann", archives=["work"], roles=["coder"])
    assert [hit.passage.id for hit in hits] == [told.passage.id]

    assert (await memory.route(BUG, **mine)).chosen == ["coder"]
    gated = await memory.gate("a python bug", max_roles=1, conversation="c", **mine)
    assert gated.id is not None
    assert (await memory.decision(gated.id)).chosen == gated.chosen == ["coder"]
    assert [one.id for one in await memory.decisions(kind="gate", **mine)] == [gated.id]
    about = await memory.decisions(passage_id=added.passage.id, **mine)
    assert [one.id for one in about] == [added.decision]

    now = await memory.correct(added.passage.id, to=["coder"], out_of=["cook"])
    assert [one.role_id for one in now] == ["coder"]
    assert (await memory.passage_roles(added.passage.id)).roles == now
    assert (await memory.history(added.passage.id)).roles == now

    job = await memory.reroute(roles=["cook"], **mine)
    assert (job.state, job.position, job.total) == ("done", 2, 2)
    assert (await memory.reroute(job.job)).looked_at == 0
    assert await memory.undo_reroute(job.job) == 0

    compiled = await memory.compile_roles(context="python bug", **mine)
    assert compiled.roles == ["coder"]
    assert compiled.decision is not None
    assert (await memory.compile_roles(["cook"], **mine)).shown == []
    figures = await memory.role_stats(**mine)
    assert [one.memories for one in figures.roles] == [0, 2, 0]
    assert await memory.remove_role("coder", **mine) == 2
    with pytest.raises(errors.RoleNotFound, match="'coder'"):
        await memory.role("coder", **mine)
    with pytest.raises(errors.RoleExists):
        await memory.add_roles([cook], **mine)


def test_the_blocking_face_has_it_too(tmp_path: Path, yiku_home: Path) -> None:
    path = tmp_path / "blocking.db"
    with yiku.connect(f"yiku://{path}", home=yiku_home) as memory:
        memory.add_roles(template_set="all")
        added = memory.add("Refactor the login service and write unit tests")
        assert added.roles == ["technical_expert"]
        assert memory.route("给妈妈买生日礼物").chosen == ["personal_assistant"]
        assert memory.compile_roles(["technical_expert"]).shown == [added.passage.id]
        for name in dir(MemoryClient):
            if not name.startswith("_"):
                assert hasattr(memory, name), name
