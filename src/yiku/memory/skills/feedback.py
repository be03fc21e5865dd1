"""What became of memories, counted for the skill versions that wrote and found them.

Used, cited: what was said after a lookup drew on the memory (`overlap`). Missed: the reply says
that it doesn't know, though it had been told (`missed`). Forgotten: somebody had the memory
forgotten (`query.forget_memory`). Corrected, contradicted: a later text says that it was wrong
(`corrections`). Each judgement is a row with what shows it, has a key, and is counted once, in the
transaction that writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from yiku.core.errors import AgentNotFound, ProviderError, RunNotFound
from yiku.core.ids import EncodingId, LookupId, PassageId, RunId, SkillId
from yiku.core.memory import Json, Passage
from yiku.core.message import Message, MessageFilter, MessagePage, MessageRole
from yiku.core.run import Run
from yiku.core.skill import Encoding, EncodingStatus, FeedbackKind, Lookup, Op
from yiku.core.tenant import Actor
from yiku.memory.skills import corrections, heard, missed, overlap
from yiku.memory.skills.overlap import Overlap, Shown
from yiku.memory.skills.shared import Skills
from yiku.store import agents, encodings, lookups, messages, outbox, passages, runs
from yiku.store import feedback as rows
from yiku.store.database import Tx

JUDGE = "judge"
"""The kind of the job; its key is the run's id."""
LATER = timedelta(seconds=30)
"""A run that hasn't ended is looked at again then."""
MAX_MESSAGES = 1_000
CONTEXT = 30
"""Earlier messages whose words show nothing."""
SPOKEN = (MessageRole.USER, MessageRole.ASSISTANT, MessageRole.SUMMARY)
QUOTED = 300
"""Characters of a reply that the evidence quotes."""
WROTE = (Op.ADD.value, Op.SUPERSEDE.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What one pass over a run's lookups showed."""

    lookups: int = 0
    used: int = 0
    missed: int = 0
    waits: bool = False
    """The run hasn't ended: the job was put off."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as it was read."""

    run: Run | None
    lookups: Sequence[Lookup] = ()
    messages: Sequence[Message] = ()
    passages: Mapping[PassageId, Passage] | None = None
    authors: Mapping[PassageId, Encoding] | None = None
    context: Sequence[str] = ()
    """What stood before the model anyhow: its blocks, and the conversation before the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A judgement on its way into the database."""

    skill_id: SkillId
    kind: FeedbackKind
    key: str
    evidence: Mapping[str, Json]
    passage_id: PassageId | None = None
    encoding_id: EncodingId | None = None
    lookup_id: LookupId | None = None
    query: str | None = None


async def judge(skills: Skills, actor: Actor, run_id: RunId) -> Judged:
    """See what became of what the run's lookups found. Again, it changes nothing.

    The handler of the job `JUDGE`. Raises: StoreError.
    """
    seen = await skills.database.read(actor, lambda tx: read(tx, run_id))
    if seen.run is not None and not seen.run.status.ended:
        await skills.database.write(actor.bookkeeper, lambda tx: put_off(tx, run_id))
        return Judged(waits=True)
    drafts: list[Draft] = []
    for lookup in seen.lookups:
        drafts += await of_lookup(skills, actor, seen, lookup)

    def unit(tx: Tx) -> Judged:
        fresh = set(lookups.judged(tx, [one.id for one in seen.lookups]))
        kept = [one for one in drafts if one.lookup_id in fresh and keep(tx, one)]
        return Judged(
            lookups=len(fresh),
            used=sum(one.kind.positive for one in kept),
            missed=sum(one.kind is FeedbackKind.MISSED for one in kept),
        )

    return await skills.database.write(actor.bookkeeper, unit)


def put_off(tx: Tx, run_id: RunId) -> None:
    outbox.put(tx, JUDGE, run_id, due_at=tx.now + LATER)


def read(tx: Tx, run_id: RunId) -> Seen:
    found = lookups.of_run(tx, run_id, unjudged_only=True)
    try:
        run = runs.get(tx, run_id)
    except RunNotFound:
        run = None
    if not found or run is None or not run.status.ended:
        return Seen(run, found)
    part = MessagePage(limit=MAX_MESSAGES, newest_first=False)
    said = messages.page(tx, MessageFilter(run_id=run_id), part)
    there = passages.get_by_id(tx, [one for each in found for one in each.passage_ids])
    authors = {one: wrote for one in there if (wrote := author(tx, one)) is not None}
    return Seen(run, found, said, there, authors, context_of(tx, run, said))


def context_of(tx: Tx, run: Run, said: Sequence[Message]) -> list[str]:
    try:
        blocks = agents.blocks_of(tx, run.agent_id)
    except AgentNotFound:
        return []
    first = said[0].seq if said else 0
    before = messages.in_context(tx, run.agent_id, run.conversation_id)
    earlier = [one.text for one in before if one.seq < first and one.role in SPOKEN]
    return [*(block.value for block in blocks), *earlier[-CONTEXT:]]


def author(tx: Tx, passage_id: PassageId) -> Encoding | None:
    """The encoding whose skill wrote the passage; None: nobody's skill did, it is as it came."""
    wrote = [one for one, op in encodings.of_passage(tx, passage_id) if op in WROTE]
    return wrote[-1] if wrote else None


async def of_lookup(skills: Skills, actor: Actor, seen: Seen, lookup: Lookup) -> list[Draft]:
    question = heard.asked(seen.messages, lookup)
    reply = heard.answered(seen.messages, lookup)
    if not reply:
        return []
    there = seen.passages or {}
    shown = [there[one] for one in lookup.passage_ids if one in there]
    found = await drawn_on(skills, question, reply, shown, seen.context)
    drafts: list[Draft] = []
    for one, how in zip(shown, found, strict=True):
        if how.used:
            drafts += of_use(lookup, one, how, reply, (seen.authors or {}).get(one.id))
    if not drafts and overlap.refuses(reply):
        miss = await missed.find(skills, actor, lookup, shown)
        if miss is not None:
            drafts.append(of_miss(lookup, miss, reply))
    return drafts


async def drawn_on(
    skills: Skills, question: str, reply: str, shown: Sequence[Passage], context: Sequence[str]
) -> list[Overlap]:
    if not shown:
        return []
    gains = await gains_of(skills, question, reply, [one.text for one in shown])
    told = [Shown(one.text, gain) for one, gain in zip(shown, gains, strict=True)]
    found = overlap.used(question, reply, told, context)
    # An id is nothing one says by chance.
    return [
        Overlap(1.0, (one.id,), used=True, cites=True) if one.id in reply else how
        for one, how in zip(shown, found, strict=True)
    ]


async def gains_of(
    skills: Skills, question: str, reply: str, texts: Sequence[str]
) -> list[float | None]:
    """How much nearer the reply is to each text than the question was; None: no vectors."""
    memory = skills.memory
    parts = overlap.clauses(reply)
    asked = [memory.embeddable(text, ()) for text in (question, *parts, *texts)]
    try:
        vectors = await memory.embedder.embed(asked, purpose="document")
    except ProviderError:
        return [None] * len(texts)
    about, said, told = vectors[:1], vectors[1 : 1 + len(parts)], vectors[1 + len(parts) :]
    gains = np.max(told @ said.T, axis=1) - (told @ about.T)[:, 0]
    return [float(gain) for gain in gains]


def of_use(
    lookup: Lookup, one: Passage, how: Overlap, reply: str, wrote: Encoding | None
) -> list[Draft]:
    kind = FeedbackKind.CITED if how.cites else FeedbackKind.USED
    evidence: dict[str, Json] = {
        "words": list(how.words),
        "overlap": round(how.score, 3),
        "threshold": overlap.THRESHOLD,
        "reply": reply[:QUOTED],
    }
    shared: dict[str, Any] = {
        "kind": kind,
        "evidence": evidence,
        "passage_id": one.id,
        "lookup_id": lookup.id,
        "query": lookup.query,
    }
    drafts = [Draft(skill_id=lookup.skill_id, key=f"found:{lookup.id}:{one.id}", **shared)]
    if wrote is not None:
        # However often one run looks it up: it is one use of what was written.
        key = f"wrote:{lookup.run_id or lookup.id}:{one.id}"
        drafts.append(Draft(skill_id=wrote.skill_id, key=key, encoding_id=wrote.id, **shared))
    return drafts


def of_miss(lookup: Lookup, miss: missed.Miss, reply: str) -> Draft:
    return Draft(
        skill_id=miss.skill_id,
        kind=FeedbackKind.MISSED,
        key=f"missed:{lookup.id}",
        passage_id=miss.passage_id,
        encoding_id=miss.encoding_id,
        lookup_id=lookup.id,
        query=lookup.query,
        evidence={
            "cause": miss.cause.value,
            "covered": round(miss.covered, 3),
            "threshold": missed.COVERS,
            "reply": reply[:QUOTED],
        },
    )


def keep(tx: Tx, one: Draft) -> bool:
    """False: it was counted before, or its memory is gone."""
    return rows.add(
        tx,
        skill_id=one.skill_id,
        kind=one.kind,
        key=one.key,
        evidence=one.evidence,
        passage_id=one.passage_id,
        encoding_id=one.encoding_id,
        lookup_id=one.lookup_id,
        query=one.query,
    )


def count_corrections(tx: Tx, later: Encoding) -> int:
    """Count against the skills whose memories this text puts right; returns how many.

    Where what was carried out of it ended memories of its own agent, and it says that they were
    wrong rather than that things have changed. In the transaction that carries it out.
    """
    kind = corrections.judgement(later.content)
    if kind is None or later.status is not EncodingStatus.ENCODED:
        return 0
    drafts: list[Draft] = []
    for operation in later.operations:
        if operation.target is None or operation.op not in (Op.SUPERSEDE, Op.DELETE):
            continue
        wrote = author(tx, operation.target)
        if wrote is not None and wrote.agent_id == later.agent_id:
            drafts.append(of_correction(later, operation.target, kind, wrote))
    return sum(keep(tx, one) for one in drafts)


def of_correction(later: Encoding, target: PassageId, kind: FeedbackKind, wrote: Encoding) -> Draft:
    return Draft(
        skill_id=wrote.skill_id,
        kind=kind,
        key=f"{kind.value}:{later.id}:{target}",
        passage_id=target,
        encoding_id=wrote.id,
        evidence={"correction": later.content[:QUOTED], "by": later.id},
    )
