"""Which passages a search put into whose context: the echo guard's memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from yiku.core.ids import ArchiveId
from yiku.core.memory import Passage
from yiku.store import hot
from yiku.store.database import Tx
from yiku.store.passages import COLUMNS, of_row
from yiku.store.tables import passage, shown, to_micros

LATEST = 50


def add(tx: Tx, hits: Sequence[Passage], conversation: str) -> None:
    """Remember that these were injected into the conversation just now."""
    for hit in hits:
        seen = tx.connection.execute(
            update(shown)
            .where(shown.c.passage_seq == hit.seq, shown.c.conversation == conversation)
            .values(at=tx.now)
            .returning(shown.c.passage_seq)
        ).first()
        if seen is None:
            tx.connection.execute(
                insert(shown).values(
                    passage_seq=hit.seq,
                    archive_id=hit.archive_id,
                    conversation=conversation,
                    at=tx.now,
                )
            )


def latest(tx: Tx, archive_id: ArchiveId, conversation: str, since: datetime) -> list[Passage]:
    """What the conversation was shown last, the latest first, 50 at most."""
    rows = tx.connection.execute(
        select(*COLUMNS)
        .join(shown, shown.c.passage_seq == passage.c.seq)
        .where(
            shown.c.archive_id == archive_id,
            shown.c.conversation == conversation,
            shown.c.at >= since,
            passage.c.organization_id == tx.actor.organization_id,
        )
        .order_by(shown.c.at.desc(), shown.c.passage_seq)
        .limit(LATEST)
    )
    return [of_row(row) for row in rows]


_CONVERSATIONS = hot.Select(
    "SELECT DISTINCT conversation FROM shown WHERE archive_id = :archive AND at >= :since"
)


def conversations(tx: Tx, archive_id: ArchiveId, since: datetime) -> frozenset[str]:
    """Those that were shown something since then."""
    rows = _CONVERSATIONS.rows(tx.connection, archive=archive_id, since=to_micros(since))
    return frozenset(row[0] for row in rows)


def expire(tx: Tx, archive_id: ArchiveId, before: datetime) -> None:
    tx.connection.execute(
        delete(shown).where(shown.c.archive_id == archive_id, shown.c.at < before)
    )
