"""Conversations and memories of other programs, on their way into an agent's memory.

A conversation becomes one of the agent's, its messages are found by recall as all are; a memory
becomes a passage of the agent's archive. Each is remembered by the id it had, in the transaction
that stores it: nothing is stored twice, however often an export is imported, or a newer one of the
same account.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from yiku.agents.instructions import with_instructions
from yiku.agents.shared import Agents
from yiku.agents.transfer.carried import CarriedChat, CarriedMessage, Chats
from yiku.agents.transfer.going import Progress, batches, ignored, threaded
from yiku.core.audit import Act
from yiku.core.errors import Invalid, InvalidImport, JobConflict
from yiku.core.ids import AgentId, ArchiveId, ConversationId, MessageId, new_id, new_ids
from yiku.core.memory import Draft, Outcome
from yiku.core.message import Message
from yiku.core.tenant import Actor
from yiku.memory import agent_archive, ingest
from yiku.memory.draft import check
from yiku.store import agents as store
from yiku.store import attachments, audit, imports, messages
from yiku.store.database import Tx
from yiku.store.imports import Made

CHAT, MESSAGE, PASSAGE = "conversation", "message", "passage"


@dataclass(slots=True)
class Found:
    """What an export holds; what of it is new is known after it was stored."""

    conversations: int = 0
    messages: int = 0
    memories: int = 0
    first: datetime | None = None
    last: datetime | None = None
    left_out: dict[str, int] = field(default_factory=dict[str, int])
    new_conversations: int = 0
    new_messages: int = 0
    new_memories: int = 0

    @property
    def total(self) -> int:
        return self.messages + self.memories

    def see(self, at: datetime | None) -> None:
        if at is not None:
            self.first = at if self.first is None else min(self.first, at)
            self.last = at if self.last is None else max(self.last, at)


def read_whole(source: Chats, max_text_bytes: int) -> Found:
    """Read all of an export, and check it. Raises: InvalidImport."""
    found, left_out = Found(), Counter[str]()
    for chat in source.chats():
        found.conversations += bool(chat.messages)
        found.messages += len(chat.messages)
        for one in chat.messages:
            found.see(one.created_at)
    left_out.update(source.left_out)
    for key, draft in source.memories():
        try:
            check(draft, max_text_bytes)
        except Invalid as error:
            raise InvalidImport(f"The memory {key!r:.80}: {error.message}") from error
        found.memories += 1
        found.see(draft.at)
    left_out |= Counter(source.left_out)
    found.left_out = dict(left_out)
    return found


@dataclass(slots=True)
class Going:
    """An import on its way."""

    agents: Agents
    actor: Actor
    agent_id: AgentId
    mark: str
    source: Chats
    found: Found
    dry_run: bool
    progress: Progress
    done: int = 0

    def tell(self, more: int) -> None:
        self.done += more
        self.progress(self.done, self.found.total)

    async def known(self, keys: Sequence[str]) -> set[str]:
        return await self.agents.database.read(
            self.actor, lambda tx: imports.known(tx, self.mark, keys)
        )


async def take_chats(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    kind: str,
    source: Chats,
    *,
    dry_run: bool = False,
    progress: Progress = ignored,
) -> Found:
    """Give an agent what an export holds; `dry_run`: only say what that would be.

    All of it is read and checked before anything is stored.

    Raises: InvalidImport, AgentNotFound, JobConflict where another run stores the same at this
    moment, NotAllowed, ProviderError, StoreError.
    """
    await agents.database.read(actor, lambda tx: store.get(tx, agent_id))
    limit = agents.memory.policy.max_text_bytes
    going = Going(
        agents=agents,
        actor=actor,
        agent_id=agent_id,
        mark=f"{kind}:{agent_id}",
        source=source,
        found=await asyncio.to_thread(read_whole, source, limit),
        dry_run=dry_run,
        progress=progress,
    )
    if not dry_run:
        await agents.database.write(actor, lambda tx: note(tx, going, kind))
    going.tell(0)
    chats = source.chats()
    while (chat := await asyncio.to_thread(next, chats, None)) is not None:
        if chat.messages:
            await take_chat(going, chat)
    if going.found.memories:
        await take_memories(going)
    return going.found


def note(tx: Tx, going: Going, kind: str) -> None:
    """Before anything is stored: what is interrupted is on record, too."""
    found = going.found
    audit.note(
        tx,
        Act.MEMORIES_IMPORT,
        going.agent_id,
        source=kind,
        conversations=found.conversations,
        messages=found.messages,
        memories=found.memories,
    )


async def take_chat(going: Going, chat: CarriedChat) -> None:
    found, into = going.found, Into(going.agent_id, going.mark, chat)
    home = f"{CHAT}:{chat.key}"
    found.new_conversations += home not in await going.known([home])
    for batch in batches(iter(chat.messages)):
        known = await going.known([f"{MESSAGE}:{one.key}" for one in batch])
        fresh = [one for one in batch if f"{MESSAGE}:{one.key}" not in known]
        found.new_messages += len(fresh)
        if fresh and not going.dry_run:
            await going.agents.database.write(
                going.actor, lambda tx, new=fresh: store_chat(tx, into, new)
            )
        going.tell(len(batch))


@dataclass(frozen=True, slots=True)
class Into:
    """Where a conversation goes."""

    agent_id: AgentId
    mark: str
    chat: CarriedChat


def store_chat(tx: Tx, into: Into, batch: Sequence[CarriedMessage]) -> None:
    """Those messages of a conversation that aren't there yet."""
    attachments.hold(tx, into.agent_id)
    known = imports.known(tx, into.mark, [f"{MESSAGE}:{one.key}" for one in batch])
    fresh = [one for one in batch if f"{MESSAGE}:{one.key}" not in known]
    if not fresh:
        return
    home = conversation_for(tx, into)
    ids = new_ids("message", len(fresh))
    new = [
        Message(
            id=MessageId(own),
            organization_id=tx.actor.organization_id,
            agent_id=into.agent_id,
            conversation_id=home,
            role=one.role,
            parts=one.parts,
            created_at=one.created_at or tx.now,
            created_by=tx.actor.user_id,
            model=one.model,
        )
        for one, own in zip(fresh, ids, strict=True)
    ]
    messages.add(tx, new)
    imports.said_until(tx, home, max(one.created_at for one in new))
    made = [
        (f"{MESSAGE}:{one.key}", Made(kind=MESSAGE, target_id=own))
        for one, own in zip(fresh, ids, strict=True)
    ]
    imports.put(tx, into.mark, made)


def conversation_for(tx: Tx, into: Into) -> ConversationId:
    """The one that was made of it, else a new one."""
    key = f"{CHAT}:{into.chat.key}"
    there = imports.find(tx, into.mark, key)
    if there is not None and imports.has_conversation(tx, there.target_id):
        return ConversationId(there.target_id)
    made = ConversationId(new_id("conv"))
    at = into.chat.created_at or tx.now
    imports.add_conversation(tx, made, into.agent_id, into.chat.title, at)
    with_instructions(tx, store.state(tx, into.agent_id), [], made)
    if there is None:
        imports.put(tx, into.mark, [(key, Made(kind=CHAT, target_id=made))])
    else:
        imports.point(tx, into.mark, key, made)
    return made


async def take_memories(going: Going) -> None:
    memory, actor = going.agents.memory, going.actor
    home: ArchiveId | None = None
    read = batches(going.source.memories())
    while batch := await threaded(read):
        drafts = {f"{PASSAGE}:{key}": draft for key, draft in batch}
        known = await going.known(tuple(drafts))
        fresh = {key: one for key, one in drafts.items() if key not in known}
        if going.dry_run:
            going.found.new_memories += len(fresh)
        elif fresh:
            if home is None:
                home = await memory.database.write(
                    actor, lambda tx: agent_archive.ensure(tx, going.agent_id)
                )
            also = keeping(going.agent_id, going.mark, fresh)
            added = await ingest.add(memory, actor, home, list(fresh.values()), also=also)
            # What is remembered already, in other words for the same, is one with it.
            going.found.new_memories += sum(one.outcome is Outcome.ADDED for one in added)
        going.tell(len(batch))


def keeping(agent_id: AgentId, mark: str, fresh: Mapping[str, Draft]) -> ingest.Also:
    """Remembers, with the passages, what they were made of."""

    def also(tx: Tx, _: Any, added: Sequence[Any]) -> None:
        attachments.hold(tx, agent_id)
        if imports.known(tx, mark, list(fresh)):
            raise JobConflict("Another run is importing the same memories; wait for its end.")
        made = [
            (key, Made(kind=PASSAGE, target_id=one.passage.id))
            for key, one in zip(fresh, added, strict=True)
        ]
        imports.put(tx, mark, made)

    return also
