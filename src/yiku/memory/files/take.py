"""A file on its way in: streamed into pieces, then given its name, then read in the background."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from yiku.core.errors import InvalidFile
from yiku.core.file import Duplicates, File, FileStatus, Folder
from yiku.core.ids import FileId
from yiku.core.tenant import Actor
from yiku.memory.draft import check_name
from yiku.memory.files import erase
from yiku.memory.files.shared import JOB, Files
from yiku.memory.files.sniff import HEAD, sniff
from yiku.store import agent_files, folders, outbox
from yiku.store import files as rows
from yiku.store.database import Tx

PIECE = 1_048_576
AT_ONCE = 4
"""Pieces of a transaction."""
MAX_NAME = 255
ABANDONED = timedelta(days=1)
"""After which an upload that stopped coming is erased."""


def name_of(given: str | None) -> str:
    """A file's name without the folders it came from. Raises: InvalidFile, Invalid, InvalidText."""
    name = (given or "").replace("\\", "/").rsplit("/", 1)[-1].strip()
    if not name or name in (".", ".."):
        raise InvalidFile("The file has no name; send one with it, or as `name`.", field="name")
    check_name("The file's name", name, MAX_NAME)
    if any(ord(one) < 32 for one in name):
        raise InvalidFile("The file's name has a control character.", field="name")
    return name


async def take(
    files: Files,
    actor: Actor,
    folder_id: str,
    blocks: AsyncIterator[bytes],
    *,
    original_name: str | None,
    name: str | None = None,
    duplicates: Duplicates = Duplicates.SUFFIX,
) -> File:
    """Keep a file; on return it is durable, and is read in the background.

    One whose name the folder has already is kept by `duplicates`; `SKIP` returns the one that is
    there. Raises: FolderNotFound, FileExists, InvalidFile, Invalid, StoreError.
    """
    came_as = name_of(original_name or name)
    wanted = name_of(name or original_name)

    def begin(tx: Tx) -> tuple[Folder, File | None]:
        folder = folders.get(tx, folder_id)
        _, there = rows.settle_name(tx, folder, wanted, duplicates)
        return folder, there

    folder, there = await files.database.read(actor, begin)
    if there is not None and duplicates is Duplicates.SKIP:
        return there

    def receive(tx: Tx) -> File:
        rows.remove_unreceived(tx, folder.id, tx.now - ABANDONED)
        return rows.begin(tx, folder, came_as, "application/octet-stream")

    made = await files.database.write(actor, receive)
    whole = False
    try:
        size, digest, head = await received(files, actor, made.id, blocks)
        values = {"size": size, "hash": digest, "media_type": sniff(head, came_as).media_type}
        kept, replaced = await files.database.write(
            actor, lambda tx: settle(tx, made, wanted, duplicates, values)
        )
        whole = True
    finally:
        if not whole:
            await files.database.write(actor, lambda tx: rows.give_up(tx, made.id))
    if replaced is not None:
        await erase.rest_of(files, actor, replaced)
    return kept


def settle(
    tx: Tx, made: File, wanted: str, duplicates: Duplicates, values: Mapping[str, Any]
) -> tuple[File, FileId | None]:
    """Give a file that has come whole its name; also which one it has replaced.

    Raises: FolderNotFound, FileExists.
    """
    home = folders.get(tx, made.folder_id, lock=True)
    free, old = rows.settle_name(tx, home, wanted, duplicates)
    if old is not None and duplicates is Duplicates.SKIP:
        rows.remove(tx, made.id)
        return old, None
    if old is not None:
        erase.let_go(tx, old)
    kept = rows.change(tx, made.id, name=free, status=FileStatus.PENDING.value, **values)
    agent_files.take_file(tx, kept)
    outbox.put(tx, JOB, kept.id)
    return kept, None if old is None else old.id


async def received(
    files: Files, actor: Actor, file_id: FileId, blocks: AsyncIterator[bytes]
) -> tuple[int, str, bytes]:
    """Size, SHA-256 and first bytes of what came, which is stored. Raises: InvalidFile."""
    digest, size, head, n = hashlib.sha256(), 0, b"", 0
    held: list[bytes] = []
    rest = bytearray()

    async def store() -> None:
        nonlocal n
        pieces = list(held)
        held.clear()
        await files.database.write(actor, lambda tx, n=n: rows.put_pieces(tx, file_id, n, pieces))
        n += len(pieces)

    async for block in blocks:
        size += len(block)
        if size > files.max_bytes:
            raise InvalidFile(
                f"The file is larger than {files.max_bytes:,} bytes (YIKU_MAX_FILE_BYTES).",
                field="file",
            )
        digest.update(block)
        head += block[: HEAD - len(head)] if len(head) < HEAD else b""
        rest += block
        while len(rest) >= PIECE:
            held.append(bytes(rest[:PIECE]))
            del rest[:PIECE]
            if len(held) == AT_ONCE:
                await store()
    if rest:
        held.append(bytes(rest))
    if held:
        await store()
    return size, digest.hexdigest(), head
