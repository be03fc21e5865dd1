"""Queries on conversations beside an agent's own. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, delete, func, null, select, update

from yiku.core.conversation import (
    Conversation,
    ConversationFilter,
    ConversationPage,
    ConversationSettings,
)
from yiku.core.errors import ConversationNotFound
from yiku.core.ids import AgentId, ConversationId
from yiku.core.run import Run
from yiku.store import attachments, messages, paging
from yiku.store.agent_tables import agent, lease, run
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.hot import Select, micros
from yiku.store.paging import Order, Place
from yiku.store.place_tables import conversation

FORM = Form(conversation)
SETTINGS = tuple(one.name for one in fields(ConversationSettings))
COLUMNS: dict[str, Column[Any]] = {
    "created_at": conversation.c.created_at,
    "last_message_at": conversation.c.last_message_at,
    "last_run_completion": conversation.c.last_run_completed_at,
}

_INSERT = FORM.insert_into(agent)
_BY_ID = Select(
    f"SELECT {FORM.columns} FROM conversation WHERE id = :id AND organization_id = :organization"
)
_BY_SEQS = FORM.by_seq()
_ASKED = Select(
    "UPDATE conversation SET last_message_at = :now WHERE id = :id AND agent_id = :agent"
    f" AND organization_id = :organization RETURNING {FORM.columns}"
)
_ENDED = Select(
    "UPDATE conversation SET last_run_completed_at = :at WHERE id = :id"
    " AND organization_id = :organization RETURNING seq"
)


def of_row(row: Sequence[Any]) -> Conversation:
    """A row of `FORM.columns` from the driver."""
    values = FORM.values(row)
    settings = ConversationSettings(**{name: values.pop(name) for name in SETTINGS})
    return Conversation(settings=settings, **values)


def no_conversation(conversation_id: str) -> ConversationNotFound:
    return ConversationNotFound(
        f"There is no conversation {conversation_id}.", conversation_id=conversation_id
    )


def add(tx: Tx, new: Conversation) -> Conversation:
    """Returns it with its `seq`. Raises: AgentNotFound."""
    values: dict[str, Any] = {
        name: getattr(new, name)
        for name in Conversation.__dataclass_fields__
        if name not in ("seq", "settings")
    }
    values |= {name: getattr(new.settings, name) for name in SETTINGS}
    values |= {"organization_id": tx.actor.organization_id}
    rows = _INSERT.rows(tx.connection, **FORM.parameters(values))
    if not rows:
        raise attachments.no_agent(new.agent_id)
    return replace(new, seq=rows[0][0])


def get(tx: Tx, conversation_id: ConversationId) -> Conversation:
    """Raises: ConversationNotFound."""
    rows = (
        _BY_ID.rows(tx.connection, id=conversation_id, organization=tx.actor.organization_id)
        if askable(conversation_id)
        else ()
    )
    if not rows:
        raise no_conversation(conversation_id)
    return of_row(rows[0])


def demand(tx: Tx, agent_id: AgentId, conversation_id: ConversationId) -> Conversation:
    """It, where it is this agent's. Raises: ConversationNotFound."""
    found = get(tx, conversation_id)
    if found.agent_id != agent_id:
        raise no_conversation(conversation_id)
    return found


def note_asked(tx: Tx, agent_id: AgentId, conversation_id: ConversationId) -> Conversation:
    """Somebody asks something in it. Whoever deletes it waits for this transaction's end.

    Raises: ConversationNotFound, also where it is another agent's.
    """
    rows = (
        _ASKED.rows(
            tx.connection,
            id=conversation_id,
            agent=agent_id,
            organization=tx.actor.organization_id,
            now=micros(tx.now),
        )
        if askable(conversation_id)
        else ()
    )
    if not rows:
        raise no_conversation(conversation_id)
    return of_row(rows[0])


def note_run(tx: Tx, ended: Run) -> None:
    """A run of it has ended; nothing happens where it was deleted meanwhile."""
    if ended.conversation_id is not None and ended.completed_at is not None:
        _ENDED.rows(
            tx.connection,
            id=ended.conversation_id,
            organization=tx.actor.organization_id,
            at=micros(ended.completed_at),
        )


def change(tx: Tx, seen: Conversation, **changes: Any) -> Conversation:
    """Write fields of it, or its `settings`. Raises: ConversationNotFound."""
    changed = replace(seen, **changes, updated_at=tx.now, updated_by=tx.actor.user_id)
    values = {
        name: getattr(changed, name)
        for name in ("archived_at", "last_message_at", "updated_at", "updated_by")
    }
    values |= {name: getattr(changed.settings, name) for name in SETTINGS}
    if changed.settings.model_settings is None:
        values["model_settings"] = null()
    done = tx.connection.execute(
        update(conversation).where(*own(tx), conversation.c.id == seen.id).values(**values)
    )
    if not done.rowcount:
        raise no_conversation(seen.id)
    return changed


def remove(tx: Tx, conversation_id: ConversationId) -> Conversation:
    """Erase it with its messages, summaries and runs; a run that goes on finds out at its next
    step. Raises: ConversationNotFound."""
    seen = get(tx, conversation_id)
    tx.connection.execute(
        delete(conversation).where(*own(tx), conversation.c.id == conversation_id)
    )
    for table in (lease, run):
        tx.connection.execute(
            delete(table).where(
                table.c.organization_id == tx.actor.organization_id,
                table.c.agent_id == seen.agent_id,
                table.c.conversation_id == conversation_id,
            )
        )
    messages.reset(tx, seen.agent_id, conversation_id)
    return seen


def own(tx: Tx) -> tuple[ColumnElement[bool], ...]:
    return (conversation.c.organization_id == tx.actor.organization_id,)


def page(tx: Tx, wanted: ConversationFilter, part: ConversationPage) -> list[Conversation]:
    """In the order asked for; those that lack its moment come last.

    Raises: ConversationNotFound where one that bounds the page isn't there.
    """
    by = COLUMNS[part.order_by]

    def place(conversation_id: str) -> Place:
        there = get(tx, ConversationId(conversation_id))
        moments: dict[str, datetime | None] = {
            "created_at": there.created_at,
            "last_message_at": there.last_message_at,
            "last_run_completion": there.last_run_completed_at,
        }
        return moments[part.order_by], there.seq

    query = select(conversation.c.seq).where(*own(tx), *conditions(wanted))
    seqs = paging.seqs(tx, query, Order(conversation.c.seq, by), part, place)
    return paging.in_order(seqs, map(of_row, _BY_SEQS.rows(tx.connection, seqs=seqs)))


def last_seq(tx: Tx, agent_id: AgentId) -> int:
    """The row number of the agent's newest one; 0: it has none."""
    query = select(func.max(conversation.c.seq)).where(
        *own(tx), conversation.c.agent_id == agent_id
    )
    return tx.connection.execute(query).scalar() or 0


def ids_after(
    tx: Tx, agent_id: AgentId, seqs: tuple[int, int], limit: int
) -> list[tuple[int, ConversationId]]:
    """All of an agent's, hidden ones too, after a row number and up to another; the oldest first,
    each with its row number."""
    query = (
        select(conversation.c.seq, conversation.c.id)
        .where(*own(tx), conversation.c.agent_id == agent_id)
        .where(conversation.c.seq > seqs[0], conversation.c.seq <= seqs[1])
        .order_by(conversation.c.seq)
        .limit(limit)
    )
    return [(int(seq), ConversationId(id)) for seq, id in tx.connection.execute(query)]


def conditions(wanted: ConversationFilter) -> list[ColumnElement[bool]]:
    found = [~conversation.c.hidden]
    if wanted.agent_id is not None:
        found.append(conversation.c.agent_id == wanted.agent_id)
    if wanted.archived is not None:
        put_away = conversation.c.archived_at.is_not(None)
        found.append(put_away if wanted.archived else ~put_away)
    if wanted.summary_has is not None:
        found.append(conversation.c.summary.icontains(wanted.summary_has, autoescape=True))
    return found
