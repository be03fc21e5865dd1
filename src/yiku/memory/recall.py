"""Recall memory: an agent's messages, found by words and by meaning.

Each agent has an archive of Yiku's own that is made from its messages, so that they are found as
memories are. It follows the messages: it is brought up to date before every search, and in the
background when it is quiet. What is in it can be made again at any time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from yiku.core.errors import InvalidFilter, JobConflict
from yiku.core.ids import AgentId, ArchiveId, ConversationId, MessageId, RunId
from yiku.core.memory import Added, Archive, Draft, Filter, Hit
from yiku.core.message import Message
from yiku.core.tenant import Actor
from yiku.memory import erase as erasing
from yiku.memory import ingest
from yiku.memory import search as searching
from yiku.memory.archival import ArchivalMemory, OwnPlace, Policy
from yiku.memory.recall_text import SPEAKERS, said_in, speaker_of
from yiku.store import archives, attachments, messages, requests
from yiku.store import recall as rows
from yiku.store.database import Tx
from yiku.store.recall import OWNER

BATCH = 64
"""Messages that are embedded and stored at once."""
SEQ, RUN = "seq", "run"
"""Metadata: the message's row number, and the run it was said in."""
MAX_LIMIT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A message that answered a query, and why."""

    message: Message
    score: float
    """0..1; higher is better. 1 where nothing was asked but a time."""
    parts: Mapping[str, float]


def place_of(agent_id: AgentId) -> OwnPlace:
    return OwnPlace(OWNER, agent_id)


def job_of(agent_id: AgentId) -> str:
    """How far the messages are indexed, kept with what is indexed."""
    return f"recall:{agent_id}"


async def catch_up(
    memory: ArchivalMemory, actor: Actor, agent_id: AgentId, *, batches: int | None = None
) -> bool:
    """Index the messages that came since; `batches`: so many at most.

    Whether all are indexed. Where two do it at once, one of them is first and the other reads on
    from there. An archive of another embedding model is made anew.

    Raises: ProviderError, StoreError.
    """
    own = replace(memory, policy=as_they_are(memory))
    while batches is None or batches > 0:
        seen, stale, new = await memory.database.read(
            actor, lambda tx: not_indexed(tx, memory, agent_id)
        )
        if stale:
            await erase(memory, actor, agent_id)
            continue
        if not new:
            return True
        step = Step(agent_id, seen, new)
        drafts = step.drafts()
        await read_dictionary(memory, drafts)
        try:
            await ingest.add(own, actor.bookkeeper, place_of(agent_id), drafts, also=step.keep)
        except JobConflict:
            continue  # somebody else has indexed them, or they are gone
        if batches is not None:
            batches -= 1
        if len(new) < BATCH:
            return True
    return False


async def read_dictionary(memory: ArchivalMemory, drafts: Sequence[Draft]) -> None:
    """The first Chinese text of all takes up to two seconds, of which the loop knows nothing."""
    chinese = next((one.text for one in drafts if not one.text.isascii()), None)
    if chinese is not None:
        await asyncio.to_thread(memory.gloss, chinese)


def as_they_are(memory: ArchivalMemory) -> Policy:
    """Messages are no memories: what is said twice is said twice."""
    return replace(memory.policy, duplicates="keep", echo_guard=timedelta(0))


def not_indexed(
    tx: Tx, memory: ArchivalMemory, agent_id: AgentId
) -> tuple[int, bool, list[Message]]:
    """Up to where it is indexed, whether by another model, and the messages that come next."""
    there = archives.find(tx, OWNER, agent_id)
    if there is not None and there.embedding_model not in (None, memory.embedder.model):
        return 0, True, []
    seen = requests.job_position(tx, job_of(agent_id))
    return seen, False, messages.unindexed(tx, agent_id, seen, BATCH)


@dataclass(frozen=True, slots=True)
class Step:
    """Some messages on their way into the index."""

    agent_id: AgentId
    seen: int
    new: Sequence[Message]

    def drafts(self) -> list[Draft]:
        return [made for one in self.new if (made := draft_of(one)) is not None]

    def keep(self, tx: Tx, archive: Archive, added: Sequence[Added]) -> None:
        """Raises: JobConflict where the messages were indexed, or deleted, meanwhile."""
        attachments.hold(tx, self.agent_id)
        still = messages.get_by_seq(tx, [one.seq for one in self.new])
        if len(still) < len(self.new):
            raise JobConflict("Messages were deleted while they were being indexed.")
        last = self.new[-1].seq
        requests.set_job(tx, job_of(self.agent_id), archive.id, last, self.seen, kind="recall")


def draft_of(one: Message) -> Draft | None:
    """The message as it is indexed; None where it says nothing."""
    text = said_in(one)
    if text is None:
        return None
    return Draft(
        text=text,
        at=one.created_at,
        speaker=speaker_of(one),
        conversation=one.conversation_id or one.agent_id,
        message=one.id,
        tags=(SPEAKERS[one.role],),
        metadata={SEQ: one.seq, **({} if one.run_id is None else {RUN: one.run_id})},
        roles=(),
    )


async def search(
    memory: ArchivalMemory,
    actor: Actor,
    agent_ids: AgentId | Sequence[AgentId],
    query: str,
    *,
    roles: Sequence[str] = (),
    limit: int = 10,
    since: datetime | None = None,
    until: datetime | None = None,
    conversation_id: ConversationId | None = None,
    without_run: RunId | None = None,
) -> list[Recalled]:
    """The messages that answer `query`, best first; without a query the newest of the time.

    `roles`: `user`, `assistant`, `tool`; none: all. `until` isn't part of the time.
    `conversation_id`: in this one; None: in all. `without_run`: not what that run has said.

    Raises: Invalid, InvalidFilter, ProviderError, StoreError.
    """
    ids = [agent_ids] if isinstance(agent_ids, str) else list(agent_ids)
    unknown = set(roles) - set(SPEAKERS.values())
    if unknown:
        raise InvalidFilter(f"Messages are of user, assistant or tool, not {min(unknown)!r:.40}.")
    wanted = Filter(
        any_tags=tuple(roles),
        conversations=() if conversation_id is None else (conversation_id,),
        since=since,
        until=until,
    )
    searching.check_filter(wanted)
    searching.check_query(query if query.strip() else "any", limit)
    if not query.strip():
        asked = rows.Said(
            roles=[one for one, name in SPEAKERS.items() if name in (roles or (name,))],
            since=since,
            until=until,
            conversation_id=conversation_id,
            without_run=without_run,
        )
        return await listed(memory, actor, ids, asked, limit)
    for agent_id in ids:
        await catch_up(memory, actor, agent_id)
    there = await memory.database.read(
        actor, lambda tx: [one for one in ids if archives.find(tx, OWNER, one) is not None]
    )
    places = [place_of(one) for one in there]
    # The run that asks has said its question too, which is the best answer to it.
    more = min(limit + 20, searching.MAX_LIMIT) if without_run else limit
    while True:
        hits = await searching.search(memory, actor, places, query, filter=wanted, limit=more)
        kept = [
            hit for hit in hits if hit.passage.metadata.get(RUN) != without_run or not without_run
        ]
        found = await as_messages(memory, actor, kept)
        once = said_once(found)
        # Forks have what they began with, too: where that took places, others follow.
        if len(once) >= min(limit, len(found)) or len(hits) < more or more >= searching.MAX_LIMIT:
            return once[:limit]
        more = min(2 * more, searching.MAX_LIMIT)


async def as_messages(memory: ArchivalMemory, actor: Actor, hits: Sequence[Hit]) -> list[Recalled]:
    """Those that are still there."""
    seqs = [int(str(hit.passage.metadata[SEQ])) for hit in hits]
    found = await memory.database.read(actor, lambda tx: messages.get_by_seq(tx, seqs))
    return [
        Recalled(message=found[seq], score=hit.score, parts=hit.parts)
        for seq, hit in zip(seqs, hits, strict=True)
        if seq in found
    ]


def said_once(found: Sequence[Recalled]) -> list[Recalled]:
    """Of a message and its copies, the first that was found."""
    first: dict[MessageId, Recalled] = {}
    for one in found:
        first.setdefault(one.message.copied_from or one.message.id, one)
    return list(first.values())


async def listed(
    memory: ArchivalMemory, actor: Actor, ids: Sequence[AgentId], asked: rows.Said, limit: int
) -> list[Recalled]:
    """Those that say something, the newest first."""
    found: list[Message] = []
    before: int | None = None
    while len(found) < limit:
        part = await memory.database.read(
            actor, lambda tx, b=before: rows.said(tx, ids, asked, before=b, limit=limit)
        )
        found += [one for one in part if said_in(one) is not None]
        if len(part) < limit:
            break
        before = part[-1].seq
    return [Recalled(message=one, score=1.0, parts={}) for one in found[:limit]]


def erase_in(tx: Tx, agent_id: AgentId) -> ArchiveId | None:
    """Erase the rows, in the transaction that erases the agent or messages of its; `erased` must
    follow its commit. What messages there still are is indexed again."""
    there = archives.find(tx, OWNER, agent_id)
    if there is None:
        return None
    archives.remove_rows(tx, there.id)
    return there.id


async def erased(memory: ArchivalMemory, archive_id: ArchiveId) -> None:
    """Nothing of erased messages stays in indexes, caches or the database's files."""
    await asyncio.to_thread(memory.indexes.erase_all, archive_id)
    memory.forget_cached()
    await memory.database.scrub()


async def erase(memory: ArchivalMemory, actor: Actor, agent_id: AgentId) -> None:
    """All of an agent's. Raises: StoreError."""
    gone = await memory.database.write(actor.bookkeeper, lambda tx: erase_in(tx, agent_id))
    if gone is not None:
        await erased(memory, gone)


async def erase_messages(
    memory: ArchivalMemory, actor: Actor, agent_id: AgentId, message_ids: Sequence[MessageId]
) -> None:
    """Some of an agent's, after they were deleted themselves. Raises: StoreError."""
    ids = await memory.database.read(actor, lambda tx: rows.passages_of(tx, agent_id, message_ids))
    if ids:
        await erasing.delete(memory, actor.bookkeeper, ids)
