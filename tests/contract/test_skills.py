"""Memory skills below the doors: from files, added, edited, approved, rolled back."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import yiku
from tests.fixtures.skilled import TEMPLATE, add_canary, draft, encoded
from yiku.app import App, build
from yiku.core import errors
from yiku.core.ids import ChangelogId, SkillId
from yiku.core.skill import ChangelogStatus, MemorySkill, SkillChangelog, SkillStatus, SkillType
from yiku.core.tenant import LOCAL_ACTOR, Actor, Scope
from yiku.memory.skills import files, promote, registry
from yiku.settings import load
from yiku.store import skill_events, skills, tenants
from yiku.store.database import Tx

BASE = {"exact_match", "fact_extraction", "preference_capture", "semantic_search"}
WRITER = replace(LOCAL_ACTOR, scope=Scope.WRITE)
READER = replace(LOCAL_ACTOR, scope=Scope.READ)


@pytest.fixture
async def app(database_url: str, yiku_home: Path, tmp_path: Path) -> AsyncIterator[App]:
    """With a folder of its own for skills."""
    settings = load(home=yiku_home, database_url=database_url, skills_dir=tmp_path / "skills")
    (tmp_path / "skills").mkdir()
    async with build(settings) as built:
        yield built


def put(app: App, one: files.SkillDraft, at: int = 1) -> Path:
    path = app.skills.folder / f"{one.name}.md"
    path.write_text(files.write(one), encoding="utf-8")
    os.utime(path, ns=(at, at))
    return path


async def active(app: App, name: str) -> MemorySkill:
    found = {one.name: one for one in await registry.active(app.skills, LOCAL_ACTOR)}
    return found[name]


async def proposed(app: App, name: str, template: str = "Better. {{ content }}") -> SkillChangelog:
    return await app.database.write(
        LOCAL_ACTOR, lambda tx: add_canary(tx, skills.active(tx, name), template)
    )


async def events(app: App) -> list[str]:
    return [one.kind for one in await app.database.read(LOCAL_ACTOR, skill_events.after)]


async def test_the_base_skills_are_there_and_users_add_more_by_adding_files(app: App) -> None:
    there = await registry.active(app.skills, READER)
    assert {one.name for one in there} == BASE
    assert all(one.is_base and one.version == 1 for one in there)

    put(app, draft())
    found = await registry.active(app.skills, READER, SkillType.ENCODING)

    assert [one.name for one in found] == ["fact_extraction", "mine", "preference_capture"]
    assert registry.draft_of(found[1]) == draft()
    assert found[1].is_base
    assert await events(app) == ["skill.added"] * 5


async def test_where_nothing_is_to_be_done_nothing_is_written(app: App) -> None:
    first = await registry.active(app.skills, LOCAL_ACTOR)
    await app.database.write(LOCAL_ACTOR, lambda tx: registry.ensure(tx, app.skills))

    assert await registry.active(app.skills, LOCAL_ACTOR) == first
    assert len(await events(app)) == 4


async def test_a_changed_file_becomes_a_new_version(app: App) -> None:
    put(app, draft())
    old = await active(app, "mine")
    put(app, draft(template="Changed. {{ content }}"), at=2)

    new = await active(app, "mine")

    assert (new.version, new.is_base, new.parent_id) == (2, True, old.id)
    assert new.prompt_template == "Changed. {{ content }}"
    shown = await registry.show(app.skills, LOCAL_ACTOR, "mine")
    assert [one.status for one in shown.versions] == [SkillStatus.ACTIVE, SkillStatus.DEPRECATED]
    [entry] = await registry.changelog(app.skills, LOCAL_ACTOR, name="mine")
    assert (entry.old_skill_id, entry.reason) == (old.id, "The skill's file has changed.")


async def test_a_changed_file_takes_no_edited_versions_place(app: App) -> None:
    put(app, draft())
    await active(app, "mine")
    edited = await registry.edit(
        app.skills, LOCAL_ACTOR, "mine", {"prompt_template": "Edited. {{ content }}"}
    )
    put(app, draft(template="Changed. {{ content }}"), at=2)

    assert await active(app, "mine") == edited
    await promote.rollback(app.skills, LOCAL_ACTOR, "mine")
    put(app, draft(template="Changed. {{ content }}"), at=3)
    assert (await active(app, "mine")).prompt_template == "Changed. {{ content }}"


async def test_a_rolled_back_file_stays_rolled_back(app: App) -> None:
    put(app, draft())
    old = await active(app, "mine")
    put(app, draft(template="Changed. {{ content }}"), at=2)
    await active(app, "mine")
    await promote.rollback(app.skills, LOCAL_ACTOR, "mine")

    app.skills.ensured.clear()  # as after a restart

    assert (await active(app, "mine")).id == old.id


async def test_a_file_that_cant_be_used_is_told_and_keeps_no_other_from_use(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    await registry.add(app.skills, LOCAL_ACTOR, draft("taken"))
    put(app, draft("taken", template="From a file. {{ content }}"))
    put(app, draft("fact_extraction"))
    put(app, draft("good"))
    bad = put(app, draft("bad"))
    bad.write_text(bad.read_text().replace("{{ content }}", "{{ contnet }}"))

    listed = await registry.listed(app.skills, LOCAL_ACTOR)

    assert {one.name for one in listed.skills} == BASE | {"taken", "good"}
    assert (await active(app, "taken")).prompt_template == TEMPLATE
    wrong, ours, taken = listed.problems
    assert wrong.startswith(f"{bad}:")
    assert "no variable `contnet`" in wrong
    assert "the name 'fact_extraction' is taken by one of Yiku's own skills" in ours
    assert "the name 'taken' is taken by a skill that was added without a file" in taken
    assert "contnet" in caplog.text


async def test_of_processes_that_begin_at_once_one_makes_the_rows(
    app: App, database_url: str, yiku_home: Path
) -> None:
    settings = load(home=yiku_home, database_url=database_url, skills_dir=app.skills.folder)
    async with build(settings) as other:
        await asyncio.gather(
            *(registry.ready(one.skills, LOCAL_ACTOR) for one in (app, other) for _ in range(3))
        )

    assert {one.name for one in await registry.active(app.skills, LOCAL_ACTOR)} == BASE
    assert len(await events(app)) == 4


async def test_each_organization_has_its_own(app: App) -> None:
    def strange(tx: Tx) -> Actor:
        organization = tenants.add_organization(tx, "strangers")
        user = tenants.add_user(tx, organization.id, "eve")
        return Actor(organization_id=organization.id, user_id=user.id, scope=Scope.ADMIN)

    eve = await app.database.write(LOCAL_ACTOR, strange)
    mine = await registry.add(app.skills, LOCAL_ACTOR, draft())
    theirs = await registry.add(app.skills, eve, draft(template="Theirs. {{ content }}"))

    assert {one.name for one in await registry.active(app.skills, eve)} == BASE | {"mine"}
    assert (await active(app, "mine")) == mine
    entry = await proposed(app, "mine")
    for act in (promote.preview, promote.approve, promote.reject):
        with pytest.raises(errors.ChangelogNotFound):
            await act(app.skills, eve, entry.id)
    with pytest.raises(errors.SkillNotFound):
        await registry.show(app.skills, eve, mine.id)
    assert (await registry.show(app.skills, eve, "mine")).versions == (theirs,)


async def test_a_skill_is_added_and_edited(app: App) -> None:
    first = await registry.add(app.skills, LOCAL_ACTOR, draft())
    assert (first.version, first.is_base, first.status) == (1, False, SkillStatus.ACTIVE)

    changes = {"intent_keywords": ("other",), "prompt_template": "2 {{ content }}"}
    second = await registry.edit(app.skills, LOCAL_ACTOR, "mine", changes, "clearer")

    assert (second.version, second.parent_id, second.is_base) == (2, first.id, False)
    assert (second.intent_keywords, second.prompt_template) == (("other",), "2 {{ content }}")
    assert second.description == first.description
    again = await registry.edit(app.skills, LOCAL_ACTOR, "mine", changes)
    assert again == second, "what changes nothing makes no version"
    entries = await registry.changelog(app.skills, LOCAL_ACTOR, name="mine")
    assert [(one.reason, one.status) for one in entries] == [
        ("clearer", ChangelogStatus.APPROVED),
        ("Added.", ChangelogStatus.APPROVED),
    ]
    assert (await events(app))[4:] == ["skill.added", "skill.edited"]


async def test_what_cant_be_a_skill_is_refused_with_the_rule(app: App) -> None:
    await registry.add(app.skills, LOCAL_ACTOR, draft())

    with pytest.raises(errors.SkillExists, match=r"mine\.md: there is already .* 'mine'"):
        await registry.add(app.skills, LOCAL_ACTOR, draft(), "mine.md")
    with pytest.raises(errors.SkillExists, match="There is already a memory skill"):
        await registry.add(app.skills, LOCAL_ACTOR, draft("fact_extraction"))
    with pytest.raises(errors.InvalidSkill, match=r"my\.md:1: .* \(rule needed-variable\)"):
        await registry.add(app.skills, LOCAL_ACTOR, draft("other", template="x"), "my.md")
    for changes, words in (
        ({"prompt_template": "{{ content.__class__ }}"}, "rule attribute"),
        ({"prompt_template": "nothing"}, "rule needed-variable"),
        ({"name": "yours"}, "`name` of a memory skill can't be changed"),
        ({"skill_type": SkillType.RETRIEVAL}, "`skill_type` of a memory skill can't be changed"),
    ):
        with pytest.raises(errors.InvalidSkill, match=words):
            await registry.edit(app.skills, LOCAL_ACTOR, "mine", changes)
    with pytest.raises(errors.SkillNotFound, match="There are: exact_match, fact_extraction"):
        await registry.edit(app.skills, LOCAL_ACTOR, "none", {"prompt_template": TEMPLATE})
    assert (await active(app, "mine")).version == 1


async def test_only_administrators_change_skills(app: App) -> None:
    entry = None
    await registry.add(app.skills, LOCAL_ACTOR, draft())
    entry = await proposed(app, "mine")
    tries: list[Any] = [
        lambda: registry.add(app.skills, WRITER, draft("other")),
        lambda: registry.edit(app.skills, WRITER, "mine", {"prompt_template": "{{ content }}"}),
        lambda: promote.preview(app.skills, WRITER, entry.id),
        lambda: promote.approve(app.skills, WRITER, entry.id),
        lambda: promote.reject(app.skills, WRITER, entry.id),
        lambda: promote.rollback(app.skills, WRITER, "mine"),
    ]
    for attempt in tries:
        with pytest.raises(errors.NotAllowed, match="admin is needed"):
            await attempt()
    assert (await active(app, "mine")).version == 1


async def test_a_canary_takes_no_part_until_it_is_approved(app: App) -> None:
    old = await registry.add(app.skills, LOCAL_ACTOR, draft())
    await app.database.write(LOCAL_ACTOR, lambda tx: skills.count(tx, old.id, False))
    entry = await proposed(app, "mine")
    assert (await active(app, "mine")).id == old.id
    shown = await registry.show(app.skills, LOCAL_ACTOR, "mine")
    assert (shown.active, shown.waiting) == (replace(old, negative_count=1), entry)
    assert [one.status for one in shown.versions] == [SkillStatus.CANARY, SkillStatus.ACTIVE]

    seen = await promote.preview(app.skills, LOCAL_ACTOR, entry.id)
    assert (seen.old, seen.new.id, seen.obstacle) == (shown.active, entry.skill_id, None)
    assert seen.diff.splitlines()[3:] == [
        "-Write the facts down.",
        "-{{ content }}",
        "+Better. {{ content }}",
    ]

    done = await promote.approve(app.skills, LOCAL_ACTOR, entry.id, "go")

    now = await active(app, "mine")
    assert (now.id, now.version, now.status) == (entry.skill_id, 2, SkillStatus.ACTIVE)
    assert done.active == now
    assert done.other == replace(old, status=SkillStatus.DEPRECATED, negative_count=1)
    assert (done.entry.status, done.entry.reason) == (ChangelogStatus.APPROVED, "better\n\ngo")
    assert (await events(app))[-1] == "canary.approved"
    for act in (promote.approve, promote.reject):
        with pytest.raises(errors.NotACanary, match="is approved already"):
            await act(app.skills, LOCAL_ACTOR, entry.id)
    again = await promote.preview(app.skills, LOCAL_ACTOR, entry.id)
    assert again.obstacle is not None


async def test_a_rejected_canary_is_deprecated_and_another_may_come(app: App) -> None:
    old = await registry.add(app.skills, LOCAL_ACTOR, draft())
    entry = await proposed(app, "mine")
    assert await promote.waiting_of(app.skills, LOCAL_ACTOR, "mine") == entry.id
    assert await promote.waiting_of(app.skills, LOCAL_ACTOR, entry.skill_id) == entry.id
    assert await promote.waiting_of(app.skills, LOCAL_ACTOR, entry.id) == entry.id

    done = await promote.reject(app.skills, LOCAL_ACTOR, entry.id, "worse")

    assert (done.active, done.other.status) == (old, SkillStatus.DEPRECATED)
    assert (await events(app))[-1] == "canary.rejected"
    with pytest.raises(errors.NotACanary, match="is rejected already"):
        await promote.approve(app.skills, LOCAL_ACTOR, entry.id)
    for name in ("mine", old.id, entry.skill_id):
        with pytest.raises(errors.NotACanary, match="nothing waits"):
            await promote.waiting_of(app.skills, LOCAL_ACTOR, name)
    assert (await proposed(app, "mine")).id != entry.id


async def test_approving_what_is_no_canary_is_refused(app: App) -> None:
    await registry.add(app.skills, LOCAL_ACTOR, draft())
    [added] = await registry.changelog(app.skills, LOCAL_ACTOR)

    with pytest.raises(errors.NotACanary, match="is approved already"):
        await promote.approve(app.skills, LOCAL_ACTOR, added.id)
    with pytest.raises(errors.NotACanary, match="is approved already"):
        await promote.reject(app.skills, LOCAL_ACTOR, added.id)
    with pytest.raises(errors.ChangelogNotFound):
        await promote.approve(app.skills, LOCAL_ACTOR, ChangelogId("changelog-none"))
    with pytest.raises(errors.SkillNotFound):
        await promote.waiting_of(app.skills, LOCAL_ACTOR, "none")


async def test_a_trial_against_another_version_approves_nothing(app: App) -> None:
    await registry.add(app.skills, LOCAL_ACTOR, draft())
    entry = await proposed(app, "mine")
    edited = await registry.edit(
        app.skills, LOCAL_ACTOR, "mine", {"prompt_template": "Edited. {{ content }}"}
    )

    seen = await promote.preview(app.skills, LOCAL_ACTOR, entry.id)
    assert seen.obstacle is not None
    assert "version 3" in seen.obstacle
    with pytest.raises(errors.NotACanary, match="its trial says nothing"):
        await promote.approve(app.skills, LOCAL_ACTOR, entry.id)
    await promote.reject(app.skills, LOCAL_ACTOR, entry.id)
    assert await active(app, "mine") == edited


async def test_rolling_back_goes_one_step_to_what_it_was_made_from(app: App) -> None:
    first = await registry.add(app.skills, LOCAL_ACTOR, draft())
    rejected = await proposed(app, "mine", "Rejected. {{ content }}")
    await promote.reject(app.skills, LOCAL_ACTOR, rejected.id)
    entry = await proposed(app, "mine")
    await promote.approve(app.skills, LOCAL_ACTOR, entry.id)

    done = await promote.rollback(app.skills, LOCAL_ACTOR, "mine", "it does worse")

    assert (await active(app, "mine")).id == first.id
    assert (done.active.id, done.other.id) == (first.id, entry.skill_id)
    assert (done.entry.new_prompt, done.entry.reason) == (TEMPLATE, "it does worse")
    assert done.entry.status is ChangelogStatus.APPROVED
    assert (await events(app))[-1] == "skill.rolled_back"
    with pytest.raises(errors.NothingToRollBack, match=r"Version 1 .* is its first"):
        await promote.rollback(app.skills, LOCAL_ACTOR, "mine")
    with pytest.raises(errors.NothingToRollBack):
        await promote.rollback(app.skills, LOCAL_ACTOR, "fact_extraction")
    with pytest.raises(errors.SkillNotFound):
        await promote.rollback(app.skills, LOCAL_ACTOR, "none")


async def test_of_decisions_at_once_one_is_made(app: App) -> None:
    await registry.add(app.skills, LOCAL_ACTOR, draft())
    entry = await proposed(app, "mine")

    decided = await asyncio.gather(
        *(promote.approve(app.skills, LOCAL_ACTOR, entry.id) for _ in range(3)),
        promote.reject(app.skills, LOCAL_ACTOR, entry.id),
        return_exceptions=True,
    )

    refused = [one for one in decided if isinstance(one, errors.Conflict)]
    assert len(refused) == 3, decided
    shown = await registry.show(app.skills, LOCAL_ACTOR, "mine")
    assert [one.status for one in shown.versions].count(SkillStatus.ACTIVE) == 1
    assert shown.waiting is None
    rolled = await asyncio.gather(
        *(promote.rollback(app.skills, LOCAL_ACTOR, "mine") for _ in range(3)),
        return_exceptions=True,
    )
    assert len([one for one in rolled if isinstance(one, errors.Conflict)]) >= 2
    assert (await registry.show(app.skills, LOCAL_ACTOR, "mine")).active is not None


async def test_stats_tell_every_version(app: App) -> None:
    mine = await registry.add(app.skills, LOCAL_ACTOR, draft())
    await encoded(app, mine, "tea please", ["The user drinks tea"])

    told = await registry.stats(app.skills, LOCAL_ACTOR)
    [one] = (await registry.stats(app.skills, LOCAL_ACTOR, "mine")).versions

    assert [each.skill.name for each in told.versions] == sorted(BASE | {"mine"})
    assert (one.skill, dict(one.encodings), dict(one.feedback)) == (mine, {"pending": 1}, {})
    assert told.jobs == ()
    with pytest.raises(errors.SkillNotFound):
        await registry.stats(app.skills, LOCAL_ACTOR, "none")
    with pytest.raises(errors.SkillNotFound):
        await registry.show(app.skills, LOCAL_ACTOR, "none")
    assert await registry.version(app.skills, LOCAL_ACTOR, mine.id) == mine
    with pytest.raises(errors.SkillNotFound):
        await registry.version(app.skills, LOCAL_ACTOR, SkillId("none"))


async def test_history_tells_skill_original_and_message(
    app: App, database_url: str, yiku_home: Path
) -> None:
    mine = await registry.add(app.skills, LOCAL_ACTOR, draft())
    encoding, [raw, made] = await encoded(app, mine, "tea please", ["The user drinks tea"])

    async with yiku.connect("yiku://", home=yiku_home, database_url=database_url) as memory:
        [origin] = (await memory.history(made)).origins
        [of_raw] = (await memory.history(raw)).origins

    assert (origin.op, origin.skill, origin.skill_version) == ("add", "mine", 1)
    assert (origin.content, origin.encoding_id) == ("tea please", encoding.id)
    assert (of_raw.op, of_raw.encoding_id) == ("raw", encoding.id)
