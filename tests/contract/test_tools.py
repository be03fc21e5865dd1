"""Tools are made, found, changed and run alike on both databases."""

from dataclasses import replace
from typing import Any

import pytest

from yiku.app import App
from yiku.core.errors import InvalidTool, NotAllowed, SandboxUnavailable, ToolExists, ToolNotFound
from yiku.core.ids import ToolId
from yiku.core.tenant import LOCAL_ACTOR, Actor, Scope
from yiku.core.tool import (
    Code,
    Ran,
    Requirement,
    Returned,
    SourceType,
    Tool,
    ToolDraft,
    ToolFilter,
    ToolPage,
    ToolType,
)
from yiku.store import tenants
from yiku.store.database import Tx
from yiku.tools.registry import Toolbox, shown
from yiku.tools.sandbox import Limits, sandbox


def source(name: str, words: str = "Does it.") -> str:
    told = f'"""{words}\n\n    Args:\n        x: It\n    """'
    return f"def {name}(x: int = 1) -> int:\n    {told}\n    return x\n"


@pytest.fixture
def box(app: App) -> Toolbox:
    return app.tools


async def add(box: Toolbox, name: str, **more: Any) -> Tool:
    return await box.create(LOCAL_ACTOR, ToolDraft(source_code=source(name), **more))


async def names(box: Toolbox, wanted: ToolFilter | None = None, **page: Any) -> list[str]:
    found = await box.listed(LOCAL_ACTOR, wanted or ToolFilter(), ToolPage(**page))
    return [one.name for one in found]


async def test_a_tool_is_kept_as_it_was_made(box: Toolbox) -> None:
    made = await add(
        box,
        "roll",
        tags=("dice", "fun", "dice"),
        pip_requirements=(Requirement(name="httpx", version="0.28.1"),),
        npm_requirements=(Requirement(name="@a/b"),),
        return_char_limit=100,
        enable_parallel_execution=True,
        default_requires_approval=True,
        metadata={"a": [1]},
    )
    kept = await box.get(LOCAL_ACTOR, made.id)
    assert kept == made
    assert made.id.startswith("tool-")
    assert (made.name, made.description, made.tags) == ("roll", "Does it.", ("dice", "fun"))
    assert made.json_schema["parameters"]["properties"]["x"]["type"] == "integer"
    assert await box.named(LOCAL_ACTOR, "roll") == made
    assert await box.named(LOCAL_ACTOR, made.id) == made


async def test_a_name_is_given_once_and_upsert_replaces(box: Toolbox) -> None:
    made = await add(box, "roll")
    with pytest.raises(ToolExists, match="already a tool 'roll'"):
        await add(box, "roll")
    again = await box.upsert(LOCAL_ACTOR, ToolDraft(source_code=source("roll", "Anew.")))
    assert (again.id, again.description, again.created_at) == (made.id, "Anew.", made.created_at)
    other = await box.upsert(LOCAL_ACTOR, ToolDraft(source_code=source("other")))
    assert await names(box) == ["roll", "other"]
    assert other.id != made.id


async def test_lists_are_filtered(box: Toolbox) -> None:
    one = await add(box, "roll_dice")
    await add(box, "roll_out")
    await add(box, "per_cent", tool_type=ToolType.MCP)
    assert await names(box, ToolFilter(name_has="ROLL")) == ["roll_dice", "roll_out"]
    assert await names(box, ToolFilter(name_has="r%c")) == []
    assert await names(box, ToolFilter(names=["per_cent", "nothing"])) == ["per_cent"]
    assert await names(box, ToolFilter(ids=[one.id])) == ["roll_dice"]
    assert await names(box, ToolFilter(types=[ToolType.MCP])) == ["per_cent"]
    assert await names(box, ToolFilter(excluded_types=[ToolType.CUSTOM])) == ["per_cent"]
    assert await names(box, ToolFilter(names=[])) == []


async def test_pages_go_both_ways_and_miss_nothing(box: Toolbox) -> None:
    made = [await add(box, f"t{n}") for n in range(5)]
    assert await names(box, limit=2) == ["t0", "t1"]
    assert await names(box, limit=2, after=made[1].id) == ["t2", "t3"]
    assert await names(box, limit=2, before=made[3].id) == ["t1", "t2"]
    assert await names(box, limit=2, newest_first=True) == ["t4", "t3"]
    assert await names(box, limit=2, newest_first=True, after=made[3].id) == ["t2", "t1"]
    assert await names(box, limit=2, newest_first=True, before=made[1].id) == ["t3", "t2"]
    assert await names(box, after=made[0].id, before=made[3].id) == ["t1", "t2"]
    with pytest.raises(ToolNotFound, match="to page from"):
        await names(box, after=ToolId("tool-x"))


async def test_words_find_tools_by_name_first(box: Toolbox) -> None:
    await add(box, "roll_dice", tags=("games",))
    await box.create(LOCAL_ACTOR, ToolDraft(source_code=source("chance", "Roll for it. 天气预报")))

    async def found(query: str, **more: Any) -> list[str]:
        hits = await box.search(LOCAL_ACTOR, query, ToolFilter(), **more)
        return [hit.tool.name for hit in hits]

    assert await found("rolling") == ["roll_dice", "chance"]
    assert await found("天气") == ["chance"]
    assert await found("games") == ["roll_dice"]
    assert await found("", tags=["games"]) == ["roll_dice"]
    assert await found("nothing of this") == []
    assert len(await found("", limit=1)) == 1


async def test_an_update_reads_a_new_source_anew(box: Toolbox) -> None:
    made = await add(box, "roll", tags=("a",))
    changed = await box.update(
        LOCAL_ACTOR, made.id, {"source_code": source("throw", "Throws."), "tags": ("b",)}
    )
    assert (changed.id, changed.name, changed.description) == (made.id, "throw", "Throws.")
    assert (changed.tags, changed.created_at) == (("b",), made.created_at)
    told = await box.update(LOCAL_ACTOR, made.id, {"description": "Mine."})
    assert (told.json_schema["description"], told.tags) == ("Mine.", ("b",))
    await add(box, "roll")
    with pytest.raises(ToolExists):
        await box.update(LOCAL_ACTOR, made.id, {"source_code": source("roll")})
    with pytest.raises(InvalidTool, match="tool_type"):
        await box.update(LOCAL_ACTOR, made.id, {"tool_type": ToolType.MCP})
    assert await box.get(LOCAL_ACTOR, made.id) == told


async def test_yikus_own_tools_are_not_changed(box: Toolbox) -> None:
    made = await add(box, "core", tool_type=ToolType.CORE)
    with pytest.raises(InvalidTool, match="Yiku's own"):
        await box.update(LOCAL_ACTOR, made.id, {"tags": ("x",)})
    with pytest.raises(InvalidTool, match="Yiku's own"):
        await box.upsert(LOCAL_ACTOR, ToolDraft(source_code=source("core")))


async def test_a_deleted_tool_is_gone(box: Toolbox) -> None:
    made = await add(box, "roll")
    await box.delete(LOCAL_ACTOR, made.id)
    with pytest.raises(ToolNotFound):
        await box.get(LOCAL_ACTOR, made.id)
    with pytest.raises(ToolNotFound):
        await box.delete(LOCAL_ACTOR, made.id)
    await add(box, "roll")


async def test_a_tool_the_client_runs_has_a_schema_only(box: Toolbox) -> None:
    draft = ToolDraft(
        source_type=SourceType.JSON,
        json_schema={"name": "ask", "description": "Asks."},
        args_json_schema={"properties": {"q": {"type": "string"}}, "required": ["q"]},
    )
    made = await box.create(LOCAL_ACTOR, draft)
    assert made.json_schema["parameters"]["required"] == ["q"]
    with pytest.raises(InvalidTool, match="the client runs it"):
        await box.run(LOCAL_ACTOR, made, {"q": "x"})


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ({"source_code": ""}, "needs its `source_code`"),
        ({"source_code": "x = '\ud800'"}, "half a character"),
        ({"description": "\0"}, "NUL"),
        ({"return_char_limit": 0}, "return_char_limit"),
        ({"json_schema": {"name": "other"}}, "no function 'other'"),
        ({"pip_requirements": (Requirement(name="--index-url=x"),)}, "no package's name"),
        ({"pip_requirements": (Requirement(name="a", version="1; x"),)}, "no version"),
        ({"source_type": SourceType.JSON}, "json_schema"),
        ({"args_json_schema": {"type": "array"}}, "parameters"),
    ],
)
async def test_what_cannot_be_a_tool_is_refused(
    box: Toolbox, more: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidTool, match=complaint):
        await box.create(LOCAL_ACTOR, ToolDraft(**{"source_code": source("f"), **more}))
    assert await names(box) == []


async def test_another_organization_sees_and_changes_nothing(box: Toolbox) -> None:
    def unit(tx: Tx) -> Actor:
        organization = tenants.add_organization(tx, "second")
        user = tenants.add_user(tx, organization.id, "bo")
        return Actor(organization_id=organization.id, user_id=user.id, scope=Scope.ADMIN)

    stranger = await box.database.write(LOCAL_ACTOR, unit)
    made = await add(box, "roll")
    assert await box.listed(stranger, ToolFilter(), ToolPage()) == []
    assert await box.search(stranger, "roll", ToolFilter()) == []
    with pytest.raises(ToolNotFound):
        await box.get(stranger, made.id)
    with pytest.raises(ToolNotFound):
        await box.update(stranger, made.id, {"tags": ("x",)})
    with pytest.raises(ToolNotFound):
        await box.delete(stranger, made.id)
    theirs = await box.upsert(stranger, ToolDraft(source_code=source("roll", "Theirs.")))
    assert theirs.id != made.id
    assert await box.get(LOCAL_ACTOR, made.id) == made


class Recorder:
    """A sandbox that runs nothing."""

    def __init__(self) -> None:
        self.codes: list[Code] = []

    async def run(self, code: Code) -> Ran:
        self.codes.append(code)
        return Ran(outcome=Returned(value="x" * 50), stdout="", stderr="", took_s=0)

    def close(self) -> None: ...


async def test_a_run_is_checked_before_the_sandbox_is_asked(box: Toolbox) -> None:
    made = await add(box, "roll", return_char_limit=10)
    asked = Recorder()
    safe = replace(box, sandbox=asked)
    with pytest.raises(InvalidTool, match="no parameter `y`; it takes `x`"):
        await safe.run(LOCAL_ACTOR, made, {"y": 1})
    with pytest.raises(InvalidTool, match="environment variable"):
        await safe.run(LOCAL_ACTOR, made, {}, {"A=B": ""})
    with pytest.raises(NotAllowed):
        await safe.run(replace(LOCAL_ACTOR, scope=Scope.READ), made, {})
    needy = replace(made, pip_requirements=(Requirement(name="httpx"),))
    with pytest.raises(InvalidTool, match="needs httpx"):
        await replace(safe, packages=None).run(LOCAL_ACTOR, needy, {})
    assert asked.codes == []
    ran = await safe.run(LOCAL_ACTOR, made, {"x": 2}, {"KEY": "v"})
    assert (asked.codes[0].function, asked.codes[0].environment) == ("roll", {"KEY": "v"})
    assert shown(made, ran) == "xxxxxxxxxx… (cut: 50 characters, 10 are shown)"


async def test_tools_switched_off_are_refused(box: Toolbox) -> None:
    made = await add(box, "roll")
    with pytest.raises(SandboxUnavailable, match="YIKU_SANDBOX=off"):
        await replace(box, sandbox=sandbox("off", Limits())).run(LOCAL_ACTOR, made, {})
