"""A process that reads a file is killed: the next one goes on, and no chunk is there twice."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.servers.warm import Started, Warm
from yiku.app import App
from yiku.core.file import File, FileStatus, FolderContent
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.files import take
from yiku.store import file_text, files, folders, passages
from yiku.store.database import Tx
from yiku.store.file_tables import file_chunk

READING = Path(__file__).parents[2] / "servers/reading.py"
LINES = 4_000
TEXT = "".join(f"Line {n} tells of parcel {n * 7} and its way to Shanghai.\n" for n in range(LINES))


async def whole(text: str) -> AsyncIterator[bytes]:
    yield text.encode()


async def until(app: App, one: File, test: Callable[[File], bool]) -> File:
    """Another process changes the row, so it can only be asked."""

    async def looked() -> File:
        await asyncio.sleep(0.02)
        return await app.database.read(LOCAL_ACTOR, lambda tx: files.get(tx, one.id))

    seen = await looked()
    while not (test(seen) or seen.status.ended):
        seen = await looked()
    return seen


@pytest.mark.timeout(300)
async def test_no_chunk_is_lost_or_doubled_by_kills(
    *, app: App, yiku_home: Path, database_url: str, warm: Warm, tmp_path: Path
) -> None:
    def begun() -> Started:
        words = [str(yiku_home), database_url]
        errors = tmp_path / "errors"
        return warm.start(words, cwd=tmp_path, env=os.environ, errors=errors, program=READING)

    folder = await app.database.write(
        LOCAL_ACTOR, lambda tx: folders.add(tx, FolderContent(name="f"))
    )
    one = await take.take(app.files, LOCAL_ACTOR, folder.id, whole(TEXT), original_name="a.txt")
    seen = one
    kills: list[Callable[[File], bool]] = [
        lambda now: now.status is not FileStatus.PENDING,
        lambda now: now.status is FileStatus.EMBEDDING,
        lambda now: now.embedded_count > 0,
        lambda now: now.embedded_count > seen.embedded_count,
    ]
    for moment in kills:
        process = begun()
        seen = await until(app, one, moment)
        process.kill()
        process.communicate()
        assert not seen.status.ended, "it was too quick to be killed"
    process = begun()
    done = await until(app, one, lambda now: now.status.ended)
    process.kill()
    process.communicate()

    assert (done.status, done.line_count) == (FileStatus.COMPLETED, LINES)
    assert done.chunk_count == done.embedded_count > 150

    def stored(tx: Tx) -> tuple[int, int, int, str]:
        held = select(func.count(), func.max(file_chunk.c.n)).where(file_chunk.c.file_id == one.id)
        count, last = tx.connection.execute(held).one()
        return count, last, passages.count(tx, folder.archive_id), file_text.content(tx, one.id)

    count = done.chunk_count
    assert await app.database.read(LOCAL_ACTOR, stored) == (
        count, count - 1, count, TEXT.rstrip("\n")
    )  # fmt: skip
