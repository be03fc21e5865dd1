"""Tools by which agents search what was said and use archival memory; and the tool `memory`."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.fixtures.desks import a_block, a_desk, call, called, desk_of, one_call
from tests.fixtures.roles import COOK, SOUP
from tests.fixtures.said import say
from yiku.app import App
from yiku.core.block import BlockFilter, BlockPage
from yiku.core.errors import BlockNotFound
from yiku.core.ids import ArchiveId
from yiku.core.memory import Draft, Passage
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import blocks, ingest
from yiku.memory.roles import manage
from yiku.store import agents, archives, passages
from yiku.store.database import Tx
from yiku.tools import executor
from yiku.tools.desk import Desk


async def test_conversation_search_tells_when_who_and_what(app: App) -> None:
    desk = await a_desk(app, timezone="Asia/Shanghai")
    await say(
        app,
        desk.agent_id,
        ("user", "I am allergic to peanuts"),
        ("assistant", "I will keep that in mind."),
        ("user", "下周去杭州\n出差"),
    )
    answer = await one_call(app, desk, "conversation_search", query="allergies", limit=1)
    assert answer.ok
    head, line, text = answer.text.split("\n")
    assert head.startswith("1 message, best first")
    assert head.endswith("times are Asia/Shanghai.")
    assert line.startswith("1. 2026-05-01 20:00 (Fri) · user · 0.")
    assert text == "   I am allergic to peanuts"
    answer = await one_call(app, desk, "conversation_search", query="出差去哪", roles=["user"])
    assert "   下周去杭州\n   出差" in answer.text
    assert "keep that in mind" not in answer.text
    days = {"start_date": "2026-05-02", "end_date": "2026-05-02"}
    answer = await one_call(app, desk, "conversation_search", **days)
    assert "1 message, newest first" in answer.text
    assert "   I will keep that in mind." in answer.text
    answer = await one_call(app, desk, "conversation_search", query="x", start_date="yesterday")
    assert not answer.ok
    assert "like 2026-05-07" in answer.text
    answer = await one_call(app, desk, "conversation_search", start_date="2030-01-01")
    assert (answer.ok, answer.text.startswith("No message was found")) == (True, True)


async def test_voice_agents_look_up_what_was_said_lately(app: App) -> None:
    desk = await a_desk(app)
    start = datetime.now(UTC) - timedelta(minutes=90)
    await say(
        app,
        desk.agent_id,
        ("user", "The train leaves at eight"),
        ("user", "The cat is hungry"),
        start=start,
        every=timedelta(minutes=60),
    )
    queries = {"convo_keyword_queries": ["train", "cat"]}
    answer = await one_call(app, desk, "search_memory", **queries)
    assert "2 messages" in answer.text
    answer = await one_call(app, desk, "search_memory", **queries, start_minutes_ago=45)
    assert "train" not in answer.text
    assert "The cat is hungry" in answer.text
    answer = await one_call(app, desk, "search_memory", end_minutes_ago=45)
    assert "The train leaves at eight" in answer.text
    assert "cat" not in answer.text
    for ever in (10**9, 10**30):
        answer = await one_call(app, desk, "search_memory", start_minutes_ago=ever)
        assert (answer.ok, "2 messages" in answer.text) == (True, True), answer.text
        answer = await one_call(app, desk, "search_memory", end_minutes_ago=ever)
        assert (answer.ok, "No message" in answer.text) == (True, True), answer.text


async def held(app: App, desk: Desk) -> tuple[ArchiveId, list[Passage]]:
    def unit(tx: Tx) -> tuple[ArchiveId, list[Passage]]:
        [archive_id] = agents.state(tx, desk.agent_id).archives
        return archive_id, passages.page(tx, archive_id, after=0, limit=100)

    return await app.database.read(LOCAL_ACTOR, unit)


async def test_an_archive_is_made_on_demand_and_goes_with_the_agent(app: App) -> None:
    desk = await a_desk(app)
    answer = await one_call(app, desk, "archival_memory_search", query="tea")
    assert answer.text.startswith("Nothing was found")
    answers = await called(
        app,
        desk,
        call("archival_memory_insert", content="Ann's sister lives in 杭州", tags=["family"]),
        call("archival_memory_insert", content="The router's password is on the fridge"),
        call("archival_memory_search", query="妹妹住在哪里"),
    )
    assert [one.ok for one in answers] == [True, True, True]
    assert answers[0].text == "Stored in archival memory."
    assert "· tags: family · 0." in answers[2].text
    assert "\n   Ann's sister lives in 杭州" in answers[2].text
    archive_id, there = await held(app, desk)
    assert [one.tags for one in there] == [("family",), ()]
    other = await a_desk(app)
    await one_call(app, other, "archival_memory_insert", content="Of another agent of this name")
    assert (await held(app, other))[0] != archive_id
    gone = await app.database.write(LOCAL_ACTOR, lambda tx: agents.remove(tx, desk.agent_id))
    assert archive_id in gone
    listed = await app.database.read(LOCAL_ACTOR, archives.list_all)
    assert [archive.name for archive, _ in listed] == [f"Ann {other.agent_id}"]


async def test_archival_search_minds_tags_times_and_number(app: App) -> None:
    there = await app.database.write(LOCAL_ACTOR, lambda tx: archives.create(tx, "", "shared"))
    at = datetime(2026, 5, 1, 20, tzinfo=UTC)
    drafts = [
        Draft(text="Green tea from Hangzhou", tags=("tea", "gift"), at=at),
        Draft(text="Black tea from Yunnan", tags=("tea",), at=at + timedelta(days=1)),
        Draft(text="A teapot as a gift", tags=("gift",), at=at + timedelta(days=2)),
    ]
    await ingest.add(app.memory, LOCAL_ACTOR, there.id, drafts)
    desk = await a_desk(app, archives=[there.id], timezone="Asia/Shanghai")

    async def found(**more: object) -> set[str]:
        answer = await one_call(app, desk, "archival_memory_search", query="tea", **more)
        assert answer.ok, answer.text
        return {one.text for one in drafts if one.text in answer.text}

    assert len(await found()) == 3
    assert len(await found(tags=["tea", "gift"])) == 3
    assert await found(tags=["tea", "gift"], tag_match_mode="all") == {drafts[0].text}
    assert await found(tags=["gift"]) == {drafts[0].text, drafts[2].text}
    assert len(await found(top_k=1)) == 1
    # 20:00 UTC is 4 o'clock of the next day in Shanghai.
    assert await found(end_datetime="2026-05-02") == {drafts[0].text}
    assert await found(start_datetime="2026-05-04T03:59") == {drafts[2].text}
    assert await found(start_datetime="2026-05-02T20:00Z", end_datetime="2026-05-02T20:00Z") == {
        drafts[1].text
    }


async def test_an_insert_that_is_made_again_stores_once(app: App) -> None:
    desk = await a_desk(app)
    made = call("archival_memory_insert", content="Tea. Tea. Tea.", tags=["a"])
    [first], [again] = await called(app, desk, made), await called(app, desk, made)
    assert (first.text, again.text) == ("Stored in archival memory.",) * 2
    _, there = await held(app, desk)
    assert len(there) == 1
    later = replace(desk, n=2)  # providers may number calls from 0 in each answer
    content = "Coffee, which is another matter entirely"
    other = replace(call("archival_memory_insert", content=content), id=made.id)
    await called(app, later, other)
    assert len((await held(app, desk))[1]) == 2


async def test_what_is_known_already_is_told(app: App) -> None:
    desk = await a_desk(app)
    text = "Ann is allergic to peanuts and hazelnuts"
    await one_call(app, desk, "archival_memory_insert", content=text)
    answer = await one_call(app, desk, "archival_memory_insert", content=text)
    assert answer.ok
    assert answer.text.startswith("This is in archival memory already, since ")
    assert answer.text.endswith(f"\n   {text}")


async def test_what_an_agent_with_roles_stores_is_routed(app: App) -> None:
    there = await app.database.write(LOCAL_ACTOR, lambda tx: archives.create(tx, "", "roles"))
    await manage.add(app.memory, LOCAL_ACTOR, there.id, [COOK])
    desk = await a_desk(app, archives=[there.id], role_memory=True)
    answer = await one_call(app, desk, "archival_memory_insert", content=SOUP)
    assert answer.text == "Stored in archival memory. It belongs to the role cook."


async def test_parts_of_a_conversation_are_stored_by_line(app: App) -> None:
    desk = await a_desk(app)
    shown = "The conversation:\n0. user: 我喜欢茶\n1. assistant: Noted.\n2. user: And jazz,\nlate."
    await say(app, desk.agent_id, ("user", shown), run_id=desk.run_id)
    chunks = [
        {"start_index": 0, "end_index": 1, "context": "Drinks"},
        {"start_index": 2, "end_index": 2, "context": "Music"},
    ]
    answer = await one_call(app, desk, "store_memories", chunks=chunks)
    assert (answer.ok, answer.text) == (
        True,
        "2 parts of the conversation stored in archival memory.",
    )
    texts = [one.text for one in (await held(app, desk))[1]]
    assert texts == ["Drinks\nuser: 我喜欢茶\nassistant: Noted.", "Music\nuser: And jazz,\nlate."]
    for first, last in ((2, 9), (2, 1), (0, 10**18)):
        wrong = [{"start_index": first, "end_index": last, "context": "?"}]
        answer = await one_call(app, desk, "store_memories", chunks=wrong)
        assert not answer.ok
        assert "its lines: 0 to 2" in answer.text


@pytest.mark.timeout(60)
async def test_a_conversation_with_odd_numbers_keeps_nobody_waiting(app: App) -> None:
    desk = await a_desk(app)
    shown = "The conversation:\n0. user: tea\n1000000000000000. user: jazz"
    await say(app, desk.agent_id, ("user", shown), run_id=desk.run_id)
    chunks = [{"start_index": 0, "end_index": 10**15, "context": "All"}]
    assert (await one_call(app, desk, "store_memories", chunks=chunks)).ok
    assert [one.text for one in (await held(app, desk))[1]] == ["All\nuser: tea\nuser: jazz"]


async def test_the_omni_tool_does_all_that_can_be_done_with_blocks(app: App) -> None:
    human = await a_block(app, value="tea")
    desk = await a_desk(app, human)
    answers = await called(
        app,
        desk,
        call(
            "memory", command="create", path="/memories/work/tasks", file_text="a", description="D"
        ),
        call("memory", command="insert", path="/memories/work/tasks", insert_text="b"),
        call("memory", command="str_replace", path="human", old_str="tea", new_str="茶"),
        call(
            "memory", command="rename", old_path="/memories/work/tasks", new_path="/memories/todo"
        ),
        call("memory", command="rename", path="/memories/todo", description="What is to be done"),
        call("memory", command="view"),
        call("memory", command="view", path="/memories/todo"),
    )
    assert [one.ok for one in answers] == [True] * 7, [one.text for one in answers]
    assert answers[5].text == (
        "/memories/human (1 of 100,000 characters)\n"
        "/memories/todo (3 of 100,000 characters) What is to be done"
    )
    assert answers[6].text.endswith("\n1→ a\n2→ b")
    now = await desk_of(app, desk.agent_id)
    assert [(one.label, one.value) for one in now.state.blocks] == [
        ("human", "茶"),
        ("todo", "a\nb"),
    ]
    todo = now.state.blocks[1]
    _, versions = await blocks.history(app.database, LOCAL_ACTOR, todo.id)
    assert [one.reason for one in versions] == ["memory"] * 4
    answer = await one_call(app, now, "memory", command="delete", path="/memories/todo")
    assert answer.text == "You have no block 'todo' any more."
    assert (await desk_of(app, desk.agent_id)).state.blocks == (now.state.blocks[0],)
    assert (await blocks.get(app.database, LOCAL_ACTOR, todo.id)).value == "a\nb"


async def test_the_omni_tool_refuses_with_reasons_and_changes_nothing(app: App) -> None:
    human, policy = await a_block(app), await a_block(app, "policy", read_only=True)
    desk = await a_desk(app, human, policy)
    refused = [
        (call("memory", command="create", path="/memories/human"), "have a block 'human' already"),
        (call("memory", command="create", path="/memories/"), "The label is empty"),
        (call("memory", command="create", path="x", file_text="a" * 100_001), "its limit is"),
        (call("memory", command="create"), "needs `path`"),
        (call("memory", command="str_replace", path="human", old_str="x"), "does not stand"),
        (call("memory", command="insert", path="human"), "needs `insert_text`"),
        (call("memory", command="delete", path="policy"), "read-only"),
        (call("memory", command="rename", path="policy", description="x"), "read-only"),
        (call("memory", command="rename", path="human", new_path="policy"), "already"),
        (call("memory", command="rename", path="human"), "give new_path"),
        (call("memory", command="view", path="other"), "You have no block 'other'"),
        (call("memory", command="move", path="human"), '`command` must be one of "view"'),
    ]
    answers = await called(app, desk, *(one for one, _ in refused))
    for answer, (_, words) in zip(answers, refused, strict=True):
        assert not answer.ok
        assert words in answer.text
    assert (await desk_of(app, desk.agent_id)).state.blocks == desk.state.blocks


async def test_the_omni_tool_sees_what_others_changed(app: App) -> None:
    human = await a_block(app)
    desk = await a_desk(app, human)
    await blocks.update(app.database, LOCAL_ACTOR, human.id, {"value": "coffee"})
    for arguments in ({"command": "delete"}, {"command": "rename", "new_path": "x"}):
        answer = await one_call(app, desk, "memory", path="human", **arguments)
        assert not answer.ok
        assert "somebody else has changed block 'human'" in answer.text
    assert (await desk_of(app, desk.agent_id)).state.blocks[0].value == "coffee"


async def test_a_label_that_another_agent_uses_for_another_block_is_not_given(app: App) -> None:
    shared, theirs = await a_block(app, "shared"), await a_block(app, "notes")
    desk = await a_desk(app, shared)
    await a_desk(app, shared, theirs)
    answer = await one_call(app, desk, "memory", command="rename", path="shared", new_path="notes")
    assert not answer.ok
    assert "two blocks with the label 'notes'" in answer.text
    assert (await desk_of(app, desk.agent_id)).state.blocks == (shared,)
    meanwhile = await a_block(app, "new", "of a person")
    await app.database.write(
        LOCAL_ACTOR, lambda tx: agents.attach_block(tx, desk.agent_id, meanwhile.id)
    )
    answer = await one_call(app, desk, "memory", command="create", path="new")
    assert not answer.ok
    assert (await desk_of(app, desk.agent_id)).state.blocks == (shared, meanwhile)
    found = await blocks.listed(app.database, LOCAL_ACTOR, BlockFilter(label="new"), BlockPage())
    assert found == [meanwhile]


async def test_deeds_of_a_unit_that_is_run_again_begin_anew(app: App) -> None:
    human = await a_block(app, value="a")
    desk = await a_desk(app, human)
    planned = executor.plan(desk.state, (), call("core_memory_append", label="human", content="b"))
    assert isinstance(planned, executor.Deed)

    class Again(Exception):
        pass

    def fails(tx: Tx) -> None:
        executor.perform(tx, desk, [planned])
        raise Again

    with pytest.raises(Again):
        await app.database.write(LOCAL_ACTOR, fails)
    [answer] = await app.database.write(
        LOCAL_ACTOR, lambda tx: executor.perform(tx, desk, [planned])
    )
    assert answer.ok
    assert (await blocks.get(app.database, LOCAL_ACTOR, human.id)).value == "a\nb"
    await blocks.delete(app.database, LOCAL_ACTOR, human.id)
    with pytest.raises(BlockNotFound):
        await blocks.get(app.database, LOCAL_ACTOR, human.id)


async def test_a_chinese_agent_is_told_in_chinese_what_was_found(app: App) -> None:
    desk = replace(await a_desk(app, await a_block(app)), language="zh")
    nothing = await one_call(app, desk, "archival_memory_search", query="茶")
    stored = await one_call(
        app, desk, "archival_memory_insert", content="小明爱喝茶", tags=["饮食"]
    )
    again = await one_call(
        app, replace(desk, n=2), "archival_memory_insert", content="小明爱喝茶", tags=["饮食"]
    )
    found = await one_call(app, desk, "archival_memory_search", query="喝茶")
    said = await one_call(app, desk, "conversation_search", query="茶")
    wrong = await one_call(app, desk, "archival_memory_search", query="茶", start_datetime="昨天")

    assert nothing.text.startswith("归档记忆中没有找到")
    assert stored.text == "已存入归档记忆。"
    assert again.text.startswith("归档记忆中已有这段内容，存于 ")
    head, facts, text = found.text.splitlines()
    assert head == "1 条记忆，最相关的在前，附相关程度（0 到 1）；时间为 UTC。"
    assert "(周" in facts
    assert "标签：饮食" in facts
    assert text == "   小明爱喝茶"
    assert said.text.startswith("没有找到消息")
    assert "应为日期或时间" in wrong.text
