"""An agent file on its way in: checked whole, then stored in steps, each with how far it goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from itertools import groupby, islice
from typing import Any, TypeVar

from yiku.agents import role_memory
from yiku.agents.shared import Agents
from yiku.agents.transfer import begin
from yiku.agents.transfer.begin import Begun, Prepared
from yiku.agents.transfer.carried import (
    Carried,
    CarriedMessage,
    CarriedSummary,
    Source,
    Taken,
    Wishes,
)
from yiku.core.audit import Act
from yiku.core.errors import AgentNotFound
from yiku.core.ids import AgentId, ArchiveId, ConversationId, MessageId, new_id, new_ids
from yiku.core.memory import Draft
from yiku.core.message import Message, MessageRole, Summary
from yiku.core.tenant import Actor
from yiku.memory import ingest
from yiku.memory.roles import manage
from yiku.store import agents as store
from yiku.store import audit, imports, messages
from yiku.store.database import Tx
from yiku.store.imports import Made

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""How many messages and passages are stored, of how many."""

BATCH = 250
AGENT, ARCHIVE, PART, WHOLE = "agent", "archive", "part", "whole"
MESSAGES, PASSAGES = "messages", "passages"


class Undone(Exception):
    """Ends the transaction of a dry run, so that nothing of it is kept."""

    def __init__(self, begun: Begun) -> None:
        super().__init__()
        self.begun = begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import that has begun, perhaps in an earlier run."""

    mark: str
    source: Source
    carried: Carried
    begun: Begun
    conversations: Mapping[tuple[int, int], ConversationId | None]
    """By the numbers of agent and thread; the agent's own conversation is None."""
    progress: Progress
    total: int
    done: list[int] = field(default_factory=lambda: [0])
    """Messages and passages that are stored, in its only place."""

    def tell(self, more: int) -> None:
        self.done[0] += more
        self.progress(self.done[0], self.total)


def ignored(done: int, total: int) -> None:
    """For those who don't watch."""


async def take(
    agents: Agents,
    actor: Actor,
    source: Source,
    wishes: Wishes,
    *,
    dry_run: bool = False,
    again: bool = False,
    progress: Progress = ignored,
) -> Taken:
    """Make the file's agents, with all they have.

    The file is checked whole before anything is stored. An import of the same file that was
    interrupted is gone on with. One that was finished is made `again`, or else only told of.

    Raises: InvalidImport, LabelTaken, JobConflict where another run stores the same at this moment,
    NotAllowed, ProviderError, StoreError.
    """
    carried = await asyncio.to_thread(source.whole)
    if wishes.without_messages:
        carried = without_messages(carried)
    ready = begin.prepared(agents, actor, carried, wishes)
    mark = mark_of(source, wishes)
    there = await agents.database.read(actor, lambda tx: earlier(tx, mark))
    if there is not None and WHOLE in there and not again:
        begun = begun_of(carried, there)
        if not dry_run:
            await agents.database.write(actor, lambda tx: note(tx, mark, begun, "nothing new"))
        found = taken(carried, begun, wishes)
        return replace(found, skipped=carried.messages + carried.passages, repeated=True)
    if dry_run:
        return taken(carried, await tried(agents, actor, ready), wishes, ids=False)
    going = there if there is not None and WHOLE not in there else None
    if going is None:
        begun = await agents.database.write(actor, lambda tx: first_step(tx, mark, ready))
    else:
        begun = begun_of(carried, going)
        await agents.database.write(actor, lambda tx: note(tx, mark, begun, "went on"))
    seen = {name: (going or {}).get(name, Made(kind=PART, target_id="")).position or 0
            for name in (MESSAGES, PASSAGES)}  # fmt: skip
    one = Import(
        mark=mark,
        source=source,
        carried=carried,
        begun=begun,
        conversations={},
        progress=progress,
        total=carried.messages + carried.passages,
    )
    one.tell(sum(seen.values()))
    ends = await take_messages(agents, actor, one, seen[MESSAGES])
    await take_roles(agents, actor, one)
    await take_passages(agents, actor, one, seen[PASSAGES])
    await agents.database.write(actor, lambda tx: last_step(tx, one, ends))
    return replace(taken(carried, begun, wishes), skipped=sum(seen.values()))


def mark_of(source: Source, wishes: Wishes) -> str:
    """Of a file and what is wished of it: the same content and wishes are the same import."""
    words = json.dumps([source.mark, asdict(wishes)], sort_keys=True)
    return f"file:{sha256(words.encode()).hexdigest()[:56]}"


def without_messages(carried: Carried) -> Carried:
    bare = tuple(
        replace(one, threads=tuple(replace(t, count=0, summary=None) for t in one.threads))
        for one in carried.agents
    )
    return replace(carried, agents=bare)


async def tried(agents: Agents, actor: Actor, ready: Prepared) -> Begun:
    """What the first step would make. Raises: as that."""

    def unit(tx: Tx) -> Begun:
        raise Undone(begin.begin(tx, ready))

    try:
        return await agents.database.write(actor, unit)
    except Undone as undone:
        return undone.begun


def earlier(tx: Tx, mark: str) -> dict[str, Made] | None:
    """What an earlier import of it has made; None: none has, or its agents are gone."""
    found = imports.of_source(tx, mark, (AGENT, ARCHIVE, PART, WHOLE))
    try:
        for one in found.values():
            if one.kind == AGENT:
                store.get(tx, AgentId(one.target_id))
    except AgentNotFound:
        return None
    return found or None


def first_step(tx: Tx, mark: str, ready: Prepared) -> Begun:
    imports.forget(tx, mark)
    begun = begin.begin(tx, ready)
    kept = [(f"{AGENT}:{key}", Made(kind=AGENT, target_id=one))
            for key, one in begun.agent_ids.items()]  # fmt: skip
    kept += [(f"{ARCHIVE}:{key}", Made(kind=ARCHIVE, target_id=one))
             for key, one in begun.archive_ids.items()]  # fmt: skip
    kept += [(name, Made(kind=PART, target_id="", position=0)) for name in (MESSAGES, PASSAGES)]
    imports.put(tx, mark, kept)
    note(tx, mark, begun)
    return begun


def note(tx: Tx, mark: str, begun: Begun, how: str | None = None) -> None:
    """Each import is on record, however little it stores."""
    for agent_id in begun.agent_ids.values():
        audit.note(tx, Act.AGENT_IMPORT, agent_id, file=mark, how=how)


def begun_of(carried: Carried, there: Mapping[str, Made]) -> Begun:
    return Begun(
        agent_ids={
            one.key: AgentId(there[f"{AGENT}:{one.key}"].target_id) for one in carried.agents
        },
        archive_ids={
            key: ArchiveId(there[f"{ARCHIVE}:{key}"].target_id) for key in carried.archives
        },
        notes=carried.notes,
    )


def taken(carried: Carried, begun: Begun, wishes: Wishes, *, ids: bool = True) -> Taken:
    used = {key for one in carried.agents for key in one.block_keys}
    several = len(carried.agents) > 1
    given = [begin.wished(one, wishes, several=several) for one in carried.agents]
    names = [
        str(new.get("name") or one.key) for one, new in zip(carried.agents, given, strict=True)
    ]
    return Taken(
        agent_ids=tuple(begun.agent_ids[one.key] for one in carried.agents) if ids else (),
        agents=tuple(names),
        blocks=len(used),
        tools=len({key for one in carried.agents for key in one.tool_keys}),
        archives=len(carried.archives),
        messages=carried.messages,
        passages=carried.passages,
        notes=begun.notes,
    )


def batches(found: Iterator[T], size: int = BATCH) -> Iterator[list[T]]:
    while batch := list(islice(found, size)):
        yield batch


async def threaded(found: Iterator[list[T]]) -> list[T] | None:
    """The next of an iterator of lists, read on another thread."""
    return await asyncio.to_thread(lambda: next(found, None))


@dataclass(slots=True)
class Ends:
    """Where in each thread the messages are that its summary begins and ends with, from 0; the
    thread's own instructions are the first."""

    places: dict[tuple[int, int, str], int] = field(default_factory=dict[tuple[int, int, str], int])
    counts: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])

    def see(self, agent: int, thread: int, one: CarriedMessage, wanted: set[str]) -> bool:
        """Whether the message is to be stored: compiled instructions are made anew."""
        at = (agent, thread)
        if at not in self.counts:
            self.counts[at] = 1
            if one.role is MessageRole.SYSTEM:
                return False
        if one.key in wanted:
            self.places[(agent, thread, one.key)] = self.counts[at]
        self.counts[at] += 1
        return True


async def take_messages(agents: Agents, actor: Actor, going: Import, seen: int) -> Ends:
    """Store those that come after the first `seen`."""
    ends = Ends()
    if not any(thread.count for one in going.carried.agents for thread in one.threads):
        return ends
    wanted = {key for one in going.carried.agents for thread in one.threads
              if (s := thread.summary) for key in (s.first_key, s.last_key)}  # fmt: skip
    found = batches(going.source.messages())
    position = 0
    while batch := await threaded(found):
        new = [each for each in batch if ends.see(*each, wanted)]
        before, position = position, position + len(batch)
        if position <= seen:
            continue
        skipped = {id(each) for each in batch[: max(seen - before, 0)]}
        fresh = [each for each in new if id(each) not in skipped]
        start, end = max(before, seen), position
        await agents.database.write(
            actor, lambda tx, f=fresh, s=start, e=end: store_messages(tx, going, f, s, e)
        )
        going.tell(end - start)
    return ends


def store_messages(
    tx: Tx, going: Import, fresh: Sequence[tuple[int, int, CarriedMessage]], seen: int, end: int
) -> None:
    imports.move(tx, going.mark, MESSAGES, seen, end)
    ids = new_ids("message", len(fresh))
    new = [
        message_of(tx, going, each, MessageId(own)) for each, own in zip(fresh, ids, strict=True)
    ]
    for agent_id in dict.fromkeys(one.agent_id for one in new):
        new = with_free_otids(tx, agent_id, new)
    messages.add(tx, new)


def message_of(
    tx: Tx, going: Import, each: tuple[int, int, CarriedMessage], id: MessageId
) -> Message:
    agent, thread, one = each
    carried = going.carried.agents[agent]
    shown = carried.threads[thread].in_context
    return Message(
        id=id,
        organization_id=tx.actor.organization_id,
        agent_id=going.begun.agent_ids[carried.key],
        conversation_id=going.conversations.get((agent, thread)),
        role=one.role,
        parts=one.parts,
        created_at=one.created_at or tx.now,
        created_by=tx.actor.user_id,
        model=one.model,
        name=one.name,
        otid=one.otid,
        sender_id=one.sender_id,
        group_id=one.group_id,
        is_archived=shown is not None and one.key not in shown,
    )


def with_free_otids(tx: Tx, agent_id: AgentId, new: Sequence[Message]) -> list[Message]:
    """An agent has an otid once: of messages with the same one the first keeps it."""
    given = [one.otid for one in new if one.agent_id == agent_id and one.otid is not None]
    taken = {one.otid for one in messages.with_otids(tx, agent_id, given)}
    kept: list[Message] = []
    for one in new:
        if one.agent_id == agent_id and one.otid is not None:
            if one.otid in taken:
                one = replace(one, otid=None)
            else:
                taken.add(one.otid)
        kept.append(one)
    return kept


async def take_roles(agents: Agents, actor: Actor, going: Import) -> None:
    """Make the archives' roles that aren't there yet, and those that agents can't be without."""
    for key, archive in going.carried.archives.items():
        home = going.begun.archive_ids[key]
        there = {one.config.role_id for one in await manage.listed(agents.memory, actor, home)}
        missing = [one for one in archive.roles if one.role_id not in there]
        if missing:
            await manage.add(agents.memory, actor, home, missing)
    for agent_id in going.begun.agent_ids.values():
        state = await agents.database.read(actor, lambda tx, one=agent_id: store.state(tx, one))
        await role_memory.prepare(agents, actor, state)


async def take_passages(agents: Agents, actor: Actor, going: Import, seen: int) -> None:
    """Store those that come after the first `seen`, as they are: none is linked to another."""
    policy = replace(agents.memory.policy, duplicates="keep", echo_guard=timedelta(0))
    memory = replace(agents.memory, policy=policy)
    found = batches(going.source.passages())
    position = 0
    while batch := await threaded(found):
        position += len(batch)
        fresh = batch[max(seen - (position - len(batch)), 0) :] if position > seen else []
        start = position - len(fresh)
        for key, group in groupby(fresh, lambda each: each[0]):
            drafts: list[Draft] = [draft for _, draft in group]
            end = start + len(drafts)

            def also(tx: Tx, *_: Any, s: int = start, e: int = end) -> None:
                imports.move(tx, going.mark, PASSAGES, s, e)

            await ingest.add(memory, actor, going.begun.archive_ids[key], drafts, also=also)
            going.tell(len(drafts))
            start = end


def last_step(tx: Tx, going: Import, ends: Ends) -> None:
    """What is told in place of old messages; and that all is there."""
    for place, one in enumerate(going.carried.agents):
        for n, thread in enumerate(one.threads):
            if thread.summary is not None:
                add_summary(tx, going, (place, n), thread.summary, ends)
    first = next(iter(going.begun.agent_ids.values()), AgentId(""))
    imports.put(tx, going.mark, [(WHOLE, Made(kind=WHOLE, target_id=first))])


def add_summary(
    tx: Tx, going: Import, at: tuple[int, int], said: CarriedSummary, ends: Ends
) -> None:
    agent_id = going.begun.agent_ids[going.carried.agents[at[0]].key]
    conversation_id = going.conversations.get(at)
    places = [ends.places.get((*at, key)) for key in (said.first_key, said.last_key)]
    seqs = [None if place is None else messages.seq_at(tx, agent_id, conversation_id, place)
            for place in places]  # fmt: skip
    if None in seqs:
        return
    messages.add_summary(
        tx,
        Summary(
            id=new_id("summary"),
            agent_id=agent_id,
            conversation_id=conversation_id,
            text=said.text,
            first_seq=seqs[0] or 0,
            last_seq=seqs[1] or 0,
            count=said.count,
            created_at=said.created_at,
            model=said.model,
        ),
    )
