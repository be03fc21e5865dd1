"""Tools of our own that edit core memory, and how calls are planned and carried out."""

import re
from dataclasses import replace

import pytest

from tests.fixtures.desks import a_block, a_desk, call, called, one_call, own_tools, with_secrets
from yiku.app import App
from yiku.core.block import Block
from yiku.core.errors import InvalidTool
from yiku.core.message import ToolCall
from yiku.core.model import ToolSpec
from yiku.core.tenant import LOCAL_ACTOR
from yiku.core.tool import SourceType, Tool, ToolDraft, ToolType
from yiku.memory import blocks
from yiku.store.database import Tx
from yiku.tools import executor, own_rows
from yiku.tools.own import OWN, told


async def now(app: App, block: Block) -> Block:
    return await blocks.get(app.database, LOCAL_ACTOR, block.id)


async def test_our_tools_have_rows_once_and_follow_the_code(app: App) -> None:
    first = await own_tools(app)
    assert {one.name for one in first} == set(OWN)
    assert await own_tools(app) == first
    types = {one.name: one.tool_type for one in first}
    assert types["core_memory_append"] is ToolType.MEMORY
    assert types["memory_insert"] is ToolType.SLEEPTIME
    assert types["send_message"] is ToolType.CORE
    assert types["run_code"] is ToolType.BUILTIN

    def age(tx: Tx) -> None:
        old = replace(first[0], description="old", json_schema={"name": "x", "parameters": {}})
        own_rows.tools.put(tx, first[0], replace(old, name=first[0].name))

    await app.database.write(LOCAL_ACTOR, age)
    again = {one.name: one for one in await own_tools(app)}[first[0].name]
    assert again.description == first[0].description
    assert again.json_schema == first[0].json_schema
    assert (again.id, again.created_at) == (first[0].id, first[0].created_at)


async def test_our_tools_are_not_changed_or_deleted_and_a_users_name_stays_theirs(app: App) -> None:
    source = 'def run_code() -> str:\n    """Mine."""\n    return ""\n'
    mine = await app.tools.create(LOCAL_ACTOR, ToolDraft(source_code=source))
    there = {one.name: one for one in await own_tools(app)}
    assert there["run_code"] == mine
    ours = there["memory_insert"]
    with pytest.raises(InvalidTool, match="it stays"):
        await app.tools.delete(LOCAL_ACTOR, ours.id)
    with pytest.raises(InvalidTool, match="it stays"):
        await app.tools.update(LOCAL_ACTOR, ours.id, {"description": "x"})
    assert ours in await own_tools(app)
    await app.tools.delete(LOCAL_ACTOR, mine.id)
    assert {one.name: one for one in await own_tools(app)}["run_code"].tool_type.ours


async def test_models_are_told_of_our_tools_in_their_language(app: App) -> None:
    tool = next(one for one in await own_tools(app) if one.name == "memory_replace")
    english, chinese = told(tool), told(tool, "zh")
    assert english.description == tool.description
    assert "记忆块" in chinese.description
    properties = chinese.parameters["properties"]
    assert list(properties) == ["label", "old_str", "new_str"]
    assert properties["label"] == {"type": "string", "description": "记忆块的标签。"}
    assert english.parameters == tool.json_schema["parameters"]


EDITS = [
    ("core_memory_append", {"content": "coffee"}, "tea\n茶\ncoffee"),
    ("core_memory_replace", {"old_content": "茶", "new_content": "水"}, "tea\n水"),
    ("core_memory_update", {"content": "coffee"}, "coffee"),
    ("memory_insert", {"new_str": "a", "insert_line": 0}, "a\ntea\n茶"),
    ("memory_insert", {"new_str": "a"}, "tea\n茶\na"),
    ("memory_replace", {"old_str": "tea\n", "new_str": ""}, "茶"),
    ("memory_rethink", {"new_memory": "all\nnew"}, "all\nnew"),
]


@pytest.mark.parametrize(("name", "arguments", "value"), EDITS)
async def test_an_edit_is_made_kept_with_its_step_and_shown(
    app: App, name: str, arguments: dict[str, object], value: str
) -> None:
    block = await a_block(app, value="tea\n茶")
    desk = await a_desk(app, block)
    answer = await one_call(app, desk, name, label="human", **arguments)
    assert answer.ok, answer.text
    assert (await now(app, block)).value == value
    assert value in answer.text
    assert f"{len(value):,} of 100,000 characters" in answer.text
    _, versions = await blocks.history(app.database, LOCAL_ACTOR, block.id)
    assert (versions[0].step_id, versions[0].reason) == (desk.step_id, name)


REFUSED = [
    ("memory_replace", {"old_str": "a", "new_str": "b"}, "stands 2 times"),
    ("memory_replace", {"old_str": "x", "new_str": "b"}, "does not stand in block"),
    ("memory_replace", {"old_str": "1→ a", "new_str": "b"}, "line number"),
    ("memory_insert", {"new_str": "b", "insert_line": 9}, "has lines 1 to 2"),
    ("memory_insert", {"insert_line": 1}, "needs `new_str`"),
    ("core_memory_append", {"content": "x" * 50}, "its limit is 20"),
    ("core_memory_append", {"content": "\0"}, "NUL"),
    ("memory_rethink", {"new_memory": 5}, "must be a string"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), REFUSED)
async def test_a_refusal_tells_what_to_do_and_changes_nothing(
    app: App, name: str, arguments: dict[str, object], words: str
) -> None:
    block = await a_block(app, value="a\na", limit=20)
    answer = await one_call(app, await a_desk(app, block), name, label="human", **arguments)
    assert not answer.ok
    assert words in answer.text
    assert await now(app, block) == block


REFUSED_IN_CHINESE = [
    ("memory_replace", {"old_str": "a", "new_str": "b"}, "出现了 2 次"),
    ("memory_replace", {"old_str": "x", "new_str": "b"}, "必须与块中完全一致"),
    ("memory_replace", {"old_str": "1→ a", "new_str": "b"}, "行号"),
    ("memory_insert", {"new_str": "b", "insert_line": 9}, "有第 1 至 2 行"),
    ("memory_insert", {"insert_line": 1}, "缺少 `new_str`"),
    ("core_memory_append", {"content": "x" * 50}, "上限是 20"),
    ("core_memory_append", {"content": "\0"}, "空字符"),
    ("memory_rethink", {"new_memory": 5}, "应为字符串"),
    ("forget_all", {}, "你没有名为 'forget_all' 的工具"),
]


@pytest.mark.parametrize(("name", "arguments", "words"), REFUSED_IN_CHINESE)
async def test_a_chinese_agent_is_refused_in_chinese(
    app: App, name: str, arguments: dict[str, object], words: str
) -> None:
    block = await a_block(app, value="a\na", limit=20)
    desk = replace(await a_desk(app, block), language="zh")
    answer = await one_call(app, desk, name, label="human", **arguments)
    assert not answer.ok
    assert words in answer.text
    assert not re.search("[a-z]{3,} [a-z]{3,}", answer.text)  # no English words


async def test_a_chinese_agent_is_told_in_chinese_what_its_edits_did(app: App) -> None:
    block = await a_block(app, value="喝茶")
    desk = replace(await a_desk(app, block), language="zh")
    edits = [
        call("core_memory_append", label="human", content="住在上海"),
        call("core_memory_update", label="human", content="喝茶\n住在上海"),
        call("memory", command="create", path="/memories/笔记", file_text=""),
        call("memory", command="rename", old_path="/memories/笔记", new_path="/memories/日记"),
        call("memory", command="delete", path="/memories/日记"),
        call("memory", command="delete", path="/memories/日记"),
        call("memory_finish_edits"),
    ]
    assert [one.text for one in await called(app, desk, *edits)] == [
        "记忆块 'human' 已修改（7 / 100,000 个字符）。第 1 至 2 行现在是：\n喝茶\n住在上海",
        "记忆块 'human' 已经是这样，没有改动。",
        "已新建记忆块 '笔记'（0 / 100,000 个字符）。",
        "记忆块 '笔记' 现在名为 '日记'。说明：无",
        "你已不再有记忆块 '日记'。",
        "你没有记忆块 '日记'。你的记忆块：human。",
        "编辑已完成。",
    ]


async def test_a_chinese_agent_sees_in_chinese_what_somebody_else_has_changed(app: App) -> None:
    block = await a_block(app, value="喝茶")
    desk = replace(await a_desk(app, block), language="zh")
    await blocks.update(app.database, LOCAL_ACTOR, block.id, {"value": "喝咖啡"})
    answer = await one_call(app, desk, "core_memory_append", label="human", content="x")
    assert answer.text == (
        "没有改动：记忆块 'human' 在显示给你之后被别人改过（当时是版本 1，现在是 2）。\n"
        "删去的内容：\n喝茶\n加入的内容：\n喝咖啡\n请在现有内容的基础上重新编辑：\n喝咖啡"
    )


async def test_a_read_only_block_and_an_unknown_one_are_refused(app: App) -> None:
    block = await a_block(app, "policy", read_only=True)
    desk = await a_desk(app, block)
    answer = await one_call(app, desk, "core_memory_append", label="policy", content="x")
    assert not answer.ok
    assert "read-only" in answer.text
    answer = await one_call(app, desk, "core_memory_append", label="human", content="x")
    assert not answer.ok
    assert answer.text == "You have no block 'human'. Your blocks: policy."
    assert await now(app, block) == block


async def test_edits_of_one_step_build_on_each_other(app: App) -> None:
    block = await a_block(app, value="one")
    desk = await a_desk(app, block)
    answers = await called(
        app,
        desk,
        call("core_memory_append", label="human", content="two"),
        call("memory_replace", label="human", old_str="nowhere", new_str="x"),
        call("memory_replace", label="human", old_str="two", new_str="three"),
        call("memory_finish_edits"),
    )
    assert [one.ok for one in answers] == [True, False, True, True]
    assert (await now(app, block)).value == "one\nthree"
    assert desk.blocks == {}


async def test_a_block_that_somebody_else_changed_is_not_edited_and_the_model_sees_it(
    app: App,
) -> None:
    block = await a_block(app, value="name: Ann\nlikes: tea\ncity: 北京")
    desk, other = await a_desk(app, block), await a_desk(app, block)
    done = await one_call(
        app, other, "memory_replace", label="human", old_str="tea", new_str="coffee"
    )
    assert done.ok
    answers = await called(
        app,
        desk,
        call("memory_replace", label="human", old_str="tea", new_str="milk"),
        call("core_memory_append", label="human", content="x"),
    )
    assert [one.ok for one in answers] == [False, False]
    text = answers[0].text
    assert "somebody else has changed block 'human'" in text
    assert "Taken out:\nlikes: tea\nPut in:\nlikes: coffee\n" in text
    assert text.endswith("name: Ann\nlikes: coffee\ncity: 北京")
    assert "北京" not in text.split("Make your edit again")[0]
    assert (await now(app, block)).value == "name: Ann\nlikes: coffee\ncity: 北京"


async def test_a_block_that_was_deleted_meanwhile_is_told(app: App) -> None:
    block = await a_block(app)
    desk = await a_desk(app, block)
    await blocks.delete(app.database, LOCAL_ACTOR, block.id)
    answer = await one_call(app, desk, "memory_rethink", label="human", new_memory="x")
    assert not answer.ok
    assert "somebody has deleted block 'human'" in answer.text


async def test_saying_the_same_again_changes_nothing(app: App) -> None:
    block = await a_block(app)
    desk = await a_desk(app, block)
    answer = await one_call(app, desk, "memory_rethink", label="human", new_memory="tea")
    assert answer.ok
    assert "says this already" in answer.text
    assert await now(app, block) == block


async def test_voice_agents_rewrite_what_is_known_of_the_user(app: App) -> None:
    block = await a_block(app)
    desk = await a_desk(app, block)
    answer = await one_call(app, desk, "rethink_user_memory", new_memory="Ann drinks tea")
    assert answer.ok
    assert (await now(app, block)).value == "Ann drinks tea"


async def custom(app: App, source: str, **more: object) -> Tool:
    return await app.tools.create(LOCAL_ACTOR, ToolDraft(source_code=source, **more))


ENVIRONMENT = '''
import os, sys
def seen(name: str) -> dict:
    """Tell.

    Args:
        name: Whose
    """
    print("out", name)
    print("err", file=sys.stderr)
    return {"name": name, "key": os.environ["YIKU_IDEMPOTENCY_KEY"], "secret": os.environ["TOKEN"]}
'''


async def test_a_custom_tool_sees_secrets_and_key_and_what_it_prints_is_kept(app: App) -> None:
    tool = await custom(app, ENVIRONMENT)
    desk = with_secrets(await a_desk(app, extra=[tool]), TOKEN="s")
    made = call("seen", name="茶")
    [answer] = await called(app, desk, made)
    assert answer.ok, answer.text
    expected = f'{{"name": "茶", "key": "{desk.run_id}:1:{made.id}", "secret": "s"}}'
    assert answer.text == expected
    assert (answer.stdout, answer.stderr) == (("out 茶\n",), ("err\n",))


async def test_a_custom_tools_failures_and_long_answers_are_told(app: App) -> None:
    broken = 'def bad(x: int):\n    """B.\n\n    Args:\n        x: X\n    """\n    return 1 // x\n'
    long = 'def long() -> str:\n    """L."""\n    return "字" * 100\n'
    none = 'def none() -> None:\n    """N."""\n'
    extra = [
        await custom(app, broken),
        await custom(app, long, return_char_limit=10),
        await custom(app, none),
    ]
    desk = await a_desk(app, extra=extra)
    bad, cut, nothing, odd = await called(
        app, desk, call("bad", x=0), call("long"), call("none"), call("bad", x="many")
    )
    assert not bad.ok
    assert "`bad` failed: Traceback" in bad.text
    assert "ZeroDivisionError" in bad.text
    assert cut.ok
    assert cut.text == "字" * 10 + "… (cut: 100 characters, 10 are shown)"
    assert (nothing.ok, nothing.text) == (True, "None")
    assert not odd.ok
    assert '`x` must be an integer, not a string ("many")' in odd.text


SLEEPS = '''
import time
def {name}() -> float:
    """Sleep."""
    began = time.time()
    time.sleep({seconds})
    return [began, time.time()]
'''


@pytest.mark.parametrize("together", [True, False])
async def test_calls_run_side_by_side_where_every_tool_allows_it(app: App, together: bool) -> None:
    seconds = 2.0 if together else 0.1  # so that two that begin together are at it together
    a, b = (SLEEPS.format(name=name, seconds=seconds) for name in "ab")
    first = await custom(app, a, enable_parallel_execution=True)
    second = await custom(app, b, enable_parallel_execution=together)
    desk = await a_desk(app, extra=[first, second])
    answers = await called(app, desk, call("a"), call("b"))
    assert [one.name for one in answers] == ["a", "b"]
    (began_a, ended_a), (began_b, ended_b) = (eval(one.text) for one in answers)
    overlap = min(ended_a, ended_b) - max(began_a, began_b)
    assert (overlap > 0) == together


async def test_calls_are_planned_by_whose_tool_it_is(app: App) -> None:
    schema = {"name": "door", "description": "D", "parameters": {"type": "object"}}
    theirs = await app.tools.create(
        LOCAL_ACTOR, ToolDraft(source_type=SourceType.JSON, json_schema=schema)
    )
    desk = await a_desk(app, await a_block(app), extra=[theirs])
    client = ToolSpec(name="beep", description="B", parameters={"type": "object"})

    def plan(name: str, arguments: str = "{}") -> executor.Planned:
        made = ToolCall(id="1", name=name, arguments=arguments)
        return executor.plan(desk.state, [client], made)

    assert isinstance(plan("door"), executor.Waits)
    assert isinstance(plan("beep"), executor.Waits)
    assert isinstance(plan("memory_finish_edits"), executor.Deed)
    assert isinstance(plan("run_code", '{"code": "1"}'), executor.Action)
    for refused, words in (
        (plan("nothing"), "You have no tool 'nothing'. Your tools: "),
        (plan("beep", "{"), "not valid JSON"),
        (plan("run_code"), "`run_code` needs `code`"),
    ):
        assert isinstance(refused, executor.Refused)
        assert not refused.answer.ok
        assert words in refused.answer.text


async def test_run_code_tells_what_it_prints_and_the_last_value(app: App) -> None:
    desk = with_secrets(await a_desk(app), TOKEN="secret")
    answer = await one_call(app, desk, "run_code", code="x = 6\nprint('你好')\nx * 7")
    assert (answer.ok, answer.text) == (True, "你好\n42")
    answer = await one_call(app, desk, "run_code", code="import os; sorted(os.environ)")
    assert answer.ok
    assert "TOKEN" not in answer.text
    answer = await one_call(app, desk, "run_code", code="print(1)\n1/0")
    assert not answer.ok
    assert answer.text.startswith('1\nTraceback (most recent call last):\n  File "<code>", line 2')
    assert "ZeroDivisionError" in answer.text
    answer = await one_call(app, desk, "run_code", code="x = 1")
    assert answer.text == "The code ran, and printed nothing."
    answer = await one_call(app, desk, "run_code", code="1", language="js")
    assert not answer.ok
    assert "runs Python only" in answer.text


async def test_web_search_says_that_there_is_none_and_pages_of_this_machine_are_not_fetched(
    app: App,
) -> None:
    desk = await a_desk(app)
    answer = await one_call(app, desk, "web_search", query="news")
    assert not answer.ok
    assert "no search provider is configured" in answer.text
    answer = await one_call(app, desk, "fetch_webpage", url="http://127.0.0.1:8283/v1/health")
    assert not answer.ok
    assert "only public ones are reached" in answer.text


async def test_a_bug_of_a_tool_is_an_answer_too(app: App) -> None:
    desk = await a_desk(app)

    async def broken(*_: object) -> str:
        raise KeyError("x")

    planned = executor.plan(desk.state, (), call("run_code", code="1"))
    assert isinstance(planned, executor.Action)
    answer = await executor.run_action(desk, replace(planned, work=broken))
    assert not answer.ok
    assert "an error of the server (KeyError)" in answer.text
