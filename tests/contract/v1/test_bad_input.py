"""Every route of v1, asked wrongly in every way: with ids of nothing, with the wrong key, with
bodies of the wrong type and too large ones. (With another's ids: test_tenancy.py.)

The routes are those of the server, so none can be forgotten.
"""

from collections.abc import Awaitable
from types import NoneType
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import urlencode

import letta_client
import pytest
from letta_client import APIStatusError, AsyncLetta
from pydantic import BaseModel

from tests.fixtures.sides import (
    BODIES,
    DESCRIBED,
    LIMIT,
    ON_SQLITE,
    QUERIES,
    REFERENCES,
    ROUTES,
    SOURCE,
    World,
    all_of,
    asked_as,
    filled,
    is_error,
    named_in,
)

READS = {
    "/v1/conversations/{conversation_id}/stream",
    "/v1/messages/search",
    "/v1/passages/search",
    "/v1/runs/{run_id}/stream",
    "/v1/tools/search",
}
"""Routes that are POSTs and change nothing."""

WRONG: list[Any] = [[[]], 3.5, {"x": [[]]}]
"""What is of the wrong type for nearly every field: for each at least one of these is."""


def test_every_route_that_needs_a_body_has_a_right_one_here() -> None:
    with_body = [(m, route) for m, route in ROUTES if route.body_field is not None]
    there = {asked_as(method, route.path): route.body_field for method, route in with_body}
    needed = {of for of, form in there.items() if form.field_info.is_required()}
    assert needed <= BODIES.keys() <= there.keys()


@pytest.mark.parametrize("unknown", ["x", "agent-00000000-0000-4000-8000-000000000000", "块\0"])
async def test_what_is_not_there_is_not_found(world: World, unknown: str) -> None:
    before = await all_of(world, world.owner)
    asked = 0
    for method, route in ROUTES:
        for name in route.param_convertors:
            ids = {**world.owner.ids, name: unknown}
            answer = await world.call(method, route.path, ids, world.owner.headers)
            assert is_error(answer, 404)
            assert answer.json()["error"].endswith("NotFound")
            asked += 1
    assert asked > 100
    for method, path, given in REFERENCES:
        ids = world.owner.ids
        named = {**ids, named_in(given): unknown}
        answer = await world.call(method, path, ids, world.owner.headers, given, named=named)
        assert is_error(answer, 404)
    assert await all_of(world, world.owner) == before


@ON_SQLITE
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer yk_wrong"}])
async def test_without_a_valid_key_no_route_answers(world: World, headers: dict[str, str]) -> None:
    for method, route in ROUTES:
        answer = await world.call(method, route.path, world.owner.ids, headers)
        if route.path.strip("/") == "v1/health":
            assert answer.status_code == 200
            continue
        assert is_error(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


@ON_SQLITE
async def test_a_reading_key_reads_and_changes_nothing(world: World) -> None:
    before = await all_of(world, world.owner)
    for method, route in ROUTES:
        answer = await world.call(method, route.path, world.owner.ids, world.owner.reader)
        if method == "GET" or route.path.rstrip("/") in READS:
            assert answer.status_code == 200, (method, route.path, answer.text)
        else:
            assert is_error(answer, 403), route.path
    assert await all_of(world, world.owner) == before


@ON_SQLITE
async def test_a_body_that_is_too_large_is_refused(world: World) -> None:
    headers = {**world.owner.headers, "Content-Type": "application/json"}
    for method, route in ROUTES:
        if method == "GET":
            continue
        path = filled(route.path, world.owner.ids)
        if route.body_field is not None:
            large = b" " * (LIMIT + 1)
            answer = await world.http.request(method, path, content=large, headers=headers)
            assert is_error(answer, 413)
            assert f"{LIMIT:,} bytes" in answer.json()["detail"]


@ON_SQLITE
async def test_a_body_of_no_form_is_refused(world: World) -> None:
    headers = {**world.owner.headers, "Content-Type": "application/json"}
    before = await all_of(world, world.owner)
    for method, route in ROUTES:
        if route.body_field is None:
            continue
        path = filled(route.path, world.owner.ids)
        if query := filled(QUERIES.get((method, route.path.rstrip("/")), {}), world.owner.ids):
            path += f"?{urlencode(query)}"
        listed = isinstance(BODIES.get((method, route.path.rstrip("/"))), list)
        other = b"{}" if listed else b"[]"
        for body in (other, b'"x"', b"{", b"\xff", b"[" * 15_000):
            answer = await world.http.request(method, path, content=body, headers=headers)
            assert is_error(answer, 422)
            assert answer.json()["detail"][0]["loc"][0] == "body"
        answer = await world.http.request(method, path, content=b"{}", headers=world.owner.headers)
        assert is_error(answer, 422)
        assert answer.json()["detail"][0]["loc"] == ["header", "Content-Type"]
    assert await all_of(world, world.owner) == before


@ON_SQLITE
async def test_a_field_of_the_wrong_type_is_named(world: World) -> None:
    asked = 0
    for method, route in DESCRIBED:
        if route.body_field is None:
            continue
        right = BODIES.get((method, route.path.rstrip("/")), {})
        if isinstance(right, list):
            continue
        for form in forms_of(route.body_field.field_info.annotation):
            for name, info in form.model_fields.items():
                if info.annotation is Any or name == "message_type":
                    continue
                given = info.alias or name
                found = [
                    await world.call(
                        method,
                        route.path,
                        world.owner.ids,
                        world.owner.headers,
                        {**right, **kind_of(form), given: wrong},
                    )
                    for wrong in WRONG
                ]
                refused = [one.json()["detail"] for one in found if one.status_code == 422]
                places = [one["loc"] for detail in refused for one in detail]
                assert any(loc[0] == "body" and given in loc for loc in places), (
                    method, route.path, given, [one.text for one in found],
                )  # fmt: skip
                asked += 1
    assert asked > 150


BLOCK = {"label": "human", "value": "xx"}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": 5}}
MESSAGES = ("POST", "/v1/agents/{agent_id}/messages")
AGENTS = ("POST", "/v1/agents/")


@ON_SQLITE
@pytest.mark.parametrize(
    ("of", "body", "places"),
    [
        (MESSAGES, {"input": ""}, ["input"]),
        (MESSAGES, {"input": 5}, ["input"]),
        (MESSAGES, {"messages": [{"role": "user", "content": ""}]}, ["messages", 0, "content"]),
        (MESSAGES, {"messages": [{"role": "user", "content": [IMAGE]}]},
         ["messages", 0, "content", 0, "source", "data"]),
        (MESSAGES, {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
         ["messages", 0, "content", 0, "source"]),
        (MESSAGES, {"messages": [{"role": "user"}]}, ["messages", 0, "content"]),
        (AGENTS, {"memory_blocks": [BLOCK, {**BLOCK, "label": "a", "limit": 1}]},
         ["memory_blocks", 1, "value"]),
        (AGENTS, {"memory_blocks": [{**BLOCK, "label": "a\nb"}]}, ["memory_blocks", 0, "label"]),
        (AGENTS, {"tool_rules": [{"type": "max_count_per_step", "tool_name": "x"}]},
         ["tool_rules", 0, "max_count_limit"]),
        (AGENTS, {"model_settings": {"provider_type": "openai", "temperature": 9}},
         ["model_settings", "temperature"]),
    ],
)  # fmt: skip
async def test_the_place_of_what_is_wrong_is_in_what_was_sent(
    world: World, of: tuple[str, str], body: Any, places: list[str | int]
) -> None:
    answer = await world.call(*of, world.owner.ids, world.owner.headers, body)
    assert is_error(answer, 422)
    assert [one["loc"] for one in answer.json()["detail"]] == [["body", *places]]


def forms_of(annotation: Any) -> list[type[BaseModel]]:
    """The models that a body may be."""
    if get_origin(annotation) is Annotated:
        return forms_of(get_args(annotation)[0])
    if get_args(annotation):
        return [one for arm in get_args(annotation) for one in forms_of(arm)]
    return [] if annotation is NoneType else [annotation]


def kind_of(form: type[BaseModel]) -> dict[str, Any]:
    """What says that a body is of this form, where several may be."""
    kind = form.model_fields.get("message_type")
    return {} if kind is None or kind.is_required() else {"message_type": kind.default}


async def test_what_the_state_of_things_forbids_is_a_conflict(world: World) -> None:
    ids, headers = world.owner.ids, world.owner.headers
    agent, block = f"/v1/agents/{ids['agent_id']}", f"/v1/blocks/{ids['block_id']}"
    other = await world.http.post(
        "/v1/blocks/", json={"label": "human", "value": ""}, headers=headers
    )
    approval = {"type": "approval", "approve": True, "approval_request_id": ids["message_id"]}
    stale = {**headers, "If-Match": '"999"'}
    before = await all_of(world, world.owner)
    conflicts: list[tuple[str, str, Any, dict[str, str], str]] = [
        ("POST", "/v1/archives/", {"name": "notes"}, headers, "ArchiveExists"),
        ("POST", "/v1/tools/", {"source_code": SOURCE}, headers, "ToolExists"),
        ("PATCH", f"{agent}/core-memory/blocks/attach/{other.json()['id']}", None, headers,
         "LabelTaken"),
        ("PATCH", block, {"value": "x"}, stale, "StaleBlock"),
        ("PATCH", agent, {"name": "x"}, stale, "StaleAgent"),
        ("PATCH", f"{agent}/core-memory/blocks/human", {"value": "x"}, stale, "StaleBlock"),
        ("POST", f"{agent}/messages", {"messages": [approval]}, headers, "NothingToApprove"),
    ]  # fmt: skip
    for method, path, body, with_headers, name in conflicts:
        answer = await world.http.request(method, path, json=body, headers=with_headers)
        assert is_error(answer, 409)
        assert answer.json()["error"] == name
        assert answer.headers["x-should-retry"] == "false"
    assert await all_of(world, world.owner) == before


@ON_SQLITE
async def test_the_client_has_an_exception_for_each_of_them(world: World) -> None:
    def client(key: str) -> AsyncLetta:
        return AsyncLetta(api_key=key, base_url="http://localhost", http_client=world.http)

    ids = world.owner.ids
    admin, reader, wrong = (
        client(one["Authorization"].removeprefix("Bearer "))
        for one in (world.owner.headers, world.owner.reader, {"Authorization": "yk_wrong"})
    )
    large = "x" * LIMIT
    failing: list[tuple[int, type[APIStatusError], Awaitable[Any]]] = [
        (401, letta_client.AuthenticationError, wrong.agents.retrieve(ids["agent_id"])),
        (403, letta_client.PermissionDeniedError, reader.agents.delete(ids["agent_id"])),
        (404, letta_client.NotFoundError, admin.agents.retrieve("agent-x")),
        (409, letta_client.ConflictError, admin.archives.create(name="notes")),
        (413, letta_client.APIStatusError, admin.blocks.create(label="x", value=large)),
        (422, letta_client.UnprocessableEntityError, admin.blocks.create(label="", value="")),
    ]
    for status, kind, asking in failing:
        with pytest.raises(kind) as failed:
            await asking
        assert failed.value.status_code == status
        assert {"detail", "error"} <= failed.value.body.keys()
