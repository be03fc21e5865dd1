"""Conversations of one agent beside its own.

Each has messages, runs and a context of its own; blocks, archives and tools are the agent's, and so
shared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from yiku.agents import check
from yiku.agents.answers import waiting_in
from yiku.agents.instructions import with_instructions
from yiku.agents.shared import Agents
from yiku.context.compact import parted
from yiku.core.agent import AgentState
from yiku.core.conversation import Conversation, ConversationSettings
from yiku.core.errors import MessageNotFound
from yiku.core.ids import AgentId, ArchiveId, ConversationId, MessageId, new_id
from yiku.core.message import Message
from yiku.core.tenant import Actor
from yiku.memory import recall
from yiku.store import agents as rows
from yiku.store import attachments, conversations, messages
from yiku.store.database import Tx

MAX_SUMMARY = 100_000


def check_settings(settings: ConversationSettings) -> None:
    """Raises: Invalid, InvalidText."""
    check.check_length("summary", settings.summary or "", MAX_SUMMARY)
    check.check_length("description", settings.description or "", MAX_SUMMARY)
    check.check_handle("model", settings.model)
    check.check_json("model_settings", settings.model_settings)
    if settings.context_window is not None:
        check.check_window(settings.context_window)


def state_in(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> AgentState:
    """The agent as it is in one of its conversations.

    Raises: AgentNotFound, ConversationNotFound.
    """
    state = rows.state(tx, agent_id)
    if conversation_id is None:
        return state
    there = conversations.get(tx, conversation_id)
    if there.agent_id != agent_id:
        raise conversations.no_conversation(conversation_id)
    return as_in(state, there)


def as_in(state: AgentState, there: Conversation) -> AgentState:
    """With the model, its settings and the window that the conversation asks for."""
    given = {
        name: value
        for name in ("model", "model_settings", "context_window")
        if (value := getattr(there.settings, name)) is not None
    }
    if not given:
        return state
    config = replace(state.agent.config, **given)
    return replace(state, agent=replace(state.agent, config=config))


def new(
    tx: Tx, agent_id: AgentId, settings: ConversationSettings, forked_from: str | None = None
) -> Conversation:
    return Conversation(
        id=ConversationId(new_id("conv")),
        organization_id=tx.actor.organization_id,
        agent_id=agent_id,
        settings=settings,
        forked_from=forked_from,
        created_at=tx.now,
        created_by=tx.actor.user_id,
        updated_at=tx.now,
        updated_by=tx.actor.user_id,
    )


async def create(
    agents: Agents, actor: Actor, agent_id: AgentId, settings: ConversationSettings
) -> Conversation:
    """A new conversation, with the agent's instructions as its first message.

    Raises: AgentNotFound, Invalid, InvalidText, StoreError.
    """
    check_settings(settings)

    def unit(tx: Tx) -> Conversation:
        state = rows.state(tx, agent_id)
        made = conversations.add(tx, new(tx, agent_id, settings))
        with_instructions(tx, state, [], made.id)
        return made

    return await agents.database.write(actor, unit)


async def update(
    agents: Agents,
    actor: Actor,
    conversation_id: ConversationId,
    settings: dict[str, Any],
    *,
    archived: bool | None = None,
    **changes: Any,
) -> Conversation:
    """Change what is given of it; None takes a setting away.

    Raises: ConversationNotFound, Invalid, InvalidText, StoreError.
    """

    def unit(tx: Tx) -> Conversation:
        seen = conversations.get(tx, conversation_id)
        wanted = replace(seen.settings, **settings)
        check_settings(wanted)
        put_away = seen.archived_at
        if archived is not None:
            put_away = (seen.archived_at or tx.now) if archived else None
        return conversations.change(tx, seen, settings=wanted, archived_at=put_away, **changes)

    return await agents.database.write(actor, unit)


async def delete(agents: Agents, actor: Actor, conversation_id: ConversationId) -> None:
    """Erase it for good, with its messages, summaries and runs, and what recall memory has of them.

    Raises: ConversationNotFound, StoreError.
    """

    def unit(tx: Tx) -> tuple[AgentId, ArchiveId | None]:
        gone = conversations.remove(tx, conversation_id)
        return gone.agent_id, recall.erase_in(tx, gone.agent_id)

    agent_id, recalled = await agents.database.write(actor, unit)
    agents.contexts.drop(agent_id)
    if recalled is not None:
        await recall.erased(agents.memory, recalled)
    else:
        await agents.database.scrub()


async def fork(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    source: ConversationId | None,
    *,
    upto: MessageId | None = None,
    hidden: bool = False,
) -> Conversation:
    """A new conversation that begins with what is in the context of another one, up to a message.

    Each goes its own way from there: the messages are copies. What a summary tells of is told here,
    too. A run that goes on in the source is no hindrance: what it has said so far is taken.

    Raises: AgentNotFound, ConversationNotFound, MessageNotFound, StoreError.
    """

    def unit(tx: Tx) -> Conversation:
        state = rows.state(tx, agent_id)
        settings = ConversationSettings(hidden=hidden)
        if source is not None:
            there = conversations.get(tx, source)
            settings = replace(there.settings, hidden=hidden)
        attachments.hold(tx, agent_id)  # nothing is compacted or erased meanwhile
        _, said = parted(messages.in_context(tx, agent_id, source))
        taken = until(said, upto)
        made = conversations.add(tx, new(tx, agent_id, settings, source or agent_id))
        with_instructions(tx, state, [], made.id)
        answered(tx, messages.add(tx, [copy_of(one, made.id) for one in taken]))
        summary = messages.summary(tx, agent_id, source)
        if summary is not None:
            told = replace(summary, id=new_id("summary"), conversation_id=made.id)
            messages.add_summary(tx, told)
        return made

    return await agents.database.write(actor, unit)


def until(said: Sequence[Message], upto: MessageId | None) -> Sequence[Message]:
    """Raises: MessageNotFound."""
    if upto is None:
        return said
    at = next((n for n, one in enumerate(said) if one.id == upto), None)
    if at is None:
        raise MessageNotFound(
            f"There is no message {upto} in the context of this conversation; its"
            " `in_context_message_ids` are what a fork can end with.",
            message_id=upto,
        )
    return said[: at + 1]


def answered(tx: Tx, copies: Sequence[Message]) -> None:
    """Of the calls that ever waited for an answer only the last can still do so."""
    asked = [one for one in copies if messages.waiting(one.parts)]
    pending = waiting_in(copies)
    for one in asked:
        if one is not asked[-1] or not pending:
            messages.mark(tx, one.id, waits=False)


def copy_of(one: Message, conversation_id: ConversationId) -> Message:
    """It says when and in which run it was said; a client's own id (otid) is of one message."""
    return replace(
        one,
        seq=0,
        id=MessageId(new_id("message")),
        conversation_id=conversation_id,
        otid=None,
        copied_from=one.copied_from or one.id,
    )
