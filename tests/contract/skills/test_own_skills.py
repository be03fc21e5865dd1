"""Tools by which agents use memory skills, and administrators' agents look after them."""

import logging
from dataclasses import replace

import pytest

from tests.contract.skills.conftest import Opener
from tests.contract.skills.thinking import Thinking, add
from tests.fixtures.desks import a_desk, call, called, one_call
from tests.fixtures.said import say
from yiku.agents import make
from yiku.agents.make import NewAgent
from yiku.app import App
from yiku.core.skill import Encoding, Job
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.memory.skills import encode, registry
from yiku.store import encodings, lookups, outbox
from yiku.tools.own import OWN, told

NAMES = (
    "save_insight",
    "store_preference",
    "query_memory",
    "forget_memory",
    "evolve_memory_skills",
    "list_skill_changelog",
)


async def pending(app: App) -> list[Encoding]:
    return await app.database.read(LOCAL_ACTOR, encodings.pending)


async def jobs(app: App, kind: str) -> list[Job]:
    waiting = await app.database.read(LOCAL_ACTOR, outbox.waiting)
    return [one for one in waiting if one.kind == kind]


async def test_an_agent_saves_looks_up_and_forgets(app: App, thinking: Thinking) -> None:
    desk = await a_desk(app, timezone="Asia/Shanghai")
    await say(app, desk.agent_id, ("user", "我喜欢喝茶"), run_id=desk.run_id)
    answers = await called(
        app,
        desk,
        call("save_insight", content="我的邮箱是 test@example.com", tags=["contact"]),
        call("store_preference", content="每天早上一杯茶"),
    )
    assert [(one.ok, one.text) for one in answers] == [(True, "Saved to memory.")] * 2
    first, second = await pending(app)
    assert (first.agent_id, first.run_id) == (desk.agent_id, desk.run_id)
    assert first.message_id is not None
    assert first.message_id.startswith("message-")
    active = {one.id: one.name for one in await registry.active(app.skills, LOCAL_ACTOR)}
    assert [active[one.skill_id] for one in (first, second)] == [
        "fact_extraction",
        "preference_capture",
    ]
    assert [one.key for one in await jobs(app, "encode")] == [first.id, second.id]
    thinking.encodes["我的邮箱是 test@example.com"] = [add("用户邮箱: test@example.com")]
    await encode.run(app.skills, LOCAL_ACTOR, first.id)

    answer = await one_call(app, desk, "query_memory", query="谁的邮箱是 test@example.com")
    assert answer.ok
    lines = answer.text.split("\n")
    assert lines[0].startswith("2 memories, best first")
    assert lines[0].endswith("times are Asia/Shanghai.")
    assert lines[2] == "   用户邮箱: test@example.com"
    memory = lines[1].rpartition(" · ")[2]
    await app.skills.looking.flush()
    [lookup] = await app.database.read(LOCAL_ACTOR, lambda tx: lookups.of_run(tx, desk.run_id))
    active = {one.id: one.name for one in await registry.active(app.skills, LOCAL_ACTOR)}
    assert active[lookup.skill_id] == "exact_match"
    assert (lookup.agent_id, lookup.passage_ids[0]) == (desk.agent_id, memory)

    answer = await one_call(app, desk, "forget_memory", memory=memory, reason="wrong")
    assert (answer.ok, answer.text) == (True, "Forgotten:\n   用户邮箱: test@example.com")
    answer = await one_call(app, desk, "query_memory", query="test@example.com")
    assert "test@example.com" not in answer.text
    answer = await one_call(app, desk, "forget_memory", memory=memory.replace("a", "b"))
    assert not answer.ok


async def test_a_call_made_again_saves_once(app: App) -> None:
    desk = await a_desk(app)
    made = call("save_insight", content="Ann is allergic to peanuts and hazelnuts")
    [first], [again] = await called(app, desk, made), await called(app, desk, made)
    assert first.text == again.text == "Saved to memory."
    assert len(await pending(app)) == 1
    known = await one_call(
        app, desk, "save_insight", content="Ann is allergic to peanuts and hazelnuts"
    )
    assert known.text.startswith("This is in memory already, since ")


async def test_secrets_are_left_out_and_said_to_be(app: App, open_app: Opener) -> None:
    desk = await a_desk(app)
    answer = await one_call(app, desk, "save_insight", content="My wifi password is hunter2!")
    assert answer.text.startswith("Saved to memory.\nA secret was left out (password)")
    chinese = replace(desk, language="zh")
    answer = await one_call(app, chinese, "save_insight", content="我的密码是 hunter2xyz，别忘了")
    assert "其中的机密信息已略去（密码）" in answer.text
    one = (await pending(app))[0]
    assert one.content == "My wifi password is [password removed]"
    strict = await open_app(secrets="refuse")
    desk = await a_desk(strict)
    answer = await one_call(strict, desk, "save_insight", content="My password is hunter2!")
    assert not answer.ok
    assert "never stored" in answer.text
    assert len(await pending(strict)) == 2


async def test_without_a_model_the_agent_is_told_what_may_no_longer_hold(
    open_app: Opener,
) -> None:
    app = await open_app(model=None, model_base_url=None, model_api_key=None)
    desk = await a_desk(app)
    await one_call(app, desk, "save_insight", content="我住在北京")
    answer = await one_call(app, desk, "save_insight", content="我搬到上海了")
    head, hint, line = answer.text.split("\n")
    assert (head, hint.startswith("It may replace")) == ("Saved to memory.", True)
    assert line.startswith("   passage-")
    assert line.endswith(" 我住在北京")


async def test_an_agent_without_memories_finds_nothing(app: App) -> None:
    desk = await a_desk(app)
    answer = await one_call(app, desk, "query_memory", query="tea")
    assert (answer.ok, answer.text) == (True, "Nothing was found in memory. Other words may help.")
    answer = await one_call(app, desk, "forget_memory", memory="tea")
    assert not answer.ok


async def test_administrators_have_skills_examined_and_see_their_changes(app: App) -> None:
    desk = await a_desk(app)
    answer = await one_call(app, desk, "evolve_memory_skills")
    assert answer.ok
    assert answer.text.startswith("The memory skills are examined")
    await registry.ready(app.skills, LOCAL_ACTOR)
    answer = await one_call(app, desk, "evolve_memory_skills", skill="fact_extraction")
    assert answer.ok, answer.text
    by = LOCAL_ACTOR.user_id
    assert [(one.key, one.payload) for one in await jobs(app, "evolve")] == [
        ("*", {"name": None, "by": by}),
        ("fact_extraction", {"name": "fact_extraction", "by": by}),
    ]
    answer = await one_call(app, desk, "evolve_memory_skills", skill="nobody")
    assert not answer.ok
    assert "fact_extraction" in answer.text

    answer = await one_call(app, desk, "list_skill_changelog")
    assert answer.text == "No memory skill was changed yet."
    changes = {"prompt_template": "Facts only.\n{{ content }}"}
    await registry.edit(app.skills, LOCAL_ACTOR, "fact_extraction", changes, "Shorter.")
    answer = await one_call(app, desk, "list_skill_changelog", skill="fact_extraction")
    assert "fact_extraction · approved" in answer.text
    assert "Shorter." in answer.text


async def test_others_are_refused_and_logged(app: App, caplog: pytest.LogCaptureFixture) -> None:
    desk = await a_desk(app)
    desk = replace(desk, actor=replace(LOCAL_ACTOR, scope=Scope.WRITE))
    for name in ("evolve_memory_skills", "list_skill_changelog"):
        with caplog.at_level(logging.WARNING, logger="yiku.tools.own_skills"):
            caplog.clear()
            answer = await one_call(app, desk, name)
        assert not answer.ok
        assert f"`{name}` is for administrators" in answer.text
        [record] = caplog.records
        assert record.__dict__["tool"] == name
        assert record.__dict__["user"] == LOCAL_ACTOR.user_id
    assert await jobs(app, "evolve") == []


def test_they_are_told_in_both_languages() -> None:
    for name in NAMES:
        ours = OWN[name]
        for language in ("en", "zh"):
            said = [
                ours.description(language),
                *(p.told(language)["description"] for p in ours.params),
            ]
            chinese = [any("\u4e00" <= c <= "\u9fff" for c in one) for one in said]
            assert set(chinese) == {language == "zh"}


async def test_no_agent_has_them_unless_it_asks(app: App) -> None:
    state = await make.create(app.agents, LOCAL_ACTOR, NewAgent(given={"name": "Yi"}))
    assert not {one.name for one in state.tools} & set(NAMES)
    asking = NewAgent(given={"name": "Yi"}, tools=("save_insight", "query_memory"))
    state = await make.create(app.agents, LOCAL_ACTOR, asking)
    tool = next(one for one in state.tools if one.name == "save_insight")
    assert "照原话写" in told(tool, "zh").description
