"""Through no route of v1 can one organization read, change or name another's rows.

Routes and fields are those of the server: a new one that nothing here asks for fails a test.
"""

from collections.abc import Iterator
from typing import Any

import httpx

from tests.fixtures.sides import (
    ANEW,
    BODIES,
    CURSORS,
    DESCRIBED,
    NOWHERE,
    REFERENCES,
    ROUTES,
    SECRET,
    SOURCE,
    Reference,
    Side,
    World,
    all_of,
    is_error,
    named_in,
    sent,
)
from yiku.server.http import routes

FILTERS: list[Reference] = [
    ("GET", "/v1/agents/", {"identity_id": "{identity_id}"}),
    ("GET", "/v1/blocks/", {"identity_id": "{identity_id}"}),
    ("GET", "/v1/agents/{agent_id}/messages", {"conversation_id": "{conversation_id}"}),
    ("GET", "/v1/messages/", {"conversation_id": "{conversation_id}"}),
    ("POST", "/v1/messages/search", {"query": "hello", "conversation_id": "{conversation_id}"}),
    ("GET", "/v1/runs/", {"conversation_id": "{conversation_id}"}),
    ("GET", "/v1/runs/", {"agent_id": "{agent_id}"}),
    ("GET", "/v1/runs/", {"agent_ids": ["{agent_id}"]}),
    ("GET", "/v1/runs/active", {"agent_ids": ["{agent_id}"]}),
    ("GET", "/v1/steps/", {"agent_id": "{agent_id}"}),
    ("GET", "/v1/tools/", {"tool_ids": ["{tool_id}"]}),
    ("GET", "/v1/tools/count", {"tool_ids": ["{tool_id}"]}),
]
"""What these name is looked for among one's own: there is nothing."""

REFUSED: list[Reference] = [
    ("PATCH", "/v1/agents/{agent_id}", {"message_ids": ["{message_id}"]}),
    *(
        ("POST", "/v1/agents/{agent_id}/messages" + way,
         {"messages": [{"approve": True, "approval_request_id": "{message_id}"}]})
        for way in ("", "/stream", "/async")
    ),
    ("POST", "/v1/messages/batches", {"requests": [{"agent_id": "agent-x",
     "messages": [{"approve": True, "approval_request_id": "{message_id}"}]}]}),
    ("POST", "/v1/conversations/{conversation_id}/messages",
     {"messages": [{"approve": True, "approval_request_id": "{message_id}"}]}),
]  # fmt: skip
"""What nobody can do to a message, one's own or not."""

NO_EFFECT: list[Reference] = [
    ("POST", "/v1/runs/{run_id}/stream", {"agent_id": "{agent_id}"}),
    ("POST", "/v1/runs/{run_id}/stream", {"run_id": "{run_id}"}),
]
"""The path says which run it is."""

WALKED = [*REFERENCES, *ANEW, *FILTERS, *REFUSED, *NO_EFFECT]

OF_NO_ROW = {
    "base_template_id": "kept as it came",
    "batch_item_id": "kept as it came",
    "created_by_id": "a user: compared with one's own rows",
    "deployment_id": "kept as it came",
    "entity_id": "kept as it came",
    "group_id": "kept as it came",
    "last_updated_by_id": "without effect",
    "project_id": "kept as it came",
    "return_token_ids": "a switch",
    "sender_id": "kept as it came",
    "template_id": "kept as it came",
    "tool_call_id": "a call of the agent's own last message",
    "trace_ids": "of an observer's; compared with one's own rows",
}
"""Fields that are called ids, and lead to no row."""

NEEDS_AN_AGENT = {"/v1/conversations/", "/v1/messages/batches"}
"""What a newcomer can't make."""

OF_THE_SERVER = {"/v1/health/", "/v1/models/", "/v1/models/embedding"}
"""What is told to everybody."""

DESCRIPTION = routes().openapi()


def test_every_id_in_a_query_or_body_is_one_that_is_tried() -> None:
    there = {
        (method, route.path, name)
        for method, route in DESCRIBED
        for name in fields_of(DESCRIPTION["paths"][route.path][method.lower()])
        if name not in OF_NO_ROW and is_an_id(name, route.path)
    }
    tried = {(method, path, name) for method, path, given in WALKED for name in names_in(given)}
    assert there == {one for one in tried if is_an_id(one[2], one[1])}


def is_an_id(name: str, path: str) -> bool:
    if name in CURSORS:
        return path != "/v1/tags/"  # those are words
    return name.endswith(("_id", "_ids"))


def fields_of(form: Any, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """The names of all fields of an operation, or of a form, wherever they are in it."""
    if not isinstance(form, dict):
        return
    if (name := form.get("$ref", "").rpartition("/")[2]) and name not in seen:
        yield from fields_of(DESCRIPTION["components"]["schemas"][name], (*seen, name))
    yield from (one["name"] for one in form.get("parameters", ()) if one["in"] == "query")
    yield from form.get("properties", ())
    inner = [form.get("requestBody"), form.get("schema"), form.get("items")]
    inner += [*form.get("content", {}).values(), *form.get("properties", {}).values()]
    inner += [one for of in ("anyOf", "oneOf", "allOf") for one in form.get(of, ())]
    for one in inner:
        yield from fields_of(one, seen)


def names_in(given: Any) -> Iterator[str]:
    if isinstance(given, dict):
        for name, one in given.items():
            yield name
            yield from names_in(one)
    if isinstance(given, list):
        for one in given:
            yield from names_in(one)


async def everything(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    return await all_of(world, world.owner), await all_of(world, world.stranger)


async def test_what_is_anothers_is_not_found_and_stays_as_it_was(world: World) -> None:
    """With all ids of a path the other's, and with each of them among one's own."""
    owner, stranger = world.owner, world.stranger
    before = await everything(world)
    assert {name for _, route in ROUTES for name in route.param_convertors} == owner.ids.keys()
    for method, route in ROUTES:
        named = [name for name in route.param_convertors if name.endswith("_id")]
        for one in named:
            for ids in (owner.ids, {**stranger.ids, one: owner.ids[one]}):
                answer = await world.call(method, route.path, ids, stranger.headers)
                assert is_error(answer, 404)
                assert SECRET not in answer.text
    assert await everything(world) == before


async def test_what_is_anothers_cannot_be_named_in_a_query_or_a_body(world: World) -> None:
    owner, stranger = world.owner, world.stranger
    before = await everything(world)

    async def call(given: Reference) -> httpx.Response:
        method, path, body = given
        name = named_in(body)
        named = {**stranger.ids, name: owner.ids[name]}
        return await world.call(method, path, stranger.ids, stranger.headers, body, named=named)

    for given in REFERENCES:
        assert is_error(await call(given), 404)
    for given in ANEW:
        method, path, _ = given
        whole = await world.call(method, path, stranger.ids, stranger.headers)
        assert (await call(given)).json() == whole.json() != []
    for given in FILTERS:
        answer = await call(given)
        assert (answer.status_code, answer.json()) in [(200, []), (200, 0)], given
    for given in REFUSED:
        assert (await call(given)).status_code in (409, 422), given
    for given in NO_EFFECT:
        answer = await call(given)
        assert answer.status_code == 200
        assert owner.ids["run_id"] not in answer.text, given
    assert await everything(world) == before


async def test_a_newcomer_sees_nothing(world: World) -> None:
    headers, custom = world.newcomer.headers, {"tool_types": ["custom"]}
    lists = {path for method, path in without_ids() if method == "GET"} - OF_THE_SERVER
    asked: list[tuple[str, dict[str, Any]]] = [
        *((path, custom if "/tools/" in path else {}) for path in sorted(lists)),
        ("/v1/blocks/", {"label": "human"}),
        ("/v1/blocks/", {"value_search": "vault"}),
        ("/v1/blocks/", {"tags": "tea"}),
        ("/v1/agents/", {"tags": "tea"}),
        ("/v1/archives/", {"name": "notes"}),
        ("/v1/tools/", {"name": "double"}),
    ]
    for path, query in asked:
        answer = await world.http.get(path, params=query, headers=headers)
        assert (answer.status_code, answer.json()) in [(200, []), (200, 0)], (path, query)
    for kind, more in (("messages", {}), ("passages", {}), ("tools", custom)):
        answer = await world.http.post(
            f"/v1/{kind}/search", json={"query": SECRET, **more}, headers=headers
        )
        assert (answer.status_code, answer.json()) == (200, []), kind


async def test_names_of_one_organization_are_free_in_another(world: World) -> None:
    """Each route that makes something, with what the other has already."""
    before = await everything(world)
    names = {
        "/v1/archives/": {"name": "notes"},
        "/v1/mcp-servers/": {"server_name": "tools", "config": {"server_url": NOWHERE}},
        "/v1/tools/": {"source_code": SOURCE},
    }
    for method, path in without_ids():
        if method == "GET" or path in NEEDS_AN_AGENT:
            continue
        body = names.get(path, BODIES.get((method, path.rstrip("/"))))
        body = {key: one for key, one in (body or {}).items() if key != "agent_id"}
        given = sent((method, path.rstrip("/")), body)
        answer = await world.http.request(method, path, headers=world.newcomer.headers, **given)
        assert answer.status_code == 200, (method, path, answer.text)
        for text in (SECRET, *ids_of(world.owner), *ids_of(world.stranger)):
            assert text not in answer.text, (method, path)
    assert await everything(world) == before


def without_ids() -> list[tuple[str, str]]:
    return [(method, route.path) for method, route in DESCRIBED if not route.param_convertors]


def ids_of(side: Side) -> list[str]:
    return [one for name, one in side.ids.items() if name.endswith("_id")]
