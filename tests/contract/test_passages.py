"""What every memory does with its passages, through the client, on both databases."""

import asyncio
from datetime import UTC, datetime

import pytest

from yiku.client.memory import MemoryClient
from yiku.core import errors


async def test_a_text_is_stored_as_given_with_all_that_was_said_of_it(memory: MemoryClient) -> None:
    added = await memory.add(
        "  我對花生過敏 — really, even a trace!\n",
        user="ann",
        at="2026-09-03T20:15:00+08:00",
        conversation="c1",
        message="m1",
        tags=["health", "food"],
        metadata={"source": {"app": "chat"}, "confidence": 0.5},
        valid_to="2030-01-01",
    )
    found = await memory.get(added.passage.id)
    assert found == added.passage
    assert found.text == "  我對花生過敏 — really, even a trace!\n"
    assert found.at == datetime(2026, 9, 3, 12, 15, tzinfo=UTC)
    assert found.valid_from == found.at
    assert found.valid_to == datetime(2030, 1, 1, tzinfo=UTC)
    assert (found.speaker, found.conversation, found.message) == ("ann", "c1", "m1")
    assert found.tags == ["health", "food"]
    assert found.metadata == {"source": {"app": "chat"}, "confidence": 0.5}


async def test_an_edit_is_found_by_its_new_words_and_no_longer_by_its_old(
    memory: MemoryClient,
) -> None:
    for other in ("The cat sleeps on the sofa", "明天去医院", "Bring the blue umbrella"):
        await memory.add(other)
    passage = (await memory.add("My bicycle is locked with code 4711")).passage
    await memory.edit(passage.id, text="My canoe lies at the northern pier")
    hits = await memory.search("canoe at the pier", limit=1)
    assert [hit.passage.text for hit in hits] == ["My canoe lies at the northern pier"]
    hits = await memory.search("4711", limit=4)
    assert all(hit.ranks.get("lexical") is None for hit in hits)


async def test_history_tells_every_change_with_what_was_before(memory: MemoryClient) -> None:
    passage = (await memory.add("I work at Acme", tags=["job"])).passage
    await memory.edit(passage.id, text="I work at Initech", reason="new job")
    await memory.edit(passage.id, tags=["job", "2026"])
    await memory.forget(passage.id)
    history = await memory.history(passage.id)
    assert [change.action for change in history.changes] == ["add", "edit", "edit", "forget"]
    assert history.changes[1].before == {"text": "I work at Acme"}
    assert history.changes[1].after == {"text": "I work at Initech"}
    assert history.changes[1].reason == "new job"
    assert history.changes[2].before == {"tags": ["job"]}


async def test_undo_takes_back_one_change_after_the_other(memory: MemoryClient) -> None:
    passage = (await memory.add("one", speaker="ann")).passage
    await memory.edit(passage.id, text="two", tags=["t"])
    await memory.edit(passage.id, text="three")
    await memory.forget(passage.id)

    assert (await memory.undo(passage.id))[0].forgotten_at is None
    assert (await memory.undo(passage.id))[0].text == "two"
    undone = (await memory.undo(passage.id))[0]
    assert (undone.text, undone.tags) == ("one", [])
    assert (await memory.undo(passage.id))[0].forgotten_at is not None
    with pytest.raises(errors.NothingToUndo):
        await memory.undo(passage.id)


async def test_a_superseded_passage_is_found_as_of_its_time_only(memory: MemoryClient) -> None:
    old = (await memory.add("我住北京", user="ann", at="2026-09-01")).passage
    both = await memory.supersede(old.id, "我搬到上海了", at="2026-10-01")
    assert both.old.superseded_by == both.new.id
    assert both.old.valid_to == both.new.valid_from

    now = await memory.search("住哪?", user="ann")
    assert [hit.passage.text for hit in now] == ["我搬到上海了"]
    then = await memory.search("住哪?", user="ann", as_of="2026-09-20")
    assert [hit.passage.text for hit in then] == ["我住北京"]
    ever = await memory.search("住哪?", user="ann", superseded=True)
    assert {hit.passage.text for hit in ever} == {"我住北京", "我搬到上海了"}


async def test_what_is_superseded_already_is_not_superseded_again(memory: MemoryClient) -> None:
    old = (await memory.add("The office is in Oslo")).passage
    with pytest.raises(errors.Invalid, match="is the old one"):
        await memory.supersede(old.id, "The office is in Oslo")
    both = await memory.supersede(old.id, "The office is in Bergen")
    with pytest.raises(errors.AlreadySuperseded, match=both.new.id):
        await memory.supersede(old.id, "The office is in Rome")


async def test_a_text_that_is_known_takes_the_place_and_is_not_stored_twice(
    memory: MemoryClient,
) -> None:
    old = (await memory.add("I live in Oslo now", user="ann", at="2026-01-01")).passage
    known = (await memory.add("I live in Bergen now", user="ann", at="2026-03-01")).passage

    done = await memory.supersede(old.id, "I live in Bergen now!", message="m7")

    assert (done.outcome, done.new.id) == ("duplicate", known.id)
    assert (done.old.superseded_by, done.old.valid_to) == (known.id, known.valid_from)
    hits = await memory.search("Where do I live now?", user="ann")
    assert [hit.passage.id for hit in hits] == [known.id]
    assert [one.message for one in (await memory.history(known.id)).sightings] == ["m7"]
    assert len((await memory.passages(user="ann")).passages) == 2


@pytest.mark.parametrize("from_the_newer", [True, False])
async def test_undoing_it_opens_the_old_and_leaves_what_was_known(
    memory: MemoryClient, from_the_newer: bool
) -> None:
    old = (await memory.add("I live in Oslo now", user="ann")).passage
    known = (await memory.add("I live in Bergen now", user="ann")).passage
    await memory.supersede(old.id, "I live in Bergen now")

    touched = await memory.undo(known.id if from_the_newer else old.id)

    assert {one.id for one in touched} == {old.id, known.id}
    hits = await memory.search("Where do I live now?", user="ann")
    assert {hit.passage.id for hit in hits} == {old.id, known.id}
    assert all(hit.passage.superseded_by is None for hit in hits)


@pytest.mark.parametrize(
    ("moments", "ended"),
    [
        ({}, "2026-03-01"),
        ({"at": "2026-02-01"}, "2026-03-01"),
        ({"at": "2026-05-01"}, "2026-05-01"),
        ({"valid_from": "2030-05-01"}, "2030-05-01"),
    ],
)
async def test_the_old_ends_where_the_known_began_or_when_it_was_said_later(
    memory: MemoryClient, moments: dict[str, str], ended: str
) -> None:
    old = (await memory.add("I live in Oslo now", at="2026-01-01")).passage
    await memory.add("I live in Bergen now", at="2026-03-01")

    done = await memory.supersede(old.id, "I live in Bergen now", **moments)

    assert done.old.valid_to == datetime.fromisoformat(f"{ended}T00:00:00+00:00")


async def test_what_began_before_the_old_takes_its_place_from_now(memory: MemoryClient) -> None:
    known = (await memory.add("I live in Bergen now", at="2026-01-01")).passage
    old = (await memory.add("I live in Oslo now", at="2026-03-01")).passage

    done = await memory.supersede(old.id, "I live in Bergen now")

    assert done.new.id == known.id
    assert done.old.valid_to is not None
    assert done.old.valid_to > old.valid_from


@pytest.mark.parametrize("why", ["speaker", "forgotten", "ended", "to be replaced"])
async def test_what_is_another_memory_or_not_in_force_takes_no_place(
    memory: MemoryClient, why: str
) -> None:
    old = (await memory.add("I live in Oslo now", speaker="ann")).passage
    speaker = "bo" if why == "speaker" else "ann"
    other = (await memory.add("I live in Bergen now", speaker=speaker)).passage
    match why:
        case "forgotten":
            await memory.forget(other.id)
        case "ended":
            await memory.supersede(other.id, "I live in Rome now")
        case "to be replaced":
            await memory.supersede(other.id, "I live in Rome now", valid_from="2099-01-01")

    done = await memory.supersede(old.id, "I live in Bergen now")

    assert done.outcome == "added"
    assert done.new.id != other.id


async def test_a_superseding_with_an_idempotency_key_is_done_once(memory: MemoryClient) -> None:
    old = (await memory.add("The office is in Oslo")).passage
    other = (await memory.add("The branch is in Rome")).passage
    text = "The office is in Bergen"
    first = await memory.supersede(old.id, text, idempotency_key="k2")

    assert await memory.supersede(old.id, text, idempotency_key="k2") == first
    with pytest.raises(errors.AlreadySuperseded):
        await memory.supersede(old.id, text)
    with pytest.raises(errors.IdempotencyConflict):
        await memory.supersede(other.id, text, idempotency_key="k2")


async def test_of_supersedings_with_one_key_at_once_all_answer_the_same(
    memory: MemoryClient,
) -> None:
    old = (await memory.add("The office is in Oslo")).passage
    text = "The office is in Bergen"
    done = await asyncio.gather(
        *(memory.supersede(old.id, text, idempotency_key="k3") for _ in range(5))
    )
    assert {one.new.id for one in done} == {done[0].new.id}
    assert len((await memory.passages()).passages) == 2


async def test_undoing_a_superseding_brings_the_old_back_and_hides_the_new(
    memory: MemoryClient,
) -> None:
    old = (await memory.add("The office is in Oslo")).passage
    both = await memory.supersede(old.id, "The office is in Bergen")
    touched = await memory.undo(both.new.id)
    assert {one.id for one in touched} == {old.id, both.new.id}
    hits = await memory.search("Where is the office?")
    assert [hit.passage.text for hit in hits] == ["The office is in Oslo"]
    assert hits[0].passage.superseded_by is None


async def test_a_change_that_others_build_on_is_not_undone_under_them(
    memory: MemoryClient,
) -> None:
    old = (await memory.add("The office is in Oslo")).passage
    both = await memory.supersede(old.id, "The office is in Bergen")
    await memory.edit(both.new.id, text="The office is in Bergen, second floor")
    with pytest.raises(errors.UndoConflict, match=both.new.id):
        await memory.undo(old.id)
    assert (await memory.get(old.id)).superseded_by == both.new.id


async def test_what_is_forgotten_is_not_found_and_can_come_back(memory: MemoryClient) -> None:
    passage = (await memory.add("The spare key is under the flowerpot")).passage
    await memory.forget(passage.id, reason="moved")
    assert await memory.search("Where is the spare key?") == []
    await memory.undo(passage.id)
    assert len(await memory.search("Where is the spare key?")) == 1


async def test_what_is_deleted_is_gone_with_its_history(memory: MemoryClient) -> None:
    passage = (await memory.add("My PIN is 8264")).passage
    await memory.edit(passage.id, text="My PIN is 1357")
    assert (await memory.delete(passage.id)).deleted == 1
    with pytest.raises(errors.PassageNotFound):
        await memory.get(passage.id)
    with pytest.raises(errors.PassageNotFound):
        await memory.history(passage.id)
    assert await memory.search("PIN 8264 1357") == []


async def test_what_a_deleted_passage_had_superseded_stays_ended_and_is_named(
    memory: MemoryClient,
) -> None:
    old = (await memory.add("The office is in Oslo", at="2026-01-01")).passage
    both = await memory.supersede(old.id, "The office is in Bergen", at="2026-03-01")

    erased = await memory.delete(both.new.id)

    assert erased.ended == [old.id]
    kept = await memory.get(old.id)
    assert (kept.valid_to, kept.superseded_by) == (both.old.valid_to, None)
    assert await memory.search("Where is the office?") == []
    await memory.undo(old.id)
    hits = await memory.search("Where is the office?")
    assert [hit.passage.text for hit in hits] == ["The office is in Oslo"]
    both = await memory.supersede(old.id, "The office is in Rome")
    assert (await memory.delete(both.new.id, old.id)).ended == []


async def test_deleting_an_unknown_passage_deletes_none(memory: MemoryClient) -> None:
    passage = (await memory.add("Keep me")).passage
    with pytest.raises(errors.PassageNotFound, match="nothing was deleted"):
        await memory.delete(passage.id, "passage-of-nobody")
    assert (await memory.get(passage.id)).text == "Keep me"


async def test_a_turn_is_no_longer_found_by_the_deleted_turn_before_it(
    memory: MemoryClient,
) -> None:
    question = await memory.add("Which vaccine, cholera or typhoid?", conversation="c")
    reply = await memory.add("The second one, please.", conversation="c", speaker="bo")
    await memory.add("Let us talk about gardens", conversation="d")
    hits = await memory.search("typhoid vaccine")
    assert {hits[0].passage.id, hits[1].passage.id} == {question.passage.id, reply.passage.id}

    await memory.delete(question.passage.id)
    assert (await memory.get(reply.passage.id)).context_id is None
    hits = await memory.search("typhoid vaccine")
    assert all(hit.ranks.get("lexical") is None for hit in hits)


async def test_an_edit_on_top_of_someone_elses_is_refused(memory: MemoryClient) -> None:
    passage = (await memory.add("draft")).passage
    await memory.edit(passage.id, text="draft two")
    with pytest.raises(errors.StalePassage):
        await memory.edit(passage.id, text="draft 2", version=passage.version)
    assert (await memory.get(passage.id)).text == "draft two"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "   \n"}, "empty"),
        ({"text": "a\0b"}, "NUL character at position 1"),
        ({"text": "ok", "tags": [""]}, "tag"),
        ({"text": "ok", "valid_from": "2026-05-02", "valid_to": "2026-05-01"}, "valid_to"),
        ({"text": "ok", "at": "yesterday"}, "at"),
        ({"text": "ok", "speaker": "x" * 1000}, "1000 characters"),
        ({"text": "ok", "metadata": {"n": float("inf")}}, "JSON"),
    ],
)
async def test_a_bad_draft_is_refused_with_a_reason_and_nothing_is_stored(
    memory: MemoryClient, fields: dict[str, object], words: str
) -> None:
    with pytest.raises((errors.Invalid, ValueError), match=words):
        await memory.add_many([{"text": "good one"}, fields])
    assert await memory.archives() == []


async def test_unknown_fields_are_named(memory: MemoryClient) -> None:
    with pytest.raises(errors.Invalid, match="txt"):
        await memory.add_many([{"text": "a", "txt": "b"}])


async def test_pages_and_exports_hold_every_passage_in_order(memory: MemoryClient) -> None:
    texts = [f"fact number {n}: {'xyz'[n % 3]}{n * n}" for n in range(25)]
    await memory.add_many(texts)
    seen: list[str] = []
    after = None
    while True:
        page = await memory.passages(after=after, limit=10)
        seen += [one.text for one in page.passages]
        if page.next is None:
            break
        after = page.next
    assert seen == texts
    assert [one.text async for one in memory.export()] == texts


async def test_paging_goes_on_after_a_passage_that_was_deleted(memory: MemoryClient) -> None:
    added = await memory.add_many([f"fact number {n}: {n * n}" for n in range(6)])
    first = await memory.passages(limit=2)
    await memory.delete(*(one.passage.id for one in added[1:3]))
    rest = await memory.passages(after=first.next)
    assert [one.id for one in rest.passages] == [one.passage.id for one in added[3:]]
    by_id = await memory.passages(after=added[3].passage.id)
    assert [one.id for one in by_id.passages] == [one.passage.id for one in added[4:]]
    with pytest.raises(errors.PassageNotFound):
        await memory.passages(after=added[1].passage.id)


async def test_archives_are_apart(memory: MemoryClient) -> None:
    await memory.add("Ann likes jasmine tea", user="ann")
    await memory.add("Bo likes black coffee", user="bo")
    await memory.add("Tea is grown in Fujian", archive="facts")
    assert [h.passage.text for h in await memory.search("tea", user="ann")] == [
        "Ann likes jasmine tea"
    ]
    assert await memory.search("tea", user="nobody") == []
    with pytest.raises(errors.ArchiveNotFound, match="'typo'"):
        await memory.search("tea", archives=["typo"])
    listed = await memory.archives()
    assert [(one.user, one.name, one.passages) for one in listed] == [
        ("", "facts", 1),
        ("ann", "default", 1),
        ("bo", "default", 1),
    ]


async def test_an_archive_is_renamed_and_deleted_with_all_it_holds(memory: MemoryClient) -> None:
    made = await memory.create_archive("notes", user="ann", description="of all kinds")
    with pytest.raises(errors.ArchiveExists):
        await memory.create_archive("notes", user="ann")
    kept = await memory.add("a note", user="ann", archive="notes")
    await memory.rename_archive(made.id, "journal")
    assert (await memory.search("note", user="ann", archives=["journal"]))[0].passage.id == (
        kept.passage.id
    )
    assert await memory.delete_archive(made.id) == 1
    with pytest.raises(errors.PassageNotFound):
        await memory.get(kept.passage.id)


async def test_an_idempotency_key_stores_once(memory: MemoryClient) -> None:
    first = await memory.add_many(["I was born in Xi'an"], idempotency_key="k1")
    again = await memory.add_many(["I was born in Xi'an"], idempotency_key="k1")
    assert again == first
    assert (await memory.history(first[0].passage.id)).sightings == []
    with pytest.raises(errors.IdempotencyConflict):
        await memory.add_many(["I was born in Oslo"], idempotency_key="k1")


async def test_of_requests_with_one_key_at_once_all_answer_the_same(memory: MemoryClient) -> None:
    done = await asyncio.gather(
        *(memory.add("I was born in Xi'an", idempotency_key="k4") for _ in range(8))
    )
    assert {(one.outcome, one.passage.id) for one in done} == {("added", done[0].passage.id)}
    assert (await memory.history(done[0].passage.id)).sightings == []


async def test_a_job_that_another_run_has_moved_on_stores_nothing(memory: MemoryClient) -> None:
    first = {"job": "file-1", "position": 1, "seen_position": 0}
    await memory.add_many(["line one is here"], **first)
    with pytest.raises(errors.JobConflict, match="from 0 to 1"):
        await memory.add_many(["line one is here, says another run"], **first)
    await memory.add_many(["line two is here"], job="file-1", position=2, seen_position=1)
    assert await memory.job_position("file-1") == 2
    assert [one.text async for one in memory.export()] == ["line one is here", "line two is here"]


async def test_of_runs_that_store_the_same_step_at_once_one_does(memory: MemoryClient) -> None:
    step = {"job": "file-1", "position": 3, "seen_position": 0}
    texts = [f"line {n} is about {n * n}" for n in range(3)]
    results = await asyncio.gather(
        *(memory.add_many(texts, **step) for _ in range(6)), return_exceptions=True
    )
    refused = [one for one in results if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [errors.JobConflict] * 5
    (stored,) = (one for one in results if not isinstance(one, BaseException))
    assert (await memory.history(stored[0].passage.id)).sightings == []


async def test_an_import_keeps_its_position_with_what_it_stores(memory: MemoryClient) -> None:
    assert await memory.job_position("file-1") == 0
    await memory.add_many(["line one is here"], job="file-1", position=1)
    with pytest.raises(errors.Invalid):
        await memory.add_many(["line two", "  "], job="file-1", position=3)
    assert await memory.job_position("file-1") == 1
