"""How a run ends: its row is closed and the right to run given back, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from yiku.agents import afterwards, callbacks, lease
from yiku.agents.answers import answered_in
from yiku.agents.begin import LAST
from yiku.agents.work import Work
from yiku.core.language import Language
from yiku.core.message import Message, MessageRole, Text, ToolCall, ToolReturn
from yiku.core.model import Usage
from yiku.core.run import Failure, Run, RunStatus, Step, StepStatus, StopReason
from yiku.store import agents, conversations, leases, messages, quotas, runs, steps
from yiku.store.database import Tx

CUT: Mapping[Language, str] = {
    "en": "The call was not run, or what it returned was lost: the run ended before.",
    "zh": "这次调用没有执行，或其返回结果已丢失：运行在此之前结束了。",
}


def status_of(stop: StopReason) -> RunStatus:
    if stop is StopReason.CANCELLED:
        return RunStatus.CANCELLED
    return RunStatus.FAILED if stop.failed else RunStatus.COMPLETED


def close(
    tx: Tx,
    work: Work,
    run: Run,
    stop: StopReason,
    *,
    said: Sequence[Message] = (),
    failure: Failure | None = None,
) -> Run:
    """Close a run's row, note it with its agent, give the lease back; archive what isn't kept, and
    ask for what follows. `said`: what the same transaction has stored."""
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
    conversations.note_run(tx, run)
    leases.release(tx, work.lease(tx.now))
    if stop is not StopReason.REQUIRES_APPROVAL and not work.keeps_messages:
        kept = work.messages[0].seq  # the instructions
        messages.archive(tx, run.agent_id, run.conversation_id, LAST, after_seq=kept)
    afterwards.ask(tx, work, run, said)
    callbacks.ask(tx, run)
    return run


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    run: Run
    messages: tuple[Message, ...]
    """Stored just now."""
    steps: tuple[Step, ...]


async def end(
    work: Work, stop: StopReason, failure: Failure | None = None, *, refused: bool = False
) -> Closed:
    """End a run in the middle of a step, or before its first: what was said so far is kept.

    Messages that nobody answered, because the provider was away or the key wrong, stay in the
    context: the next prompt shows them with what is said then, as in any chat where somebody was
    not there for a while, and the model may answer them all. Where what the model was to be shown
    is `refused` (too large, or not to be read), and it had said nothing yet, they leave the
    context: else each later prompt would be refused for them too, and the agent be lost for good.
    The history has them, and who sent them is told.

    Raises: AgentBusy where the run isn't ours any more, StoreError.
    """
    database = work.agents.database

    def unit(tx: Tx) -> Closed:
        closed = end_in(tx, work, stop, failure)
        if refused:
            set_aside(tx, work)
        return closed

    return await database.write(work.actor, unit)


def set_aside(tx: Tx, work: Work) -> None:
    """What the run was asked with leaves the context, unless something came of it."""
    own = [one for one in work.messages if one.run_id == work.run.id]
    unanswered = all(one.role in (MessageRole.USER, MessageRole.SYSTEM) for one in own)
    if own and unanswered and not work.heard:
        before = own[0].seq - 1
        messages.archive(tx, work.run.agent_id, work.run.conversation_id, LAST, after_seq=before)


def end_in(tx: Tx, work: Work, stop: StopReason, failure: Failure | None) -> Closed:
    lease.hold(tx, work)
    cut = StepStatus.CANCELLED if stop is StopReason.CANCELLED else StepStatus.FAILED
    rows = [
        replace(row, status=cut, stop_reason=stop, failure=failure)
        for row in work.steps
        if row.status is StepStatus.PENDING
    ]
    for row in rows:
        steps.put(tx, row)
    run = work.run
    for row in rows:
        run = replace(run, step_count=row.n, usage=run.usage + row.usage)
        quotas.count_tokens(tx, row.usage.total_tokens)
    if work.trying is not None and not rows:
        row = replace(begun_row(work), status=cut, stop_reason=stop, failure=failure)
        rows.append(steps.add(tx, row))
    said = messages.add(tx, last_words(work, tx))
    run = close(tx, work, run, stop, said=said, failure=failure)
    return Closed(run=run, messages=tuple(said), steps=tuple(rows))


def begun_row(work: Work) -> Step:
    """The row of the step that is being made, before its model has answered."""
    assert work.trying is not None
    return Step(
        id=work.trying.step_id,
        organization_id=work.run.organization_id,
        run_id=work.run.id,
        agent_id=work.run.agent_id,
        n=work.run.step_count + 1,
        status=StepStatus.PENDING,
        model=work.handle,
        context_window=work.state.agent.config.context_window,
        usage=Usage(),
        created_at=work.trying.began_at,
    )


def last_words(work: Work, tx: Tx) -> list[Message]:
    """What the model had said when it was cut off; and a return for each call that has none."""
    said: list[Message] = []
    if work.heard and work.trying is not None:
        trying, text = work.trying, Text("".join(work.heard))
        said.append(
            work.message(
                MessageRole.ASSISTANT,
                [text],
                tx.now,
                step_id=trying.step_id,
                id=trying.message_id,
            )
        )
    open_calls = unanswered(work)
    if open_calls:
        text = CUT[work.language]
        told = [ToolReturn(call_id=c.id, name=c.name, ok=False, text=text) for c in open_calls]
        said.insert(0, work.message(MessageRole.TOOL, told, tx.now))
    return said


def unanswered(work: Work) -> list[ToolCall]:
    """Calls of the last message that have no return and wait for nobody."""
    for at in range(len(work.messages) - 1, -1, -1):
        one = work.messages[at]
        if one.role is MessageRole.ASSISTANT:
            returned = {r.call_id for later in work.messages[at + 1 :] for r in later.returns}
            allowed = answered_in(work.messages[at + 1 :])
            return [
                call
                for call in one.calls
                if call.id not in returned and (call.waits is None or call.id in allowed)
            ]
    return []
