"""An agent's compiled instructions: its system prompt, with its blocks and rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yiku.agents.kinds import KINDS
from yiku.agents.rule_words import texts
from yiku.context.compile import WindowView, is_instructions, language_for, system_prompt
from yiku.core.agent import AgentState
from yiku.core.ids import ConversationId, MessageId, new_id
from yiku.core.language import Language, language_spoken
from yiku.core.message import Message, MessageRole, Text
from yiku.store import messages
from yiku.store.database import Tx


def own_language(state: AgentState) -> Language:
    """Of what an agent is told, whoever speaks with it: its instructions'."""
    return language_for(state, WindowView())


def language_in(state: AgentState, found: Sequence[Message]) -> Language:
    """Of our own words in a run: Chinese to an agent whose instructions are, or that was spoken to
    in Chinese last."""
    said = (one.text for one in reversed(found) if one.role is MessageRole.USER)
    own = own_language(state)
    return own if own == "zh" else language_spoken(said, own)


def view_of(state: AgentState) -> WindowView:
    """Nothing that changes with every message is told, so that the prompt's beginning stays."""
    bare = WindowView(numbered=KINDS[state.agent.kind].numbered_blocks)
    found = state.agent.config.tool_rules
    if not found:
        return bare
    names = [tool.name for tool in state.tools]
    told = texts(found, names, own_language(state))
    return WindowView(numbered=bare.numbered, rules=told)


def system_of(state: AgentState) -> str:
    return system_prompt(state, view_of(state))


def with_instructions(
    tx: Tx,
    state: AgentState,
    found: Sequence[Message],
    conversation_id: ConversationId | None = None,
) -> list[Message]:
    """A conversation's messages, the first of which holds the instructions as they are to be now:
    blocks may have changed since they were compiled."""
    text = system_of(state)
    if not found or not is_instructions(found[0]):
        return [stored_instructions(tx, state, text, conversation_id), *found]
    first = found[0]
    if first.text != text:
        first = replace(first, parts=(Text(text),))
        messages.replace_parts(tx, first)
    return [first, *found[1:]]


def stored_instructions(
    tx: Tx, state: AgentState, text: str, conversation_id: ConversationId | None
) -> Message:
    """The message that holds an agent's compiled instructions: the first of its conversation."""
    made = Message(
        role=MessageRole.SYSTEM,
        parts=(Text(text),),
        id=MessageId(new_id("message")),
        organization_id=tx.actor.organization_id,
        agent_id=state.agent.id,
        conversation_id=conversation_id,
        created_at=tx.now,
        created_by=tx.actor.user_id,
    )
    [stored] = messages.add(tx, [made])
    return stored
