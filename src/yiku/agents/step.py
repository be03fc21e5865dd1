"""One step: the model is asked, its calls are judged and run, and all of it is saved at once.

A step is one transaction. Calls that act outside the database (custom tools, searches) must not be
forgotten when the process dies in the middle of them: before the first one runs, the model's
message is stored and the step is pending. A restart finds it, and runs them with the same
idempotency keys.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from yiku.agents import save
from yiku.agents.close import begun_row
from yiku.agents.judge import Judged, answered, judge, told_apart
from yiku.agents.save import Outcome, Saved
from yiku.agents.think import think
from yiku.agents.work import Trying, Work
from yiku.core.ids import MessageId, StepId, new_id
from yiku.core.message import Message, MessageRole, Part, ToolCall, ToolReturn
from yiku.core.run import Stepped, StopReason, Stored
from yiku.core.telemetry import Kind
from yiku.store.database import now_utc
from yiku.tools import executor


async def step(work: Work) -> StopReason | None:
    """Make the run's next step; why the run ends with it, or None.

    Raises: ProviderError, PromptTooLong, Cancelled, AgentBusy, StoreError.
    """
    trying = Trying(
        step_id=StepId(new_id("step")), message_id=MessageId(new_id("message")), began_at=now_utc()
    )
    work.trying = trying
    with work.agents.telemetry.doing(Kind.STEP, "step"):
        return await make(work, trying)


async def make(work: Work, trying: Trying) -> StopReason | None:
    """Raises: as `step`."""
    thought = await think(work, trying)
    calls = [part for part in thought.answer.parts if isinstance(part, ToolCall)]
    judged = told_apart(judge(work, calls), work.messages)
    parts = marked(thought.answer.parts, judged)
    message = work.message(
        MessageRole.ASSISTANT, parts, now_utc(), step_id=trying.step_id, id=trying.message_id
    )
    row = replace(
        begun_row(work),
        model=thought.answer.model,
        usage=thought.answer.usage,
        created_at=now_utc(),
        model_ns=thought.took_ns,
        ttft_ns=thought.ttft_ns,
    )
    outcome = Outcome(message=message, judged=judged, row=row, finish=thought.answer.finish)
    stop = await carry_out(work, outcome)
    if work.agents.traces is not None:
        work.agents.traces.note(work.actor, trying.step_id, thought.prompt, thought.answer)
    return stop


async def carry_out(work: Work, outcome: Outcome) -> StopReason | None:
    """Run a message's calls and save them. Raises: Cancelled, AgentBusy, StoreError."""
    if outcome.judged.actions:
        if not outcome.stored and outcome.row is not None:
            row, message = await save.pending(work, outcome.row, outcome.message)
            work.steps.append(row)
            hear(work, [message])
            outcome = replace(outcome, row=row, message=message, stored=True)
        began = time.monotonic_ns()
        acted = await act(work, outcome)
        row = outcome.row and replace(outcome.row, tools_ns=time.monotonic_ns() - began)
        outcome = replace(outcome, row=row, acted=acted)
    saved = await save.step(work, outcome)
    tell_deeds(work, outcome, saved)
    take_over(work, saved)
    return saved.stop


async def act(work: Work, outcome: Outcome) -> Mapping[str, ToolReturn]:
    """What the calls that act outside the database return. Raises: Cancelled."""
    desk = save.desk_of(work, outcome, now_utc())
    async with work.cancellable():
        actions, telemetry = list(outcome.judged.actions.values()), work.agents.telemetry
        returns = await executor.run_actions(desk, actions, telemetry)
    return {one.call_id: one for one in returns}


def tell_deeds(work: Work, outcome: Outcome, saved: Saved) -> None:
    """Deeds are done in the transaction that saves them; that it took is told of that."""
    returns = {one.call_id: one for said in saved.messages for one in said.returns}
    for call_id, deed in outcome.judged.deeds.items():
        if call_id in returns:
            name = executor.told_as(deed.tool)
            work.agents.telemetry.done(Kind.TOOL, name, ok=returns[call_id].ok)


def marked(parts: tuple[Part, ...], judged: Judged) -> list[Part]:
    """The answer's parts, with each call as it was judged."""
    calls = iter(judged.calls)
    return [next(calls) if isinstance(part, ToolCall) else part for part in parts]


def hear(work: Work, said: list[Message]) -> None:
    """Messages became durable."""
    work.heard.clear()
    work.trying = None
    work.messages += said
    for one in said:
        work.active.tell(Stored(one))


def take_over(work: Work, saved: Saved) -> None:
    """Go on from what was saved."""
    work.run, work.state, work.progress = saved.run, saved.state, saved.progress
    if saved.instructions is not None:
        work.messages[0] = saved.instructions
    hear(work, list(saved.messages))
    if saved.step is not None:
        work.steps = [row for row in work.steps if row.id != saved.step.id] + [saved.step]
        work.active.tell(Stepped(saved.step))


async def settle(work: Work) -> StopReason | None:
    """Run what the run's last assistant message still has open: calls that were answered just now,
    or that the death of a process cut off. Why the run ends with it, or None.

    Raises: Cancelled, AgentBusy, StoreError.
    """
    found = open_message(work)
    if found is None:
        return None
    message, later = found
    approvals = {a.call_id: a for one in later for a in one.approvals}
    given = {r.call_id: r for one in later for r in one.returns}
    waited = [call for call in message.calls if call.waits is not None]
    pending = next((row for row in work.steps if row.id == message.step_id), None)
    if pending is not None:
        judged = judge(work, message.calls)
    else:
        judged = answered(work, waited, approvals, given)
    return await carry_out(work, Outcome(message=message, judged=judged, row=pending, stored=True))


def open_message(work: Work) -> tuple[Message, list[Message]] | None:
    """The last assistant message, and what came after it, where calls of it lack a return."""
    for at in range(len(work.messages) - 1, -1, -1):
        message = work.messages[at]
        if message.role is not MessageRole.ASSISTANT:
            continue
        later = work.messages[at + 1 :]
        returned = {r.call_id for one in later if one.role is MessageRole.TOOL for r in one.returns}
        if message.calls and not all(call.id in returned for call in message.calls):
            ours = message.run_id == work.run.id or any(
                one.role is MessageRole.APPROVAL and one.run_id == work.run.id for one in later
            )
            return (message, later) if ours else None
        return None
    return None
