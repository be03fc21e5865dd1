"""What can be done with an agent's conversation besides speaking: begin anew, compile, compact."""

from __future__ import annotations

from dataclasses import replace

from yiku.agents.compaction import (
    Window,
    demand_unchanged,
    store,
    summarised,
    told,
    with_settings,
)
from yiku.agents.conversations import state_in
from yiku.agents.instructions import own_language, system_of, view_of, with_instructions
from yiku.agents.lease import demand_idle
from yiku.agents.shared import Agents
from yiku.context import budget
from yiku.context.budget import ContextWindowOverview
from yiku.context.compact import split
from yiku.context.compile import Asking, WindowView, prompt
from yiku.core.agent import AgentState, Compaction
from yiku.core.ids import AgentId, ArchiveId, ConversationId
from yiku.core.message import Message, Summary
from yiku.core.run import Compacted
from yiku.core.tenant import Actor
from yiku.memory import recall
from yiku.store import agents as rows
from yiku.store import attachments, messages, passages
from yiku.store.database import Tx
from yiku.tools import own


async def reset(
    agents: Agents, actor: Actor, agent_id: AgentId, conversation_id: ConversationId | None = None
) -> AgentState:
    """Erase a conversation's messages for good; blocks and memories stay.

    Raises: AgentNotFound, AgentBusy, StoreError.
    """

    def unit(tx: Tx) -> tuple[AgentState, ArchiveId | None]:
        state = rows.state(tx, agent_id)
        demand_idle(tx, agent_id, conversation_id)
        messages.reset(tx, agent_id, conversation_id)
        with_instructions(tx, state, [], conversation_id)
        return state, recall.erase_in(tx, agent_id)

    state, recalled = await agents.database.write(actor, unit)
    agents.contexts.drop(agent_id)
    if recalled is not None:
        await recall.erased(agents.memory, recalled)
    return state


async def recompile(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    conversation_id: ConversationId | None = None,
    *,
    dry_run: bool = False,
) -> str:
    """The agent's instructions, compiled as of now; and stored, unless it is a dry run.

    Raises: AgentNotFound, ConversationNotFound, StoreError.
    """

    def unit(tx: Tx) -> str:
        state = state_in(tx, agent_id, conversation_id)
        if not dry_run:
            found = messages.in_context(tx, agent_id, conversation_id)
            with_instructions(tx, state, found[:1], conversation_id)
        return system_of(state)

    run = agents.database.read if dry_run else agents.database.write
    return await run(actor, unit)


async def compact(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    settings: Compaction | None = None,
    conversation_id: ConversationId | None = None,
) -> Compacted | None:
    """Let older messages give way to a summary now, by these settings or the agent's.

    None: there was nothing that could go. Raises: AgentNotFound, AgentBusy, Conflict, StoreError.
    """

    def unit(tx: Tx) -> Window:
        state = state_in(tx, agent_id, conversation_id)
        demand_idle(tx, agent_id, conversation_id)
        return Window(
            state=state,
            messages=messages.in_context(tx, agent_id, conversation_id),
            summary=messages.summary(tx, agent_id, conversation_id),
            handle=state.agent.config.model or agents.default_model,
        )

    window = with_settings(await agents.database.read(actor, unit), settings)
    there = split(window.messages, window.settings, window.tokens)
    if there is None:
        return None
    new, _ = await summarised(agents, actor, window, there)

    def keep(tx: Tx) -> None:
        attachments.hold(tx, agent_id)  # of two at once, the other sees this one's summary
        demand_idle(tx, agent_id, conversation_id)
        demand_unchanged(tx, window, there)
        store(tx, there, new)

    await agents.database.write(actor, keep)
    return told(window, there, new, "asked")


async def overview(
    agents: Agents,
    actor: Actor,
    agent_id: AgentId,
    conversation_id: ConversationId | None = None,
) -> ContextWindowOverview:
    """What fills the agent's window. Raises: AgentNotFound, StoreError."""

    def unit(tx: Tx) -> tuple[AgentState, list[Message], Summary | None, WindowView]:
        state = state_in(tx, agent_id, conversation_id)
        found = messages.in_context(tx, agent_id, conversation_id)
        told_by = messages.summary(tx, agent_id, conversation_id)
        recall_count = messages.count(tx, agent_id) - len(found)
        held = sum(passages.count(tx, one) for one in state.archives)
        view = replace(view_of(state), recall_count=recall_count, archival_count=held)
        return state, found, told_by, view

    state, found, told_by, view = await agents.database.read(actor, unit)
    language = own_language(state)
    asking = Asking(tools=tuple(own.told(one, language) for one in state.tools))
    made = prompt(state, view, found, asking, summary=told_by)
    handle = state.agent.config.model or agents.default_model
    calibration = agents.calibration(handle)
    return budget.overview(state, view, found, made, summary=told_by, calibration=calibration)
