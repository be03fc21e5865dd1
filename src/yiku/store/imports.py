"""What imports have made of what they read, and how far they have come. Each query sees the actor's
organization only."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, delete, insert, or_, select, update

from yiku.core.errors import JobConflict
from yiku.core.ids import AgentId, ConversationId
from yiku.store.admin_tables import imported
from yiku.store.database import Tx
from yiku.store.place_tables import conversation

AT_ONCE = 500
"""Keys of one question: databases bound how many parameters a statement has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What an import made of one thing of its file."""

    kind: str
    target_id: str
    position: int | None = None


def of_source(tx: Tx, source: str, kinds: Collection[str]) -> dict[str, Made]:
    """What was made of a source, by the keys there; only of these kinds."""
    rows = tx.connection.execute(
        select(imported.c.key, imported.c.kind, imported.c.target_id, imported.c.position).where(
            imported.c.organization_id == tx.actor.organization_id,
            imported.c.source == source,
            imported.c.kind.in_(kinds),
        )
    )
    return {
        row.key: Made(kind=row.kind, target_id=row.target_id, position=row.position) for row in rows
    }


def known(tx: Tx, source: str, keys: Collection[str]) -> set[str]:
    """Those of the keys that were imported."""
    found: set[str] = set()
    asked = list(keys)
    for start in range(0, len(asked), AT_ONCE):
        rows = tx.connection.execute(
            select(imported.c.key).where(
                imported.c.organization_id == tx.actor.organization_id,
                imported.c.source == source,
                imported.c.key.in_(asked[start : start + AT_ONCE]),
            )
        )
        found.update(rows.scalars())
    return found


def find(tx: Tx, source: str, key: str) -> Made | None:
    row = tx.connection.execute(
        select(imported.c.kind, imported.c.target_id, imported.c.position).where(
            *own(tx, source, key)
        )
    ).first()
    if row is None:
        return None
    return Made(kind=row.kind, target_id=row.target_id, position=row.position)


def own(tx: Tx, source: str, key: str) -> tuple[ColumnElement[bool], ...]:
    return (
        imported.c.organization_id == tx.actor.organization_id,
        imported.c.source == source,
        imported.c.key == key,
    )


def point(tx: Tx, source: str, key: str, target_id: str) -> None:
    """What was made of it is gone: this stands in its place."""
    tx.connection.execute(
        update(imported).where(*own(tx, source, key)).values(target_id=target_id, at=tx.now)
    )


def has_conversation(tx: Tx, conversation_id: str) -> bool:
    query = select(conversation.c.seq).where(
        conversation.c.id == conversation_id,
        conversation.c.organization_id == tx.actor.organization_id,
    )
    return tx.connection.execute(query).first() is not None


def add_conversation(
    tx: Tx, made: ConversationId, agent_id: AgentId, title: str | None, at: datetime
) -> None:
    """A conversation that was had elsewhere."""
    tx.connection.execute(
        insert(conversation).values(
            id=made,
            organization_id=tx.actor.organization_id,
            agent_id=agent_id,
            summary=title,
            hidden=False,
            created_at=at,
            created_by=tx.actor.user_id,
            updated_at=tx.now,
            updated_by=tx.actor.user_id,
        )
    )


def said_until(tx: Tx, made: ConversationId, at: datetime) -> None:
    """A conversation's last message is of then, unless it has a newer one."""
    last = conversation.c.last_message_at
    tx.connection.execute(
        update(conversation)
        .where(
            conversation.c.organization_id == tx.actor.organization_id,
            conversation.c.id == made,
            or_(last.is_(None), last < at),
        )
        .values(last_message_at=at)
    )


def put(tx: Tx, source: str, made: Iterable[tuple[str, Made]]) -> None:
    """Keep what was made of these keys, none of which was imported before."""
    rows = [
        {
            "organization_id": tx.actor.organization_id,
            "source": source,
            "key": key,
            "kind": one.kind,
            "target_id": one.target_id,
            "position": one.position,
            "at": tx.now,
        }
        for key, one in made
    ]
    if rows:
        tx.connection.execute(insert(imported), rows)


def move(tx: Tx, source: str, key: str, seen: int, position: int) -> None:
    """So much of a thing is stored now. Raises: JobConflict where somebody else stored more."""
    moved = tx.connection.execute(
        update(imported)
        .where(*own(tx, source, key), imported.c.position == seen)
        .values(position=position, at=tx.now)
    )
    if moved.rowcount != 1:
        raise other_run()


def begin(tx: Tx, source: str, key: str, made: Made) -> None:
    """A thing is stored from its beginning; what was made of it before is gone."""
    tx.connection.execute(delete(imported).where(*own(tx, source, key)))
    put(tx, source, [(key, made)])


def demand_new(tx: Tx, source: str, keys: Collection[str]) -> None:
    """Raises: JobConflict where something was made of one of them."""
    if known(tx, source, keys):
        raise other_run()


def other_run() -> JobConflict:
    return JobConflict(
        "Another run is importing the same at this moment. Wait for its end; then a second run"
        " stores what is left."
    )


def forget(tx: Tx, source: str) -> None:
    """As if nothing of the source had been imported; what was made of it stays."""
    tx.connection.execute(
        delete(imported).where(
            imported.c.organization_id == tx.actor.organization_id, imported.c.source == source
        )
    )
