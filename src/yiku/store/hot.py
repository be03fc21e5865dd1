"""The few statements that every add and search run, on the driver's own connection.

Measured on SQLite: SQLAlchemy takes 0.2 ms to run a select that SQLite answers in 0.01, and as
long to bind a row as SQLite to insert it. Column lists come from the tables, so a new column can't
be forgotten.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table

from yiku.core.memory import Passage
from yiku.store.tables import EPOCH, embedding, from_micros, passage

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a passage is found by."""

    fingerprint: bytes
    terms: bytes
    vector: Floats
    context_vector: Floats | None


class Select:
    """SQL with `:name` parameters, `:name*` for lists and `:name**` for lists of bytes; the same
    rows from both drivers.

    Moments come as microseconds, JSON as text from SQLite and as values from Postgres.
    """

    def __init__(self, sql: str) -> None:
        self._bytes = tuple(set(re.findall(r":(\w+)\*\*", sql)))
        self._lists = tuple(set(re.findall(r":(\w+)\*(?!\*)", sql)))
        ours = re.sub(r":(\w+)\*\*", r"({\1})", sql)
        self._sqlite = re.sub(r":(\w+)\*", r"(SELECT value FROM json_each(:\1))", ours)
        ours = re.sub(r"IN :(\w+)\*+", r"= ANY(:\1)", sql)
        self._postgres = re.sub(r"(?<!:):(\w+)", r"%(\1)s", ours)

    def rows(self, connection: Connection, **values: Any) -> Sequence[tuple[Any, ...]]:
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            for name in self._lists:
                values[name] = dumped(values[name])
            return raw.execute(*self._spread(values)).fetchall()
        found = connection.exec_driver_sql(self._postgres, values)
        return [tuple(row) for row in found]

    def _spread(self, values: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """SQLite's statement and parameters. JSON holds no bytes: each has a parameter."""
        if not self._bytes:
            return self._sqlite, values
        marks: dict[str, str] = {}
        for name in self._bytes:
            each = {f"{name}_{i}": one for i, one in enumerate(values.pop(name))}
            values |= each
            marks[name] = ", ".join(f":{mark}" for mark in each)
        return self._sqlite.format(**marks), values


def statement(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})'


PASSAGE = statement(passage)
EMBEDDING = statement(embedding)


def micros(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    apart = moment - EPOCH
    return (apart.days * 86_400 + apart.seconds) * 1_000_000 + apart.microseconds


COMPACT_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def dumped(value: Any) -> str:
    return COMPACT_JSON.encode(value)


def passage_row(p: Passage, found_by: Indexed) -> tuple[Any, ...]:
    """In the order of the table's columns; a test compares."""
    at = micros(p.at)
    created_at = at if p.created_at is p.at else micros(p.created_at)
    return (
        p.seq,
        p.id,
        p.organization_id,
        p.archive_id,
        p.version,
        p.text,
        p.language,
        dumped(p.tags) if p.tags else "[]",
        dumped(p.metadata) if p.metadata else "{}",
        at,
        created_at,
        p.created_by,
        p.speaker,
        p.conversation,
        p.message,
        p.context_id,
        at if p.valid_from is p.at else micros(p.valid_from),
        micros(p.valid_to),
        p.superseded_by,
        p.skill_id,
        micros(p.forgotten_at),
        found_by.fingerprint,
        found_by.terms,
    )


def embedding_row(seq: int, model: str, found_by: Indexed) -> tuple[Any, ...]:
    context = found_by.context_vector
    return (
        seq,
        model,
        found_by.vector.astype("<f4", copy=False).tobytes(),
        None if context is None else context.astype("<f4", copy=False).tobytes(),
    )


def insert(
    connection: Connection, model: str, stored: Sequence[Passage], indexed: Sequence[Indexed]
) -> None:
    """Passages that have their `seq` and `version`, with their vectors of `model`."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    pairs = list(zip(stored, indexed, strict=True))
    # Made one by one: a thousand rows at once would make the garbage collector run more often.
    raw.executemany(PASSAGE, (passage_row(p, i) for p, i in pairs))
    raw.executemany(EMBEDDING, (embedding_row(p.seq, model, i) for p, i in pairs))


FIELDS = tuple(Passage.__dataclass_fields__)
COLUMNS = ", ".join(f'p."{name}"' for name in FIELDS)
PLACES = {name: i for i, name in enumerate(FIELDS)}
MOMENTS = ("at", "created_at", "valid_from", "valid_to", "forgotten_at")
MOMENT_PLACES = tuple(PLACES[name] for name in MOMENTS)
TAGS, METADATA = PLACES["tags"], PLACES["metadata"]


def passage_of(row: Sequence[Any]) -> Passage:
    """A row of `COLUMNS`."""
    values = list(row[: len(FIELDS)])
    for place in MOMENT_PLACES:
        if values[place] is not None:
            values[place] = from_micros(values[place])
    tags, more = values[TAGS], values[METADATA]
    values[TAGS] = tuple(json.loads(tags) if isinstance(tags, str) else tags)
    values[METADATA] = json.loads(more) if isinstance(more, str) else more
    return Passage(**dict(zip(FIELDS, values, strict=True)))
