"""An agent file on its way in: checked whole, then stored in steps, each with how far it goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from hashlib import sha256
from itertools import groupby
from typing import Any

from yiku.agents import role_memory
from yiku.agents.shared import Agents
from yiku.agents.transfer import begin
from yiku.agents.transfer.begin import Begun, Prepared
from yiku.agents.transfer.carried import Carried, Source, Taken, Wishes
from yiku.agents.transfer.first import first
from yiku.agents.transfer.going import (
    AGENT,
    ARCHIVE,
    FILE,
    FOLDER,
    KINDS,
    MESSAGES,
    PART,
    PASSAGES,
    WHOLE,
    Import,
    Progress,
    batches,
    ignored,
    threaded,
)
from yiku.agents.transfer.take_conversations import take_conversations
from yiku.agents.transfer.take_files import take_files
from yiku.agents.transfer.take_messages import Ends, add_summaries, take_messages
from yiku.core.audit import Act
from yiku.core.errors import AgentNotFound
from yiku.core.ids import AgentId, ArchiveId, FolderId
from yiku.core.memory import Draft
from yiku.core.tenant import Actor
from yiku.memory import ingest
from yiku.memory.roles import manage
from yiku.memory.skills import registry
from yiku.store import agents as store
from yiku.store import audit, imports
from yiku.store.database import Tx
from yiku.store.imports import Made


class Undone(Exception):
    """Ends the transaction of a dry run, so that nothing of it is kept."""

    def __init__(self, begun: Begun) -> None:
        super().__init__()
        self.begun = begun


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
    carried = ready.carried
    if carried.skills:
        await registry.ready(agents.skills, actor)
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
        progress=progress,
        total=carried.messages + carried.passages + stretches_of(carried, begun),
    )
    one.tell(sum(seen.values()) + stretches_there(going or {}))
    await take_conversations(agents, actor, one, going or {})
    ends = await take_messages(agents, actor, one, seen[MESSAGES])
    await take_roles(agents, actor, one)
    await take_passages(agents, actor, one, seen[PASSAGES])
    await take_files(agents, actor, one, going or {})
    await agents.database.write(actor, lambda tx: last_step(tx, one, ends))
    return replace(taken(carried, begun, wishes), skipped=sum(seen.values()))


def stretches_of(carried: Carried, begun: Begun) -> int:
    """How many are to be stored."""
    return sum(one.count for one in carried.files if one.folder_key in begun.fresh_folders)


def stretches_there(there: Mapping[str, Made]) -> int:
    return sum(one.position or 0 for one in there.values() if one.kind == FILE)


def mark_of(source: Source, wishes: Wishes) -> str:
    """Of a file and what is wished of it: the same content and wishes are the same import."""
    words = json.dumps([source.mark, asdict(wishes)], sort_keys=True)
    return f"file:{sha256(words.encode()).hexdigest()[:56]}"


def without_messages(carried: Carried) -> Carried:
    """Nor the conversations beside the agents' own."""
    bare = tuple(
        replace(one, threads=tuple(replace(t, count=0, summary=None) for t in one.threads[:1]))
        for one in carried.agents
    )
    return replace(carried, agents=bare)


async def tried(agents: Agents, actor: Actor, ready: Prepared) -> Begun:
    """What the first step would make. Raises: as that."""

    def unit(tx: Tx) -> Begun:
        raise Undone(first(tx, ready))

    try:
        return await agents.database.write(actor, unit)
    except Undone as undone:
        return undone.begun


def earlier(tx: Tx, mark: str) -> dict[str, Made] | None:
    """What an earlier import of it has made; None: none has, or its agents are gone."""
    found = imports.of_source(tx, mark, KINDS)
    try:
        for one in found.values():
            if one.kind == AGENT:
                store.get(tx, AgentId(one.target_id))
    except AgentNotFound:
        return None
    return found or None


def first_step(tx: Tx, mark: str, ready: Prepared) -> Begun:
    imports.forget(tx, mark)
    begun = first(tx, ready)
    kept = [(f"{AGENT}:{key}", Made(kind=AGENT, target_id=one))
            for key, one in begun.agent_ids.items()]  # fmt: skip
    kept += [(f"{ARCHIVE}:{key}", Made(kind=ARCHIVE, target_id=one))
             for key, one in begun.archive_ids.items()]  # fmt: skip
    kept += [
        (
            f"{FOLDER}:{key}",
            Made(kind=FOLDER, target_id=one, position=int(key in begun.fresh_folders)),
        )
        for key, one in begun.folder_ids.items()
    ]
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
        folder_ids={
            key: FolderId(one.target_id)
            for key in carried.folders
            if (one := there.get(f"{FOLDER}:{key}")) is not None
        },
        fresh_folders=frozenset(
            key
            for key in carried.folders
            if (one := there.get(f"{FOLDER}:{key}")) is not None and one.position
        ),
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
        skills=len(carried.skills),
        groups=len(carried.groups),
        servers=len(carried.servers),
        folders=len({key for one in carried.agents for key in one.folder_keys}),
        files=sum(one.count > 0 for one in carried.files),
        conversations=carried.conversations,
        messages=carried.messages,
        passages=carried.passages,
        notes=begun.notes,
    )


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
    add_summaries(tx, going, ends)
    made = next(iter(going.begun.agent_ids.values()), AgentId(""))
    imports.put(tx, going.mark, [(WHOLE, Made(kind=WHOLE, target_id=made))])
