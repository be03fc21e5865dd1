"""Files and folders go, with their chunks, their text, and the bytes they came as."""

from __future__ import annotations

from yiku.core.errors import PassageNotFound
from yiku.core.file import File, FileStatus
from yiku.core.ids import FileId
from yiku.core.tenant import Actor
from yiku.memory import erase
from yiku.memory.files.shared import ERASE, Files
from yiku.store import files as rows
from yiku.store import outbox
from yiku.store.database import Tx

AT_ONCE = 500
"""Chunks of a transaction."""


def let_go(tx: Tx, one: File) -> None:
    """Nobody sees the file from this commit on; `rest_of` does the rest, by a job at the latest."""
    rows.hide(tx, one)
    outbox.put(tx, ERASE, one.id)


async def delete(files: Files, actor: Actor, file_id: str, folder_id: str) -> None:
    """Raises: FileNotFound."""

    def unit(tx: Tx) -> FileId:
        one = rows.get(tx, file_id, folder_id)
        let_go(tx, one)
        return one.id

    await rest_of(files, actor, await files.database.write(actor, unit))


async def rest_of(files: Files, actor: Actor, file_id: FileId) -> None:
    """Erase a hidden file: chunks first, some at a time. It can be run again, and beside itself."""
    one = await files.database.read(actor, lambda tx: rows.find(tx, file_id))
    if one is None or one.status is not FileStatus.DELETING:
        return
    while ids := await files.database.read(
        actor, lambda tx: rows.some_chunks(tx, file_id, AT_ONCE)
    ):
        try:
            await erase.delete(files.memory, actor, ids)
        except PassageNotFound:
            continue  # another process erases the same file
    await files.database.write(actor, lambda tx: rows.remove(tx, file_id))
    await files.database.scrub()
