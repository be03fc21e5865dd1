"""Queries on what files say, line by line. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, func, insert, select

from yiku.core.file import Chunk, Stretch, Window
from yiku.core.ids import FileId
from yiku.store.database import Tx
from yiku.store.file_tables import file, file_chunk, file_text

FIELDS = tuple(Stretch.__dataclass_fields__)
COLUMNS = [file_text.c[name] for name in FIELDS]


def of_file(tx: Tx, file_id: FileId) -> Select[Any]:
    return (
        select(*COLUMNS)
        .join(file, file.c.id == file_text.c.file_id)
        .where(
            file_text.c.file_id == file_id,
            file.c.organization_id == tx.actor.organization_id,
        )
        .order_by(file_text.c.n)
    )


def of_rows(rows: Sequence[Any]) -> list[Stretch]:
    return [Stretch(**dict(zip(FIELDS, tuple(row), strict=True))) for row in rows]


def put(tx: Tx, file_id: FileId, stretches: Sequence[Stretch]) -> None:
    """Those of the same numbers that are there already are written over."""
    numbers = [one.n for one in stretches]
    tx.connection.execute(
        delete(file_text).where(file_text.c.file_id == file_id, file_text.c.n.in_(numbers))
    )
    rows = [
        {"file_id": file_id, **{name: getattr(one, name) for name in FIELDS}} for one in stretches
    ]
    tx.connection.execute(insert(file_text), rows)


def line_count(tx: Tx, file_id: FileId) -> int:
    """Of what is stored of it."""
    query = select(func.coalesce(func.sum(file_text.c.line_count), 0))
    return int(tx.connection.execute(query.where(file_text.c.file_id == file_id)).scalar_one())


def clear(tx: Tx, file_id: FileId) -> None:
    tx.connection.execute(delete(file_text).where(file_text.c.file_id == file_id))


def page(tx: Tx, file_id: FileId, *, after: int, limit: int) -> list[Stretch]:
    """Stretches whose number is above `after`, in order; -1: from the first."""
    query = of_file(tx, file_id).where(file_text.c.n > after).limit(limit)
    return of_rows(tx.connection.execute(query).all())


def from_line(
    tx: Tx, file_id: FileId, line: int, *, limit: int = 1, after: int = -1
) -> list[Stretch]:
    """The stretch that a line is in, and those behind it; `after` as in `page`."""
    holds = (
        select(file_text.c.n)
        .where(file_text.c.file_id == file_id, file_text.c.first_line <= line)
        .order_by(file_text.c.first_line.desc())
        .limit(1)
    )
    n = tx.connection.execute(holds).scalar() or 0
    return page(tx, file_id, after=max(after, n - 1), limit=limit)


def window(
    tx: Tx, file_id: FileId, line_count: int, first: int, last: int | None, *, chars: int
) -> Window:
    """Lines `first` to `last`, both from 1, as many of them as `chars` characters hold; one at
    least is cut to that length."""
    end = line_count if last is None else min(last, line_count)
    lines: list[str] = []
    left, after = chars, -1
    full = first > end
    while not full:
        found = from_line(tx, file_id, first + len(lines), after=after)
        if not found:
            break
        [stretch], after = found, found[0].n
        for line in stretch.text.split("\n")[first + len(lines) - stretch.first_line :]:
            if first + len(lines) > end or (lines and len(line) >= left):
                full = True
                break
            lines.append(line[:chars])
            left -= len(line) + 1
    return Window(lines=tuple(lines), first_line=first, line_count=line_count, wanted_last=last)


def content(tx: Tx, file_id: FileId) -> str:
    """All that a file says."""
    rows = tx.connection.execute(of_file(tx, file_id)).all()
    return "\n".join(one.text for one in of_rows(rows))


def length(tx: Tx, file_ids: Sequence[FileId]) -> int:
    """Characters of the texts of these files together."""
    query = select(func.sum(func.length(file_text.c.text)))
    query = query.where(file_text.c.file_id.in_(file_ids))
    return int(tx.connection.execute(query).scalar() or 0)


def put_chunks(
    tx: Tx, file_id: FileId, first: int, chunks: Sequence[Chunk], seqs: Sequence[int]
) -> None:
    """Which lines the passages of these numbers are of; `first`: the first chunk's number."""
    rows = [
        {
            "passage_seq": seq,
            "file_id": file_id,
            "n": first + i,
            "first_line": one.first_line,
            "last_line": one.last_line,
        }
        for i, (one, seq) in enumerate(zip(chunks, seqs, strict=True))
    ]
    if rows:
        tx.connection.execute(insert(file_chunk), rows)


def last_chunk(tx: Tx, file_id: FileId) -> tuple[int, int]:
    """How many chunks are stored, and the line the last of them ends with; 0 where there are
    none."""
    query = (
        select(file_chunk.c.n, file_chunk.c.last_line)
        .where(file_chunk.c.file_id == file_id)
        .order_by(file_chunk.c.n.desc())
        .limit(1)
    )
    row = tx.connection.execute(query).first()
    return (0, 0) if row is None else (int(row[0]) + 1, int(row[1]))
