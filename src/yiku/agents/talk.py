"""What can be done with an agent's conversation besides speaking: begin anew, compile, compact."""

from __future__ import annotations

from yiku.agents import begin
from yiku.agents.instructions import system_of
from yiku.agents.shared import Agents
from yiku.core.agent import AgentState
from yiku.core.ids import AgentId, ConversationId
from yiku.core.tenant import Actor
from yiku.memory import recall
from yiku.store import agents as rows
from yiku.store import leases, messages
from yiku.store.database import Tx


async def reset(
    agents: Agents, actor: Actor, agent_id: AgentId, conversation_id: ConversationId | None = None
) -> AgentState:
    """Erase a conversation's messages for good; blocks and memories stay.

    Raises: AgentNotFound, AgentBusy, StoreError.
    """

    def unit(tx: Tx) -> AgentState:
        state = rows.state(tx, agent_id)
        demand_idle(tx, agent_id, conversation_id)
        messages.reset(tx, agent_id, conversation_id)
        begin.with_instructions(tx, state, [])
        return state

    state = await agents.database.write(actor, unit)
    await recall.erase(agents.memory, actor, agent_id)
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

    Raises: AgentNotFound, StoreError.
    """

    def unit(tx: Tx) -> str:
        state = rows.state(tx, agent_id)
        if not dry_run:
            found = messages.in_context(tx, agent_id, conversation_id)
            begin.with_instructions(tx, state, found[:1])
        return system_of(state)

    run = agents.database.read if dry_run else agents.database.write
    return await run(actor, unit)


def demand_idle(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> None:
    """Raises: AgentBusy."""
    held = leases.find(tx, agent_id, conversation_id or "")
    if held is not None and held.until > tx.now:
        raise begin.busy(agent_id)
