"""Recall memory: messages are found by words, meaning, role and time, and are gone when deleted."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fixtures.desks import a_desk
from tests.fixtures.said import START, say
from yiku.app import App
from yiku.core.errors import ArchiveNotFound, Invalid, InvalidFilter
from yiku.core.ids import AgentId, ArchiveId, ConversationId, RunId
from yiku.core.memory import Draft
from yiku.core.message import ToolCall, ToolReturn
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.memory import ingest, recall
from yiku.memory import search as searching
from yiku.memory.archival import Place
from yiku.memory.recall_indexer import RecallIndexer
from yiku.store import agents, archives, messages, passages
from yiku.store.database import Tx

TALK = (
    ("user", "I am allergic to peanuts"),
    ("assistant", "I will keep that in mind."),
    ("user", "我下周要去杭州出差"),
    ("assistant", "好的,需要我帮你订高铁票吗?"),
    ("user", "My sister plays the violin in an orchestra"),
)


@pytest.fixture
async def agent(app: App) -> AgentId:
    return (await a_desk(app)).agent_id


async def found(app: App, agent_id: AgentId, query: str, **more: object) -> list[str]:
    hits = await recall.search(app.memory, LOCAL_ACTOR, agent_id, query, **more)
    return [hit.message.text for hit in hits]


async def indexed(app: App, agent_id: AgentId) -> list[str]:
    """The texts, in the order they were stored."""

    def unit(tx: Tx) -> list[str]:
        there = archives.find(tx, recall.OWNER, agent_id)
        if there is None:
            return []
        return [one.text for one in passages.page(tx, there.id, after=0, limit=1000)]

    return await app.database.read(LOCAL_ACTOR, unit)


async def test_messages_are_found_by_meaning_in_both_languages(app: App, agent: AgentId) -> None:
    stored = await say(app, agent, *TALK)
    hits = await recall.search(app.memory, LOCAL_ACTOR, agent, "what can't the user eat?", limit=3)
    assert hits[0].message == stored[0]
    assert 0 < hits[0].score <= 1
    assert hits[0].parts
    assert (await found(app, agent, "出差去哪里?"))[0] == "我下周要去杭州出差"
    assert (await found(app, agent, "who makes music?"))[0] == TALK[4][1]
    assert len(await found(app, agent, "violin", limit=2)) == 2


async def test_a_search_sees_what_was_said_a_moment_ago(app: App, agent: AgentId) -> None:
    await say(app, agent, *TALK)
    assert len(await found(app, agent, "peanuts")) == 5
    await say(app, agent, ("user", "The cat is called Mochi"), start=START + timedelta(days=9))
    assert (await found(app, agent, "what is the cat's name"))[0] == "The cat is called Mochi"
    assert len(await indexed(app, agent)) == 6


async def test_role_time_and_conversation_narrow_it(app: App, agent: AgentId) -> None:
    await say(app, agent, *TALK)
    other = ConversationId("conversation-1")
    await say(app, agent, ("user", "peanuts again"), conversation_id=other)
    assert set(await found(app, agent, "peanuts", roles=["assistant"])) == {TALK[1][1], TALK[3][1]}
    assert await found(app, agent, "peanuts", since=START + timedelta(days=4)) == [TALK[4][1]]
    assert set(await found(app, agent, "peanuts", until=START + timedelta(hours=1))) == {
        TALK[0][1],
        "peanuts again",
    }
    assert await found(app, agent, "peanuts", conversation_id=other) == ["peanuts again"]
    assert "peanuts again" not in await found(
        app, agent, "peanuts", conversation_id=ConversationId(agent)
    )
    with pytest.raises(InvalidFilter, match="not 'system'"):
        await found(app, agent, "x", roles=["system"])


async def test_without_a_query_the_newest_of_the_time_are_listed(app: App, agent: AgentId) -> None:
    await say(app, agent, *TALK, ("system", "You are …"), ("summary", "They spoke."))
    assert await found(app, agent, "", limit=2) == [TALK[4][1], TALK[3][1]]
    day = timedelta(days=1)
    assert await found(app, agent, " ", since=START, until=START + day) == [TALK[0][1]]
    assert await found(app, agent, "", roles=["user"]) == [TALK[4][1], TALK[2][1], TALK[0][1]]
    assert await indexed(app, agent) == []


async def test_what_tools_say_is_found_and_what_memory_tools_repeat_is_not(
    app: App, agent: AgentId
) -> None:
    sent = ToolCall(id="1", name="send_message", arguments='{"message": "Your train leaves at 8"}')
    weather = ToolReturn(call_id="2", name="weather", ok=True, text="Rain in 杭州")
    echo = ToolReturn(call_id="3", name="conversation_search", ok=True, text="Rain, rain, rain")
    await say(
        app, agent, ("assistant", sent), ("tool", weather), ("tool", echo), ("system", "Rain")
    )
    hits = await recall.search(app.memory, LOCAL_ACTOR, agent, "train")
    assert [part.name for part in hits[0].message.calls] == ["send_message"]
    assert set(await indexed(app, agent)) == {"Your train leaves at 8", "Rain in 杭州"}
    hits = await recall.search(app.memory, LOCAL_ACTOR, agent, "weather", roles=["tool"])
    assert [hit.message.returns for hit in hits] == [(weather,)]


async def test_the_same_words_twice_are_two_messages(app: App, agent: AgentId) -> None:
    await say(
        app,
        agent,
        ("user", "Please water the roses tonight"),
        ("user", "Please water the roses tonight"),
    )
    assert len(await found(app, agent, "roses")) == 2


async def test_a_run_does_not_find_its_own_question(app: App, agent: AgentId) -> None:
    await say(app, agent, *TALK)
    mine = RunId("run-1")
    await say(app, agent, ("user", "Am I allergic to peanuts?"), run_id=mine)
    assert "Am I allergic to peanuts?" in await found(app, agent, "peanuts")
    assert await found(app, agent, "peanuts", without_run=mine, limit=1) == [TALK[0][1]]
    assert TALK[0][1] in await found(app, agent, "", without_run=mine)
    assert "Am I allergic to peanuts?" not in await found(app, agent, "", without_run=mine)


async def test_indexing_at_once_indexes_each_message_once(app: App, agent: AgentId) -> None:
    said = [("user", f"Fact {n}: the number {n} is special") for n in range(recall.BATCH + 10)]
    await say(app, agent, *said, every=timedelta(minutes=1))
    await asyncio.gather(*(recall.catch_up(app.memory, LOCAL_ACTOR, agent) for _ in range(4)))
    assert await indexed(app, agent) == [text for _, text in said]


async def test_a_reader_may_search_and_batches_are_bounded(app: App, agent: AgentId) -> None:
    said = [("user", f"Fact {n}") for n in range(recall.BATCH + 1)]
    await say(app, agent, *said, every=timedelta(minutes=1))
    reader = replace(LOCAL_ACTOR, scope=Scope.READ)
    assert not await recall.catch_up(app.memory, reader, agent, batches=1)
    assert len(await indexed(app, agent)) == recall.BATCH
    hits = await recall.search(app.memory, reader, agent, f"Fact {recall.BATCH}", limit=1)
    assert hits[0].message.text == f"Fact {recall.BATCH}"


async def test_agents_are_searched_together_and_apart(app: App, agent: AgentId) -> None:
    other = (await a_desk(app)).agent_id
    await say(app, agent, ("user", "Tea is best hot"))
    await say(app, other, ("user", "Tea is best cold"))
    assert await found(app, agent, "tea") == ["Tea is best hot"]
    both = await recall.search(app.memory, LOCAL_ACTOR, [agent, other], "tea")
    assert {hit.message.agent_id for hit in both} == {agent, other}
    assert await recall.search(app.memory, LOCAL_ACTOR, [], "tea") == []
    listed = await recall.search(app.memory, LOCAL_ACTOR, [agent, other], "")
    assert [hit.message.agent_id for hit in listed] == [other, agent]


async def archive_of(app: App, agent_id: AgentId) -> ArchiveId:
    there = await app.database.read(
        LOCAL_ACTOR, lambda tx: archives.find(tx, recall.OWNER, agent_id)
    )
    assert there is not None
    return there.id


async def test_the_archive_behind_it_is_nobodys(app: App, agent: AgentId) -> None:
    await say(app, agent, *TALK)
    await found(app, agent, "peanuts")
    hidden = await archive_of(app, agent)
    listed = await app.database.read(LOCAL_ACTOR, archives.list_all)
    assert hidden not in {archive.id for archive, _ in listed}
    place = Place(recall.OWNER, agent)
    for where, error in ((hidden, ArchiveNotFound), (place, Invalid)):
        with pytest.raises(error):
            await searching.search(app.memory, LOCAL_ACTOR, [where], "peanuts")
        with pytest.raises(error):
            await ingest.add(app.memory, LOCAL_ACTOR, where, [Draft(text="x")])
    with pytest.raises(Invalid, match="Yiku's own"):
        await app.database.write(LOCAL_ACTOR, lambda tx: archives.create(tx, "yiku:x", "a"))
    with pytest.raises(ArchiveNotFound):
        await app.database.write(LOCAL_ACTOR, lambda tx: archives.delete_whole(tx, hidden))
    assert len(await indexed(app, agent)) == 5


async def test_a_deleted_agents_messages_are_gone(app: App, agent: AgentId) -> None:
    await say(app, agent, *TALK)
    await found(app, agent, "peanuts")
    hidden = await archive_of(app, agent)
    gone = await app.database.write(LOCAL_ACTOR, lambda tx: agents.remove(tx, agent))
    assert hidden in gone
    assert await indexed(app, agent) == []
    assert await found(app, agent, "peanuts") == []
    assert await indexed(app, agent) == []


async def test_messages_that_were_erased_are_not_found_and_the_rest_is(
    app: App, agent: AgentId
) -> None:
    await say(app, agent, *TALK)
    other = ConversationId("conversation-1")
    [kept] = await say(app, agent, ("user", "Peanuts, in a talk of its own"), conversation_id=other)
    await found(app, agent, "peanuts")

    def reset(tx: Tx) -> ArchiveId | None:
        messages.reset(tx, agent, None)
        return recall.erase_in(tx, agent)

    gone = await app.database.write(LOCAL_ACTOR, reset)
    assert gone is not None
    await recall.erased(app.memory, gone)
    assert await indexed(app, agent) == []
    assert await found(app, agent, "peanuts") == [kept.text]
    await recall.erase_messages(app.memory, LOCAL_ACTOR, agent, [kept.id])
    assert await indexed(app, agent) == []
    await say(app, agent, ("user", "Walnuts are fine"))
    assert await found(app, agent, "nuts") == ["Walnuts are fine"]


async def test_messages_deleted_while_they_are_indexed_leave_nothing(
    app: App, agent: AgentId
) -> None:
    new = await say(app, agent, *TALK)
    step = recall.Step(agent, 0, new)
    await app.database.write(LOCAL_ACTOR, lambda tx: messages.reset(tx, agent, None))
    with pytest.raises(recall.JobConflict):
        await ingest.add(
            app.memory, LOCAL_ACTOR, recall.place_of(agent), step.drafts(), also=step.keep
        )
    assert await indexed(app, agent) == []


class OtherModel:
    """The same vectors by another name, as after a change of YIKU_EMBEDDING."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    model = "other/model"


async def test_another_embedding_model_makes_it_anew(app: App, agent: AgentId) -> None:
    await say(app, agent, *TALK)
    await found(app, agent, "peanuts")
    before = await archive_of(app, agent)
    memory = replace(app.memory, embedder=OtherModel(app.memory.embedder))
    hits = await recall.search(memory, LOCAL_ACTOR, agent, "peanuts")
    assert hits[0].message.text == TALK[0][1]
    assert await archive_of(app, agent) != before
    assert len(await indexed(app, agent)) == 5


@pytest.fixture
async def indexer(app: App) -> AsyncIterator[RecallIndexer]:
    made = RecallIndexer(app.memory, interval_s=0.05)
    made.start()
    yield made
    await made.stop()


async def test_what_is_said_is_indexed_when_it_is_quiet(
    app: App, agent: AgentId, indexer: RecallIndexer
) -> None:
    await say(app, agent, *TALK)
    for _ in range(8):  # it isn't quiet
        indexer.note(LOCAL_ACTOR, agent)
        await asyncio.sleep(0.01)
    indexer.note(LOCAL_ACTOR, AgentId("agent-unknown"))
    async with asyncio.timeout(60):
        while len(await indexed(app, agent)) < 5:  # noqa: ASYNC110 - it has nobody to tell
            await asyncio.sleep(0.02)
