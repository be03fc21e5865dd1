"""How a text gets in: stored as it came, with its encoding and the job for it, in one transaction;
once for each call, however often it is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from yiku.core.ids import AgentId, ArchiveId, MessageId, PassageId, RunId, SkillId
from yiku.core.memory import Added, Archive, Draft, Outcome, Passage
from yiku.core.skill import Encoding
from yiku.core.tenant import Actor
from yiku.memory import ingest
from yiku.memory.archival import Place
from yiku.memory.skills.secrets import SecretKind
from yiku.memory.skills.shared import Skills
from yiku.store import encodings, outbox, passages, requests
from yiku.store.database import Tx

JOB = "encode"
"""The outbox's kind; the key is the encoding's id."""
LATER = timedelta(seconds=60)
"""When the worker looks after what was to be encoded in the request itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of a text that was to be remembered."""

    passage: Passage
    """What holds it: as it came, or what was known already."""
    outcome: Outcome
    encoding: Encoding | None
    """None: nothing is to be encoded, it was known already."""
    masked: tuple[SecretKind, ...] = ()
    """Secrets that were taken out of it."""
    may_supersede: tuple[Passage, ...] = ()
    """Known memories that it may replace; only where no model will compare them."""


class SavedBefore(Exception):
    """The same call has done its work already."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a text comes from."""

    agent_id: AgentId | None
    run_id: RunId | None
    message_id: MessageId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """A text on its way in."""

    draft: Draft
    skill_id: SkillId
    origin: Origin
    key: str | None
    content_hash: str
    job: Literal["background", "request", "off"] | None
    """When it is to be encoded; None: there is no model."""


async def stored(
    skills: Skills, actor: Actor, where: Place | ArchiveId, work: Saving
) -> tuple[Added | None, Encoding | None]:
    """The passage with its encoding and job, in one transaction; None: the call of this key has
    done so before."""
    made: list[Encoding] = []

    def also(tx: Tx, archive: Archive, added: Sequence[Added]) -> None:
        made.clear()  # the unit may be run again
        [one] = added
        if work.key is not None:
            if requests.find(tx, work.key, work.content_hash) is not None:
                raise SavedBefore
            known = [{"id": one.passage.id, "outcome": one.outcome.value}]
            requests.add(tx, work.key, work.content_hash, known)
        if one.outcome is Outcome.ADDED:
            made.append(begun(tx, archive.id, one.passage, work))

    if work.key is not None:
        key, content_hash = work.key, work.content_hash
        before = await skills.database.read(actor, lambda tx: requests.find(tx, key, content_hash))
        if before is not None:
            return None, None
    try:
        [added] = await ingest.add(skills.memory, actor, where, [work.draft], also=also)
    except SavedBefore:
        return None, None
    return added, made[0] if made else None


def begun(tx: Tx, archive_id: ArchiveId, raw: Passage, work: Saving) -> Encoding:
    """The encoding of a text that is stored as it came, and the job that carries it out."""
    encoding = encodings.add(
        tx,
        archive_id=archive_id,
        skill_id=work.skill_id,
        content=raw.text,
        language=raw.language,
        raw_id=raw.id,
        agent_id=work.origin.agent_id,
        run_id=work.origin.run_id,
        message_id=work.origin.message_id,
    )
    if work.job is not None:
        due = tx.now + LATER if work.job == "request" else None
        outbox.put(tx, JOB, encoding.id, due_at=due)
    return encoding


async def saved_before(skills: Skills, actor: Actor, work: Saving) -> Saved:
    """What the call of this key stored. Raises: IdempotencyConflict, PassageNotFound."""

    def unit(tx: Tx) -> Saved:
        found = (requests.find(tx, work.key or "", work.content_hash) or [{}])[0]
        passage = passages.get(tx, PassageId(found["id"]))
        own = [one for one, op in encodings.of_passage(tx, passage.id) if op == encodings.RAW]
        outcome = Outcome(found["outcome"])
        return Saved(passage=passage, outcome=outcome, encoding=own[0] if own else None)

    return await skills.database.read(actor, unit)
