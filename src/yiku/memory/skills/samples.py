"""Original inputs of a skill that were judged: what a Designer learns from, and what a canary is
tried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from yiku.core.errors import YikuError
from yiku.core.ids import ArchiveId, EncodingId, LookupId, PassageId
from yiku.core.language import Language, language_of
from yiku.core.memory import Filter, Passage
from yiku.core.skill import (
    Encoding,
    EncodingStatus,
    Feedback,
    FeedbackKind,
    Lookup,
    MemorySkill,
    Op,
    RootCause,
    SkillType,
)
from yiku.core.tenant import Actor
from yiku.memory import search
from yiku.memory.skills.causes import root_cause
from yiku.memory.skills.designer_prompts import Case
from yiku.memory.skills.prompts import KnownMemory, known_of
from yiku.memory.skills.scoring import Wanted
from yiku.memory.skills.shared import Skills
from yiku.store import encodings, feedback, lookups, passages
from yiku.store.database import Tx

READ = 400
"""Judgements that are looked at, the newest."""
MAX_OF_A_SORT = 12
"""Failures that are tried, and successes."""
MAX_QUESTIONS = 3
KNOWN = 8
NOTHING = Wanted(content="")
WROTE = (Op.ADD.value, Op.SUPERSEDE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One input, what was made of it in production, and what became of that."""

    case: Case
    failed: bool
    language: Language
    encoding: Encoding | None = None
    wanted: Wanted = NOTHING
    known: tuple[KnownMemory, ...] = ()
    """What was known when it was said."""
    lookup: Lookup | None = None
    helped: tuple[PassageId, ...] = ()
    """Of a lookup: what the reply drew on, or should have."""
    own: tuple[PassageId, ...] = ()
    """The passages of this input."""
    archives: tuple[ArchiveId, ...] = ()
    shown: bool = False
    """To the Designer, who may have learnt it by heart."""

    @property
    def texts(self) -> tuple[str, ...]:
        """All that users wrote in it."""
        one = self.case
        return tuple(
            text
            for text in (one.input, *one.made, one.query, one.wanted, *self.wanted.questions)
            if text
        )


async def gather(skills: Skills, actor: Actor, skill: MemorySkill) -> list[Sample]:
    """Failures and successes of one version, the newest of each first, up to `MAX_OF_A_SORT`."""
    read = of_encodings if skill.skill_type is SkillType.ENCODING else of_lookups
    found = await skills.database.read(actor, lambda tx: read(tx, skill))
    failures = [one for one in found if one.failed][:MAX_OF_A_SORT]
    successes = [one for one in found if not one.failed][:MAX_OF_A_SORT]
    samples = [*failures, *successes]
    if skill.skill_type is SkillType.RETRIEVAL:
        return samples
    return [replace(one, known=await known_then(skills, actor, one)) for one in samples]


def of_encodings(tx: Tx, skill: MemorySkill) -> list[Sample]:
    judged: dict[EncodingId, list[Feedback]] = {}
    for one in feedback.of_skill(tx, skill.id, limit=READ):
        if one.encoding_id is not None:
            judged.setdefault(one.encoding_id, []).append(one)
    found = [of_encoding(tx, encoding_id, rows) for encoding_id, rows in judged.items()]
    return [one for one in found if one is not None]


def of_encoding(tx: Tx, encoding_id: EncodingId, rows: Sequence[Feedback]) -> Sample | None:
    """None: it was deleted, or nothing was encoded."""
    encoding = encodings.get(tx, encoding_id)
    if encoding is None or encoding.status is EncodingStatus.PENDING:
        return None
    items = encodings.items(tx, encoding)
    there = passages.get_by_id(tx, [one for one, _, _ in items])
    made = tuple(there[one].text for one, op, _ in items if op in WROTE and one in there)
    telling = next((one for one in rows if not one.kind.positive), rows[0])
    case = case_of(telling, encoding.content, made)
    return Sample(
        case=case,
        failed=not telling.kind.positive,
        language=language_of([encoding.content]),
        encoding=encoding,
        wanted=wanted_of(case, rows, telling, there),
        own=tuple(one for one, op, _ in items if op in WROTE or op == encodings.RAW),
        archives=(encoding.archive_id,),
    )


def case_of(telling: Feedback, content: str, made: Sequence[str]) -> Case:
    """`telling`: the judgement it is shown for."""
    evidence = telling.evidence
    wanted = str(evidence.get("correction", ""))
    cause = None
    if not telling.kind.positive:
        given = evidence.get("cause")
        cause = (
            RootCause(given)
            if isinstance(given, str)
            else root_cause(telling.kind, original=content, made=made, wanted=wanted)
        )
    return Case(
        input=content,
        made=tuple(made),
        kind=telling.kind,
        cause=cause,
        query=telling.query or "",
        wanted=wanted,
    )


def wanted_of(
    case: Case, rows: Sequence[Feedback], telling: Feedback, there: Mapping[PassageId, Passage]
) -> Wanted:
    used = [one for one in rows if one.kind.positive]
    asked = [one for one in rows if one.kind.positive or one.kind is FeedbackKind.MISSED]
    questions = dict.fromkeys(one.query for one in asked if one.query)
    unwanted = ""
    if case.kind is FeedbackKind.FORGOTTEN and case.cause is RootCause.QUALITY:
        memory = there.get(telling.passage_id or PassageId(""))
        unwanted = memory.text if memory else ""
    words = case.wanted if case.cause is not None else " ".join(map(words_in, used))
    return Wanted(
        content=case.input,
        questions=tuple(questions)[:MAX_QUESTIONS],
        words=words,
        unwanted=unwanted,
    )


def words_in(one: Feedback) -> str:
    words = one.evidence.get("words")
    return " ".join(str(word) for word in words) if isinstance(words, list) else ""


async def known_then(skills: Skills, actor: Actor, one: Sample) -> tuple[KnownMemory, ...]:
    """What a search would have found just before it was said; what was forgotten since is gone."""
    if one.encoding is None or not one.case.input.strip():
        return ()
    before = one.encoding.created_at - timedelta(microseconds=1)
    try:
        hits = await search.search(
            skills.memory,
            actor,
            list(one.archives),
            one.case.input[:2_000],
            filter=Filter(as_of=before),
            limit=KNOWN + len(one.own),
        )
    except YikuError:  # the archive has gone since, or has another embedding model
        return ()
    found = [hit.passage for hit in hits if hit.passage.id not in one.own]
    return tuple(known_of([p for p in found if p.valid_from <= before][:KNOWN]))


def of_lookups(tx: Tx, skill: MemorySkill) -> list[Sample]:
    judged: dict[LookupId, list[Feedback]] = {}
    for one in feedback.of_skill(tx, skill.id, limit=READ):
        # A memory that somebody had forgotten isn't found any more: there is nothing to try.
        if one.lookup_id is not None and one.kind is not FeedbackKind.FORGOTTEN:
            judged.setdefault(one.lookup_id, []).append(one)
    found = [of_lookup(tx, lookup_id, rows) for lookup_id, rows in judged.items()]
    return [one for one in found if one is not None]


def of_lookup(tx: Tx, lookup_id: LookupId, rows: Sequence[Feedback]) -> Sample | None:
    lookup = lookups.get(tx, lookup_id)
    if lookup is None:
        return None
    telling = next((one for one in rows if not one.kind.positive), rows[0])
    helped = [one.passage_id for one in rows if one.passage_id is not None]
    there = passages.get_by_id(tx, [*helped, *lookup.passage_ids])
    if not any(one in there for one in helped):
        return None
    found = [there[one].text for one in lookup.passage_ids if one in there]
    case = case_of(telling, lookup.query, found)
    archives = dict.fromkeys(one.archive_id for one in there.values())
    return Sample(
        case=replace(case, query=""),
        failed=not telling.kind.positive,
        language=language_of([lookup.query]),
        lookup=lookup,
        helped=tuple(dict.fromkeys(one for one in helped if one in there)),
        archives=tuple(archives),
    )
