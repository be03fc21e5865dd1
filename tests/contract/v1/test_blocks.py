"""/v1/blocks, spoken to with the real client."""

from typing import Any

import httpx
import letta_client
import pytest
from fastapi import FastAPI

from tests.fixtures.letta import Driver, driver
from yiku.app import App
from yiku.client.transport import InProcessTransport
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_USER, Scope
from yiku.server.http import build_asgi
from yiku.store import tenants
from yiku.store.database import Tx

EVERYTHING = {
    "label": "human",
    "value": "用户喜欢编程和AI技术",
    "limit": 500,
    "description": "什么都可以",
    "read_only": True,
    "tags": ["work", "日常"],
    "metadata": {"source": "test", "nested": {"list": [1, 2.5, None]}},
    "is_template": True,
    "template_name": "person",
    "template_id": "template-1",
    "base_template_id": "template-0",
    "deployment_id": "deployment-1",
    "entity_id": "entity-1",
    "project_id": "project-1",
    "preserve_on_migration": True,
    "hidden": True,
}


def fields(block: Any) -> dict[str, Any]:
    return {name: getattr(block, name) for name in EVERYTHING}


async def test_a_block_is_created_read_changed_and_deleted(letta: Driver) -> None:
    made = await letta(lambda c: c.blocks.create(**EVERYTHING))
    assert made.id.startswith("block-")
    assert fields(made) == EVERYTHING
    assert made.created_by_id == made.last_updated_by_id == LOCAL_USER
    assert await letta(lambda c: c.blocks.retrieve(made.id)) == made

    changed = await letta(lambda c: c.blocks.update(made.id, value="用户住在上海", tags=[]))
    assert fields(changed) == {**EVERYTHING, "value": "用户住在上海", "tags": []}
    assert await letta(lambda c: c.blocks.retrieve(made.id)) == changed

    assert await letta(lambda c: c.blocks.delete(made.id)) is None
    await letta.fails(letta_client.NotFoundError, lambda c: c.blocks.retrieve(made.id))
    await letta.fails(letta_client.NotFoundError, lambda c: c.blocks.update(made.id, value="x"))
    await letta.fails(letta_client.NotFoundError, lambda c: c.blocks.delete(made.id))


async def test_what_is_not_given_has_v1s_defaults(letta: Driver) -> None:
    made = await letta(lambda c: c.blocks.create(label="persona", value=""))
    nothing = dict.fromkeys(EVERYTHING)
    assert fields(made) == {
        **nothing,
        "label": "persona",
        "value": "",
        "limit": 100_000,
        "read_only": False,
        "tags": [],
        "metadata": {},
        "is_template": False,
        "preserve_on_migration": False,
    }


async def test_null_leaves_a_field_as_it_is(letta: Driver) -> None:
    made = await letta(lambda c: c.blocks.create(**EVERYTHING))
    nothing: dict[str, Any] = dict.fromkeys(EVERYTHING)
    assert await letta(lambda c: c.blocks.update(made.id, **nothing)) == made


async def test_a_read_only_block_is_edited_over_the_api(letta: Driver) -> None:
    """The flag binds agents."""
    made = await letta(lambda c: c.blocks.create(label="rules", value="a", read_only=True))
    changed = await letta(lambda c: c.blocks.update(made.id, value="b"))
    assert (changed.value, changed.read_only) == ("b", True)


async def test_pages_follow_each_other_in_both_orders(letta: Driver) -> None:
    ids = [
        (await letta(lambda c, n=n: c.blocks.create(label=f"l{n}", value=""))).id for n in range(7)
    ]

    async def listed(**params: Any) -> list[str]:
        return [one.id for one in await letta.all(lambda c: c.blocks.list(**params))]

    async def first(**params: Any) -> list[str]:
        return [one.id for one in (await letta(lambda c: c.blocks.list(**params))).items]

    assert await listed() == ids
    assert await listed(limit=3) == ids
    assert await listed(limit=7) == ids
    assert await listed(limit=2, order="desc") == ids[::-1]
    assert await listed(limit=2, after=ids[4]) == ids[5:]
    assert await first(limit=2, after=ids[1]) == ids[2:4]
    assert await first(limit=2, after=ids[4], order="desc") == [ids[3], ids[2]]
    assert await first(limit=2, before=ids[4]) == ids[2:4]
    assert await first(limit=2, before=ids[4], order="desc") == [ids[6], ids[5]]
    assert await first(limit=2, after=ids[1], before=ids[5]) == ids[2:4]
    assert await first(after=ids[4], before=ids[1], order="desc") == [ids[3], ids[2]]
    assert await first(after=ids[6]) == []
    # The client goes on from the first of a page to the one before it.
    assert sorted(await listed(limit=2, before=ids[6])) == sorted(ids[:6])


async def test_filters_say_which_blocks_are_listed(letta: Driver) -> None:
    made: dict[str, str] = {}
    for name, more in {
        "a": {"label": "human", "value": "likes 茶 and 100% cocoa", "tags": ["x", "y"]},
        "b": {"label": "Human_2", "value": "coffee", "tags": ["x"], "description": "Of the user"},
        "c": {"label": "persona", "value": "", "tags": ["z"], "project_id": "p1"},
        "d": {"label": "persona", "value": "t", "is_template": True, "template_name": "calm one"},
    }.items():
        made[name] = (await letta(lambda c, more=more: c.blocks.create(**more))).id

    async def listed(**params: Any) -> str:
        found = await letta.all(lambda c: c.blocks.list(**params))
        return "".join(name for one in found for name, id_ in made.items() if id_ == one.id)

    assert await listed() == "abcd"
    assert await listed(label=None, tags=None, limit=None, after=None, name=None) == "abcd"
    assert await listed(label="persona") == "cd"
    assert await listed(label_search="HUMAN") == "ab"
    assert await listed(value_search="茶") == "a"
    assert await listed(value_search="100%") == "a"
    assert await listed(value_search="1%a") == ""
    assert await listed(description_search="user") == "b"
    assert await listed(name="calm one") == "d"
    assert await listed(templates_only=True) == "d"
    assert await listed(project_id="p1") == "c"
    assert await listed(tags=["x"]) == "ab"
    assert await listed(tags=["y", "z"]) == "ac"
    assert await listed(tags=["x", "y"], match_all_tags=True) == "a"
    assert await listed(tags=["x", "x"], match_all_tags=True) == "ab"
    assert await listed(tags=["nobody's"]) == ""
    assert await listed(label="human", tags=["z"]) == ""
    assert await listed(connected_to_agents_count_eq=[0, 2]) == "abcd"
    assert await listed(connected_to_agents_count_eq=[1]) == ""
    assert await listed(connected_to_agents_count_gt=0) == ""
    assert await listed(connected_to_agents_count_lt=1) == "abcd"
    assert await listed(connected_to_agents_count_lt=0) == ""
    assert await listed(identity_id="identity-1") == ""
    assert await listed(identifier_keys=["k"]) == ""


async def test_what_is_wrong_is_said_with_the_field(letta: Driver) -> None:
    made = await letta(lambda c: c.blocks.create(label="human", value="four", limit=5))
    wrong: list[tuple[list[str], str, Any]] = [
        (["body", "value"], "6 characters long; its limit is 5",
         lambda c: c.blocks.update(made.id, value="sixsix")),
        (["body", "value"], "4 characters long; its limit is 3",
         lambda c: c.blocks.update(made.id, limit=3)),
        (["body", "value"], "3 characters long; its limit is 2",
         lambda c: c.blocks.create(label="x", value="三个字", limit=2)),
        (["body", "value"], "valid string", lambda c: c.blocks.create(label="x", value=3)),
        (["body", "value"], "NUL", lambda c: c.blocks.create(label="x", value="a\0b")),
        (["body", "label"], "empty", lambda c: c.blocks.create(label=" ", value="")),
        (["body", "label"], "empty", lambda c: c.blocks.update(made.id, label="")),
        (["body", "label"], "U+000A", lambda c: c.blocks.create(label="a\nb", value="")),
        (["body", "label"], "U+2028", lambda c: c.blocks.update(made.id, label="a\u2028b")),
        (["body", "label"], "200", lambda c: c.blocks.create(label="x" * 201, value="")),
        (["body", "limit"], "greater", lambda c: c.blocks.create(label="x", value="", limit=0)),
        (["body", "tags"], "empty", lambda c: c.blocks.update(made.id, tags=[""])),
        (["body", "metadata"], "NUL", lambda c: c.blocks.update(made.id, metadata={"a": "\0"})),
        (["body", "colour"], "not permitted",
         lambda c: c.blocks.update(made.id, extra_body={"colour": "red"})),
        (["query", "limit"], "greater", lambda c: c.blocks.list(limit=0)),
        (["query", "order"], "'asc'", lambda c: c.blocks.list(order="random")),
    ]  # fmt: skip
    for where, words, method in wrong:
        error = await letta.fails(letta_client.UnprocessableEntityError, method)
        [problem] = error.body["detail"]
        assert problem["loc"] == where
        assert words in problem["msg"]
    assert await letta(lambda c: c.blocks.retrieve(made.id)) == made


async def test_an_edit_of_what_has_changed_since_is_a_conflict(letta: Driver) -> None:
    """And the client, which repeats conflicts by itself, is told not to."""
    made = await letta(lambda c: c.blocks.with_raw_response.create(label="shared", value="a"))
    block, tag = made.parse(), made.headers["etag"]
    if hasattr(block, "__await__"):
        block = await block
    seen = {"If-Match": tag}

    changed = await letta(lambda c: c.blocks.update(block.id, value="b", extra_headers=seen))
    error = await letta.fails(
        letta_client.ConflictError,
        lambda c: c.blocks.update(block.id, value="c", extra_headers=seen),
    )

    assert "has changed since it was read" in error.body["detail"]
    assert error.response.headers["x-should-retry"] == "false"
    assert await letta(lambda c: c.blocks.retrieve(block.id)) == changed
    await letta.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.blocks.update(block.id, value="c", extra_headers={"If-Match": "x"}),
    )


@pytest.mark.parametrize("block_id", ["block-x", "block-\0", "块", "a" * 300])
async def test_an_id_that_is_nobodys_is_not_found(letta: Driver, block_id: str) -> None:
    error = await letta.fails(letta_client.NotFoundError, lambda c: c.blocks.retrieve(block_id))
    assert error.body["error"] == "BlockNotFound"
    assert await letta.all(lambda c: c.blocks.list(after=block_id)) == []
    assert await letta.all(lambda c: c.blocks.list(before=block_id)) == []


async def test_health_tells_version_and_status(letta: Driver) -> None:
    health = await letta(lambda c: c.health())
    assert health.status == "ok"
    assert health.version


async def test_keys_open_the_door_as_far_as_they_go(app: App, free_port: int) -> None:
    def keys(tx: Tx) -> tuple[str, str]:
        organization = tenants.add_organization(tx, "first")
        user = tenants.add_user(tx, organization.id, "ann")
        scopes = (Scope.WRITE, Scope.READ)
        return tuple(tenants.add_key(tx, user, str(s), s, None)[1] for s in scopes)

    writer, reader = await app.database.write(LOCAL_ACTOR, keys)
    asgi = build_asgi(app)
    async with driver("async over HTTP", asgi, free_port, writer) as letta:
        made = await letta(lambda c: c.blocks.create(label="mine", value=""))
    async with driver("async over HTTP", asgi, free_port, reader) as letta:
        assert await letta(lambda c: c.blocks.retrieve(made.id)) == made
        await letta.fails(
            letta_client.PermissionDeniedError, lambda c: c.blocks.update(made.id, value="x")
        )
    async with driver("async over HTTP", asgi, free_port, "yk_wrong") as letta:
        error = await letta.fails(letta_client.AuthenticationError, lambda c: c.blocks.list())
        assert error.response.headers["www-authenticate"] == "Bearer"
        assert "API key" in error.body["detail"]


async def test_paths_answer_with_and_without_a_slash_at_their_end(asgi: FastAPI) -> None:
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        for slash in ("", "/"):
            assert (await http.get(f"/v1/health{slash}")).status_code == 200
            body = {"label": "x", "value": ""}
            made = await http.post(f"/v1/blocks{slash}", json=body)
            assert made.status_code == 200
            where = f"/v1/blocks/{made.json()['id']}{slash}"
            assert (await http.get(f"/v1/blocks{slash}")).json() == [made.json()]
            assert (await http.get(where)).json() == made.json()
            assert (await http.patch(where, json={"value": "y"})).json()["value"] == "y"
            gone = await http.delete(where)
            assert (gone.status_code, gone.json()) == (200, None)


async def test_every_error_of_v1_has_its_form(asgi: FastAPI) -> None:
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        for answer, status, name in (
            (await http.get("/v1/nowhere"), 404, "NotFound"),
            (await http.put("/v1/blocks/"), 405, "MethodNotAllowed"),
            (await http.post("/v1/blocks/", content=b"{nonsense"), 422, "Invalid"),
            (await http.post("/v1/blocks/", data={"label": "x"}), 422, "Invalid"),
            (await http.post("/v1/blocks/", json=[]), 422, "Invalid"),
            (await http.get("/v1/blocks/?colour=red"), 422, "Invalid"),
            (await http.post("/v1/blocks/", content=b"x" * 200_000_000), 413, "RequestTooLarge"),
        ):
            assert answer.status_code == status, answer.text
            assert set(answer.json()) == {"detail", "error"}
            assert answer.json()["error"] == name


ODD = [
    '{"label": "\\ud800", "value": ""}',
    '{"label": "x", "value": "\\ud800"}',
    '{"label": "x", "value": "", "tags": ["\\udfff"]}',
    '{"label": "x", "value": "", "metadata": {"\\ud800": 1}}',
    '{"label": "x", "value": "", "metadata": {"a": "\\u0000"}}',
    '{"label": "x", "value": "", "description": "\\u0000"}',
    '{"label": "x", "value": "", "project_id": "\\u0000"}',
    '{"label": "x", "value": "", "template_name": ""}',
    '{"label": "x", "value": "", "\\ud800": 1}',
    '{"label": "x", "value": "", "limit": 1e999}',
    '{"label": "x", "value": "", "limit": 99999999999999999999999}',
    '{"label": "x", "value": "", "metadata": {"a": NaN}}',
    '{"label": "\\ud800", "value": "four", "limit": 3}',
    "null",
    "",
]


@pytest.mark.parametrize("body", ODD, ids=range(len(ODD)))
async def test_what_can_not_be_kept_is_refused_in_v1s_form(asgi: FastAPI, body: str) -> None:
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        block = {"label": "x", "value": ""}
        where = f"/v1/blocks/{(await http.post('/v1/blocks/', json=block)).json()['id']}"
        headers = {"Content-Type": "application/json"}
        for method, path in (("POST", "/v1/blocks/"), ("PATCH", where)):
            answer = await http.request(method, path, content=body.encode(), headers=headers)
            assert answer.status_code == 422, answer.text
            assert set(answer.json()) == {"detail", "error"}


@pytest.mark.parametrize(
    "query",
    [
        *("label=%00", "tags=%00", "name=%00", "project_id=%00", "value_search=%00"),
        *("limit=x", "limit=10001", "connected_to_agents_count_gt=x", "order_by=name"),
        "match_all_tags=perhaps",
    ],
)
async def test_a_listing_that_can_not_be_meant_is_refused(asgi: FastAPI, query: str) -> None:
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        answer = await http.get(f"/v1/blocks/?{query}")
        assert answer.status_code == 422, answer.text
        answer = await http.get("/v1/blocks/?connected_to_agents_count_gt=" + "9" * 400)
        assert answer.status_code in (200, 422), answer.text
