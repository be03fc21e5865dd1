"""/v1/identities, as v1's clients speak to it, and what agents and blocks say of whose they are.

This version of the client has methods for agents' identities only; the rest is asked by path.
"""

from typing import Any

import letta_client
import pytest

from tests.fixtures.letta import Driver

PATH = "/v1/identities/"
BO = {"identifier_key": "user_1", "name": "Bo", "identity_type": "user"}
EMAIL = {"key": "email", "value": "bo@example.org", "type": "string"}
AGE = {"key": "age", "value": 36, "type": "number"}
TASTE = {"key": "taste", "value": {"tea": ["乌龙"]}, "type": "json"}


async def ask(letta: Driver, method: str, path: str, body: Any = None, **query: Any) -> Any:
    def asked(c: Any) -> Any:
        options = {"params": query} if query else {}
        if method == "get":
            return c.get(path, cast_to=object, options=options)
        return getattr(c, method)(path, body=body, cast_to=object)

    return await letta(asked)


async def made(letta: Driver, **more: Any) -> Any:
    return await ask(letta, "post", PATH, {**BO, **more})


async def test_an_identity_is_made_read_changed_and_deleted(letta: Driver) -> None:
    agent = await letta(lambda c: c.agents.create(include_base_tools=False))
    block = await letta(lambda c: c.blocks.create(label="human", value="Bo"))
    one = await made(
        letta, properties=[EMAIL, AGE], agent_ids=[agent.id], block_ids=[block.id], project_id="p"
    )
    assert one["id"].startswith("identity-")
    assert one.items() >= {**BO, "project_id": "p", "properties": [EMAIL, AGE]}.items()
    assert (one["agent_ids"], one["block_ids"]) == ([agent.id], [block.id])
    assert await ask(letta, "get", PATH + one["id"]) == one
    assert await ask(letta, "get", PATH + "count") == 1

    other = await letta(lambda c: c.agents.create(include_base_tools=False))
    patch = {"name": "Bob", "properties": [TASTE, {**AGE, "value": 37}], "agent_ids": [other.id]}
    changed = await ask(letta, "patch", PATH + one["id"], patch)
    assert changed["name"] == "Bob"
    assert changed["properties"] == [EMAIL, {**AGE, "value": 37}, TASTE]
    assert changed["agent_ids"] == sorted([agent.id, other.id])
    assert changed["block_ids"] == [block.id]

    assert await ask(letta, "put", PATH + one["id"] + "/properties", [AGE]) is None
    again = await ask(
        letta, "put", PATH, {**BO, "name": "Bo", "agent_ids": [other.id], "block_ids": []}
    )
    assert (again["id"], again["name"]) == (one["id"], "Bo")
    assert again["properties"] == [EMAIL, AGE, TASTE]
    assert (again["agent_ids"], again["block_ids"]) == ([other.id], [])
    fresh = await ask(letta, "put", PATH, {**BO, "identifier_key": "user_2", "properties": []})
    assert fresh["id"] != one["id"]

    assert await ask(letta, "delete", PATH + one["id"]) is None
    assert (await letta(lambda c: c.agents.retrieve(other.id))).identity_ids == []
    for method, path in (("get", ""), ("patch", ""), ("delete", ""), ("get", "/agents")):
        await letta.fails(
            letta_client.NotFoundError,
            lambda c, m=method, p=path: getattr(c, m)(
                PATH + one["id"] + p, cast_to=object, **({} if m == "get" else {"body": {}})
            ),
        )


async def test_identities_are_listed_by_what_is_asked_of_them(letta: Driver) -> None:
    ids = [
        (await made(letta, identifier_key=key, name=name, identity_type=kind, project_id=project))[
            "id"
        ]
        for key, name, kind, project in (
            ("a", "Ann Lee", "user", None),
            ("b", "Bo", "user", "p"),
            ("c", "Lee & Co.", "org", "p"),
        )
    ]

    async def listed(**query: Any) -> str:
        found = await ask(letta, "get", PATH, **query)
        return "".join(one["identifier_key"] for one in found)

    assert await listed() == "cba"
    assert await listed(order="asc", limit=2) == "ab"
    assert await listed(order="asc", after=ids[0]) == "bc"
    assert await listed(before=ids[0]) == "cb"
    assert await listed(name="lee") == "ca"
    assert await listed(identifier_key="b") == "b"
    assert await listed(identity_type="org") == "c"
    assert await listed(project_id="p") == "cb"


async def test_agents_and_blocks_say_whose_they_are(letta: Driver) -> None:
    one = await made(letta, properties=[EMAIL])
    other = await made(letta, identifier_key="user_2")
    block = await letta(lambda c: c.blocks.create(label="human", value="Bo"))
    await letta(lambda c: c.blocks.create(label="human", value="Ann"))
    await ask(letta, "patch", PATH + other["id"], {"block_ids": [block.id]})
    agent = await letta(
        lambda c: c.agents.create(include_base_tools=False, identity_ids=[one["id"]])
    )
    assert [(each.identifier_key, each.properties[0].key) for each in agent.identities] == [
        ("user_1", "email")
    ]
    for _ in range(2):  # it is an order to have it
        await letta(lambda c: c.agents.identities.attach(other["id"], agent_id=agent.id))
    found = await letta(lambda c: c.agents.retrieve(agent.id))
    assert found.identity_ids == [one["id"], other["id"]]
    await letta(lambda c: c.agents.identities.detach(one["id"], agent_id=agent.id))
    [found] = (await letta(lambda c: c.agents.list(identifier_keys=["user_2"]))).items
    assert [each.identifier_key for each in found.identities] == ["user_2"]
    assert found.identities[0].agent_ids == [agent.id]
    few = await letta(lambda c: c.agents.retrieve(agent.id, include=["agent.tags"]))
    assert (few.identities, few.identity_ids) == ([], [])

    agents = await ask(letta, "get", f"{PATH}{other['id']}/agents")
    assert [each["id"] for each in agents] == [agent.id]
    assert await ask(letta, "get", f"{PATH}{one['id']}/agents") == []
    blocks = await ask(letta, "get", f"{PATH}{other['id']}/blocks")
    assert [each["value"] for each in blocks] == ["Bo"]
    for query in ({"identity_id": other["id"]}, {"identifier_keys": ["user_2", "x"]}):
        listed = await letta(lambda c, q=query: c.blocks.list(**q))
        assert [each.id for each in listed.items] == [block.id]
    assert (await letta(lambda c: c.blocks.list(identifier_keys=["user_1"]))).items == []
    changed = await letta(lambda c: c.agents.update(agent.id, identity_ids=[one["id"]]))
    assert changed.identity_ids == [one["id"]]
    assert (await letta(lambda c: c.agents.update(agent.id, name="b"))).identity_ids == [one["id"]]
    await letta(lambda c: c.blocks.delete(block.id))
    assert (await ask(letta, "get", PATH + other["id"]))["block_ids"] == []


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({**BO, "name": " "}, "The name is empty"),
        ({**BO, "identifier_key": "k" * 600}, "600 characters long"),
        ({**BO, "identity_type": "robot"}, "'org', 'user' or 'other'"),
        ({"name": "Bo"}, "Field required"),
        ({**BO, "properties": [{**AGE, "value": "\0"}]}, "NUL"),
        ({**BO, "properties": [{**AGE, "key": ""}]}, "empty"),
        ({**BO, "teapot": 1}, "Extra inputs"),
    ],
)
async def test_what_is_no_identity_is_refused(
    letta: Driver, body: dict[str, Any], words: str
) -> None:
    error = await letta.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.post(PATH, body=body, cast_to=object),
    )
    assert words in str(error.body)


async def test_a_key_is_one_identity_s(letta: Driver) -> None:
    one = await made(letta)
    other = await made(letta, identifier_key="user_2")
    for method in (
        lambda c: c.post(PATH, body=BO, cast_to=object),
        lambda c: c.patch(PATH + other["id"], body={"identifier_key": "user_1"}, cast_to=object),
    ):
        error = await letta.fails(letta_client.ConflictError, method)
        assert error.body["error"] == "IdentityExists"
        assert one["id"] in error.body["detail"]
    for body in ({"agent_ids": ["agent-x"]}, {"block_ids": ["block-\0"]}):
        await letta.fails(
            letta_client.NotFoundError,
            lambda c, b=body: c.patch(PATH + one["id"], body=b, cast_to=object),
        )
    await letta.fails(
        letta_client.NotFoundError, lambda c: c.agents.create(identity_ids=["identity-x"])
    )
