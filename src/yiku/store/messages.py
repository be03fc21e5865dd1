"""Queries on messages and on the summaries of older ones. Each sees the actor's organization only.

A conversation is an agent's id and a conversation's: None is the agent's own one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from yiku.core.errors import MessageNotFound
from yiku.core.ids import AgentId, ConversationId, MessageId
from yiku.core.message import (
    Message,
    MessageFilter,
    MessagePage,
    MessageRole,
    Part,
    Summary,
    ToolCall,
)
from yiku.store import attachments, paging, parts
from yiku.store.agent_tables import agent, message, session_summary
from yiku.store.database import Tx
from yiku.store.forms import Form, askable, parsed
from yiku.store.hot import Select
from yiku.store.paging import Order, Place
from yiku.store.place_tables import batch_item
from yiku.store.tables import from_micros

FORM = Form(message)
SUMMARY = Form(session_summary)
FIELDS = tuple(Message.__dataclass_fields__)
ANSWERS = (MessageRole.APPROVAL, MessageRole.TOOL)
ROLES = {role.value: role for role in MessageRole}

_OF_AGENT = (
    f"SELECT {FORM.columns} FROM message"
    " WHERE agent_id = :agent AND organization_id = :organization"
)
_OF_CONVERSATION = f"{_OF_AGENT} AND conversation_id = :conversation"
_BY_ID = Select(
    f"SELECT {FORM.columns} FROM message WHERE id = :id AND organization_id = :organization"
)
_BY_SEQS = FORM.by_seq()
_IN_CONTEXT = Select(f"{_OF_CONVERSATION} AND NOT is_archived ORDER BY seq")
_IDS_IN_CONTEXT = Select(
    "SELECT id FROM message WHERE agent_id = :agent AND organization_id = :organization"
    " AND conversation_id = :conversation AND NOT is_archived ORDER BY seq"
)
_PENDING = Select(f"{_OF_CONVERSATION} AND waits ORDER BY seq DESC LIMIT 1")
_ANSWERS_AFTER = Select(
    f"{_OF_CONVERSATION} AND seq > :seq AND role IN ('approval', 'tool') ORDER BY seq"
)
_WITH_OTIDS = Select(f"{_OF_AGENT} AND otid IN :otids* ORDER BY seq")
_AFTER = Select(f"{_OF_AGENT} AND seq > :seq ORDER BY seq LIMIT :limit")
_BETWEEN = Select(f"{_OF_CONVERSATION} AND seq > :seq AND seq <= :upto ORDER BY seq LIMIT :limit")
_INSERT = FORM.insert_into(agent)
_SETTLED = Select(
    "UPDATE message SET waits = :waits WHERE id = :id AND organization_id = :organization"
    " RETURNING seq"
)
_SUMMARY = Select(
    f"SELECT {SUMMARY.columns} FROM session_summary"
    " WHERE agent_id = :agent AND conversation_id = :conversation"
    " AND organization_id = :organization ORDER BY seq DESC LIMIT 1"
)
_ADD_SUMMARY = SUMMARY.insert_into(agent)


def of_row(row: Sequence[Any]) -> Message:
    """A row of `FORM.columns` from the driver; each run reads the whole context so."""
    values = dict(zip(FORM.names, row, strict=True))
    del values["waits"]
    values["role"] = ROLES[values["role"]]
    values["parts"] = parts.of_json(parsed(values["parts"]))
    values["created_at"] = from_micros(values["created_at"])
    values["is_archived"] = bool(values["is_archived"])
    values["conversation_id"] = values["conversation_id"] or None
    return Message(**values)


def values_of(tx: Tx, one: Message) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(one, name) for name in FIELDS if name != "seq"}
    return values | {
        "organization_id": tx.actor.organization_id,
        "conversation_id": one.conversation_id or "",
        "role": one.role.value,
        "parts": parts.to_json(one.parts),
        "waits": bool(waiting(one.parts)),
    }


def waiting(of: Sequence[Part]) -> set[str]:
    """Ids of the calls that wait for an answer."""
    return {part.id for part in of if isinstance(part, ToolCall) and part.waits}


def place(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> dict[str, Any]:
    """What the statements on a conversation ask for."""
    return {
        "agent": agent_id,
        "organization": tx.actor.organization_id,
        "conversation": conversation_id or "",
    }


def add(tx: Tx, new: Sequence[Message]) -> list[Message]:
    """Store messages; returns them with their `seq`, which ascend.

    Where they answer all the calls that waited, nothing is pending any more. What becomes visible
    of an agent's messages does so in the order of `seq`. Raises: AgentNotFound.
    """
    if not new:
        return []
    rows = [values_of(tx, one) for one in new]
    seqs = insert_in_order(tx, rows) if tx.postgres else [insert_one(tx, row) for row in rows]
    stored = [replace(one, seq=seq) for one, seq in zip(new, seqs, strict=True)]
    answered = {(one.agent_id, one.conversation_id) for one in new if one.role in ANSWERS}
    for agent_id, conversation_id in answered:
        settle(tx, agent_id, conversation_id)
    return stored


def insert_one(tx: Tx, row: Mapping[str, Any]) -> int:
    rows = _INSERT.rows(tx.connection, **FORM.parameters(row))
    if not rows:
        raise attachments.no_agent(row["agent_id"])
    return rows[0][0]


def insert_in_order(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Writers of one agent wait for each other, so that who reads on from a `seq` misses none."""
    for agent_id in sorted({row["agent_id"] for row in rows}):
        attachments.hold(tx, agent_id)
    returning = insert(message).returning(message.c.seq, sort_by_parameter_order=True)
    return list(tx.connection.execute(returning, list(rows)).scalars())


def settle(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> None:
    """Nothing is pending where every call that waited has its answer."""
    asked = pending(tx, agent_id, conversation_id)
    if asked is None:
        return
    rows = _ANSWERS_AFTER.rows(tx.connection, **place(tx, agent_id, conversation_id), seq=asked.seq)
    answers = [of_row(row) for row in rows]
    given = {part.call_id for one in answers for part in (*one.returns, *one.approvals)}
    if waiting(asked.parts) <= given:
        mark(tx, asked.id, waits=False)


def mark(tx: Tx, message_id: MessageId, *, waits: bool) -> None:
    _SETTLED.rows(tx.connection, id=message_id, waits=waits, organization=tx.actor.organization_id)


def pending(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> Message | None:
    """The last message whose calls wait for approval or for the client, and have no answer yet.

    It is asked for at every run: an index has such messages only.
    """
    rows = _PENDING.rows(tx.connection, **place(tx, agent_id, conversation_id))
    return of_row(rows[0]) if rows else None


def in_context(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> list[Message]:
    """Those that aren't archived, the oldest first."""
    rows = _IN_CONTEXT.rows(tx.connection, **place(tx, agent_id, conversation_id))
    return [of_row(row) for row in rows]


def ids_in_context(
    tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None = None
) -> list[MessageId]:
    """The oldest first: what `in_context` would read whole."""
    rows = _IDS_IN_CONTEXT.rows(tx.connection, **place(tx, agent_id, conversation_id))
    return [MessageId(row[0]) for row in rows]


def get(tx: Tx, message_id: MessageId) -> Message:
    """Raises: MessageNotFound."""
    rows = (
        _BY_ID.rows(tx.connection, id=message_id, organization=tx.actor.organization_id)
        if askable(message_id)
        else ()
    )
    if not rows:
        raise no_message(message_id)
    return of_row(rows[0])


def no_message(message_id: str) -> MessageNotFound:
    return MessageNotFound(f"There is no message {message_id}.", message_id=message_id)


def get_by_seq(tx: Tx, seqs: Sequence[int]) -> dict[int, Message]:
    """The messages there are, by row number."""
    rows = _BY_SEQS.rows(tx.connection, seqs=list(seqs)) if seqs else ()
    read = (of_row(row) for row in rows)
    return {one.seq: one for one in read if one.organization_id == tx.actor.organization_id}


def page(tx: Tx, wanted: MessageFilter, part: MessagePage) -> list[Message]:
    """In the order of storing. What a run or a step said is listed whatever its conversation was.

    Raises: MessageNotFound where a message that bounds the page isn't there.
    """
    query = select(message.c.seq).where(*conditions(tx, wanted))

    def place_of(message_id: str) -> Place:
        return None, get(tx, MessageId(message_id)).seq

    seqs = paging.seqs(tx, query, Order(message.c.seq), part, place_of)
    there = get_by_seq(tx, seqs)
    return [there[seq] for seq in seqs if seq in there]


def conditions(tx: Tx, wanted: MessageFilter) -> list[ColumnElement[bool]]:
    found = [message.c.organization_id == tx.actor.organization_id]
    for name in ("agent_id", "run_id", "step_id", "group_id"):
        value = getattr(wanted, name)
        if value is not None:
            found.append(message.c[name] == value)
    of_a_run = wanted.run_id is not None or wanted.step_id is not None
    if wanted.conversation_id is None and (of_a_run or wanted.all_conversations):
        found.append(message.c.copied_from.is_(None))  # it is listed where it was said
    if wanted.conversation_id is not None:
        found.append(message.c.conversation_id == wanted.conversation_id)
    elif not wanted.all_conversations and not of_a_run:
        found.append(message.c.conversation_id == "")
    if wanted.batch_id is not None:
        of_items = select(batch_item.c.run_id).where(
            batch_item.c.batch_id == wanted.batch_id,
            batch_item.c.organization_id == tx.actor.organization_id,
        )
        found.append(message.c.run_id.in_(of_items))
    if wanted.roles is not None:
        found.append(message.c.role.in_([role.value for role in wanted.roles]))
    return found


def replace_parts(tx: Tx, one: Message) -> None:
    """Write the parts of a message that is stored. Raises: MessageNotFound."""
    seen = get(tx, one.id)
    tx.connection.execute(
        update(message).where(message.c.seq == seen.seq).values(parts=parts.to_json(one.parts))
    )
    if waiting(one.parts) != waiting(seen.parts):
        mark(tx, one.id, waits=bool(waiting(one.parts)))
        settle(tx, seen.agent_id, seen.conversation_id)


def archive(
    tx: Tx,
    agent_id: AgentId,
    conversation_id: ConversationId | None,
    upto_seq: int,
    *,
    after_seq: int = 0,
) -> int:
    """Take messages out of the context: those after the one, up to the other; returns how many."""
    done = tx.connection.execute(
        update(message)
        .where(
            *of_conversation(tx, agent_id, conversation_id),
            message.c.seq > after_seq,
            message.c.seq <= upto_seq,
            ~message.c.is_archived,
        )
        .values(is_archived=True)
    )
    return done.rowcount


def of_conversation(
    tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None
) -> tuple[ColumnElement[bool], ...]:
    return (
        message.c.agent_id == agent_id,
        message.c.organization_id == tx.actor.organization_id,
        message.c.conversation_id == (conversation_id or ""),
    )


def with_otids(tx: Tx, agent_id: AgentId, otids: Sequence[str]) -> list[Message]:
    """Those the agent has of these, in any conversation; the oldest first."""
    known = [one for one in otids if askable(one)]
    if not known:
        return []
    rows = _WITH_OTIDS.rows(
        tx.connection, agent=agent_id, organization=tx.actor.organization_id, otids=known
    )
    return [of_row(row) for row in rows]


def unindexed(tx: Tx, agent_id: AgentId, after_seq: int, limit: int) -> list[Message]:
    """The agent's messages of all conversations that came after `after_seq`, the oldest first."""
    rows = _AFTER.rows(
        tx.connection,
        agent=agent_id,
        organization=tx.actor.organization_id,
        seq=after_seq,
        limit=limit,
    )
    return [of_row(row) for row in rows]


def count(tx: Tx, agent_id: AgentId) -> int:
    """All of the agent's messages, archived ones too."""
    query = select(func.count()).where(
        message.c.agent_id == agent_id, message.c.organization_id == tx.actor.organization_id
    )
    return int(tx.connection.execute(query).scalar_one())


def last_seq(tx: Tx, agent_id: AgentId) -> int:
    """The row number of the agent's newest message, of all conversations; 0: it has none."""
    query = select(func.max(message.c.seq)).where(
        message.c.agent_id == agent_id, message.c.organization_id == tx.actor.organization_id
    )
    return tx.connection.execute(query).scalar() or 0


def seq_at(
    tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None, place: int
) -> int | None:
    """The row number of a conversation's message at a place, from 0; None: it has fewer."""
    query = select(message.c.seq).where(*of_conversation(tx, agent_id, conversation_id))
    return tx.connection.execute(query.order_by(message.c.seq).offset(place).limit(1)).scalar()


def between(
    tx: Tx,
    agent_id: AgentId,
    conversation_id: ConversationId | None,
    seqs: tuple[int, int],
    limit: int,
) -> list[Message]:
    """A conversation's messages after a row number, up to another; the oldest first."""
    asked = place(tx, agent_id, conversation_id)
    rows = _BETWEEN.rows(tx.connection, **asked, seq=seqs[0], upto=seqs[1], limit=limit)
    return [of_row(row) for row in rows]


def reset(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> int:
    """Erase a conversation's messages and summaries; returns how many messages.

    Raises: AgentNotFound.
    """
    attachments.hold(tx, agent_id)
    gone = tx.connection.execute(
        delete(message).where(*of_conversation(tx, agent_id, conversation_id))
    )
    drop_summaries(tx, agent_id, conversation_id)
    return gone.rowcount


def drop_summaries(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> None:
    """Nothing is told of a conversation's archived messages any more."""
    tx.connection.execute(
        delete(session_summary).where(
            session_summary.c.agent_id == agent_id,
            session_summary.c.conversation_id == (conversation_id or ""),
            session_summary.c.organization_id == tx.actor.organization_id,
        )
    )


def summary(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> Summary | None:
    """The newest."""
    rows = _SUMMARY.rows(tx.connection, **place(tx, agent_id, conversation_id))
    if not rows:
        return None
    values = SUMMARY.values(rows[0])
    del values["seq"], values["organization_id"]
    values["conversation_id"] = values["conversation_id"] or None
    return Summary(**values)


def add_summary(tx: Tx, new: Summary) -> None:
    """Raises: AgentNotFound."""
    values = {name: getattr(new, name) for name in Summary.__dataclass_fields__}
    values |= {
        "organization_id": tx.actor.organization_id,
        "conversation_id": new.conversation_id or "",
    }
    if not _ADD_SUMMARY.rows(tx.connection, **SUMMARY.parameters(values)):
        raise attachments.no_agent(new.agent_id)
