"""What skills wrote, found and were judged by is kept alike on both databases, and goes with the
memories it quotes."""

from dataclasses import replace

import pytest
from sqlalchemy import String, Text, cast, func, select, text

from tests.fixtures.agents import NOW, Store, run
from tests.fixtures.skilled import add_canary, add_skill, encoded, looking, remembered
from yiku.app import App
from yiku.core.ids import AgentId, EncodingId, LookupId, MessageId, PassageId, RunId
from yiku.core.memory import Draft
from yiku.core.skill import (
    EncodingStatus,
    FeedbackKind,
    MemorySkill,
    Op,
    Operation,
    SkillChangelog,
    Trial,
)
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import changes, erase, ingest
from yiku.memory.archival import Place
from yiku.memory.skills import lineage
from yiku.store import (
    agents,
    archives,
    changelogs,
    encodings,
    feedback,
    lookups,
    passages,
    runs,
    skills,
)
from yiku.store.database import Tx
from yiku.store.tables import Document, metadata
from yiku.store.verify import check

USED, FORGOTTEN, CORRECTED = FeedbackKind.USED, FeedbackKind.FORGOTTEN, FeedbackKind.CORRECTED


@pytest.fixture
async def skill(store: Store) -> MemorySkill:
    return await store.do(add_skill)


@pytest.fixture
async def retrieval(store: Store) -> MemorySkill:
    return await store.do(add_skill, looking())


def quoted(tx: Tx, words: str) -> list[str]:
    """The columns in which any text or document holds the words."""
    found: list[str] = []
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, String | Document):
                held = cast(column, Text).contains(words)
                count = select(func.count()).select_from(table).where(held)
                if tx.connection.execute(count).scalar_one():
                    found.append(f"{table.name}.{column.name}")
    return sorted(found)


async def problems(app: App) -> list[str]:
    return await app.database.read(LOCAL_ACTOR, lambda tx: check(tx.connection).problems)


async def test_an_encoding_is_kept_as_it_was_and_as_it_became(
    app: App, store: Store, skill: MemorySkill
) -> None:
    [raw, known] = await remembered(app, "I moved to Shanghai", "The user lives in Beijing")
    given = {
        "archive_id": raw.archive_id,
        "skill_id": skill.id,
        "content": "I moved to Shanghai 上海",
        "language": "en",
        "raw_id": raw.id,
        "agent_id": AgentId("agent-1"),
        "run_id": RunId("run-1"),
        "message_id": MessageId("message-1"),
    }
    new = await store.do(encodings.add, **given)
    assert {name: getattr(new, name) for name in given} == given
    assert (new.status, new.tries, new.operations) == (EncodingStatus.PENDING, 0, ())
    assert await store.do(encodings.get, new.id) == new
    assert await store.do(encodings.get_to_change, new.id) == new
    assert await store.do(encodings.pending) == [new]
    assert await store.do(encodings.items, new) == [(raw.id, "raw", None)]

    done = replace(
        new,
        status=EncodingStatus.ENCODED,
        tries=2,
        problem="once",
        operations=(
            Operation(op=Op.SUPERSEDE, text="The user lives in Shanghai", target=known.id),
            Operation(op=Op.NOTHING),
        ),
        model="kimi/k2",
        prompt_tokens=100,
        completion_tokens=20,
        encoded_at=NOW,
    )
    assert await store.do(encodings.put, done)
    assert await store.do(encodings.get, new.id) == done
    await store.do(encodings.link, new, [(known.id, Op.SUPERSEDE, "change-1")])
    latest = [(known.id, "delete", None), (PassageId("none"), "add", None)]
    await store.do(encodings.link, new, latest)

    assert await store.do(encodings.items, new) == [
        (raw.id, "raw", None),
        (known.id, "delete", None),
    ]
    assert await store.do(encodings.of_passage, known.id) == [(done, "delete")]
    assert await store.do(encodings.pending) == []
    assert await store.do(encodings.of_skill, skill.id) == [done]
    assert await store.do(encodings.of_skill, skill.id, EncodingStatus.PENDING) == []
    assert await store.do(encodings.of_skill, skill.id, None, done.seq) == []
    assert await store.do(encodings.counts) == {skill.id: {EncodingStatus.ENCODED: 1}}
    [origin] = await store.do(lineage.of_passage, known.id)
    assert (origin.op, origin.encoding, origin.skill) == ("delete", done, skill)


async def test_pages_of_encodings_go_on_where_they_ended(
    app: App, store: Store, skill: MemorySkill
) -> None:
    [one] = await remembered(app, "a")
    more = {"archive_id": one.archive_id, "skill_id": skill.id, "language": "en"}
    three = [await store.do(encodings.add, content=str(n), **more) for n in range(3)]

    assert await store.do(encodings.pending, 0, 2) == three[:2]
    assert await store.do(encodings.pending, three[1].seq, 2) == three[2:]
    assert await store.do(encodings.of_skill, skill.id, None, None, 2) == three[:0:-1]
    assert await store.do(encodings.of_skill, skill.id, None, three[1].seq, 2) == three[:1]


async def test_a_lookup_is_kept_with_what_it_found(
    app: App, store: Store, retrieval: MemorySkill
) -> None:
    one, two = await remembered(app, "tea", "coffee")
    given = {
        "skill_id": retrieval.id,
        "query": "茶?",
        "refined": ("tea", "drinks"),
        "agent_id": AgentId("agent-1"),
        "run_id": RunId("run-1"),
        "call_id": "call-1",
    }
    found = (two.id, one.id)
    first = await store.do(lookups.add, passage_ids=(*found, two.id, PassageId("gone")), **given)
    assert {name: getattr(first, name) for name in given} == given
    assert (first.passage_ids, first.judged_at) == (found, None)
    bare = await store.do(lookups.add, skill_id=retrieval.id, query="x", passage_ids=())
    assert await store.do(lookups.get, first.id) == first
    assert await store.do(lookups.get, bare.id) == bare
    assert await store.do(lookups.of_skill, retrieval.id) == [bare, first]
    assert await store.do(lookups.of_skill, retrieval.id, bare.seq) == [first]
    assert await store.do(lookups.last_with, one.id) == first
    assert await store.do(lookups.last_with, one.id, AgentId("agent-1")) == first
    assert await store.do(lookups.last_with, one.id, AgentId("agent-2")) is None

    assert await store.do(lookups.of_run, RunId("run-1"), True) == [first]
    assert await store.do(lookups.judged, [first.id]) == [first.id]
    assert await store.do(lookups.judged, [first.id]) == []
    assert await store.do(lookups.judged, []) == []
    assert await store.do(lookups.of_run, RunId("run-1"), True) == []
    [judged] = await store.do(lookups.of_run, RunId("run-1"))
    assert judged.judged_at is not None
    assert replace(judged, judged_at=None) == first


async def test_a_judgement_is_counted_once(app: App, store: Store, skill: MemorySkill) -> None:
    [one] = await remembered(app, "tea")
    more = {
        "skill_id": skill.id,
        "passage_id": one.id,
        "query": "茶",
        "evidence": {"words": ["tea"]},
    }
    assert await store.do(feedback.add, kind=USED, key="a", **more)
    assert not await store.do(feedback.add, kind=USED, key="a", **more)
    assert await store.do(feedback.add, kind=FORGOTTEN, key="b", **more)
    assert await store.as_stranger(
        lambda tx: feedback.add(
            tx, skill_id=add_skill(tx).id, kind=USED, key="a", evidence={}, encoding_id=None
        )
    )
    gone = {**more, "passage_id": PassageId("passage-gone")}
    assert not await store.do(feedback.add, kind=FORGOTTEN, key="c", **gone)

    now = await store.do(skills.get, skill.id)
    forgotten, used = await store.do(feedback.of_skill, skill.id)

    assert (now.positive_count, now.negative_count) == (1, 1)
    assert (used.kind, used.passage_id, used.query, used.key) == (USED, one.id, "茶", "a")
    assert used.evidence == {"words": ["tea"]}
    assert await store.do(feedback.of_skill, skill.id, [FORGOTTEN]) == [forgotten]
    assert await store.do(feedback.of_skill, skill.id, None, forgotten.seq) == [used]
    assert await store.do(feedback.of_passage, one.id) == [used, forgotten]
    assert await store.do(feedback.by_kind) == {skill.id: {USED: 1, FORGOTTEN: 1}}
    assert await problems(app) == []


async def test_another_organization_sees_and_changes_nothing(
    app: App, store: Store, skill: MemorySkill, retrieval: MemorySkill
) -> None:
    encoding, [raw, made] = await encoded(app, skill, "tea please", ["The user drinks tea"])
    lookup = await store.do(lookups.add, skill_id=retrieval.id, query="q", passage_ids=[made])

    for act, given in (
        (encodings.get, encoding.id),
        (encodings.get_to_change, encoding.id),
        (lookups.get, lookup.id),
        (lookups.last_with, made),
    ):
        assert await store.as_stranger(act, given) is None
    for act, given in (
        (encodings.items, encoding),
        (encodings.of_passage, made),
        (encodings.of_skill, skill.id),
        (lookups.of_skill, retrieval.id),
        (lookups.judged, [lookup.id]),
        (feedback.of_passage, made),
        (feedback.of_skill, skill.id),
        (encodings.originals, [0, 1, 2, 3]),
    ):
        assert await store.as_stranger(act, given) == []
    assert not await store.as_stranger(encodings.put, replace(encoding, problem="theirs"))
    await store.as_stranger(encodings.erase_of, list(range(100)))
    await store.as_stranger(encodings.erase_of_archive, encoding.archive_id)
    stolen = await store.as_stranger(
        lambda tx: lookups.add(tx, skill_id=add_skill(tx).id, query="q", passage_ids=[raw])
    )
    assert stolen.passage_ids == ()
    assert await store.do(encodings.get, encoding.id) == encoding
    assert await store.do(lookups.get, lookup.id) == lookup


async def quoting_everything(
    app: App, store: Store, skill: MemorySkill, retrieval: MemorySkill
) -> list[PassageId]:
    """Memories of one text, and every row that may quote it."""
    original = "zebra zebra and a parrot"
    encoding, ids = await encoded(app, skill, original, ["has a zebra", "has a parrot"])
    [other] = await remembered(app, "plays the piano")
    by_run = await a_run(store)
    found = [ids[1], other.id]
    lookup = await store.do(
        lookups.add,
        skill_id=retrieval.id,
        query="which zebra?",
        refined=("zebra",),
        passage_ids=found,
        run_id=by_run,
    )

    def rest(tx: Tx) -> SkillChangelog:
        done = replace(encoding, operations=(Operation(op=Op.ADD, text="has a zebra"),))
        encodings.put(tx, replace(done, problem="zebra", status=EncodingStatus.ENCODED))
        of = {"skill_id": skill.id, "evidence": {"words": ["zebra"]}, "query": "which zebra?"}
        by = of | {"kind": USED, "lookup_id": lookup.id}
        feedback.add(tx, key="1", passage_id=ids[1], **by)
        # On another memory, by a lookup that found both.
        feedback.add(tx, key="2", passage_id=other.id, **by)
        # On another memory, by another lookup of the same run: the reply drew on both.
        again = lookups.add(
            tx, skill_id=retrieval.id, query="music?", passage_ids=[other.id], run_id=by_run
        )
        by = of | {"kind": USED, "lookup_id": again.id, "query": again.query}
        feedback.add(tx, key="5", passage_id=other.id, **by)
        # On none: the question found nothing.
        feedback.add(tx, key="3", kind=FeedbackKind.MISSED, encoding_id=encoding.id, **of)
        # On what it took the place of.
        feedback.add(tx, kind=CORRECTED, key="4", passage_id=ids[0], **of)
        entry = add_canary(tx, skill, "{{ content }} 2")
        trial = {"failed_before": True, "old": {"text": "zebra"}, "new": {"text": "a zebra"}}
        scores = {"old_score": 0.0, "new_score": 1.0}
        trials = [
            Trial(encoding_id=encoding.id, lookup_id=None, **trial, **scores),
            Trial(encoding_id=None, lookup_id=lookup.id, **trial, **scores),
            Trial(encoding_id=EncodingId("gone"), lookup_id=LookupId("gone"), **trial, **scores),
        ]
        changelogs.add_trials(tx, entry, trials)
        assert changelogs.trials(tx, entry) == trials[:2]
        return entry

    await store.do(rest)
    assert await problems(app) == []
    return ids


async def a_run(store: Store) -> RunId:
    agent = await store.agent()
    return (await store.do(runs.add, run(agent.id))).id


EVERYWHERE = [
    "memory_encoding.content",
    "memory_encoding.operations",
    "memory_encoding.problem",
    "memory_feedback.evidence",
    "memory_feedback.query",
    "memory_lookup.query",
    "memory_lookup.refined",
    "memory_trial.new",
    "memory_trial.old",
    "passage.text",
]


OF_THE_LOOKUP = [one for one in EVERYWHERE if "encoding" not in one]


# Which of them is deleted, and where the words of the first and of the second stay
DELETED = {
    # What was made of it is a memory of its own, and so is what found that.
    "the original": (0, OF_THE_LOOKUP, ["passage.text"]),
    # The original had its words, too.
    "the first": (1, [], ["passage.text"]),
    "the second": (2, OF_THE_LOOKUP, []),
}


@pytest.mark.parametrize("deleted", DELETED)
async def test_nothing_of_a_deleted_memory_stays(
    app: App, store: Store, skill: MemorySkill, retrieval: MemorySkill, deleted: str
) -> None:
    which, zebra, parrot = DELETED[deleted]
    ids = await quoting_everything(app, store, skill, retrieval)
    assert await store.do(quoted, "zebra") == EVERYWHERE
    counted = await store.do(skills.get, skill.id)

    done = await erase.delete(app.memory, LOCAL_ACTOR, [ids[which]])

    assert (done.deleted, done.ended) == (1, ())
    assert await store.do(quoted, "zebra") == zebra
    assert await store.do(quoted, "parrot") == parrot
    there = await store.do(passages.get_by_id, ids)
    assert set(there) == set(ids[1:]) - {ids[which]}
    assert await store.do(encodings.of_skill, skill.id) == []
    assert await store.do(skills.get, skill.id) == counted, "what was counted stays counted"
    assert await problems(app) == []


async def test_an_original_that_still_stands_for_itself_stays(
    app: App, store: Store, skill: MemorySkill
) -> None:
    """As where a text was kept beside what was made of it."""
    encoding, [raw, _] = await encoded(app, skill, "tea please", ["The user drinks tea"])
    await changes.undo(app.memory, LOCAL_ACTOR, raw)
    [again] = await remembered(app, "The user drinks tea")
    await store.do(encodings.link, encoding, [(again.id, "add", None)])

    await erase.delete(app.memory, LOCAL_ACTOR, [again.id])

    assert raw in await store.do(passages.get_by_id, [raw])
    assert await store.do(encodings.get, encoding.id) is None


async def test_nothing_of_a_deleted_archive_stays(
    app: App, store: Store, skill: MemorySkill, retrieval: MemorySkill
) -> None:
    await quoting_everything(app, store, skill, retrieval)
    [elsewhere] = await ingest.add(app.memory, LOCAL_ACTOR, Place("", "other"), [Draft(text="sea")])
    kept = await store.do(
        lookups.add, skill_id=retrieval.id, query="sea?", passage_ids=[elsewhere.passage.id]
    )
    archive = await store.do(archives.find, "", "default")

    await erase.delete_archive(app.memory, LOCAL_ACTOR, archive.id)

    assert await store.do(quoted, "zebra") == []
    assert await store.do(quoted, "parrot") == []
    assert await store.do(lookups.of_skill, retrieval.id) == [kept]
    assert await problems(app) == []


async def test_what_a_deleted_agent_asked_goes_with_it(
    app: App, store: Store, retrieval: MemorySkill
) -> None:
    run_id = await a_run(store)
    for of in (run_id, None):
        await store.do(
            lookups.add, skill_id=retrieval.id, query=f"of {of}", passage_ids=[], run_id=of
        )

    await store.do(agents.remove, (await store.do(runs.get, run_id)).agent_id)

    assert [one.run_id for one in await store.do(lookups.of_skill, retrieval.id)] == [None]


async def test_what_doesnt_fit_together_is_found(
    app: App, store: Store, skill: MemorySkill, retrieval: MemorySkill
) -> None:
    await quoting_everything(app, store, skill, retrieval)
    stranger = store.stranger.organization_id

    def damage(tx: Tx) -> None:
        for wrong in (
            "UPDATE memory_skill SET positive_count = 0, negative_count = 0",
            "UPDATE memory_skill SET status = 'deprecated' WHERE status = 'canary'",
            'UPDATE memory_encoding SET operations = \'[{"op": "explode"}]\'',
            f"UPDATE memory_lookup SET organization_id = '{stranger}'",
            "UPDATE memory_feedback SET kind = 'adored' WHERE kind = 'corrected'",
        ):
            tx.connection.execute(text(wrong))

    await store.do(damage)

    found = "\n".join(await problems(app))
    for words in (
        "has more judgements than it counts: 0 for it, 0 against it",
        "is deprecated, and its change changelog-",
        "its operations can't be read",
        "a row of memory_lookup and its skill-",
        "its kind can't be read",
        "belong to different organizations",
    ):
        assert words in found


async def test_counts_are_told(app: App, store: Store, skill: MemorySkill) -> None:
    await encoded(app, skill, "tea please", ["The user drinks tea"])
    counts = await app.database.read(LOCAL_ACTOR, lambda tx: check(tx.connection).counts)
    assert (counts["memory_skill"], counts["memory_encoding"], counts["outbox"]) == (1, 1, 0)
