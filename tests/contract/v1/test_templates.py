"""/v1/templates, spoken to with the real client."""

import json
from typing import Any

import letta_client

from tests.fixtures.letta import Driver
from tests.fixtures.sides import SOURCE


async def template(letta: Driver, **more: Any) -> Any:
    tool = await letta(lambda c: c.tools.upsert(source_code=SOURCE))
    blocks = [{"label": "human", "value": "{{ who }} likes tea"}, {"label": "rules", "value": "x"}]
    agent = await letta(
        lambda c: c.agents.create(
            name="Yi", system="You serve {{who}}.", memory_blocks=blocks, tool_ids=[tool.id],
            include_base_tools=False, secrets={"TOKEN": "secret"}, description="A waiter.",
        )
    )  # fmt: skip
    await letta(lambda c: c.agents.passages.create(agent.id, text="not for others"))
    return await letta(
        lambda c: c.templates.create(type="agent", agent_id=agent.id, name="waiter", **more)
    )


async def values(letta: Driver, agent_id: str) -> dict[str, str]:
    found = await letta.all(lambda c: c.agents.blocks.list(agent_id))
    return {one.label: one.value for one in found}


async def test_agents_are_made_of_a_template(letta: Driver) -> None:
    made = await template(letta)
    assert (made.name, made.latest_version, made.description) == ("waiter", "1", "A waiter.")
    assert made.template_deployment_slug == "default/waiter:1"
    done = await letta(
        lambda c: c.templates.agents.create(
            "waiter:latest",
            agent_name="小明's",
            memory_variables={"who": "小明"},
            tool_variables={"TOKEN": "own"},
            tags=["a", "b"],
            initial_message_sequence=[{"role": "user", "content": "hello"}],
        )
    )
    [agent_id] = done.agent_ids
    one = await letta(lambda c: c.agents.retrieve(agent_id))
    assert (one.name, one.system, one.tags) == ("小明's", "You serve 小明.", ["a", "b"])
    assert (one.base_template_id, one.deployment_id) == (made.id, done.deployment_id)
    assert [(s.key, s.value) for s in one.secrets] == [("TOKEN", "own")]
    assert [tool.name for tool in one.tools] == ["double"]
    assert await values(letta, agent_id) == {"human": "小明 likes tea", "rules": "x"}
    assert await letta(lambda c: c.agents.passages.list(agent_id)) == []
    said = await letta.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    assert [m.message_type for m in said] == ["system_message", "user_message"]
    also = await letta(
        lambda c: c.agents.create(
            from_template="waiter:1", name="second", memory_variables={"who": "Bo"}
        )
    )
    assert (also.name, also.system, also.base_template_id) == ("second", "You serve Bo.", made.id)
    found = await letta.all(lambda c: c.agents.list(base_template_id=made.id))
    assert {agent.id for agent in found} == {agent_id, also.id}


async def test_a_template_has_versions_that_its_agents_follow(letta: Driver) -> None:
    made = await template(letta)
    [agent_id] = (
        await letta(lambda c: c.templates.agents.create("waiter", memory_variables={"who": "Bo"}))
    ).agent_ids
    file = {
        "agents": [{"id": "a", "name": "Yi", "system": "Be brief.", "block_ids": ["r", "n"]}],
        "blocks": [
            {"id": "r", "label": "rules", "value": "y"},
            {"id": "n", "label": "news", "value": "z"},
        ],
    }
    done = await letta(lambda c: c.templates.update("waiter", agent_file_json=file))
    assert done.success
    saved = await letta(lambda c: c.templates.save("waiter", message="m", migrate_agents=True))
    assert saved.latest_version == "2"
    one = await letta(lambda c: c.agents.retrieve(agent_id))
    assert (one.system, one.tools, one.template_id) == ("Be brief.", [], f"{made.id}:2")
    assert await values(letta, agent_id) == {"human": "Bo likes tea", "rules": "x", "news": "z"}
    await letta(
        lambda c: c.templates.save(
            "waiter",
            migrate_agents=True,
            preserve_core_memories_on_migration=False,
            block_reconciliation_strategy="reconcile-all",
        )
    )
    assert await values(letta, agent_id) == {"rules": "y", "news": "z"}

    changed = {**file, "blocks": [{**one, "value": "new"} for one in file["blocks"]]}
    await letta(lambda c: c.templates.update("waiter", agent_file_json=changed))
    done = await letta(lambda c: c.templates.rollback("waiter", version="1"))
    assert done.success
    saved = await letta(lambda c: c.templates.save("waiter"))
    assert saved.latest_version == "5"  # 4 is what wasn't saved before the rollback
    [other] = (await letta(lambda c: c.templates.agents.create("waiter:4"))).agent_ids
    assert await values(letta, other) == {"rules": "new", "news": "new"}
    assert (await letta(lambda c: c.templates.delete("waiter"))).success
    assert (await letta(lambda c: c.agents.retrieve(agent_id))).id == agent_id


async def test_a_template_is_made_of_an_agent_file(letta: Driver) -> None:
    agent = await letta(lambda c: c.agents.create(name="Yi", include_base_tools=False))
    file = json.loads(await letta(lambda c: c.agents.export_file(agent.id)))
    made = await letta(
        lambda c: c.templates.create(
            type="agent_file", agent_file=file, name="t", update_existing_tools=True
        )
    )
    assert made.latest_version == "1"
    for kind, method in (
        (letta_client.ConflictError,
         lambda c: c.templates.create(type="agent_file", agent_file=file, name="t")),
        (letta_client.UnprocessableEntityError,
         lambda c: c.templates.create(type="agent_file", agent_file={"agents": 3}, name="u")),
        (letta_client.UnprocessableEntityError,
         lambda c: c.templates.create(type="agent_file", agent_file=file, name="a/b")),
        (letta_client.UnprocessableEntityError,
         lambda c: c.templates.create(type="agent", agent_id=None)),
        (letta_client.UnprocessableEntityError,
         lambda c: c.agents.create(from_template="t", tools=["x"])),
        (letta_client.NotFoundError, lambda c: c.templates.agents.create("t:7")),
        (letta_client.NotFoundError, lambda c: c.templates.agents.create("t:new")),
        (letta_client.NotFoundError, lambda c: c.templates.rollback("t", version="3")),
        (letta_client.NotFoundError, lambda c: c.agents.create(from_template="none:1")),
        (letta_client.NotFoundError, lambda c: c.templates.delete("none")),
    ):  # fmt: skip
        await letta.fails(kind, method)
