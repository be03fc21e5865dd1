"""How a run ends: its row is closed and the right to run given back, in one transaction."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from yiku.agents.begin import answered_in
from yiku.agents.work import Work
from yiku.core.message import Message, MessageRole, Text, ToolCall, ToolReturn
from yiku.core.run import Failure, Run, RunStatus, Step, StepStatus, StopReason
from yiku.store import agents, leases, messages, runs, steps
from yiku.store.database import Tx

LAST = (1 << 62) - 1
"""Above every `seq`."""
CUT = "The call was not run, or what it returned was lost: the run ended before."


def status_of(stop: StopReason) -> RunStatus:
    if stop is StopReason.CANCELLED:
        return RunStatus.CANCELLED
    return RunStatus.FAILED if stop.failed else RunStatus.COMPLETED


def close(tx: Tx, work: Work, run: Run, stop: StopReason, failure: Failure | None = None) -> Run:
    """Close a run's row, note it with its agent, give the lease back; archive what isn't kept."""
    run = replace(
        run,
        status=status_of(stop),
        stop_reason=stop,
        failure=failure,
        completed_at=tx.now,
        duration_ns=time.monotonic_ns() - work.began_ns,
    )
    run = runs.update(tx, run)
    agents.note_run(tx, run)
    leases.release(tx, work.lease(tx.now))
    if stop is not StopReason.REQUIRES_APPROVAL and not work.keeps_messages:
        kept = work.messages[0].seq  # the instructions
        messages.archive(tx, run.agent_id, run.conversation_id, LAST, after_seq=kept)
    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    run: Run
    messages: tuple[Message, ...]
    """Stored just now."""
    steps: tuple[Step, ...]


async def end(work: Work, stop: StopReason, failure: Failure | None = None) -> Closed:
    """End a run in the middle of a step, or before its first: what was said so far is kept.

    Raises: StoreError.
    """
    return await work.agents.database.write(work.actor, lambda tx: end_in(tx, work, stop, failure))


def end_in(tx: Tx, work: Work, stop: StopReason, failure: Failure | None) -> Closed:
    said: list[Message] = []
    if work.heard:
        # The message whose pieces were told: who has heard them isn't told it again.
        message_id, step_id = work.saying or (None, None)
        text = Text("".join(work.heard))
        half = work.message(MessageRole.ASSISTANT, [text], tx.now, id=message_id, step_id=step_id)
        said += messages.add(tx, [half])
    open_calls = unanswered(work)
    if open_calls:
        told = [ToolReturn(call_id=c.id, name=c.name, ok=False, text=CUT) for c in open_calls]
        said += messages.add(tx, [work.message(MessageRole.TOOL, told, tx.now)])
    cut = StepStatus.CANCELLED if stop is StopReason.CANCELLED else StepStatus.FAILED
    pending = [row for row in work.steps if row.status is StepStatus.PENDING]
    rows = [replace(row, status=cut, stop_reason=stop, failure=failure) for row in pending]
    for row in rows:
        steps.put(tx, row)
    return Closed(
        run=close(tx, work, work.run, stop, failure), messages=tuple(said), steps=tuple(rows)
    )


def unanswered(work: Work) -> list[ToolCall]:
    """Calls of this run that have no return and wait for nobody."""
    for at in range(len(work.messages) - 1, -1, -1):
        one = work.messages[at]
        if one.role is MessageRole.ASSISTANT:
            answered = {r.call_id for later in work.messages[at + 1 :] for r in later.returns}
            allowed = answered_in(work.messages[at + 1 :])
            return [
                call
                for call in one.calls
                if call.id not in answered and (call.waits is None or call.id in allowed)
            ]
    return []
