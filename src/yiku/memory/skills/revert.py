"""What a bad version wrote is taken back: the originals stand again, or are encoded anew.

Each text is one transaction: what its encoding changed is changed back, as a change of its own
that can be undone, the encoding is marked, and a new one is asked for where that is wanted. So a
run that dies has done some and not others, and the next one goes on. What has changed since, in
other hands, is left as it is, and told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from yiku.core.audit import Act
from yiku.core.errors import Invalid, SkillNotFound
from yiku.core.ids import ChangeId, EncodingId, PassageId, SkillId
from yiku.core.memory import Action, Passage
from yiku.core.skill import Encoding, EncodingStatus, MemorySkill, Op, SkillStatus, SkillType
from yiku.core.tenant import Actor, Scope
from yiku.memory.skills import registry
from yiku.memory.skills.encode import model_of
from yiku.memory.skills.saving import JOB
from yiku.memory.skills.shared import Skills
from yiku.store import archives, audit, encodings, history, outbox, passages, skill_events
from yiku.store import skills as rows
from yiku.store.database import Tx, demand
from yiku.store.history import Recorded

PAGE = 50
WROTE = (Op.ADD.value, Op.SUPERSEDE.value)

Mode = Literal["restore", "encode"]
"""`restore`: the originals stand as they came. `encode`: the active version encodes them anew."""
Progress = Callable[[EncodingId, str | None], None]
"""After each text: why it was left; None: it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """A text that is as it was, and why."""

    encoding_id: EncodingId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    skill: MemorySkill
    """The version."""
    done: int
    """Texts."""
    again: int
    """Of those, to be encoded by the active version."""
    left: tuple[Left, ...]


class Stays(Exception):
    """This text is left as it is, and why."""


async def revert_version(
    skills: Skills,
    actor: Actor,
    skill_id: SkillId,
    mode: Mode = "restore",
    progress: Progress | None = None,
) -> Reverted:
    """Take back what a version wrote, the last first. Again, it goes on where it ended.

    Raises: NotAllowed, SkillNotFound, Invalid.
    """
    demand(actor, Scope.ADMIN)
    skill, active = await skills.database.read(actor, lambda tx: version_of(tx, skill_id))
    if mode == "encode" and (active is None or active.id == skill.id):
        raise Invalid(
            f"Version {skill.version} of the memory skill {skill.name!r} is the active one and"
            " would write the same again. Roll it back or edit it first, or use the mode `restore`."
        )
    by = active if mode == "encode" else None
    has_model = model_of(skills, actor) is not None

    def turn(tx: Tx, one: Encoding) -> None:
        take_back(tx, one)
        if by is not None:
            encode_again(tx, one, by, has_model)

    work = Work(skill, EncodingStatus.ENCODED, turn, mode, progress)
    done = await carried_out(skills, actor, work)
    return done if by is None else replace(done, again=done.done)


async def restore_version(
    skills: Skills, actor: Actor, skill_id: SkillId, progress: Progress | None = None
) -> Reverted:
    """Take a reverting back: what the version wrote stands again, and what was made anew since of
    the same texts gives way. Raises: NotAllowed, SkillNotFound, Invalid.
    """
    demand(actor, Scope.ADMIN)
    skill, _ = await skills.database.read(actor, lambda tx: version_of(tx, skill_id))
    work = Work(skill, EncodingStatus.REVERTED, bring_back, "undo", progress)
    return await carried_out(skills, actor, work)


def version_of(tx: Tx, skill_id: SkillId) -> tuple[MemorySkill, MemorySkill | None]:
    """A version, and the active one of its name. Raises: SkillNotFound, Invalid."""
    skill = rows.get(tx, skill_id)
    if skill.skill_type is not SkillType.ENCODING:
        raise Invalid(f"The memory skill {skill.name!r} looks up and writes nothing to take back.")
    if skill.status is SkillStatus.CANARY:
        raise SkillNotFound(f"{skill_id} is a canary: it has written nothing.", skill_id=skill_id)
    return skill, rows.active(tx, skill.name)


@dataclass(frozen=True, slots=True)
class Work:
    """What is done with each text of a version that has a status."""

    skill: MemorySkill
    status: EncodingStatus
    turn: Callable[[Tx, Encoding], None]
    mode: str
    progress: Progress | None


async def carried_out(skills: Skills, actor: Actor, work: Work) -> Reverted:
    """The newest first."""
    skill = work.skill
    before: int | None = None
    done, left = 0, list[Left]()
    while True:
        part = await skills.database.read(
            actor, lambda tx, b=before: encodings.of_skill(tx, skill.id, work.status, b, PAGE)
        )
        for one in part:
            before = one.seq
            why = await turned(skills, actor, one, work.turn)
            if why is None:
                done += 1
            else:
                left.append(Left(encoding_id=one.id, why=why))
            if work.progress is not None:
                work.progress(one.id, why)
        if len(part) < PAGE:
            break
    facts = registry.facts_of(skill) | {"mode": work.mode, "done": done, "left": len(left)}
    act = Act.SKILL_REVERT_UNDO if work.mode == "undo" else Act.SKILL_REVERT

    def end(tx: Tx) -> None:
        skill_events.add(tx, "version.reverted", facts)
        audit.note(
            tx, act, skill.id, name=skill.name, version=skill.version, mode=work.mode, done=done
        )

    await skills.database.write(actor, end)
    return Reverted(skill=skill, done=done, again=0, left=tuple(left))


async def turned(
    skills: Skills, actor: Actor, one: Encoding, turn: Callable[[Tx, Encoding], None]
) -> str | None:
    """Why it was left."""

    def unit(tx: Tx) -> None:
        seen = encodings.get_to_change(tx, one.id)
        if seen is None or seen.status is not one.status:
            raise Stays("It was changed meanwhile.")
        turn(tx, seen)

    try:
        await skills.database.write(actor, unit)
    except Stays as why:
        return str(why)
    return None


def take_back(tx: Tx, one: Encoding) -> None:
    """Raises: Stays."""
    items = encodings.items(tx, one)
    there = passages.get_by_id(tx, [passage_id for passage_id, _, _ in items])
    for passage_id, op, _ in items:
        made = there.get(passage_id)
        if op in WROTE and made is not None and made.superseded_by is not None:
            raise Stays("A memory that was made of it has been superseded since.")
    changed_back(tx, one, items)
    encodings.put(tx, replace(one, status=EncodingStatus.REVERTED))


def changed_back(tx: Tx, one: Encoding, items: Sequence[encodings.Item]) -> None:
    """What its change did is undone by a change of its own, which its items then name. An encoding
    that changed nothing is done. Raises: Stays."""
    change_id = next((change for _, _, change in items if change is not None), None)
    if change_id is None:
        return
    done = history.get(tx, change_id)
    if done is None:
        raise Stays("Its history was deleted.")
    there = passages.get_by_id(tx, [item.passage_id for item in done.items])
    if all(holds(there.get(i.passage_id), i.before) for i in done.items):
        return  # somebody has undone it already
    new_id = reversed_change(tx, done, there)
    named = [(passage_id, op, new_id if old else None) for passage_id, op, old in items]
    encodings.link(tx, one, named)


def reversed_change(tx: Tx, done: Recorded, there: Mapping[PassageId, Passage]) -> ChangeId:
    """Raises: Stays where something isn't as the change left it."""
    for item in done.items:
        if not holds(there.get(item.passage_id), item.after):
            raise Stays("A memory it touched has changed since.")
    archive = archives.bump(tx, done.archive_id)
    changed: list[tuple[Passage, Mapping[str, Any], Mapping[str, Any]]] = []
    for item in done.items:
        seen = there.get(item.passage_id)
        if seen is None:
            continue
        # Hidden from now on, not from when it was first made.
        values = {
            name: tx.now if name == "forgotten_at" and value is not None else value
            for name, value in item.before.items()
        }
        passages.change(tx, seen, archive.version, values)
        changed.append((seen, {name: getattr(seen, name) for name in values}, values))
    if not changed:
        raise Stays("All it touched was deleted.")
    return history.record(tx, archive.id, Action.EDIT, changed, "Taken back with its skill.")


def holds(seen: Passage | None, fields: Mapping[str, Any]) -> bool:
    """Whether it is as the fields say; one that was deleted for good is."""
    return seen is None or all(
        (getattr(seen, name) is None) == (value is None)
        if name == "forgotten_at"
        else getattr(seen, name) == value
        for name, value in fields.items()
    )


def encode_again(tx: Tx, one: Encoding, by: MemorySkill, has_model: bool) -> None:
    """Ask for a new encoding of the same original, beside the one that was taken back."""
    raw = passages.get_by_id(tx, [one.raw_id]).get(one.raw_id) if one.raw_id else None
    if raw is None or raw.forgotten:
        return
    new = encodings.add(
        tx,
        archive_id=one.archive_id,
        skill_id=by.id,
        content=one.content,
        language=one.language,
        raw_id=one.raw_id,
        agent_id=one.agent_id,
        run_id=one.run_id,
        message_id=one.message_id,
    )
    if has_model:
        outbox.put(tx, JOB, new.id)


def bring_back(tx: Tx, one: Encoding) -> None:
    """Raises: Stays."""
    if one.raw_id is not None:
        for newer, op in reversed(encodings.of_passage(tx, one.raw_id)):
            if op != encodings.RAW or newer.seq <= one.seq:
                continue
            if newer.status is EncodingStatus.ENCODED:
                take_back(tx, newer)
            elif newer.status is EncodingStatus.PENDING:
                encodings.put(tx, replace(newer, status=EncodingStatus.REVERTED))
    changed_back(tx, one, encodings.items(tx, one))
    encodings.put(tx, replace(one, status=EncodingStatus.ENCODED))
