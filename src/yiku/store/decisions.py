"""Queries on decisions about roles: kept for whoever asks why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select

from yiku.core.errors import DecisionNotFound
from yiku.core.ids import ArchiveId, DecisionId, PassageId
from yiku.core.role import Decision, DecisionKind, RoleScore, Routing
from yiku.store.database import Tx
from yiku.store.role_tables import decision
from yiku.store.tables import passage

KEPT_SCORES = 32
"""Roles of which a kept decision says all; of the others it says how many there were."""
KEPT_GATINGS = 10_000
"""Gatings kept for each archive, the newest; routings stay as long as their memory."""
DIGITS = 4

COLUMNS = (
    decision.c.id,
    decision.c.kind,
    decision.c.conversation,
    decision.c.at,
    decision.c.detail,
    passage.c.id.label("passage_id"),
)


def add(
    tx: Tx, archive_id: ArchiveId, made: Sequence[Decision], seqs: Sequence[int | None]
) -> None:
    """`seqs`: row number of the passage each routing was about."""
    if not made:
        return
    rows = [
        {
            "id": one.id,
            "organization_id": tx.actor.organization_id,
            "archive_id": archive_id,
            "kind": one.kind,
            "passage_seq": seq,
            "conversation": one.conversation,
            "at": one.at,
            "detail": detail_of(one),
        }
        for one, seq in zip(made, seqs, strict=True)
    ]
    tx.connection.execute(insert(decision), rows)


def detail_of(one: Decision) -> dict[str, Any]:
    return {
        "routing": one.routing,
        "model": one.model,
        "chosen": list(one.chosen),
        "margin": round(one.margin, DIGITS),
        "roles": one.roles,
        "scores": [score_row(score) for score in one.scores[:KEPT_SCORES]],
    }


def score_row(one: RoleScore) -> list[Any]:
    return [
        one.role_id,
        one.role_name,
        round(one.score, DIGITS),
        round(one.raw, DIGITS),
        one.threshold,
        one.chosen,
        one.reason,
        {name: round(value, DIGITS) for name, value in one.parts.items()},
        one.nearest,
    ]


def of_row(row: Any) -> Decision:
    detail = row.detail
    names = ("role_id", "role_name", "score", "raw", "threshold", "chosen", "reason", "parts")
    scores = [
        RoleScore(**dict(zip((*names, "nearest"), one, strict=True))) for one in detail["scores"]
    ]
    return Decision(
        id=DecisionId(row.id),
        kind=DecisionKind(row.kind),
        routing=Routing(detail["routing"]),
        at=row.at,
        model=detail["model"],
        passage_id=None if row.passage_id is None else PassageId(row.passage_id),
        conversation=row.conversation,
        chosen=tuple(detail["chosen"]),
        margin=detail["margin"],
        scores=tuple(scores),
        roles=detail["roles"],
    )


def get(tx: Tx, decision_id: DecisionId) -> Decision:
    """Raises: DecisionNotFound."""
    query = (
        select(*COLUMNS)
        .outerjoin(passage, passage.c.seq == decision.c.passage_seq)
        .where(
            decision.c.id == decision_id,
            decision.c.organization_id == tx.actor.organization_id,
        )
    )
    row = tx.connection.execute(query).first()
    if row is None:
        raise DecisionNotFound(
            f"There is no decision {decision_id}: it never was, its memory was deleted, or it is"
            f" older than the newest {KEPT_GATINGS:,} gatings of its archive.",
            decision_id=decision_id,
        )
    return of_row(row)


def latest(
    tx: Tx,
    archive_id: ArchiveId,
    *,
    kind: DecisionKind | None = None,
    passage_seq: int | None = None,
    limit: int = 50,
) -> list[Decision]:
    """The newest first."""
    query = (
        select(*COLUMNS)
        .outerjoin(passage, passage.c.seq == decision.c.passage_seq)
        .where(
            decision.c.archive_id == archive_id,
            decision.c.organization_id == tx.actor.organization_id,
        )
        .order_by(decision.c.at.desc(), decision.c.id)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(decision.c.kind == kind)
    if passage_seq is not None:
        query = query.where(decision.c.passage_seq == passage_seq)
    return [of_row(row) for row in tx.connection.execute(query)]


def expire(tx: Tx, archive_id: ArchiveId) -> None:
    """Drop gatings older than the newest `KEPT_GATINGS`."""
    ours = (decision.c.archive_id == archive_id, decision.c.kind == DecisionKind.GATE)
    oldest = tx.connection.execute(
        select(decision.c.at)
        .where(*ours)
        .order_by(decision.c.at.desc())
        .offset(KEPT_GATINGS)
        .limit(1)
    ).scalar()
    if oldest is not None:
        tx.connection.execute(delete(decision).where(*ours, decision.c.at <= oldest))
