"""Inserting passages into SQLite on the driver's own connection.

SQLAlchemy's binding costs as much a row as SQLite's insert; imports are made of this statement.
The statements are built from the tables once, so a new column can't be forgotten silently.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Table

from yiku.core.memory import Passage
from yiku.store.tables import EPOCH, embedding, passage

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Indexed:
    """What a passage is found by."""

    fingerprint: bytes
    terms: bytes
    vector: Floats
    context_vector: Floats | None


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


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


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
    raw.executemany(PASSAGE, [passage_row(p, i) for p, i in pairs])
    raw.executemany(EMBEDDING, [embedding_row(p.seq, model, i) for p, i in pairs])
