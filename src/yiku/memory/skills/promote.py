"""What an administrator decides: a canary is approved or rejected, a version rolled back. Nothing
else makes a proposed prompt a skill's own."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from yiku.core.audit import Act
from yiku.core.errors import NotACanary, NothingToRollBack
from yiku.core.ids import ChangelogId, SkillId
from yiku.core.skill import (
    ChangelogStatus,
    MemorySkill,
    SkillChangelog,
    SkillStatus,
    Trial,
)
from yiku.core.tenant import Actor, Scope
from yiku.memory.skills.registry import demand_active, facts_of
from yiku.memory.skills.shared import Skills
from yiku.store import audit, changelogs, skill_events
from yiku.store import skills as rows
from yiku.store.database import Tx, demand


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What approving a change would do."""

    entry: SkillChangelog
    old: MemorySkill | None
    """The version that would be deprecated: the active one."""
    new: MemorySkill
    diff: str
    """Of the prompts, in the unified form."""
    trials: tuple[Trial, ...]
    obstacle: str | None
    """Why it can't be approved; None: it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    entry: SkillChangelog
    active: MemorySkill | None
    """The version that takes part in production now."""
    other: MemorySkill
    """The one that doesn't: deprecated, with its counts."""


async def preview(skills: Skills, actor: Actor, changelog_id: ChangelogId) -> Preview:
    """Raises: NotAllowed, ChangelogNotFound."""
    demand(actor, Scope.ADMIN)

    def unit(tx: Tx) -> Preview:
        entry = changelogs.get(tx, changelog_id)
        new, old = rows.get(tx, entry.skill_id), rows.active(tx, entry.name)
        return Preview(
            entry=entry,
            old=old,
            new=new,
            diff=diff_of(entry),
            trials=tuple(changelogs.trials(tx, entry)),
            obstacle=obstacle(entry, new, old),
        )

    return await skills.database.read(actor, unit)


def diff_of(entry: SkillChangelog) -> str:
    lines = difflib.unified_diff(
        entry.old_prompt.splitlines(),
        entry.new_prompt.splitlines(),
        fromfile=f"{entry.name} (old)",
        tofile=f"{entry.name} (new)",
        lineterm="",
    )
    return "\n".join(lines)


def obstacle(entry: SkillChangelog, new: MemorySkill, active: MemorySkill | None) -> str | None:
    if entry.status is not ChangelogStatus.CANARY or new.status is not SkillStatus.CANARY:
        return f"The change {entry.id} of the memory skill {entry.name!r} is {entry.status} already"
    if active is None or active.id != entry.old_skill_id:
        now = "none" if active is None else f"version {active.version}"
        return (
            f"The canary of the memory skill {entry.name!r} was tried against another version than"
            f" the one that is active by now ({now}), so its trial says nothing. Reject it, and run"
            " another cycle"
        )
    return None


async def approve(
    skills: Skills, actor: Actor, changelog_id: ChangelogId, reason: str = ""
) -> Decided:
    """The canary becomes active; the version before is deprecated, and keeps its counts.

    Raises: NotAllowed, ChangelogNotFound, NotACanary.
    """
    demand(actor, Scope.ADMIN)

    def unit(tx: Tx) -> Decided:
        entry, new, old = of_canary(tx, changelog_id)
        stands_in_the_way = obstacle(entry, new, old)
        if old is None or stands_in_the_way is not None:
            raise NotACanary(f"{stands_in_the_way}.", changelog_id=changelog_id)
        decided = changelogs.decide(tx, entry, ChangelogStatus.APPROVED, reason)
        other = rows.set_status(tx, old, SkillStatus.DEPRECATED)
        active = rows.set_status(tx, new, SkillStatus.ACTIVE)
        facts = facts_of(active) | {"changelog_id": entry.id, "old_skill_id": other.id}
        skill_events.add(tx, "canary.approved", facts)
        audit.note(tx, Act.SKILL_APPROVE, entry.id, name=active.name, version=active.version)
        return Decided(entry=decided, active=active, other=other)

    return await skills.database.write(actor, unit)


async def reject(
    skills: Skills, actor: Actor, changelog_id: ChangelogId, reason: str = ""
) -> Decided:
    """The canary is deprecated; what is active stays.

    Raises: NotAllowed, ChangelogNotFound, NotACanary.
    """
    demand(actor, Scope.ADMIN)

    def unit(tx: Tx) -> Decided:
        entry, new, active = of_canary(tx, changelog_id)
        decided = changelogs.decide(tx, entry, ChangelogStatus.REJECTED, reason)
        if new.status is not SkillStatus.CANARY:
            raise NotACanary(f"Version {new.version} of {new.name!r} is {new.status}, no canary.")
        other = rows.set_status(tx, new, SkillStatus.DEPRECATED)
        facts = facts_of(other) | {"changelog_id": entry.id}
        skill_events.add(tx, "canary.rejected", facts)
        audit.note(tx, Act.SKILL_REJECT, entry.id, name=other.name, version=other.version)
        return Decided(entry=decided, active=active, other=other)

    return await skills.database.write(actor, unit)


def of_canary(
    tx: Tx, changelog_id: ChangelogId
) -> tuple[SkillChangelog, MemorySkill, MemorySkill | None]:
    """A change, its version, and the active one. Raises: ChangelogNotFound."""
    entry = changelogs.get(tx, changelog_id)
    return entry, rows.get(tx, entry.skill_id), rows.active(tx, entry.name)


async def rollback(skills: Skills, actor: Actor, name: str, reason: str = "") -> Decided:
    """One step: the version that the active one was made from is active again.

    Raises: NotAllowed, SkillNotFound, NothingToRollBack, Conflict.
    """
    demand(actor, Scope.ADMIN)

    def unit(tx: Tx) -> Decided:
        bad = demand_active(tx, name)
        if bad.parent_id is None:
            raise NothingToRollBack(
                f"Version {bad.version} of the memory skill {name!r} is its first: there is none to"
                " go back to. Edit it instead.",
                name=name,
                skill_id=bad.id,
            )
        before = rows.get(tx, bad.parent_id)
        other = rows.set_status(tx, bad, SkillStatus.DEPRECATED)
        active = rows.set_status(tx, before, SkillStatus.ACTIVE)
        entry = changelogs.add(
            tx,
            active,
            other,
            reason=reason or f"Rolled back from version {other.version}.",
            status=ChangelogStatus.APPROVED,
        )
        facts = facts_of(active) | {"changelog_id": entry.id, "old_skill_id": other.id}
        skill_events.add(tx, "skill.rolled_back", facts)
        audit.note(tx, Act.SKILL_ROLLBACK, entry.id, name=active.name, version=active.version)
        return Decided(entry=entry, active=active, other=other)

    return await skills.database.write(actor, unit)


async def waiting_of(skills: Skills, actor: Actor, name_or_id: str) -> ChangelogId:
    """The change that waits for a decision: by the skill's name, the canary's id, or its own.

    Raises: SkillNotFound, ChangelogNotFound, NotACanary where the skill has no canary.
    """

    def unit(tx: Tx) -> ChangelogId:
        if name_or_id.startswith("changelog-"):
            return changelogs.get(tx, ChangelogId(name_or_id)).id
        versions = rows.versions(tx, name_or_id)
        name = versions[0].name if versions else rows.get(tx, SkillId(name_or_id)).name
        found = changelogs.waiting(tx, name)
        if found is None or name_or_id not in (name, found.skill_id):
            raise NotACanary(f"{name_or_id} is no canary: nothing waits for a decision.", name=name)
        return found.id

    return await skills.database.read(actor, unit)
