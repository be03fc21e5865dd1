"""Queries on files and the bytes they came as. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update

from yiku.core.errors import FileExists, FileNotFound
from yiku.core.file import Duplicates, File, FileStatus, Folder
from yiku.core.ids import FileId, FolderId, PassageId, new_id
from yiku.store import paging
from yiku.store.archive_lists import Part
from yiku.store.database import Tx
from yiku.store.file_tables import agent_file, file, file_chunk, file_piece
from yiku.store.forms import askable
from yiku.store.paging import Order, Place
from yiku.store.tables import passage

FIELDS = tuple(File.__dataclass_fields__)
COLUMNS = [file.c[name] for name in FIELDS]
SHOWN = [one.value for one in FileStatus if one.shown]


def of_values(row: Sequence[Any]) -> File:
    """A row of `COLUMNS`."""
    values = dict(zip(FIELDS, row, strict=True))
    values["status"] = FileStatus(values["status"])
    return File(**values)


def own(tx: Tx) -> ColumnElement[bool]:
    return file.c.organization_id == tx.actor.organization_id


def missing(some_id: str) -> FileNotFound:
    return FileNotFound(f"There is no file {some_id}.", file_id=some_id)


def find(tx: Tx, file_id: str, *, lock: bool = False) -> File | None:
    """One of any status. `lock`: until the commit nobody else changes it."""
    query = select(*COLUMNS).where(file.c.id == file_id, own(tx))
    if lock:
        query = query.with_for_update(key_share=True)
    row = tx.connection.execute(query).first() if askable(file_id) else None
    return None if row is None else of_values(tuple(row))


def get(tx: Tx, file_id: str, folder_id: str | None = None) -> File:
    """`folder_id`: only one of this folder. Raises: FileNotFound."""
    found = find(tx, file_id)
    if found is None or not found.status.shown or folder_id not in (None, found.folder_id):
        raise missing(file_id)
    return found


def page(tx: Tx, folder_id: FolderId, part: Part) -> list[File]:
    """In the order of creation.

    Raises: FileNotFound where a file that bounds the page isn't there.
    """
    query = select(file.c.seq).where(
        own(tx), file.c.folder_id == folder_id, file.c.status.in_(SHOWN)
    )

    def place(file_id: str) -> Place:
        return None, get(tx, file_id, folder_id).seq

    seqs = paging.seqs(tx, query, Order(file.c.seq), part, place)
    rows = tx.connection.execute(select(*COLUMNS).where(file.c.seq.in_(seqs)))
    return paging.in_order(seqs, (of_values(tuple(row)) for row in rows))


def named(tx: Tx, folder_id: FolderId, name: str) -> File | None:
    query = select(*COLUMNS).where(own(tx), file.c.folder_id == folder_id, file.c.name == name)
    row = tx.connection.execute(query).first()
    return None if row is None else of_values(tuple(row))


def begin(tx: Tx, folder: Folder, original_name: str, media_type: str) -> File:
    """A file whose pieces are to come. Nobody sees it, and it takes nobody's name."""
    file_id = FileId(new_id("file"))
    row = {
        "id": file_id,
        "organization_id": tx.actor.organization_id,
        "folder_id": folder.id,
        "name": file_id,
        "original_name": original_name,
        "media_type": media_type,
        "size": 0,
        "hash": "",
        "status": FileStatus.RECEIVING.value,
        "problem": None,
        "line_count": 0,
        "chunk_count": 0,
        "embedded_count": 0,
        "created_at": tx.now,
        "created_by": tx.actor.user_id,
        "updated_at": tx.now,
    }
    made = tx.connection.execute(insert(file).values(row).returning(*COLUMNS)).one()
    return of_values(tuple(made))


def put_pieces(tx: Tx, file_id: FileId, first: int, pieces: Sequence[bytes]) -> None:
    rows = [{"file_id": file_id, "n": n, "bytes": one} for n, one in enumerate(pieces, first)]
    tx.connection.execute(insert(file_piece), rows)


def after(tx: Tx, folder_id: FolderId, seq: int, limit: int) -> list[File]:
    """A folder's files after a row number, in the order of creation."""
    query = (
        select(*COLUMNS)
        .where(own(tx), file.c.folder_id == folder_id, file.c.status.in_(SHOWN), file.c.seq > seq)
        .order_by(file.c.seq)
        .limit(limit)
    )
    return [of_values(tuple(row)) for row in tx.connection.execute(query)]


def hashes(tx: Tx, folder_id: FolderId) -> dict[str, str]:
    """Of a folder's files, but for those that couldn't be read, by their names."""
    read = [one.value for one in FileStatus if one.shown and one is not FileStatus.ERROR]
    query = select(file.c.name, file.c.hash).where(
        own(tx), file.c.folder_id == folder_id, file.c.status.in_(read)
    )
    return {row.name: row.hash for row in tx.connection.execute(query)}


def piece(tx: Tx, file_id: FileId, n: int) -> bytes | None:
    """The piece of this number, from 0; None: there are no more."""
    query = (
        select(file_piece.c.bytes)
        .join(file, file.c.id == file_piece.c.file_id)
        .where(file_piece.c.file_id == file_id, file_piece.c.n == n, own(tx))
    )
    return tx.connection.execute(query).scalar()


def settle_name(
    tx: Tx, folder: Folder, name: str, duplicates: Duplicates
) -> tuple[str, File | None]:
    """The name a new file is to have, and the one that is in its place, which the caller lets go
    (`replace`) or keeps (`skip`). The folder is locked.

    Raises: FileExists.
    """
    there = named(tx, folder.id, name)
    if there is None or duplicates in (Duplicates.REPLACE, Duplicates.SKIP):
        return name, there
    if duplicates is Duplicates.ERROR:
        raise FileExists(
            f"The folder {folder.name!r} has a file {name!r} already. Upload it with another name,"
            " or say what is to become of it: duplicate_handling is skip, suffix or replace.",
            file_id=there.id,
            name=name,
        )
    path = PurePosixPath(name)
    n = 1
    while named(tx, folder.id, candidate := f"{path.stem}_({n}){path.suffix}") is not None:
        n += 1
    return candidate, None


def change(tx: Tx, file_id: FileId, **values: Any) -> File:
    """Write fields of a file. Raises: FileNotFound."""
    row = tx.connection.execute(
        update(file)
        .where(file.c.id == file_id, own(tx))
        .values(**values, updated_at=tx.now)
        .returning(*COLUMNS)
    ).first()
    if row is None:
        raise missing(file_id)
    return of_values(tuple(row))


def hide(tx: Tx, gone: File) -> None:
    """Nobody sees it from now on, and its name is free; its rows are still there."""
    tx.connection.execute(delete(agent_file).where(agent_file.c.file_id == gone.id))
    change(tx, gone.id, name=gone.id, status=FileStatus.DELETING.value)


def some_chunks(tx: Tx, file_id: FileId, limit: int) -> list[PassageId]:
    """Passages made of a file."""
    query = (
        select(passage.c.id)
        .join(file_chunk, file_chunk.c.passage_seq == passage.c.seq)
        .where(
            file_chunk.c.file_id == file_id,
            passage.c.organization_id == tx.actor.organization_id,
        )
        .order_by(passage.c.seq)
        .limit(limit)
    )
    return [PassageId(one) for one in tx.connection.execute(query).scalars()]


def remove(tx: Tx, file_id: FileId) -> None:
    """Erase a file whose chunks have gone, with its pieces and its text."""
    tx.connection.execute(delete(file).where(file.c.id == file_id, own(tx)))


def give_up(tx: Tx, file_id: FileId) -> None:
    """Erase an upload that broke off. One that has come whole stays: who sent it may have gone
    between its commit and its answer, and it may have replaced another."""
    broken_off = file.c.status == FileStatus.RECEIVING.value
    tx.connection.execute(delete(file).where(file.c.id == file_id, own(tx), broken_off))


def remove_unreceived(tx: Tx, folder_id: FolderId, before: datetime) -> None:
    """Erase what stopped coming: its upload broke off, and was never acknowledged."""
    tx.connection.execute(
        delete(file).where(
            own(tx),
            file.c.folder_id == folder_id,
            file.c.status == FileStatus.RECEIVING.value,
            file.c.updated_at < before,
        )
    )


def sources_of(tx: Tx, seqs: Sequence[int]) -> dict[int, tuple[FileId, int, int]]:
    """Of which file passages are, and which of its lines; by row number."""
    query = (
        select(file_chunk.c.passage_seq, file.c.id, file_chunk.c.first_line, file_chunk.c.last_line)
        .join(file, file.c.id == file_chunk.c.file_id)
        .where(file_chunk.c.passage_seq.in_(seqs), own(tx))
    )
    rows = tx.connection.execute(query)
    return {int(seq): (FileId(file_id), first, last) for seq, file_id, first, last in rows}
