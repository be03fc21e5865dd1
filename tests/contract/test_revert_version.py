"""What a bad version wrote is taken back, text by text, and can be brought back."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.contract.test_evolution import NAME, flawed
from tests.fixtures.judging import Skilled
from tests.servers.careless import GOOD, Careless
from tests.servers.scripted_chat import Script, ScriptedChat
from yiku.core.errors import Invalid, NotAllowed
from yiku.core.ids import EncodingId
from yiku.core.memory import Draft
from yiku.core.skill import Encoding, EncodingStatus, Job, MemorySkill
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import changes, search
from yiku.memory.skills import encode, promote, registry, revert, saving
from yiku.store import encodings, outbox, skill_events
from yiku.store import skills as rows
from yiku.store.database import Tx

TOLD = ("My shoe size is 43", "My sister lives in Oslo", "My train seat is 61")
WRITTEN = ["The user's shoe size is", "The user's sister lives in Oslo", "The user's train seat is"]
RIGHT = [
    "The user's shoe size is 43",
    "The user's sister lives in Oslo",
    "The user's train seat is 61",
]


async def at_work(skilled: Skilled, model: ScriptedChat) -> tuple[MemorySkill, list[Encoding]]:
    model.respond = Script(then=Careless())
    skill = await flawed(skilled)
    return skill, [await skilled.remember(one, NAME) for one in TOLD]


async def found(skilled: Skilled) -> list[str]:
    hits = await search.search(
        skilled.memory, LOCAL_ACTOR, [skilled.archive_id], "the user's shoe size, sister and seat"
    )
    return sorted(hit.passage.text for hit in hits)


async def status(skilled: Skilled, of: Sequence[Encoding]) -> set[EncodingStatus]:
    def unit(tx: Tx) -> set[EncodingStatus]:
        read = [encodings.get(tx, one.id) for one in of]
        return {one.status for one in read if one is not None}

    return await skilled.database.read(LOCAL_ACTOR, unit)


async def worked(skilled: Skilled) -> None:
    """The outbox's jobs are done."""
    jobs: list[Job] = await skilled.database.read(LOCAL_ACTOR, outbox.waiting)
    for job in jobs:
        if job.kind == saving.JOB:
            await encode.run(skilled.skills, LOCAL_ACTOR, EncodingId(job.key))


async def mended(skilled: Skilled) -> MemorySkill:
    return await registry.edit(skilled.skills, LOCAL_ACTOR, NAME, {"prompt_template": GOOD})


async def test_the_originals_stand_again_and_it_can_be_taken_back(
    skilled: Skilled, model: ScriptedChat
) -> None:
    skill, encoded = await at_work(skilled, model)
    assert await found(skilled) == sorted(WRITTEN)

    done = await revert.revert_version(skilled.skills, LOCAL_ACTOR, skill.id)

    assert (done.done, done.again, done.left) == (3, 0, ())
    assert await found(skilled) == sorted(TOLD)
    assert await status(skilled, encoded) == {EncodingStatus.REVERTED}

    back = await revert.restore_version(skilled.skills, LOCAL_ACTOR, skill.id)

    assert (back.done, back.left) == (3, ())
    assert await found(skilled) == sorted(WRITTEN)
    assert await status(skilled, encoded) == {EncodingStatus.ENCODED}
    again = await revert.revert_version(skilled.skills, LOCAL_ACTOR, skill.id)
    assert again.done == 3
    assert await found(skilled) == sorted(TOLD)


async def test_the_active_version_encodes_the_originals_anew(
    skilled: Skilled, model: ScriptedChat
) -> None:
    bad, encoded = await at_work(skilled, model)
    good = await mended(skilled)

    done = await revert.revert_version(skilled.skills, LOCAL_ACTOR, bad.id, "encode")
    assert (done.done, done.again) == (3, 3)
    assert await found(skilled) == sorted(TOLD)  # nothing is lost while it waits
    await worked(skilled)

    assert await found(skilled) == sorted(RIGHT)
    assert await status(skilled, encoded) == {EncodingStatus.REVERTED}
    own = await skilled.database.read(
        LOCAL_ACTOR, lambda tx: encodings.of_skill(tx, good.id, EncodingStatus.ENCODED)
    )
    assert sorted(one.content for one in own) == sorted(TOLD)

    await revert.restore_version(skilled.skills, LOCAL_ACTOR, bad.id)
    assert await found(skilled) == sorted(WRITTEN)
    assert await status(skilled, own) == {EncodingStatus.REVERTED}


async def test_running_it_again_does_nothing_again(skilled: Skilled, model: ScriptedChat) -> None:
    bad, _ = await at_work(skilled, model)
    await mended(skilled)
    await revert.revert_version(skilled.skills, LOCAL_ACTOR, bad.id, "encode")
    again = await revert.revert_version(skilled.skills, LOCAL_ACTOR, bad.id, "encode")
    assert (again.done, again.left) == (0, ())
    await worked(skilled)
    assert await found(skilled) == sorted(RIGHT)


async def test_one_that_dies_half_way_goes_on(skilled: Skilled, model: ScriptedChat) -> None:
    bad, _ = await at_work(skilled, model)
    seen: list[EncodingId] = []

    class Died(BaseException):
        pass

    def dies(encoding_id: EncodingId, why: str | None) -> None:
        seen.append(encoding_id)
        if len(seen) == 2:
            raise Died

    with pytest.raises(Died):
        await revert.revert_version(skilled.skills, LOCAL_ACTOR, bad.id, progress=dies)
    done = await revert.revert_version(skilled.skills, LOCAL_ACTOR, bad.id)
    assert done.done == 1
    assert await found(skilled) == sorted(TOLD)


async def test_what_has_changed_since_is_left_and_told(
    skilled: Skilled, model: ScriptedChat
) -> None:
    skill, encoded = await at_work(skilled, model)
    sister = encoded[1]
    made = await skilled.database.read(LOCAL_ACTOR, lambda tx: encodings.items(tx, sister))
    [written] = [one for one, op, _ in made if op == "add"]
    await changes.supersede(
        skilled.memory, LOCAL_ACTOR, written, Draft(text="The user's sister lives in Rome")
    )

    done = await revert.revert_version(skilled.skills, LOCAL_ACTOR, skill.id)

    assert done.done == 2
    [left] = done.left
    assert left.encoding_id == sister.id
    assert "superseded since" in left.why
    assert "My sister lives in Oslo" not in await found(skilled)
    assert "The user's sister lives in Rome" in await found(skilled)


async def test_what_it_superseded_stands_again(skilled: Skilled, model: ScriptedChat) -> None:
    model.respond = Script(then=Careless())
    skill = await flawed(skilled)
    old = await skilled.kept("The user lives in Rome")
    answer = '{"operations": [{"op": "supersede", "target": "k1", "text": "The user lives"}]}'
    model.respond = Script(answer)
    await skilled.remember("My user lives in Oslo now", NAME)
    assert (await skilled.passage(old.id)).superseded_by is not None

    await revert.revert_version(skilled.skills, LOCAL_ACTOR, skill.id)

    assert (await skilled.passage(old.id)).superseded_by is None
    assert (await skilled.passage(old.id)).valid_to is None


async def test_it_is_undone_like_any_change(skilled: Skilled, model: ScriptedChat) -> None:
    skill, [shoe, *_] = await at_work(skilled, model)
    await revert.revert_version(skilled.skills, LOCAL_ACTOR, skill.id)
    assert shoe.raw_id is not None
    await changes.undo(skilled.memory, LOCAL_ACTOR, shoe.raw_id)
    assert WRITTEN[0] in await found(skilled)
    assert TOLD[0] not in await found(skilled)


async def test_what_can_not_be_reverted(skilled: Skilled, model: ScriptedChat) -> None:
    skill, _ = await at_work(skilled, model)
    with pytest.raises(Invalid, match="is the active one"):
        await revert.revert_version(skilled.skills, LOCAL_ACTOR, skill.id, "encode")
    looks = await skilled.active("semantic_search")
    with pytest.raises(Invalid, match="writes nothing"):
        await revert.revert_version(skilled.skills, LOCAL_ACTOR, looks.id)
    with pytest.raises(NotAllowed):
        await revert.revert_version(skilled.skills, LOCAL_ACTOR.bookkeeper, skill.id)


async def test_each_run_leaves_an_event(skilled: Skilled, model: ScriptedChat) -> None:
    skill, _ = await at_work(skilled, model)
    await revert.revert_version(skilled.skills, LOCAL_ACTOR, skill.id)

    def unit(tx: Tx) -> dict[str, Any]:
        last = skill_events.after(tx)[-1]
        return {"kind": last.kind, **last.facts}

    event = await skilled.database.read(LOCAL_ACTOR, unit)
    assert event["kind"] == "version.reverted"
    assert (event["skill_id"], event["done"], event["left"]) == (skill.id, 3, 0)


async def test_a_rolled_back_version_can_be_cleaned_up_after(
    skilled: Skilled, model: ScriptedChat
) -> None:
    """The whole way: edited for the worse, rolled back, and what it wrote encoded anew."""
    model.respond = Script(then=Careless())
    await flawed(skilled)
    good = await mended(skilled)
    worse = await registry.edit(
        skilled.skills,
        LOCAL_ACTOR,
        NAME,
        {"prompt_template": GOOD.replace("Copy every number and date.", "Be brief.")},
    )
    await skilled.remember(TOLD[0], NAME)
    await promote.rollback(skilled.skills, LOCAL_ACTOR, NAME)
    assert (await skilled.active(NAME)).id == good.id
    await revert.revert_version(skilled.skills, LOCAL_ACTOR, worse.id, "encode")
    await worked(skilled)
    assert await found(skilled) == [RIGHT[0]]
    deprecated = await skilled.database.read(LOCAL_ACTOR, lambda tx: rows.get(tx, worse.id))
    assert deprecated.judged == 0
