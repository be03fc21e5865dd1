"""What follows a run in the background: jobs that its closing transaction puts into the outbox.

So they cost no transaction, and a run that has ended always has them, whatever dies next.
"""

from __future__ import annotations

from collections.abc import Sequence

from yiku.agents.work import Work
from yiku.core.ids import AgentId, ConversationId
from yiku.core.message import Message
from yiku.core.run import Run
from yiku.store import outbox
from yiku.store.database import Tx

COMPACT = "compact"
"""The job that lets a conversation's older messages give way to a summary."""
JUDGE = "judge"
"""The job that looks at what became of what a run looked up; its key is the run's id."""
LOOKUPS = frozenset({"query_memory"})
"""Tools whose calls are kept as lookups, to be judged by what is said and done after them."""


def ask(tx: Tx, work: Work, run: Run, said: Sequence[Message]) -> None:
    """Ask for what follows a run that ends with this transaction. `said`: stored by it, and not
    among the run's messages yet."""
    unarchived = len(work.messages) - 1 + len(said)  # the first holds the instructions
    if work.keeps_messages and unarchived > work.agents.compact_threshold:
        ask_to_compact(tx, run.agent_id, run.conversation_id)
    if looked_up(run, [*work.messages, *said]):
        outbox.put(tx, JUDGE, run.id)


def ask_to_compact(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> None:
    place = {"agent_id": agent_id, "conversation_id": conversation_id}
    outbox.put(tx, COMPACT, f"{agent_id}/{conversation_id or ''}", place)


def looked_up(run: Run, said: Sequence[Message]) -> bool:
    return any(call.name in LOOKUPS for one in said if one.run_id == run.id for call in one.calls)
