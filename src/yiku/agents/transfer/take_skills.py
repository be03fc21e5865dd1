"""The memory skills of an import. What is active here is never replaced: a version that the file
has of it becomes its canary, which an administrator decides on."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.core.audit import Act
from yiku.core.skill import ChangelogStatus, MemorySkill, SkillDraft, SkillStatus
from yiku.core.tenant import Scope
from yiku.memory.skills.registry import draft_of, facts_of
from yiku.store import audit, changelogs, skill_events, skills
from yiku.store.database import Tx

REASON = "Came with an agent file."


def take_skills(tx: Tx, wanted: Sequence[SkillDraft]) -> list[str]:
    """Returns what became of each, in words. Raises: SkillExists."""
    if wanted and not tx.actor.may(Scope.ADMIN):
        names = ", ".join(one.name for one in wanted)
        return [f"Its memory skills aren't taken, which takes a key of the scope `admin`: {names}."]
    return [taken(tx, one) for one in wanted]


def taken(tx: Tx, one: SkillDraft) -> str:
    versions = skills.versions(tx, one.name)
    told = f"The memory skill {one.name!r}"
    if not versions:
        new = skills.add(tx, one, status=SkillStatus.ACTIVE, is_base=False)
        changelogs.add(tx, new, None, reason=REASON, status=ChangelogStatus.APPROVED)
        note_added(tx, "skill.added", new)
        return f"{told} is new here, and active."
    active = next((each for each in versions if each.status is SkillStatus.ACTIVE), None)
    canary = next((each for each in versions if each.status is SkillStatus.CANARY), None)
    same = next((each for each in versions if draft_of(each) == one), None)
    if same is not None and same.status is SkillStatus.ACTIVE:
        return f"{told} is here already, just so."
    if same is not None and same.status is SkillStatus.DEPRECATED:
        return f"{told} was here just so, as version {same.version}, and was given up: it stays so."
    if canary is not None and canary is not same:
        return f"{told} has a canary here that waits for a decision: the file's isn't taken."
    if active is None or active.skill_type is not one.skill_type:
        return f"{told} is of another kind here, or not active: the file's isn't taken."
    if same is None:
        new = skills.add(tx, one, status=SkillStatus.CANARY, is_base=False, parent=active)
        changelogs.add(tx, new, active, reason=REASON, status=ChangelogStatus.CANARY)
        note_added(tx, "canary.proposed", new)
    return (
        f"{told} is another one here, which stays active; the file's is its canary: look at it by"
        f" `yiku skill canary show {one.name}`, then approve or reject it."
    )


def note_added(tx: Tx, event: str, new: MemorySkill) -> None:
    skill_events.add(tx, event, facts_of(new))
    audit.note(tx, Act.SKILL_ADD, new.id, name=new.name, version=new.version)
