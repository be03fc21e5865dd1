"""What shows how a skill did, with the texts it is about: judgements, a canary's pairs, events."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from yiku.core.ids import ChangelogId, EncodingId, LookupId, SkillId
from yiku.core.skill import (
    Feedback,
    FeedbackKind,
    MemorySkill,
    SkillChangelog,
    SkillEvent,
    Trial,
)
from yiku.core.tenant import Actor
from yiku.memory.skills import registry
from yiku.memory.skills.shared import Skills
from yiku.store import changelogs, encodings, feedback, lookups, passages, skill_events
from yiku.store import skills as rows
from yiku.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A judgement with what it is about; None: it is about no such thing, or that has gone."""

    feedback: Feedback
    memory: str | None
    """The memory's text, as it is now."""
    original: str | None
    """The text it was made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    trial: Trial
    original: str | None
    """What both prompts were given: a text, or a query."""


async def judgements(
    skills: Skills,
    actor: Actor,
    skill: str,
    *,
    kinds: Collection[FeedbackKind] | None = None,
    before_seq: int | None = None,
    limit: int = 50,
) -> tuple[MemorySkill, list[Judged]]:
    """On one version, the newest first. `skill`: its id, or a name, which stands for the active
    version. Raises: SkillNotFound."""
    await registry.ready(skills, actor)

    def unit(tx: Tx) -> tuple[MemorySkill, list[Judged]]:
        version = rows.active(tx, skill) or rows.get(tx, SkillId(skill))
        found = feedback.of_skill(tx, version.id, kinds, before_seq, limit)
        ids = [one.passage_id for one in found if one.passage_id is not None]
        there = passages.get_by_id(tx, ids)
        judged = [
            Judged(
                feedback=one,
                memory=None
                if one.passage_id is None or one.passage_id not in there
                else there[one.passage_id].text,
                original=original_of(tx, one.encoding_id, None),
            )
            for one in found
        ]
        return version, judged

    return await skills.database.read(actor, unit)


def original_of(tx: Tx, encoding_id: EncodingId | None, lookup_id: LookupId | None) -> str | None:
    if encoding_id is not None:
        encoding = encodings.get(tx, encoding_id)
        return None if encoding is None else encoding.content
    lookup = None if lookup_id is None else lookups.get(tx, lookup_id)
    return None if lookup is None else lookup.query


async def entry(
    skills: Skills, actor: Actor, changelog_id: ChangelogId
) -> tuple[SkillChangelog, list[Pair]]:
    """A change, with its canary's pairs. Raises: ChangelogNotFound."""

    def unit(tx: Tx) -> tuple[SkillChangelog, list[Pair]]:
        found = changelogs.get(tx, changelog_id)
        return found, pairs_of(tx, changelogs.trials(tx, found))

    return await skills.database.read(actor, unit)


async def pairs(skills: Skills, actor: Actor, trials: Sequence[Trial]) -> list[Pair]:
    return await skills.database.read(actor, lambda tx: pairs_of(tx, trials))


def pairs_of(tx: Tx, trials: Sequence[Trial]) -> list[Pair]:
    return [
        Pair(trial=one, original=original_of(tx, one.encoding_id, one.lookup_id)) for one in trials
    ]


async def events(
    skills: Skills, actor: Actor, after_seq: int, limit: int = 100
) -> list[SkillEvent]:
    """What happened after number `after_seq`, in its order."""
    return await skills.database.read(actor, lambda tx: skill_events.after(tx, after_seq, limit))


async def last_event(skills: Skills, actor: Actor) -> int:
    """Its number; 0 where nothing has happened yet."""
    return await skills.database.read(actor, skill_events.last)
