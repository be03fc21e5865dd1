"""Looking up takes the skill that fits, adds and never takes away; forgetting counts against it."""

from dataclasses import replace

import pytest

from tests.contract.skills.conftest import Opener
from tests.contract.skills.thinking import Thinking, add
from yiku.app import App
from yiku.core.errors import Invalid, NotFound, PassageNotFound
from yiku.core.ids import AgentId, PassageId, RunId
from yiku.core.memory import Draft
from yiku.core.skill import FeedbackKind, Lookup
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.memory import changes, ingest, search
from yiku.memory.archival import Place
from yiku.memory.skills import encode, query, registry
from yiku.memory.skills.query import EXTRA, Found, held
from yiku.store import feedback, lookups, quotas
from yiku.store.database import Tx

HOME = Place(owner="ann")
AN_AGENT, A_RUN = AgentId("agent-1"), RunId("run-1")


async def remember(app: App, *texts: str) -> list[PassageId]:
    drafts = [Draft(text=text) for text in texts]
    added = await ingest.add(app.memory, LOCAL_ACTOR, HOME, drafts)
    return [one.passage.id for one in added]


async def ask(app: App, words: str, limit: int = 10, **more: object) -> Found:
    return await query.query_memory(app.skills, LOCAL_ACTOR, [HOME], words, limit, **more)


def texts(found: Found) -> list[str]:
    return [hit.passage.text for hit in found.hits]


async def noted(app: App, run_id: RunId = A_RUN) -> list[Lookup]:
    await app.skills.looking.flush()
    return await app.database.read(LOCAL_ACTOR, lambda tx: lookups.of_run(tx, run_id))


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("who has the address li.wei@example.com", "Contact of the plumber: LI.WEI@example.com"),
        ("谁的电话是 13800138000?", "小红的电话: 138-0013-8000"),
        ("what happened to ORD-2024-1187", "Parcel ORD-2024-1187 came broken"),
        ('who said "never again"', "After the trip Tom said never again"),
        ("《三体》是谁送的", "姐姐送了我三体"),
        ("invoice 88231", "Paid invoice 88231 in May"),
    ],
)
async def test_what_stands_letter_by_letter_comes_first(app: App, words: str, first: str) -> None:
    await remember(
        app,
        "Contact of the plumber: LI.WEI@example.com",
        "Wei's address is Example Street 5, the house with the red door",
        "Another address: li.wei@example.org",
        "小红的电话: 138-0013-8000",
        "小红的电话换过很多次,是 139 开头的",
        "电话 213800138000 是骗子",
        "Parcel ORD-2024-1187 came broken",
        "What happened to the order of 2024: nothing happened to it",
        "After the trip Tom said never again",
        "Who said what is never clear again",
        "姐姐送了我三体",
        "这本书是谁送的,三个人都不记得",
        "Paid invoice 88231 in May",
        "Invoice 1882315 is open",
    )
    found = await ask(app, words, limit=5, refine="never")
    assert (found.skill.name, found.why) == ("exact_match", "keywords")
    assert texts(found)[0] == first
    plain = await search.search(app.memory, LOCAL_ACTOR, [HOME], words, limit=5)
    assert {hit.passage.text for hit in plain} <= set(texts(found))
    assert len(found.hits) <= 5 + EXTRA


async def test_a_literal_is_found_however_loud_the_other_words(app: App) -> None:
    long = "the green house by the river where we ate fish and sang songs until the moon went down"
    loud = [f"Ann told of {long} and paid {n} coins for it, and of {long} again" for n in range(60)]
    await remember(app, *loud, "Xq-77-Zb fits")
    words = f"what fits, of all that Ann told of {long}, the part Xq-77-Zb or another"
    plain = await search.search(app.memory, LOCAL_ACTOR, [HOME], words, limit=3)
    assert "Xq-77-Zb fits" not in {hit.passage.text for hit in plain}
    found = await ask(app, words, limit=3, refine="never")
    assert texts(found)[0] == "Xq-77-Zb fits"
    assert texts(found)[1:] == [hit.passage.text for hit in plain]


async def test_other_questions_are_asked_by_meaning(app: App) -> None:
    await remember(app, "用户住在上海", "用户喜欢喝茶")
    found = await ask(app, "关于住的地方", agent_id=AN_AGENT, run_id=A_RUN, call_id="c-1")
    assert (found.skill.name, found.literals, found.refined) == ("semantic_search", (), ())
    plain = await search.search(app.memory, LOCAL_ACTOR, [HOME], "关于住的地方")
    assert [hit.passage.id for hit in found.hits] == [hit.passage.id for hit in plain]
    [lookup] = await noted(app)
    assert lookup == await found.lookup
    assert (lookup.skill_id, lookup.query, lookup.call_id) == (
        found.skill.id,
        "关于住的地方",
        "c-1",
    )
    assert lookup.passage_ids == tuple(hit.passage.id for hit in found.hits)
    again = await ask(app, "关于住的地方", agent_id=AN_AGENT, run_id=A_RUN, call_id="c-1")
    assert await again.lookup == lookup  # the same call, made again


async def test_a_bad_refinement_loses_nothing_and_a_good_one_adds(
    app: App, thinking: Thinking
) -> None:
    facts = [f"用户在{city}有一个仓库" for city in "甲乙丙丁戊己庚辛"]
    await remember(
        app, *facts, "用户养了一只猫叫咪咪", "用户的车是蓝色的", "The cat is called Mimi"
    )
    words = "仓库在哪"
    plain = await search.search(app.memory, LOCAL_ACTOR, [HOME], words, limit=3)
    own = [hit.passage.text for hit in plain]

    thinking.refines[words] = {"queries": ["猫叫什么", "车是什么颜色"], "exact": ["哪"]}
    found = await ask(app, words, limit=3, refine="always", run_id=A_RUN)
    assert texts(found)[:3] == own
    assert 0 < len(texts(found)[3:]) <= EXTRA
    assert "用户养了一只猫叫咪咪" in texts(found)
    assert found.refined == ("猫叫什么", "车是什么颜色", "哪")
    [lookup] = await noted(app)
    assert lookup.refined == found.refined
    _, counted = await app.database.read(LOCAL_ACTOR, quotas.today)
    assert counted > 0

    for bad in (
        "no JSON",
        {"queries": ["where is the storehouse"], "exact": ["x"]},
        {"queries": []},
    ):
        thinking.refines[words] = bad
        assert texts(await ask(app, words, limit=3, refine="always")) == own
    thinking.fails = True
    assert texts(await ask(app, words, limit=3, refine="always")) == own


async def test_a_model_is_asked_only_where_the_query_finds_little(
    app: App, open_app: Opener, thinking: Thinking
) -> None:
    await remember(app, "The user's cat is called Mimi", "用户喜欢喝茶")
    words = "what is the cat called"
    assert texts(await ask(app, words))[0] == "The user's cat is called Mimi"
    assert thinking.seen == []
    thinking.refines["pet"] = {"queries": ["cat"]}
    found = await ask(app, "pet")
    assert found.refined == ("cat",)
    assert len(thinking.seen) == 1
    await ask(app, "pet", refine="never")
    offline = await open_app(model=None, model_base_url=None, model_api_key=None)
    assert (await ask(offline, "pet", refine="always")).refined == ()
    off = await open_app(skill_encoding="off")
    assert (await ask(off, "pet", refine="always")).refined == ()
    assert len(thinking.seen) == 1


async def test_a_secret_in_a_query_is_neither_kept_nor_sent(app: App, thinking: Thinking) -> None:
    words = "whose password is hunter2!"
    await ask(app, words, refine="always", run_id=A_RUN)
    [lookup] = await noted(app)
    assert "hunter2" not in lookup.query + repr(thinking.seen)


async def test_a_key_that_may_only_read_may_look_up(app: App) -> None:
    await remember(app, "用户喜欢喝茶")
    reader = replace(LOCAL_ACTOR, scope=Scope.READ)
    found = await query.query_memory(app.skills, reader, [HOME], "茶", run_id=A_RUN)
    assert texts(found) == ["用户喜欢喝茶"]
    assert len(await noted(app)) == 1


async def test_questions_that_cannot_be_asked(app: App) -> None:
    with pytest.raises(Invalid, match="empty"):
        await ask(app, " ")
    assert (await ask(app, "anything")).hits == ()
    with pytest.raises(NotFound):
        await query.query_memory(app.skills, LOCAL_ACTOR, [Place(name="nobody's")], "x")


@pytest.mark.parametrize(
    ("text", "literal", "there"),
    [
        ("call 138 0013 8000 now", "13800138000", True),
        ("call (010) 8888-6666", "010-88886666", True),
        ("2138001380001", "13800138000", False),
        ("version 1.2.3", "1.2.3", True),
        ("A@B.com", "a@b.com", True),
        ("aa@b.com", "a@b.com", False),
        ("《三體》", "三体", True),
        ("", "x", False),
    ],
)
def test_literals_are_held_in_any_case_and_spacing(text: str, literal: str, there: bool) -> None:
    assert held(text, [literal]) == there


async def test_forgetting_counts_against_what_wrote_and_what_found(
    app: App, thinking: Thinking
) -> None:
    thinking.encodes["我住在北京"] = [add("用户住在北京")]
    saved = await encode.save(app.skills, LOCAL_ACTOR, HOME, "我住在北京")
    assert saved.encoding is not None
    done = await encode.run(app.skills, LOCAL_ACTOR, saved.encoding.id)
    assert done is not None
    found = await ask(app, "关于北京", agent_id=AN_AGENT, run_id=A_RUN)
    await app.skills.looking.flush()
    [hit] = found.hits
    gone = await query.forget_memory(
        app.skills, LOCAL_ACTOR, [HOME], hit.passage.id, reason="moved", agent_id=AN_AGENT
    )
    assert gone.forgotten
    assert texts(await ask(app, "关于北京")) == []

    def judged(tx: Tx) -> list[tuple[str, FeedbackKind, str | None]]:
        skills = {done.skill_id: "wrote", found.skill.id: "found"}
        return sorted(
            (skills[one.skill_id], one.kind, one.query) for one in feedback.of_passage(tx, gone.id)
        )

    expected = [
        ("found", FeedbackKind.FORGOTTEN, "关于北京"),
        ("wrote", FeedbackKind.FORGOTTEN, None),
    ]
    assert await app.database.read(LOCAL_ACTOR, judged) == expected
    await query.forget_memory(app.skills, LOCAL_ACTOR, [HOME], hit.passage.id)
    assert await app.database.read(LOCAL_ACTOR, judged) == expected
    active = {one.id: one for one in await registry.active(app.skills, LOCAL_ACTOR)}
    assert active[done.skill_id].negative_count == 1
    assert active[found.skill.id].negative_count == 1
    await changes.undo(app.memory, LOCAL_ACTOR, gone.id)
    assert texts(await ask(app, "关于北京")) == ["用户住在北京"]


async def test_what_is_to_be_forgotten_is_named_by_id_or_by_its_words(app: App) -> None:
    tea, coffee, other = await remember(
        app, "Ann likes green tea", "Ann likes black coffee", "Bob's cat is Mimi"
    )
    with pytest.raises(Invalid, match="fit several") as refused:
        await query.forget_memory(app.skills, LOCAL_ACTOR, [HOME], "ann likes")
    assert tea in refused.value.message
    assert coffee in refused.value.message
    with pytest.raises(Invalid, match="no memory has these words"):
        await query.forget_memory(app.skills, LOCAL_ACTOR, [HOME], "Ann likes milk")
    with pytest.raises(PassageNotFound):
        await query.forget_memory(app.skills, LOCAL_ACTOR, [Place(owner="bob")], other)
    gone = await query.forget_memory(app.skills, LOCAL_ACTOR, [HOME], "Green tea")
    assert gone.id == tea
    gone = await query.forget_memory(app.skills, LOCAL_ACTOR, [HOME], f"[{coffee}]")
    assert gone.id == coffee


@pytest.mark.parametrize("words", ["kettle \ud800", "kettle \0"])
async def test_what_no_database_takes_can_be_looked_for(app: App, words: str) -> None:
    await remember(app, "The kettle is off")
    found = await ask(app, words)
    assert texts(found) == ["The kettle is off"]
    lookup = await found.lookup
    assert lookup is not None
    assert lookup.query.startswith("kettle")
