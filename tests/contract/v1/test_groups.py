"""/v1/groups, as v1's clients speak to it; this version of the client has no methods for it."""

from typing import Any

import letta_client

from tests.fixtures.letta import Driver

PATH = "/v1/groups/"


async def ask(letta: Driver, method: str, path: str, body: Any = None, **query: Any) -> Any:
    options = {"params": query} if query else {}
    if method == "get":
        return await letta(lambda c: c.get(path, cast_to=object, options=options))
    return await letta(lambda c: getattr(c, method)(path, body=body, cast_to=object))


async def agent(letta: Driver, **more: Any) -> str:
    return (await letta(lambda c: c.agents.create(include_base_tools=False, **more))).id


async def labels(letta: Driver, agent_id: str) -> list[str]:
    found = await letta(lambda c: c.agents.retrieve(agent_id))
    return sorted(one.label for one in found.blocks)


async def test_a_group_is_made_read_changed_and_deleted(letta: Driver) -> None:
    ann, bob, boss = [await agent(letta) for _ in range(3)]
    notes = (await letta(lambda c: c.blocks.create(label="notes", value="tea"))).id
    plan = (await letta(lambda c: c.blocks.create(label="plan", value=""))).id
    body = {"agent_ids": [bob, ann], "description": "who plan", "shared_block_ids": [notes]}
    one = await ask(letta, "post", PATH, body)
    assert one["id"].startswith("group-")
    assert one.items() >= {**body, "manager_type": "round_robin", "hidden": False}.items()
    assert await ask(letta, "get", PATH + one["id"]) == one
    assert [await labels(letta, each) for each in (ann, bob, boss)] == [["notes"], ["notes"], []]

    manager = {"manager_type": "dynamic", "manager_agent_id": boss, "max_turns": 7}
    changed = await ask(
        letta, "patch", PATH + one["id"], {"manager_config": manager, "agent_ids": [ann]}
    )
    assert changed.items() >= {**manager, "termination_token": "DONE!", "agent_ids": [ann]}.items()
    assert (changed["description"], changed["shared_block_ids"]) == ("who plan", [notes])
    managing = await letta(lambda c: c.agents.retrieve(boss))
    assert managing.managed_group.id == managing.multi_agent_group.id == one["id"]
    assert managing.managed_group.agent_ids == [ann]
    assert await labels(letta, boss) == ["notes"]
    listed = {each.id: each for each in (await letta(lambda c: c.agents.list())).items}
    assert listed[boss].managed_group.max_turns == 7
    assert listed[ann].managed_group is None

    await ask(letta, "patch", f"{PATH}{one['id']}/blocks/attach/{plan}")
    assert (await ask(letta, "get", PATH + one["id"]))["shared_block_ids"] == [notes, plan]
    assert await labels(letta, ann) == ["notes", "plan"]
    await ask(letta, "patch", f"{PATH}{one['id']}/blocks/detach/{notes}")
    assert (await ask(letta, "get", PATH + one["id"]))["shared_block_ids"] == [plan]

    await letta(lambda c: c.agents.delete(boss))
    await letta(lambda c: c.agents.delete(ann))
    left = await ask(letta, "get", PATH + one["id"])
    assert (left["agent_ids"], left["manager_agent_id"]) == ([], None)
    assert await ask(letta, "delete", PATH + one["id"]) is None
    await letta.fails(letta_client.NotFoundError, lambda c: c.get(PATH + one["id"], cast_to=object))


async def test_groups_are_listed_by_what_is_asked_of_them(letta: Driver) -> None:
    boss = await agent(letta)
    manager = {"manager_type": "supervisor", "manager_agent_id": boss}
    for name, more in {
        "a": {"project_id": "p"},
        "b": {"manager_config": manager},
        "c": {"hidden": True},
    }.items():
        await ask(letta, "post", PATH, {"agent_ids": [], "description": name, **more})

    async def listed(**query: Any) -> str:
        found = await ask(letta, "get", PATH, **query)
        return "".join(one["description"] for one in found)

    assert await ask(letta, "get", PATH + "count") == 3
    assert await listed() == "ba"
    assert await listed(show_hidden_groups=True, order="asc") == "abc"
    assert await listed(limit=1) == "b"
    assert await listed(manager_type="supervisor") == "b"
    assert await listed(manager_type="swarm") == ""
    assert await listed(project_id="p") == "a"


async def test_how_a_group_talks_comes_later_and_what_is_wrong_is_said(letta: Driver) -> None:
    one = await ask(letta, "post", PATH, {"agent_ids": [], "description": "x"})
    for method, path in (("post", "messages"), ("post", "messages/stream"), ("get", "messages")):
        error = await letta.fails(
            letta_client.InternalServerError,
            lambda c, m=method, p=path: getattr(c, m)(
                f"{PATH}{one['id']}/{p}", cast_to=object, **({} if m == "get" else {"body": {}})
            ),
        )
        assert (error.status_code, error.body["error"]) == (501, "NotBuilt")
        assert "patterns" in error.body["detail"]
    strange = {"manager_type": "supervisor"}
    error = await letta.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.patch(PATH + one["id"], body={"manager_config": strange}, cast_to=object),
    )
    assert "manager_agent_id" in str(error.body)
