"""Why a question went unanswered though the answer had been told: lost, or not found.

A reply that says it doesn't know proves nothing by itself. It counts only where the original input
of some memory names what the question names, and tells more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from yiku.core.errors import AgentNotFound, YikuError
from yiku.core.ids import ArchiveId, EncodingId, PassageId, SkillId
from yiku.core.memory import Filter, Passage
from yiku.core.skill import Encoding, EncodingStatus, Lookup, Op, RootCause
from yiku.core.tenant import Actor
from yiku.memory import search as searching
from yiku.memory.skills.causes import lost
from yiku.memory.skills.details import answers, telling
from yiku.memory.skills.shared import Skills
from yiku.memory.text import tokens
from yiku.store import agents, encodings, passages
from yiku.store.database import Tx

COVERS = 0.7
"""Of what a question names, an original input that has as much is about the same."""
SENTENCE = re.compile(r"(?<=[.!?])\s+|[。！？；;\n]+")
LOOKED_AT = 30
"""Passages of a deeper search, what is superseded too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """Which skill version failed, and how."""

    skill_id: SkillId
    cause: RootCause
    passage_id: PassageId
    encoding_id: EncodingId
    covered: float


@dataclass(frozen=True, slots=True)
class Told:
    """An original input, and what is in force of the memories made of it."""

    encoding: Encoding
    made: tuple[Passage, ...]


async def find(
    skills: Skills, actor: Actor, lookup: Lookup, shown: Sequence[Passage]
) -> Miss | None:
    """None: it was never told, was forgotten since, or stood before the model all the time."""
    places = await skills.database.read(actor, lambda tx: archives_of(tx, lookup, shown))
    if not places or not lookup.query.strip():
        return None
    try:
        hits = await searching.search(
            skills.memory,
            actor,
            places,
            lookup.query,
            filter=Filter(superseded=True),
            limit=LOOKED_AT,
        )
    except YikuError:  # an archive that has gone since; another embedding model
        return None
    found = [hit.passage.id for hit in hits]
    told = await skills.database.read(actor, lambda tx: told_in(tx, found, lookup))
    best: Miss | None = None
    for one in told:
        miss = judged(one, lookup)
        if miss is not None and (best is None or miss.covered > best.covered):
            best = miss
    return best


def archives_of(tx: Tx, lookup: Lookup, shown: Sequence[Passage]) -> list[ArchiveId]:
    found = [one.archive_id for one in shown]
    if lookup.agent_id is not None:
        try:
            found += agents.archives_of(tx, lookup.agent_id)
        except AgentNotFound:
            return []
    return list(dict.fromkeys(found))


def told_in(tx: Tx, found: Sequence[PassageId], lookup: Lookup) -> list[Told]:
    """What had been told before the lookup, and was encoded."""
    known: dict[EncodingId, Encoding] = {}
    for passage_id in found:
        for one, _ in encodings.of_passage(tx, passage_id):
            if one.status is EncodingStatus.ENCODED and one.created_at < lookup.created_at:
                known[one.id] = one
    told: list[Told] = []
    for one in known.values():
        wrote = [id for id, op, _ in encodings.items(tx, one) if op in (Op.ADD, Op.SUPERSEDE)]
        there = passages.get_by_id(tx, wrote)
        told.append(Told(one, tuple(p for p in there.values() if in_force(p))))
    return told


def in_force(one: Passage) -> bool:
    return not one.forgotten and one.superseded_by is None


def about(content: str, question: str) -> str:
    """The sentence that names what the question names; the whole, where no sentence does."""
    sentences = [part for part in SENTENCE.split(content) if part.strip()]
    best = max(sentences, key=lambda one: answers(question, one), default=content)
    return best if answers(question, best) >= COVERS else content


def judged(one: Told, lookup: Lookup) -> Miss | None:
    texts = [p.text for p in one.made]
    content = about(one.encoding.content, lookup.query)
    covered = answers(lookup.query, content)
    if covered < COVERS or not texts:
        return None
    asked = set(tokens(lookup.query))
    beyond = [term for term, weight in telling(content).items() if term not in asked and weight]
    if not beyond:
        return None
    if lost(content, texts, " ".join(beyond)):
        skill_id, cause = one.encoding.skill_id, RootCause.STORAGE
    elif not {p.id for p in one.made} & set(lookup.passage_ids):
        skill_id, cause = lookup.skill_id, RootCause.RETRIEVAL
    else:
        return None
    return Miss(
        skill_id=skill_id,
        cause=cause,
        passage_id=one.made[0].id,
        encoding_id=one.encoding.id,
        covered=covered,
    )
