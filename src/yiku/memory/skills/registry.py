"""The memory skills there are: those from files, and those that were added or edited."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from typing import Any

from yiku.core.audit import Act
from yiku.core.errors import InvalidSkill, SkillExists, SkillNotFound
from yiku.core.ids import SkillId
from yiku.core.skill import (
    ChangelogStatus,
    EncodingStatus,
    FeedbackKind,
    Job,
    MemorySkill,
    SkillChangelog,
    SkillDraft,
    SkillStatus,
    SkillType,
)
from yiku.core.tenant import Actor, Scope
from yiku.memory.skills import files
from yiku.memory.skills.shared import Skills
from yiku.store import audit, changelogs, encodings, feedback, outbox, skill_events
from yiku.store import skills as rows
from yiku.store.database import Tx, demand

logger = logging.getLogger(__name__)

DRAFT = tuple(f.name for f in fields(SkillDraft))
CHANGEABLE = ("description", "intent_keywords", "prompt_template")


def ensure(tx: Tx, skills: Skills) -> None:
    """Each skill from a file has a row in the actor's organization that says what the file says.
    Where nothing is to be done, it costs one statement.

    A changed file becomes a new version, but never in the place of one that isn't from a file: that
    was edited, or made by the Designer, and whoever did it decides.
    """
    there: dict[str, list[MemorySkill]] = {}
    for one in rows.against_files(tx):
        there.setdefault(one.name, []).append(one)
    for draft in skills.shelf.loaded().drafts:
        known = there.get(draft.name)
        if known is None:
            with suppress(SkillExists):  # another process was quicker
                new = rows.add(tx, draft, status=SkillStatus.ACTIVE, is_base=True)
                skill_events.add(tx, "skill.added", facts_of(new))
        elif not any(one.is_base for one in known):
            logger.warning("the name of a memory skill's file is taken: %s", draft.name)
        else:
            take_over(tx, draft, known)


def take_over(tx: Tx, draft: SkillDraft, known: list[MemorySkill]) -> None:
    """`known`: the active version and the last from a file, which may be the same."""
    from_file = max((one for one in known if one.is_base), key=lambda one: one.version)
    active = next((one for one in known if one.status is SkillStatus.ACTIVE), None)
    if draft_of(from_file) == draft or active is None or not active.is_base:
        return
    if draft.skill_type is not active.skill_type:
        logger.warning("the file of a memory skill changes its kind: %s stays", draft.name)
        return
    replace_active(tx, active, draft, reason="The skill's file has changed.", is_base=True)


def replace_active(
    tx: Tx, active: MemorySkill, draft: SkillDraft, *, reason: str, is_base: bool
) -> MemorySkill:
    """A new version takes the place of the active one, without a trial. Raises: Conflict."""
    rows.set_status(tx, active, SkillStatus.DEPRECATED)
    new = rows.add(tx, draft, status=SkillStatus.ACTIVE, is_base=is_base, parent=active)
    changelogs.add(tx, new, active, reason=reason, status=ChangelogStatus.APPROVED)
    skill_events.add(tx, "skill.edited", facts_of(new) | {"old_skill_id": active.id})
    return new


def draft_of(skill: MemorySkill) -> SkillDraft:
    return SkillDraft(**{name: getattr(skill, name) for name in DRAFT})


def facts_of(skill: MemorySkill) -> dict[str, Any]:
    """What an event says of a version."""
    return {"skill_id": skill.id, "name": skill.name, "version": skill.version}


async def ready(skills: Skills, actor: Actor) -> None:
    """As `ensure`, once for each organization and edition of the files: then it costs nothing."""
    skills.shelf.loaded()
    edition = skills.shelf.edition
    if skills.ensured.get(actor.organization_id) == edition:
        return
    await skills.database.write(actor.bookkeeper, lambda tx: ensure(tx, skills))
    skills.ensured[actor.organization_id] = edition


async def active(
    skills: Skills, actor: Actor, skill_type: SkillType | None = None
) -> list[MemorySkill]:
    """What takes part in production, by name."""
    await ready(skills, actor)
    return await skills.database.read(actor, lambda tx: rows.all(tx, skill_type))


async def add(skills: Skills, actor: Actor, draft: SkillDraft, source: str = "") -> MemorySkill:
    """A new skill, active at once. `source`: the file it was read from, for the error's words.

    Raises: NotAllowed, InvalidSkill, SkillExists.
    """
    demand(actor, Scope.ADMIN)
    checked = files.check(draft, source)
    await ready(skills, actor)

    def unit(tx: Tx) -> MemorySkill:
        if rows.versions(tx, checked.name):
            where = f"{source}: t" if source else "T"
            raise SkillExists(
                f"{where}here is already a memory skill {checked.name!r}. Edit it, or choose"
                " another name.",
                name=checked.name,
                file=source,
            )
        new = rows.add(tx, checked, status=SkillStatus.ACTIVE, is_base=False)
        reason = "Added."
        changelogs.add(tx, new, None, reason=reason, status=ChangelogStatus.APPROVED)
        skill_events.add(tx, "skill.added", facts_of(new))
        audit.note(tx, Act.SKILL_ADD, new.id, name=new.name, version=new.version)
        return new

    return await skills.database.write(actor, unit)


async def edit(
    skills: Skills, actor: Actor, name: str, changes: Mapping[str, Any], reason: str = ""
) -> MemorySkill:
    """A new version, active at once; the one before is deprecated and keeps its counts.

    `changes`: of `CHANGEABLE`. Nothing to change: the active version as it is.
    Raises: NotAllowed, SkillNotFound, InvalidSkill, Conflict.
    """
    demand(actor, Scope.ADMIN)
    unknown = changes.keys() - set(CHANGEABLE)
    if unknown:
        raise InvalidSkill(
            f"`{min(unknown)}` of a memory skill can't be changed: {', '.join(CHANGEABLE)}."
        )
    await ready(skills, actor)

    def unit(tx: Tx) -> MemorySkill:
        seen = demand_active(tx, name)
        draft = files.check(replace(draft_of(seen), **changes))
        if draft == draft_of(seen):
            return seen
        new = replace_active(tx, seen, draft, reason=reason or "Edited.", is_base=False)
        audit.note(tx, Act.SKILL_EDIT, new.id, name=new.name, version=new.version)
        return new

    return await skills.database.write(actor, unit)


def demand_active(tx: Tx, name: str) -> MemorySkill:
    """Raises: SkillNotFound, naming those there are."""
    found = rows.active(tx, name)
    if found is None:
        there = ", ".join(one.name for one in rows.all(tx)) or "none"
        raise SkillNotFound(
            f"There is no active memory skill {name!r:.80}. There are: {there}.", name=name
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """The skills there are, and files that can't be used."""

    skills: tuple[MemorySkill, ...]
    problems: tuple[str, ...]


async def listed(
    skills: Skills,
    actor: Actor,
    *,
    skill_type: SkillType | None = None,
    statuses: tuple[SkillStatus, ...] = (SkillStatus.ACTIVE, SkillStatus.CANARY),
) -> Listed:
    """By name and version."""
    await ready(skills, actor)

    def unit(tx: Tx) -> Listed:
        found = tuple(rows.all(tx, skill_type, statuses))
        return Listed(skills=found, problems=problems(tx, skills))

    return await skills.database.read(actor, unit)


def problems(tx: Tx, skills: Skills) -> tuple[str, ...]:
    """What keeps files of the user's folder from use, in words."""
    loaded = skills.shelf.loaded()
    from_files = {one.name for one in rows.against_files(tx) if one.is_base}
    taken = [
        f"{skills.folder}: the name {draft.name!r} is taken by a skill that was added without a"
        " file (rule name-taken)."
        for draft in loaded.drafts
        if draft.name not in from_files and rows.versions(tx, draft.name)
    ]
    return (*loaded.problems, *taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A skill with all its versions."""

    active: MemorySkill | None
    versions: tuple[MemorySkill, ...]
    """The newest first."""
    waiting: SkillChangelog | None
    """Of its canary, which an administrator is to decide on."""


async def show(skills: Skills, actor: Actor, name: str) -> Shown:
    """A skill by its name, or by the id of one of its versions. Raises: SkillNotFound."""
    await ready(skills, actor)

    def unit(tx: Tx) -> Shown:
        versions = rows.versions(tx, name) or rows.versions(tx, rows.get(tx, SkillId(name)).name)
        now = next((one for one in versions if one.status is SkillStatus.ACTIVE), None)
        waiting = changelogs.waiting(tx, versions[0].name)
        return Shown(active=now, versions=tuple(versions), waiting=waiting)

    return await skills.database.read(actor, unit)


async def version(skills: Skills, actor: Actor, skill_id: SkillId) -> MemorySkill:
    """Raises: SkillNotFound."""
    return await skills.database.read(actor, lambda tx: rows.get(tx, skill_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A version, and what is known of what it did. Its own counts are of all time; those here are
    of what is still there: what was deleted for good isn't."""

    skill: MemorySkill
    feedback: Mapping[FeedbackKind, int]
    encodings: Mapping[EncodingStatus, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    versions: tuple[Counted, ...]
    """By name and version."""
    jobs: tuple[Job, ...]
    """What waits in the outbox; with a `problem` what failed."""
    problems: tuple[str, ...]
    """Files of the user's folder that can't be used."""


async def stats(skills: Skills, actor: Actor, name: str | None = None) -> Stats:
    """Raises: SkillNotFound."""
    await ready(skills, actor)

    def unit(tx: Tx) -> Stats:
        found = [one for one in rows.all(tx, None, tuple(SkillStatus)) if name in (None, one.name)]
        if name is not None and not found:
            raise SkillNotFound(f"There is no memory skill {name!r:.80}.", name=name)
        kinds, statuses = feedback.by_kind(tx), encodings.counts(tx)
        counted = [
            Counted(
                skill=one,
                feedback=kinds.get(one.id, {}),
                encodings=statuses.get(one.id, {}),
            )
            for one in found
        ]
        return Stats(
            versions=tuple(counted),
            jobs=tuple(outbox.waiting(tx)),
            problems=problems(tx, skills),
        )

    return await skills.database.read(actor, unit)


async def changelog(
    skills: Skills,
    actor: Actor,
    *,
    name: str | None = None,
    before_seq: int | None = None,
    limit: int = 50,
) -> list[SkillChangelog]:
    """The newest first."""
    return await skills.database.read(
        actor, lambda tx: changelogs.page(tx, name, before_seq, limit)
    )
