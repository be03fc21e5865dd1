"""Queries on passages. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, delete, func, insert, select, text, update

from yiku.core.errors import PassageNotFound, StalePassage
from yiku.core.ids import ArchiveId, PassageId
from yiku.core.memory import Archive, Passage
from yiku.store import hot, quotas
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.hot import Indexed as Indexed
from yiku.store.tables import embedding, erased, passage, to_micros, to_vector

FIELDS = tuple(Passage.__dataclass_fields__)
COLUMNS = [passage.c[name] for name in FIELDS]
CHUNK = 500
"""Values in one IN (…): drivers limit the number of parameters."""

Floats = NDArray[np.float32]


def of_row(row: Row[Any]) -> Passage:
    return of_values(tuple(row))


def of_values(row: Sequence[Any]) -> Passage:
    """A row of `COLUMNS`."""
    values = dict(zip(FIELDS, row, strict=True))
    values["tags"] = tuple(values["tags"])
    return Passage(**values)


def get(tx: Tx, passage_id: PassageId) -> Passage:
    """Raises: PassageNotFound."""
    query = select(*COLUMNS).where(
        passage.c.id == passage_id, passage.c.organization_id == tx.actor.organization_id
    )
    row = tx.connection.execute(query).first() if askable(passage_id) else None
    if row is None:
        raise PassageNotFound(f"There is no passage {passage_id}.", passage_id=passage_id)
    return of_row(row)


_BY_SEQ = hot.Select(
    f"SELECT {hot.COLUMNS} FROM passage p"
    " WHERE p.organization_id = :organization AND p.seq IN :seqs*"
)


def get_by_seq(tx: Tx, seqs: Sequence[int]) -> dict[int, Passage]:
    """The passages there are, by row number."""
    rows = _BY_SEQ.rows(tx.connection, organization=tx.actor.organization_id, seqs=list(seqs))
    return {one.seq: one for one in map(hot.passage_of, rows)}


def get_by_id(tx: Tx, ids: Sequence[PassageId]) -> dict[PassageId, Passage]:
    """The passages there are, by id."""
    found: dict[PassageId, Passage] = {}
    for start in range(0, len(ids), CHUNK):
        query = select(*COLUMNS).where(
            passage.c.organization_id == tx.actor.organization_id,
            passage.c.id.in_(ids[start : start + CHUNK]),
        )
        for row in tx.connection.execute(query):
            made = of_row(row)
            found[made.id] = made
    return found


_LAST_TURN = hot.Select(
    f"SELECT {hot.COLUMNS} FROM passage p"
    " WHERE p.archive_id = :archive AND p.organization_id = :organization"
    " AND p.conversation = :conversation AND p.forgotten_at IS NULL"
    " ORDER BY p.seq DESC LIMIT 1"
)


def last_turn(tx: Tx, archive_id: ArchiveId, conversation: str) -> Passage | None:
    """The passage of this conversation that was stored last."""
    rows = _LAST_TURN.rows(
        tx.connection,
        archive=archive_id,
        organization=tx.actor.organization_id,
        conversation=conversation,
    )
    return hot.passage_of(rows[0]) if rows else None


def in_conversations(tx: Tx, archive_id: ArchiveId, conversations: Sequence[str]) -> list[Passage]:
    """All that was stored of these conversations, the oldest first; what is forgotten is left
    out."""
    query = select(*COLUMNS).where(
        passage.c.archive_id == archive_id,
        passage.c.organization_id == tx.actor.organization_id,
        passage.c.conversation.in_(conversations),
        passage.c.forgotten_at.is_(None),
    )
    return [of_row(row) for row in tx.connection.execute(query.order_by(passage.c.seq))]


_BY_FINGERPRINT = hot.Select(
    f"SELECT {hot.COLUMNS}, p.fingerprint FROM passage p"
    " WHERE p.archive_id = :archive AND p.organization_id = :organization"
    " AND p.fingerprint IN :fingerprints** AND p.forgotten_at IS NULL"
    " AND (p.valid_to IS NULL OR p.valid_to > :now)"
    " ORDER BY p.seq"
)


def by_fingerprint(
    tx: Tx, archive_id: ArchiveId, fingerprints: Iterable[bytes]
) -> dict[bytes, list[Passage]]:
    """Passages of these fingerprints that are true still, the oldest first."""
    wanted = list({*fingerprints})
    found: dict[bytes, list[Passage]] = {}
    for start in range(0, len(wanted), CHUNK):
        rows = _BY_FINGERPRINT.rows(
            tx.connection,
            archive=archive_id,
            organization=tx.actor.organization_id,
            fingerprints=wanted[start : start + CHUNK],
            now=to_micros(tx.now),
        )
        for row in rows:
            found.setdefault(bytes(row[-1]), []).append(hot.passage_of(row))
    return found


_VECTORS = hot.Select(
    "SELECT passage_seq, vector FROM embedding WHERE passage_seq IN :seqs* AND model = :model"
)


def vectors_of(tx: Tx, seqs: Sequence[int], model: str) -> dict[int, Floats]:
    """The vectors of the texts alone, float32[d], by row number."""
    rows = _VECTORS.rows(tx.connection, seqs=list(seqs), model=model)
    return {seq: to_vector(vector) for seq, vector in rows}


_VERSIONS = hot.Select(
    "SELECT id, version FROM passage WHERE organization_id = :organization AND id IN :ids*"
)


def demand_unchanged(tx: Tx, seen: Sequence[Passage]) -> None:
    """Raises: StalePassage where one of them is no longer as it was seen."""
    if not seen:
        return
    rows = _VERSIONS.rows(
        tx.connection, organization=tx.actor.organization_id, ids=[one.id for one in seen]
    )
    now = dict(rows)
    for one in seen:
        if now.get(one.id) != one.version:
            raise StalePassage(f"Passage {one.id} has changed meanwhile.", passage_id=one.id)


def page(
    tx: Tx, archive_id: ArchiveId, *, after: int, limit: int, forgotten: bool = False
) -> list[Passage]:
    """Passages in the order they were stored, those after row number `after`."""
    query = (
        select(*COLUMNS)
        .where(
            passage.c.archive_id == archive_id,
            passage.c.organization_id == tx.actor.organization_id,
            passage.c.seq > after,
        )
        .order_by(passage.c.seq)
        .limit(limit)
    )
    if not forgotten:
        query = query.where(passage.c.forgotten_at.is_(None))
    return [of_row(row) for row in tx.connection.execute(query)]


def next_seqs(tx: Tx, count: int) -> range | list[int]:
    """Row numbers that were never used before, ascending."""
    if tx.postgres:
        rows = tx.connection.execute(
            text(
                "SELECT nextval(pg_get_serial_sequence('passage', 'seq'))"
                " FROM generate_series(1, :count)"
            ),
            {"count": count},
        )
        return sorted(int(row[0]) for row in rows)
    last = tx.connection.exec_driver_sql(
        "SELECT seq FROM sqlite_sequence WHERE name = 'passage'"
    ).scalar()
    first = int(last or 0) + 1
    return range(first, first + count)


def settled(
    tx: Tx, archive: Archive, new: Sequence[Passage], contexts: Mapping[PassageId, PassageId]
) -> list[Passage]:
    """The passages as they are to be stored: with archive, `seq`, `version`, and their context.

    Raises: QuotaExceeded.
    """
    quotas.demand_passages(tx, archive, len(new))
    return [
        # `replace` would do it too, at three times the cost.
        Passage(
            id=p.id,
            seq=seq,
            organization_id=archive.organization_id,
            archive_id=archive.id,
            version=archive.version,
            text=p.text,
            language=p.language,
            tags=p.tags,
            metadata=p.metadata,
            at=p.at,
            created_at=p.created_at,
            created_by=p.created_by,
            speaker=p.speaker,
            conversation=p.conversation,
            message=p.message,
            context_id=contexts.get(p.id),
            valid_from=p.valid_from,
            valid_to=p.valid_to,
            superseded_by=p.superseded_by,
            skill_id=p.skill_id,
            forgotten_at=p.forgotten_at,
        )
        for seq, p in zip(next_seqs(tx, len(new)), new, strict=True)
    ]


def insert_new(tx: Tx, model: str, stored: Sequence[Passage], indexed: Sequence[Indexed]) -> None:
    """Store `settled` passages with what they are found by."""
    if not stored:
        return
    if not tx.postgres:
        hot.insert(tx.connection, model, stored, indexed)
        return
    pairs = list(zip(stored, indexed, strict=True))
    tx.connection.execute(
        insert(passage),
        [{**values_of(p), "fingerprint": i.fingerprint, "terms": i.terms} for p, i in pairs],
    )
    tx.connection.execute(
        insert(embedding),
        [
            {
                "passage_seq": p.seq,
                "model": model,
                "vector": i.vector,
                "context_vector": i.context_vector,
            }
            for p, i in pairs
        ],
    )


def values_of(made: Passage) -> dict[str, Any]:
    values = {name: getattr(made, name) for name in FIELDS}
    values["tags"] = list(made.tags)
    values["metadata"] = dict(made.metadata)
    return values


def change(tx: Tx, seen: Passage, version: int, fields: Mapping[str, Any]) -> Passage:
    """Write `fields` of a passage that is still as it was `seen`. Raises: StalePassage."""
    values = dict(fields)
    if "tags" in values:
        values["tags"] = list(values["tags"])
    row = tx.connection.execute(
        update(passage)
        .where(
            passage.c.id == seen.id,
            passage.c.organization_id == tx.actor.organization_id,
            passage.c.version == seen.version,
        )
        .values(**values, version=version)
        .returning(*COLUMNS)
    ).first()
    if row is None:
        raise StalePassage(
            f"Passage {seen.id} has changed since it was read; read it again.", passage_id=seen.id
        )
    return of_row(row)


def reindex(tx: Tx, seen: Passage, version: int, model: str, found_by: Indexed) -> None:
    """Replace what a passage is found by. Raises: StalePassage."""
    change(tx, seen, version, {"fingerprint": found_by.fingerprint, "terms": found_by.terms})
    key = {"passage_seq": seen.seq}
    tx.connection.execute(delete(embedding).where(embedding.c.passage_seq == seen.seq))
    tx.connection.execute(
        insert(embedding).values(
            **key, model=model, vector=found_by.vector, context_vector=found_by.context_vector
        )
    )


def followers(tx: Tx, ids: Sequence[PassageId]) -> list[Passage]:
    """Passages that are indexed with one of these as their context."""
    found: list[Passage] = []
    for start in range(0, len(ids), CHUNK):
        query = select(*COLUMNS).where(
            passage.c.context_id.in_(ids[start : start + CHUNK]),
            passage.c.organization_id == tx.actor.organization_id,
        )
        found += [of_row(row) for row in tx.connection.execute(query)]
    return found


def erase(tx: Tx, gone: Sequence[Passage], version: int) -> list[PassageId]:
    """Delete passages with vectors, tokens, history and sightings; their numbers stay as erased.

    Returns what they had superseded.
    """
    ended: list[PassageId] = []
    for one in gone:
        tx.connection.execute(delete(passage).where(passage.c.seq == one.seq))
        rows = tx.connection.execute(
            update(passage)
            .where(
                passage.c.superseded_by == one.id,
                passage.c.organization_id == tx.actor.organization_id,
            )
            .values(superseded_by=None)
            .returning(passage.c.id)
        )
        ended += [row[0] for row in rows]
    tx.connection.execute(
        insert(erased),
        [
            {"archive_id": one.archive_id, "version": version, "passage_seq": one.seq}
            for one in gone
        ],
    )
    return ended


def count(tx: Tx, archive_id: ArchiveId, *, up_to: int | None = None) -> int:
    """All passages of the archive, forgotten ones too; those up to a row number."""
    query = select(func.count()).where(
        passage.c.archive_id == archive_id,
        passage.c.organization_id == tx.actor.organization_id,
    )
    if up_to is not None:
        query = query.where(passage.c.seq <= up_to)
    return int(tx.connection.execute(query).scalar_one())
