"""Memory skills, their changes and their events are kept alike on both databases."""

import asyncio
from dataclasses import replace

import pytest

from tests.fixtures.agents import Store
from tests.fixtures.skilled import add_canary, add_skill, draft, looking
from yiku.app import App
from yiku.core import errors
from yiku.core.ids import ChangelogId, SkillId
from yiku.core.skill import ChangelogStatus, MemorySkill, SkillStatus, SkillType
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_USER
from yiku.store import changelogs, skill_events, skills
from yiku.store.database import Tx


async def test_a_skill_is_kept_as_it_was_made_and_versions_are_counted(store: Store) -> None:
    first = await store.do(add_skill)
    assert (first.version, first.status, first.created_by) == (1, SkillStatus.ACTIVE, LOCAL_USER)
    assert (first.positive_count, first.negative_count, first.parent_id) == (0, 0, None)
    assert first.description == {"en": "Mine.", "zh": "我的。"}
    assert first.intent_keywords == ("mine", "我的")
    assert await store.do(skills.get, first.id) == first
    assert await store.do(skills.active, "mine") == first

    old = await store.do(skills.set_status, first, SkillStatus.DEPRECATED)
    more = {"status": SkillStatus.ACTIVE, "is_base": True, "parent": old}
    second = await store.do(skills.add, draft(template="2 {{ content }}"), **more)
    other = await store.do(add_skill, looking())

    assert (second.version, second.parent_id, second.is_base) == (2, first.id, True)
    assert await store.do(skills.versions, "mine") == [second, old]
    assert await store.do(skills.all) == [other, second]
    assert await store.do(skills.all, SkillType.RETRIEVAL) == [other]
    assert await store.do(skills.all, None, tuple(SkillStatus)) == [other, old, second]
    assert await store.do(skills.by_id, [first.id, other.id, "skill-none"]) == {
        first.id: old,
        other.id: other,
    }
    assert await store.do(skills.by_id, []) == {}
    assert await store.do(skills.versions, "none\0") == []


async def test_one_version_of_a_name_is_active_and_one_a_canary_at_most(store: Store) -> None:
    first = await store.do(add_skill)
    entry = await store.do(add_canary, first, "2 {{ content }}")

    with pytest.raises(errors.SkillExists, match="Version 1 of the memory skill 'mine' is active"):
        await store.do(add_skill)
    with pytest.raises(errors.SkillExists, match="Approve or reject it first"):
        await store.do(add_canary, first, "3 {{ content }}")

    assert (await store.do(skills.canary, "mine")).id == entry.skill_id
    assert len(await store.do(skills.versions, "mine")) == 2


async def test_of_changes_of_a_status_at_once_one_is_made(app: App) -> None:
    first = await app.database.write(LOCAL_ACTOR, add_skill)

    def next_version(tx: Tx) -> MemorySkill:
        old = skills.set_status(tx, first, SkillStatus.DEPRECATED)
        return skills.add(tx, draft(), status=SkillStatus.ACTIVE, is_base=False, parent=old)

    done = await asyncio.gather(
        *(app.database.write(LOCAL_ACTOR, next_version) for _ in range(4)), return_exceptions=True
    )

    made = [one for one in done if isinstance(one, MemorySkill)]
    refused = [one for one in done if isinstance(one, errors.Conflict)]
    assert (len(made), len(refused)) == (1, 3)
    assert made[0].version == 2


async def test_judgements_are_counted_by_version(store: Store) -> None:
    first = await store.do(add_skill)
    for positive in (True, False, True):
        await store.do(skills.count, first.id, positive)
    await store.as_stranger(skills.count, first.id, False)

    now = await store.do(skills.get, first.id)

    assert (now.positive_count, now.negative_count, now.judged) == (2, 1, 3)
    assert now.negative_rate == pytest.approx(1 / 3)


async def test_a_change_is_decided_once(store: Store) -> None:
    first = await store.do(add_skill)
    entry = await store.do(add_canary, first, "2 {{ content }}")
    assert (entry.old_skill_id, entry.old_prompt) == (first.id, first.prompt_template)
    assert (entry.new_prompt, entry.report) == ("2 {{ content }}", {"pairs": 30})
    assert (entry.decided_at, entry.decided_by) == (None, None)
    assert await store.do(changelogs.get, entry.id) == entry
    assert await store.do(changelogs.waiting, "mine") == entry

    done = await store.do(changelogs.decide, entry, ChangelogStatus.REJECTED, "no good")
    assert (done.status, done.decided_by) == (ChangelogStatus.REJECTED, LOCAL_USER)
    assert done.reason == "better\n\nno good"
    with pytest.raises(errors.NotACanary, match="is rejected already"):
        await store.do(changelogs.decide, entry, ChangelogStatus.APPROVED)
    assert await store.do(changelogs.waiting, "mine") is None

    first_of_all = await store.do(
        changelogs.add, first, None, reason="added", status=ChangelogStatus.APPROVED
    )
    assert (first_of_all.old_prompt, first_of_all.decided_by) == ("", LOCAL_USER)
    assert await store.do(changelogs.page) == [first_of_all, done]
    assert await store.do(changelogs.page, "mine", first_of_all.seq, 5) == [done]
    assert await store.do(changelogs.page, "none") == []


async def test_events_are_read_on_from_the_last_one_seen(store: Store) -> None:
    one = await store.do(skill_events.add, "skill.added", {"name": "mine", "version": 1})
    two = await store.do(skill_events.add, "skill.edited", {"name": "我的"})
    await store.as_stranger(skill_events.add, "skill.added", {})

    assert await store.do(skill_events.after) == [one, two]
    assert await store.do(skill_events.after, one.seq) == [two]
    assert await store.do(skill_events.after, 0, 1) == [one]
    assert await store.do(skill_events.last) == two.seq


async def test_another_organization_has_names_of_its_own_and_sees_none_of_ours(
    store: Store,
) -> None:
    ours = await store.do(add_skill)
    entry = await store.do(add_canary, ours, "2 {{ content }}")
    theirs = await store.as_stranger(add_skill)

    assert (theirs.name, theirs.version) == (ours.name, 1)
    assert await store.as_stranger(skills.all) == [theirs]
    assert await store.as_stranger(skills.against_files) == [theirs]
    assert await store.as_stranger(skills.by_id, [ours.id]) == {}
    for act, given in (
        (skills.get, (ours.id,)),
        (changelogs.get, (entry.id,)),
        (changelogs.decide, (entry, ChangelogStatus.APPROVED)),
        (skills.set_status, (ours, SkillStatus.DEPRECATED)),
    ):
        with pytest.raises((errors.NotFound, errors.Conflict)):
            await store.as_stranger(act, *given)
    assert await store.as_stranger(changelogs.page) == []
    assert await store.as_stranger(changelogs.trials, entry) == []
    assert await store.do(skills.get, ours.id) == ours


async def test_what_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(errors.SkillNotFound, match="skill-none"):
        await store.do(skills.get, SkillId("skill-none"))
    with pytest.raises(errors.SkillNotFound):
        await store.do(skills.get, SkillId("skill-\0"))
    with pytest.raises(errors.ChangelogNotFound, match="changelog-none"):
        await store.do(changelogs.get, ChangelogId("changelog-none"))
    gone = replace(await store.do(add_skill), seq=10**6)
    with pytest.raises(errors.Conflict, match="changed meanwhile"):
        await store.do(skills.set_status, gone, SkillStatus.DEPRECATED)
