"""/v1/tools and /v1/models, spoken to with the real client."""

from typing import Any

import httpx
import letta_client
from fastapi import FastAPI

from tests.fixtures.letta import Driver
from yiku.client.transport import InProcessTransport

ROLL = '''
def roll_dice(sides: int = 6) -> int:
    """Roll dice.

    Args:
        sides: How many sides they have.
    """
    print("rolling")
    return sides
'''
SCHEMA: dict[str, Any] = {
    "name": "open_door",
    "description": "Open a door.",
    "parameters": {
        "type": "object",
        "properties": {"door": {"type": "string", "description": "Which."}},
        "required": ["door"],
    },
}
TOLD = {
    "description": "掷骰子",
    "tags": ["game"],
    "return_char_limit": 100,
    "default_requires_approval": True,
    "enable_parallel_execution": True,
    "pip_requirements": [{"name": "numpy", "version": "2.1"}],
    "npm_requirements": [{"name": "left-pad"}],
}


async def test_a_tool_is_created_read_changed_and_deleted(letta: Driver) -> None:
    made = await letta(lambda c: c.tools.create(source_code=ROLL, **TOLD))
    assert made.id.startswith("tool-")
    assert (made.name, made.tool_type, made.source_type) == ("roll_dice", "custom", "python")
    assert made.source_code == ROLL
    assert made.json_schema["parameters"]["properties"]["sides"]["type"] == "integer"
    kept = {name: getattr(made, name) for name in TOLD}
    kept["pip_requirements"] = [one.model_dump() for one in made.pip_requirements]
    kept["npm_requirements"] = [one.model_dump(exclude_none=True) for one in made.npm_requirements]
    assert kept == TOLD
    assert await letta(lambda c: c.tools.retrieve(made.id)) == made

    changed = await letta(
        lambda c: c.tools.update(made.id, description="Roll", tags=[], metadata={"k": 1})
    )
    assert (changed.description, changed.tags) == ("Roll", [])
    assert changed.metadata == {"k": 1}
    assert await letta(lambda c: c.tools.update(made.id, description=None)) == changed

    await letta.fails(letta_client.ConflictError, lambda c: c.tools.create(source_code=ROLL))
    doubled = ROLL.replace("return sides", "return sides * 2")
    again = await letta(lambda c: c.tools.upsert(source_code=doubled))
    assert (again.id, again.source_code) == (made.id, doubled)

    assert await letta(lambda c: c.tools.delete(made.id)) is None
    for method in (
        lambda c: c.tools.retrieve(made.id),
        lambda c: c.tools.update(made.id, description="x"),
        lambda c: c.tools.delete(made.id),
        lambda c: c.tools.list(after=made.id),
        lambda c: c.tools.retrieve("tool-\0"),
    ):
        await letta.fails(letta_client.NotFoundError, method)


async def test_a_tool_of_a_schema_alone_is_the_clients_to_run(letta: Driver) -> None:
    made = await letta(
        lambda c: c.tools.create(source_code="", source_type="json", json_schema=SCHEMA)
    )
    assert (made.name, made.source_type, made.source_code) == ("open_door", "json", None)
    assert made.json_schema == SCHEMA
    agent = await letta(lambda c: c.agents.create(tools=["open_door"], include_base_tools=False))
    assert [one.id for one in agent.tools] == [made.id]
    error = await letta.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.tools.run("open_door", agent_id=agent.id, args={"door": "x"}),
    )
    assert "client" in str(error.body["detail"])


async def test_tools_are_listed_counted_and_searched(letta: Driver) -> None:
    names: list[str] = []
    for n in range(3):
        names.append(f"tool_{n}")
        await letta(
            lambda c, n=n: c.tools.create(source_code=ROLL.replace("roll_dice", f"tool_{n}"))
        )

    async def listed(**params: Any) -> list[str]:
        return [one.name for one in await letta.all(lambda c: c.tools.list(**params))]

    assert await listed(tool_types=["custom"]) == names[::-1]
    assert await listed(tool_types=["custom"], order="asc", limit=1) == names
    assert await listed(search="TOOL_", order="asc") == names
    assert await listed(name="tool_1") == ["tool_1"]
    assert await listed(names=["tool_1", "tool_2"], order="asc") == names[1:]
    ours = await listed(return_only_letta_tools=True)
    assert {"memory_insert", "archival_memory_search", "run_code"} <= set(ours)
    assert not set(ours) & set(names)
    assert set(await listed(exclude_tool_types=["custom"])) == set(ours)
    assert await listed(tool_types=["custom,letta_builtin"], name="run_code") == ["run_code"]
    one = (await letta(lambda c: c.tools.list(name="tool_0"))).items[0]
    assert await listed(tool_ids=[one.id]) == ["tool_0"]

    hits = await letta(lambda c: c.tools.search(query="dice", tool_types=["custom"], limit=2))
    assert len(hits) == 2
    assert 0 < hits[0].combined_score <= 1
    assert await letta(lambda c: c.tools.search(query="zebra", tool_types=["custom"])) == []
    assert await letta(lambda c: c.tools.search(tags=["nobody's"])) == []

    inside = ours[0]
    own = (await letta(lambda c: c.tools.list(name=inside))).items[0]
    for method in (
        lambda c: c.tools.update(own.id, description="x"),
        lambda c: c.tools.delete(own.id),
        lambda c: c.tools.upsert(source_code=ROLL.replace("roll_dice", inside)),
    ):
        await letta.fails(letta_client.UnprocessableEntityError, method)


async def test_what_is_wrong_is_said_with_the_field(letta: Driver) -> None:
    made = await letta(lambda c: c.tools.create(source_code=ROLL))
    wrong: list[tuple[str | None, Any]] = [
        ("source_code", lambda c: c.tools.create(source_code="")),
        (None, lambda c: c.tools.create(source_code="def f(: pass")),
        ("source_type", lambda c: c.tools.create(source_code="x", source_type="typescript")),
        ("return_char_limit", lambda c: c.tools.update(made.id, return_char_limit=0)),
        ("source_code", lambda c: c.tools.update(made.id, source_code="\0")),
        ("tool_types", lambda c: c.tools.list(tool_types=["robots"])),
        ("names", lambda c: c.tools.list(names=["\0"])),
        ("search", lambda c: c.tools.list(search="\0")),
        ("limit", lambda c: c.tools.search(limit=0)),
        ("pip_requirements", lambda c: c.tools.create(
            source_code=ROLL, pip_requirements=[{"name": "a b"}])),
        ("colour", lambda c: c.tools.update(made.id, extra_body={"colour": "red"})),
    ]  # fmt: skip
    for field, method in wrong:
        error = await letta.fails(letta_client.UnprocessableEntityError, method)
        if field is not None:
            assert error.body["detail"][0]["loc"][-1] == field


async def test_models_are_listed(letta: Driver) -> None:
    found = await letta(lambda c: c.models.list())
    assert found[-1].handle == "yiku/offline"
    assert found[-1].context_window == found[-1].max_context_window > 0
    assert await letta(lambda c: c.models.list(provider_category=["byok"])) == []
    named = await letta(lambda c: c.models.list(provider_name="yiku"))
    assert [one.handle for one in named] == ["yiku/offline"]
    [vectors] = await letta(lambda c: c.models.embeddings.list())
    assert vectors.handle == "local/all-minilm-l6-v2"
    assert (vectors.embedding_dim, vectors.provider_name) == (384, "local")


async def test_what_an_upsert_does_not_say_stays(letta: Driver) -> None:
    """Above all that a person must allow its calls."""
    made = await letta(lambda c: c.tools.upsert(source_code=ROLL, **TOLD))
    doubled = ROLL.replace("return sides", "return sides * 2")
    again = await letta(lambda c: c.tools.upsert(source_code=doubled, return_char_limit=200))
    assert (again.id, again.source_code) == (made.id, doubled)
    assert (again.default_requires_approval, again.enable_parallel_execution) == (True, True)
    assert (again.tags, again.return_char_limit) == (["game"], 200)
    assert again.pip_requirements == made.pip_requirements
    less = await letta(lambda c: c.tools.upsert(source_code=doubled, tags=[]))
    assert less.tags == []


async def test_parameters_may_be_described_apart_from_the_code(letta: Driver) -> None:
    """As programs do that keep them as pydantic models: what is sent is the function alone."""
    source = (
        "def stock(entry: Entry, change):\n"
        '    """Change the stock."""\n'
        "    entry['seen'] = [one.sku for one in entry.items_]\n"
        "    return f'{entry.shop}: {entry.seen} {change}'\n"
    )
    item = {"type": "object", "properties": {"sku": {"type": "string"}}}
    entry = {"shop": {"type": "string"}, "items_": {"type": "array", "items": item}}
    described = {
        "type": "object",
        "properties": {"entry": {"$ref": "#/$defs/Entry"}, "change": {"type": "integer"}},
        "required": ["entry", "change"],
        "$defs": {"Entry": {"type": "object", "properties": entry}},
    }
    made = await letta(lambda c: c.tools.upsert(source_code=source, args_json_schema=described))
    assert (made.name, made.description) == ("stock", "Change the stock.")
    assert made.json_schema["parameters"] == described
    agent = await letta(lambda c: c.agents.create(tool_ids=[made.id]))
    given = {"entry": {"shop": "Yi", "items_": [{"sku": "a"}]}, "change": 3}
    ran = await letta(lambda c: c.agents.tools.run("stock", agent_id=agent.id, args=given))
    assert (ran.status, ran.func_return) == ("success", "Yi: ['a'] 3")

    await letta.fails(
        letta_client.UnprocessableEntityError, lambda c: c.tools.upsert(source_code=source)
    )


async def test_code_is_run_that_is_no_tool_yet(asgi: FastAPI) -> None:
    async with httpx.AsyncClient(
        transport=InProcessTransport(asgi), base_url="http://localhost"
    ) as http:
        ran = await http.post("/v1/tools/run", json={"source_code": ROLL, "args": {"sides": 20}})
        assert ran.status_code == 200, ran.text
        told = ran.json()
        assert (told["status"], told["tool_return"], told["stdout"]) == (
            "success",
            "20",
            ["rolling\n"],
        )
        failing = "def fail() -> str:\n    '''Fail.'''\n    raise ValueError('不行')\n"
        told = (await http.post("/v1/tools/run", json={"source_code": failing})).json()
        assert told["status"] == "error"
        assert "不行" in told["tool_return"]
        again = await http.post("/v1/tools/add-base-tools")
        assert "memory_insert" in [one["name"] for one in again.json()]
        assert (await http.get("/v1/tools/count?include_base_tools=false")).json() == 0
