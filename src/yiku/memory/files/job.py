"""What is done with a file in the background: its text is read, cut into chunks, and embedded.

Each batch is one transaction that continues what is stored: where the process dies, the next one
goes on behind the last batch, and no chunk is there twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from yiku.core.errors import (
    AgentNotFound,
    Conflict,
    Invalid,
    NotFound,
    QuotaExceeded,
    YikuError,
)
from yiku.core.file import Chunk, File, FileStatus, Stretch
from yiku.core.ids import FileId
from yiku.core.memory import Draft
from yiku.core.skill import Job
from yiku.core.tenant import Actor
from yiku.memory.draft import passages_of, terms_of
from yiku.memory.duplicates import key
from yiku.memory.files import erase
from yiku.memory.files.chunk import chunks
from yiku.memory.files.parse import parsed
from yiku.memory.files.shared import JOB, Files
from yiku.memory.text import tokens
from yiku.store import agent_files, agents, archives, file_text, folders, outbox, passages
from yiku.store import files as rows
from yiku.store.database import Tx, now_utc

AT_ONCE = 96
"""Chunks of a transaction, at least, where there are so many; never a part of a stretch."""
READ = 8
"""Stretches that are read at once."""
TURN_S = 600.0
"""A job gives its place to others after so long, and asks for itself again."""


async def run(files: Files, actor: Actor, job: Job) -> None:
    """Carry a file as far as it goes. What is wrong with the file is kept with it; what may be
    right later is raised, until the job has no more tries."""
    file_id = FileId(job.key)
    try:
        await go_on(files, actor, file_id)
    except (Invalid, Conflict, NotFound, QuotaExceeded) as error:
        await failed(files, actor, file_id, error.message)
    except YikuError as error:
        if job.tries < outbox.MOST_TRIES:
            raise
        await failed(files, actor, file_id, error.message)
    # A bug, or whatever a file leads a library to: it is raised, and in the end it is the file's.
    except Exception as error:
        if job.tries >= outbox.MOST_TRIES:
            await failed(files, actor, file_id, f"Reading it failed ({type(error).__name__}).")
        raise


async def go_on(files: Files, actor: Actor, file_id: FileId) -> None:
    one = await files.database.read(actor, lambda tx: rows.find(tx, file_id))
    if one is None or one.status is FileStatus.RECEIVING or one.status.ended:
        return
    if one.status is FileStatus.DELETING:
        await erase.rest_of(files, actor, file_id)
        return
    if one.status is not FileStatus.EMBEDDING:
        one = await read(files, actor, one)
    if one is not None:
        await embed(files, actor, one)


async def failed(files: Files, actor: Actor, file_id: FileId, problem: str) -> None:
    def unit(tx: Tx) -> None:
        one = rows.find(tx, file_id, lock=True)
        if one is not None and one.status.shown:
            rows.change(tx, file_id, status=FileStatus.ERROR.value, problem=problem)

    await files.database.write(actor, unit)


async def read(files: Files, actor: Actor, one: File) -> File | None:
    """Store the file's text; None: it has gone meanwhile. Raises: InvalidFile."""

    def begin(tx: Tx) -> bool:
        seen = rows.find(tx, one.id, lock=True)
        if seen is None or not seen.status.shown:
            return False
        file_text.clear(tx, one.id)  # of a try that broke off
        rows.change(tx, one.id, status=FileStatus.PARSING.value, problem=None)
        return True

    if not await files.database.write(actor, begin):
        return None
    line_count = chunk_count = 0
    async with parsed(files, actor, one) as batches:
        while batch := await asyncio.to_thread(next, batches, None):
            line_count += sum(each.line_count for each in batch)
            chunk_count += await asyncio.to_thread(count, batch, one.media_type)
            await files.database.write(actor, lambda tx, b=batch: store_text(tx, one.id, b))
    values = {
        "line_count": line_count,
        "chunk_count": chunk_count,
        "status": FileStatus.EMBEDDING.value,
    }

    def end(tx: Tx) -> File | None:
        seen = rows.find(tx, one.id, lock=True)
        if seen is None or seen.status is not FileStatus.PARSING:
            return None
        if file_text.line_count(tx, one.id) != line_count:
            return None  # another process took this one for dead, and has begun anew
        return rows.change(tx, one.id, **values)

    return await files.database.write(actor, end)


def store_text(tx: Tx, file_id: FileId, batch: Sequence[Stretch]) -> None:
    if rows.find(tx, file_id, lock=True) is not None:
        file_text.put(tx, file_id, batch)


def count(batch: Sequence[Stretch], media_type: str) -> int:
    return sum(len(chunks(one, media_type)) for one in batch)


@dataclass(frozen=True, slots=True)
class Next:
    """What is to be embedded next: `chunks`, the first of which is number `first`."""

    first: int
    chunks: list[Chunk]


async def embed(files: Files, actor: Actor, one: File) -> None:
    """Make passages of what has none yet. Raises: ProviderError, EmbeddingModelMismatch."""
    until = time.monotonic() + TURN_S
    while batch := await next_of(files, actor, one):
        if not await store_chunks(files, actor, one, batch):
            return
        if time.monotonic() > until:
            await files.database.write(actor, lambda tx: outbox.put(tx, JOB, one.id))
            return
    await files.database.write(actor, lambda tx: complete(tx, one.id))


async def next_of(files: Files, actor: Actor, one: File) -> Next | None:
    first, line = await files.database.read(actor, lambda tx: file_text.last_chunk(tx, one.id))
    found: list[Chunk] = []
    after = -1
    while len(found) < AT_ONCE:
        stretches = await files.database.read(
            actor,
            lambda tx, a=after: file_text.from_line(tx, one.id, line + 1, limit=READ, after=a),
        )
        if not stretches:
            break
        for stretch in stretches:
            # The last chunk's stretch may end with lines that no chunk is of.
            if stretch.first_line > line and len(found) < AT_ONCE:
                found += await asyncio.to_thread(chunks, stretch, one.media_type)
                after = stretch.n
            elif stretch.first_line <= line:
                after = stretch.n
    return Next(first, found) if found else None


async def store_chunks(files: Files, actor: Actor, one: File, batch: Next) -> bool:
    """Embed chunks, and store them; False: the file has gone, or another process goes on with it.

    Raises: ProviderError, EmbeddingModelMismatch.
    """
    memory, now = files.memory, now_utc()
    made = passages_of([Draft(text=each.text) for each in batch.chunks], actor, now)
    texts = [memory.embeddable(each.text, ()) for each in batch.chunks]
    vectors = await memory.embedder.embed(texts, purpose="document")
    words = await asyncio.to_thread(lambda: [tokens(each.text) for each in made])
    indexed = [
        passages.Indexed(
            fingerprint=key(own),
            terms=terms_of(each, own, ()),
            vector=vector,
            context_vector=None,
        )
        for each, own, vector in zip(made, words, vectors, strict=True)
    ]

    def unit(tx: Tx) -> bool:
        seen = rows.find(tx, one.id, lock=True)
        if seen is None or seen.status is not FileStatus.EMBEDDING:
            return False
        if file_text.last_chunk(tx, one.id)[0] != batch.first:
            return False
        home = archives.bump(tx, folders.get(tx, one.folder_id).archive_id)
        archives.settle_model(tx, home, memory.embedder.model, memory.embedder.dimension)
        stored = passages.settled(tx, home, made, {})
        passages.insert_new(tx, memory.embedder.model, stored, indexed)
        seqs = [each.seq for each in stored]
        file_text.put_chunks(tx, one.id, batch.first, batch.chunks, seqs)
        rows.change(tx, one.id, embedded_count=batch.first + len(seqs))
        return True

    return await memory.database.write(actor, unit)


def complete(tx: Tx, file_id: FileId) -> None:
    """The file can be read from now on; the agents that have its folder see it opened."""
    seen = rows.find(tx, file_id, lock=True)
    if seen is None or seen.status is not FileStatus.EMBEDDING:
        return
    rows.change(tx, file_id, status=FileStatus.COMPLETED.value)
    for agent_id in folders.holders(tx, seen.folder_id):
        try:
            holder = agents.get_to_change(tx, agent_id)
        except AgentNotFound:
            continue  # it goes just now
        if holder.config.files_open:
            agent_files.open_at(tx, holder, file_id, None, None)
