"""Queries of recall memory. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from yiku.core.ids import AgentId, ConversationId, MessageId, PassageId, RunId
from yiku.core.memory import RECALL
from yiku.core.message import Message, MessageRole
from yiku.store import messages
from yiku.store.agent_tables import message
from yiku.store.database import Tx
from yiku.store.passages import CHUNK
from yiku.store.tables import archive, passage

OWNER = RECALL
"""Of the archives made from messages; they are named by their agents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """Which messages; what isn't given doesn't matter."""

    roles: Sequence[MessageRole]
    since: datetime | None = None
    until: datetime | None = None
    """This moment isn't part of it."""
    conversation_id: ConversationId | None = None
    without_run: RunId | None = None


def said(
    tx: Tx, agent_ids: Sequence[AgentId], wanted: Said, *, before: int | None, limit: int
) -> list[Message]:
    """The newest first; those stored before the row number `before`."""
    query = select(message.c.seq).where(
        message.c.organization_id == tx.actor.organization_id,
        message.c.agent_id.in_(agent_ids),
        message.c.role.in_([role.value for role in wanted.roles]),
    )
    if before is not None:
        query = query.where(message.c.seq < before)
    if wanted.since is not None:
        query = query.where(message.c.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(message.c.created_at < wanted.until)
    if wanted.conversation_id is None:
        query = query.where(message.c.copied_from.is_(None))
    else:
        own = wanted.conversation_id in agent_ids
        query = query.where(message.c.conversation_id == ("" if own else wanted.conversation_id))
    if wanted.without_run is not None:
        query = query.where(message.c.run_id.is_distinct_from(wanted.without_run))
    rows = tx.connection.execute(query.order_by(message.c.seq.desc()).limit(limit))
    seqs = [int(row[0]) for row in rows]
    found = messages.get_by_seq(tx, seqs)
    return [found[seq] for seq in seqs]


def passages_of(tx: Tx, agent_id: AgentId, message_ids: Sequence[MessageId]) -> list[PassageId]:
    """What an agent's recall memory holds of these messages."""
    found: list[PassageId] = []
    for start in range(0, len(message_ids), CHUNK):
        query = (
            select(passage.c.id)
            .join(archive, archive.c.id == passage.c.archive_id)
            .where(
                archive.c.organization_id == tx.actor.organization_id,
                archive.c.owner == OWNER,
                archive.c.name == agent_id,
                passage.c.message.in_(message_ids[start : start + CHUNK]),
            )
        )
        found += [PassageId(row[0]) for row in tx.connection.execute(query)]
    return found
