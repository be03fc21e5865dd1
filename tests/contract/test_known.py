"""Duplicates and echoes: what the memory knows already is linked, never lost, not stored twice."""

from pathlib import Path

import yiku
from yiku.app import App
from yiku.client.memory import MemoryClient
from yiku.core.memory import Draft, Outcome
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import ingest
from yiku.memory.archival import Place
from yiku.memory.draft import passages_of
from yiku.store import history
from yiku.store.database import now_utc


async def test_what_its_speaker_said_before_is_linked_and_its_words_are_kept(
    memory: MemoryClient,
) -> None:
    first = await memory.add("I'm allergic to peanuts.", user="ann")
    again = await memory.add("I am allergic to peanuts!", user="ann", message="m7")
    assert (again.outcome, again.passage.id) == ("duplicate", first.passage.id)
    sighting = (await memory.history(first.passage.id)).sightings[0]
    assert (sighting.kind, sighting.text, sighting.message) == (
        "duplicate",
        "I am allergic to peanuts!",
        "m7",
    )


async def test_the_same_words_of_another_speaker_are_another_memory(memory: MemoryClient) -> None:
    first = await memory.add("I'm allergic to peanuts.", speaker="ann")
    other = await memory.add("I'm allergic to peanuts.", speaker="bo")
    assert other.outcome == "added"
    assert other.passage.id != first.passage.id


async def test_a_different_number_is_a_different_memory(memory: MemoryClient) -> None:
    await memory.add("The train to Hangzhou leaves at 8:15", user="ann")
    other = await memory.add("The train to Hangzhou leaves at 8:45", user="ann")
    assert other.outcome == "added"


async def test_traditional_and_simplified_are_the_same_words(memory: MemoryClient) -> None:
    first = await memory.add("我對花生過敏,一點都不能吃", user="ann")
    again = await memory.add("我对花生过敏，一点都不能吃。", user="ann")
    assert (again.outcome, again.passage.id) == ("duplicate", first.passage.id)


async def test_repetitions_within_one_call_are_linked_too(memory: MemoryClient) -> None:
    results = await memory.add_many(
        [
            "My sister Mei marries in October",
            "The cat is called Doubao",
            "my sister Mei marries in October",
        ],
        user="ann",
    )
    assert [one.outcome for one in results] == ["added", "added", "duplicate"]
    assert results[2].passage.id == results[0].passage.id


async def test_repetitions_of_what_someone_stored_meanwhile_lead_to_that(app: App) -> None:
    texts = ("My sister Mei marries in October", "my sister Mei marries in October!")
    drafts = [Draft(text=text) for text in texts]
    new = passages_of(drafts, LOCAL_ACTOR, now_utc())
    given = ingest.Given(Place(), drafts, new, None, ingest.ROUTE)
    plan = await ingest.planned(app.memory, LOCAL_ACTOR, given)
    assert list(plan.links) == [1]
    other = await ingest.add(app.memory, LOCAL_ACTOR, Place(), [Draft(text=texts[0])])

    added = await app.database.write(
        LOCAL_ACTOR, lambda tx: ingest.store(tx, app.memory, plan, None)
    )
    assert [one.outcome for one in added] == [Outcome.DUPLICATE] * 2
    assert {one.passage.id for one in added} == {other[0].passage.id}
    seen = await app.database.read(
        LOCAL_ACTOR, lambda tx: history.sightings_of(tx, other[0].passage)
    )
    assert sorted(one.text for one in seen) == sorted(texts)


async def test_a_short_reply_is_the_same_only_after_the_same_turn(memory: MemoryClient) -> None:
    for question in ("Shall I book the hotel?", "Do you want tea?"):
        await memory.add(question, conversation="c", speaker="yiku")
        reply = await memory.add("Yes please", conversation="c", speaker="ann")
        assert reply.outcome == "added"


async def test_keeping_duplicates_is_a_setting(database_url: str, yiku_home: Path) -> None:
    async with yiku.connect(
        "yiku://", home=yiku_home, database_url=database_url, duplicates="keep"
    ) as memory:
        await memory.add("I'm allergic to peanuts.")
        assert (await memory.add("I'm allergic to peanuts.")).outcome == "added"


async def test_what_a_search_injected_is_not_learned_again(memory: MemoryClient) -> None:
    known = await memory.add("Ann is allergic to peanuts and sesame", speaker="ann")
    hits = await memory.search("which snacks are safe?", inject_into="chat-1")
    assert hits[0].passage.id == known.passage.id
    echo = await memory.add(
        "Ann is allergic to peanuts and sesame.", speaker="assistant", conversation="chat-1"
    )
    assert (echo.outcome, echo.passage.id) == ("echo", known.passage.id)
    new = await memory.add(
        "Then take the rice crackers of Mr. Lin, 12 yuan a bag.",
        speaker="assistant",
        conversation="chat-1",
    )
    assert new.outcome == "added"
    elsewhere = await memory.add(
        "Ann is allergic to peanuts and sesame.", speaker="assistant", conversation="chat-2"
    )
    assert elsewhere.outcome == "added"
