"""Parts of an agent's files, found by their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yiku.core.file import AgentFile
from yiku.core.ids import AgentId, FileId
from yiku.core.memory import Hit
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory, OwnPlace
from yiku.memory.search import search
from yiku.store import agent_files, files, folders
from yiku.store.database import Tx

Sources = tuple[Mapping[int, tuple[FileId, int, int]], Mapping[FileId, AgentFile]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPart:
    """A part of a file that answered a query."""

    held: AgentFile
    first_line: int
    last_line: int
    hit: Hit


async def found(
    memory: ArchivalMemory,
    actor: Actor,
    agent_id: AgentId,
    query: str,
    limit: int,
) -> list[FoundPart]:
    """The parts that answer `query`, best first; of files that are there whole already, and of
    those that still come. Raises: Invalid, ProviderError."""
    ids = await memory.database.read(actor, lambda tx: folders.of_agent(tx, agent_id))
    places = [OwnPlace(folders.OWNER, one) for one in ids]
    if not places:
        return []
    hits = await search(memory, actor, places, query, limit=limit)

    def sources(tx: Tx) -> Sources:
        of = files.sources_of(tx, [hit.passage.seq for hit in hits])
        there = agent_files.of_ids(tx, agent_id, {file_id for file_id, _, _ in of.values()})
        return of, {one.file.id: one for one in there}

    of, held = await memory.database.read(actor, sources)
    parts: list[FoundPart] = []
    for hit in hits:
        file_id, first, last = of.get(hit.passage.seq, (FileId(""), 0, 0))
        if file_id in held:  # else it went just now
            one = FoundPart(held=held[file_id], first_line=first, last_line=last, hit=hit)
            parts.append(one)
    used = {one.held.file.id for one in parts}
    await memory.database.write(actor.bookkeeper, lambda tx: agent_files.touch(tx, agent_id, used))
    return parts
