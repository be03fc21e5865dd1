"""Queries on which memories a role has, and how they came and went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update

from yiku.core.ids import ArchiveId, PassageId, RoleKey, UserId
from yiku.core.role import Membership, Move, Role, Why
from yiku.store import hot
from yiku.store.database import Tx
from yiku.store.role_tables import role, role_move, role_passage
from yiku.store.tables import from_micros, passage, shown

TAUGHT = (Why.GIVEN, Why.CORRECTED)
"""Somebody's own word that a memory belongs to a role, or doesn't."""


@dataclass(frozen=True, slots=True)
class Step:
    """A memory that comes to a role, or leaves it."""

    role: Role
    seq: int
    """The passage's row number."""
    joined: bool
    score: float
    why: Why
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A coming or going as another process catches up on it."""

    key: RoleKey
    seq: int
    joined: bool
    score: float
    why: Why


@dataclass(frozen=True, slots=True)
class Held:
    """A memory of a role, with what retention strategies look at."""

    seq: int
    score: float
    current: bool
    """Neither forgotten nor superseded."""
    taught: bool
    """Somebody put it there."""
    at: datetime
    """When it was said."""
    metadata: Mapping[str, Any]
    shown: int
    """Contexts it was put into."""


def take(
    tx: Tx, archive_id: ArchiveId, version: int, steps: Sequence[Step], job: str | None = None
) -> None:
    """Carry out moves and keep them as history, all under one count of the archive's roles."""
    for one in steps:
        ours = (
            role_passage.c.role_key == one.role.key,
            role_passage.c.passage_seq == one.seq,
        )
        if not one.joined:
            tx.connection.execute(delete(role_passage).where(*ours))
            continue
        new = {"score": one.score, "why": one.why, "at": tx.now}
        there = tx.connection.execute(update(role_passage).where(*ours).values(new)).rowcount
        if not there:
            key = {"role_key": one.role.key, "passage_seq": one.seq, "archive_id": archive_id}
            tx.connection.execute(insert(role_passage).values(**key, **new))
    if steps:
        tx.connection.execute(
            insert(role_move), [row_of(tx, archive_id, version, one, job) for one in steps]
        )


def row_of(
    tx: Tx, archive_id: ArchiveId, version: int, one: Step, job: str | None
) -> dict[str, Any]:
    return {
        "organization_id": tx.actor.organization_id,
        "archive_id": archive_id,
        "version": version,
        "role_key": one.role.key,
        "role_id": one.role.role_id,
        "passage_seq": one.seq,
        "joined": one.joined,
        "score": one.score,
        "why": one.why,
        "detail": one.detail,
        "job": job,
        "at": tx.now,
        "by": tx.actor.user_id,
    }


_MEMBERS = hot.Select(
    "SELECT m.role_key, m.passage_seq, m.score, m.why FROM role_passage m"
    " JOIN role r ON r.key = m.role_key"
    " WHERE m.archive_id = :archive AND r.organization_id = :organization ORDER BY m.passage_seq"
)


def all_of(tx: Tx, archive_id: ArchiveId) -> list[Seen]:
    """Every membership of an archive, by row number."""
    rows = _MEMBERS.rows(tx.connection, archive=archive_id, organization=tx.actor.organization_id)
    return [Seen(RoleKey(key), seq, True, score, Why(why)) for key, seq, score, why in rows]


_MOVES = hot.Select(
    "SELECT role_key, passage_seq, joined, score, why FROM role_move"
    " WHERE archive_id = :archive AND organization_id = :organization AND version > :version"
    " ORDER BY seq"
)


def since(tx: Tx, archive_id: ArchiveId, version: int) -> list[Seen]:
    """What came and went after the archive's roles had this count, in order."""
    rows = _MOVES.rows(
        tx.connection,
        archive=archive_id,
        organization=tx.actor.organization_id,
        version=version,
    )
    return [
        Seen(RoleKey(key), seq, bool(joined), score, Why(why))
        for key, seq, joined, score, why in rows
    ]


def refusals(tx: Tx, archive_id: ArchiveId) -> dict[RoleKey, list[int]]:
    """By role, row numbers of what somebody took out of it and nobody put back, the newest last."""
    m = role_move.c
    query = (
        select(m.role_key, m.passage_seq, m.joined)
        .where(
            m.archive_id == archive_id,
            m.organization_id == tx.actor.organization_id,
            m.why.in_(TAUGHT),
        )
        .order_by(m.seq)
    )
    found: dict[RoleKey, dict[int, None]] = {}
    for key, seq, joined in tx.connection.execute(query):
        mine = found.setdefault(RoleKey(key), {})
        mine.pop(seq, None)
        if not joined:
            mine[seq] = None
    return {key: list(mine) for key, mine in found.items() if mine}


_CROWDED_OUT = hot.Select(
    "SELECT DISTINCT role_key, passage_seq FROM role_move"
    " WHERE passage_seq IN :seqs* AND organization_id = :organization AND why = :why"
)


def crowded_out(tx: Tx, seqs: Sequence[int]) -> set[tuple[RoleKey, int]]:
    """Roles and passages that once left them because they were full; some may be back since."""
    rows = _CROWDED_OUT.rows(
        tx.connection,
        seqs=list(seqs),
        organization=tx.actor.organization_id,
        why=Why.CAPACITY.value,
    )
    return {(RoleKey(key), seq) for key, seq in rows}


_ROLES_OF = hot.Select(
    "SELECT m.passage_seq, r.role_id, p.id, m.score, m.why, m.at FROM role_passage m"
    " JOIN role r ON r.key = m.role_key JOIN passage p ON p.seq = m.passage_seq"
    " WHERE m.passage_seq IN :seqs* AND r.organization_id = :organization"
    " ORDER BY m.score DESC, r.role_id"
)


def of_passages(tx: Tx, seqs: Iterable[int]) -> dict[int, list[Membership]]:
    """The roles of passages, by row number, the best score first."""
    rows = _ROLES_OF.rows(tx.connection, seqs=list(seqs), organization=tx.actor.organization_id)
    found: dict[int, list[Membership]] = {}
    for seq, role_id, passage_id, score, why, at in rows:
        found.setdefault(seq, []).append(
            Membership(
                role_id=role_id,
                passage_id=PassageId(passage_id),
                score=score,
                why=Why(why),
                at=from_micros(at),
            )
        )
    return found


def moves_of(tx: Tx, seq: int) -> list[Move]:
    """How a passage came to its roles and left them, the newest first."""
    m = role_move.c
    query = (
        select(m.role_id, passage.c.id, m.joined, m.why, m.detail, m.at, m.by)
        .join(passage, passage.c.seq == m.passage_seq)
        .where(m.passage_seq == seq, m.organization_id == tx.actor.organization_id)
        .order_by(m.seq.desc())
    )
    return [
        Move(
            role_id=row.role_id,
            passage_id=PassageId(row.id),
            joined=bool(row.joined),
            why=Why(row.why),
            detail=row.detail,
            at=row.at,
            by=UserId(row.by),
        )
        for row in tx.connection.execute(query)
    ]


def moves_of_job(tx: Tx, job: str) -> list[Seen]:
    """What a rerouting moved, in order."""
    m = role_move.c
    query = (
        select(m.role_key, m.passage_seq, m.joined, m.score, m.why)
        .where(m.job == job, m.organization_id == tx.actor.organization_id)
        .order_by(m.seq)
    )
    return [
        Seen(RoleKey(row[0]), row[1], bool(row[2]), row[3], Why(row[4]))
        for row in tx.connection.execute(query)
    ]


def joined_before(tx: Tx, key: RoleKey, seq: int, job: str) -> Seen | None:
    """How a passage last came to a role otherwise than by this rerouting."""
    m = role_move.c
    query = (
        select(m.score, m.why)
        .where(
            m.role_key == key,
            m.passage_seq == seq,
            m.joined.is_(True),
            or_(m.job.is_(None), m.job != job),
            m.organization_id == tx.actor.organization_id,
        )
        .order_by(m.seq.desc())
        .limit(1)
    )
    row = tx.connection.execute(query).first()
    return None if row is None else Seen(key, seq, True, row.score, Why(row.why))


def held(tx: Tx, key: RoleKey) -> list[Held]:
    """The memories of one role, in the order they were stored."""
    p = passage.c
    times = (
        select(func.count())
        .where(shown.c.passage_seq == p.seq)
        .correlate(passage)
        .scalar_subquery()
    )
    query = (
        select(
            p.seq,
            role_passage.c.score,
            role_passage.c.why,
            p.forgotten_at,
            p.valid_to,
            p.at,
            p.metadata,
            times,
        )
        .join(passage, p.seq == role_passage.c.passage_seq)
        .where(role_passage.c.role_key == key, p.organization_id == tx.actor.organization_id)
        .order_by(p.seq)
    )
    return [
        Held(
            seq=row[0],
            score=row[1],
            taught=row[2] in TAUGHT,
            current=row[3] is None and (row[4] is None or row[4] > tx.now),
            at=row[5],
            metadata=row[6],
            shown=row[7],
        )
        for row in tx.connection.execute(query)
    ]


def count(tx: Tx, key: RoleKey) -> int:
    query = select(func.count()).where(role_passage.c.role_key == key)
    return int(tx.connection.execute(query).scalar_one())


def counts(tx: Tx, archive_id: ArchiveId) -> dict[RoleKey, tuple[int, datetime, float]]:
    """By role: memories, when the newest came, and their mean score."""
    m = role_passage.c
    query = (
        select(m.role_key, func.count(), func.max(m.at), func.avg(m.score))
        .join(role, role.c.key == m.role_key)
        .where(m.archive_id == archive_id, role.c.organization_id == tx.actor.organization_id)
        .group_by(m.role_key)
    )
    return {
        RoleKey(row[0]): (int(row[1]), row[2], float(row[3]))
        for row in tx.connection.execute(query)
    }


def homeless(tx: Tx, archive_id: ArchiveId) -> int:
    """Passages of the archive that no role has: the general memory."""
    query = select(func.count()).where(
        passage.c.archive_id == archive_id,
        passage.c.organization_id == tx.actor.organization_id,
        ~select(role_passage.c.passage_seq)
        .where(role_passage.c.passage_seq == passage.c.seq)
        .exists(),
    )
    return int(tx.connection.execute(query).scalar_one())
