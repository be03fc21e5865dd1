"""What a step leaves in the database: one transaction each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from yiku.agents import lease, rules
from yiku.agents.close import close
from yiku.agents.instructions import with_instructions
from yiku.agents.judge import Judged
from yiku.agents.rules import Called, Progress
from yiku.agents.work import Work
from yiku.core.agent import AgentState
from yiku.core.block import Block
from yiku.core.message import Message, MessageRole, Text, ToolReturn
from yiku.core.model import Finish
from yiku.core.run import Run, Step, StepStatus, StopReason
from yiku.store import agents, messages, quotas, runs, steps
from yiku.store.database import Tx
from yiku.tools import executor
from yiku.tools.desk import Desk

SPOKEN = (MessageRole.ASSISTANT, MessageRole.SYSTEM)
"""The model, and our notes to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A step that is to be saved."""

    message: Message
    """The model's."""
    judged: Judged
    acted: Mapping[str, ToolReturn] = field(default_factory=dict[str, ToolReturn])
    """What calls that act outside returned, by call."""
    row: Step | None = None
    """None: the step was saved by another run, and its calls, which waited, were answered."""
    stored: bool = False
    """The message is stored already, and the step is pending."""
    finish: Finish = Finish.END


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """How things stand after a step."""

    run: Run
    stop: StopReason | None
    progress: Progress
    state: AgentState
    messages: tuple[Message, ...]
    """Stored just now, in order."""
    step: Step | None
    instructions: Message | None
    """Compiled anew, because blocks have changed."""


async def pending(work: Work, row: Step, message: Message) -> tuple[Step, Message]:
    """Store the model's message before its calls act outside. Raises: AgentBusy, StoreError."""

    def unit(tx: Tx) -> tuple[Step, Message]:
        lease.hold(tx, work)
        [stored] = messages.add(tx, [message])
        return steps.add(tx, replace(row, status=StepStatus.PENDING)), stored

    return await work.agents.database.write(work.actor, unit)


async def step(work: Work, outcome: Outcome) -> Saved:
    """Save a step with what its calls did. Raises: AgentBusy, StoreError."""
    if not outcome.judged.actions:
        # It may end the run: the job that then judges what was looked up must find it.
        await work.agents.skills.looking.written()
    return await work.agents.database.write(work.actor, lambda tx: save(tx, work, outcome))


def save(tx: Tx, work: Work, outcome: Outcome) -> Saved:
    lease.hold(tx, work)
    said: list[Message] = [] if outcome.stored else messages.add(tx, [outcome.message])
    desk = desk_of(work, outcome, tx.now)
    returns = returns_of(tx, work, desk, outcome)
    if returns:
        step_id = outcome.message.step_id
        told = work.message(MessageRole.TOOL, returns, tx.now, step_id=step_id)
        said += messages.add(tx, [told])
    called = called_in(outcome.judged, returns)
    progress = work.progress.with_calls(*called)
    stop, note = after(work, outcome, progress, called)
    if note is not None:
        said += messages.add(tx, [work.message(MessageRole.SYSTEM, [Text(note)], tx.now)])
    if taken_up(tx, outcome) and stop is None:
        stop = StopReason.INSUFFICIENT_CREDITS
    row = put_row(tx, outcome, stop)
    run = counted(work, row)
    if stop is None:
        run = runs.update(tx, run)
        stop = StopReason.CANCELLED if run.cancel_asked else None
    if stop is not None:
        run = close(tx, work, run, stop, said=said)
    state = with_blocks(tx, work.state, desk.blocks, goes_on=stop is None)
    changed = state is not work.state
    return Saved(
        run=run,
        stop=stop,
        progress=progress,
        state=state,
        messages=tuple(said),
        step=row,
        instructions=compiled(tx, state, work) if changed else None,
    )


def desk_of(work: Work, outcome: Outcome, now: datetime) -> Desk:
    """What the calls of a step work at."""
    row, step_id = outcome.row, outcome.message.step_id
    assert step_id is not None, "a model's message is of a step"
    return Desk(
        actor=work.actor,
        state=work.state,
        run_id=work.run.id,
        step_id=step_id,
        n=work.run.step_count if row is None else row.n,
        now=now,
        memory=work.agents.memory,
        skills=work.agents.skills,
        toolbox=work.agents.tools,
        language=work.language,
    )


def returns_of(tx: Tx, work: Work, desk: Desk, outcome: Outcome) -> list[ToolReturn]:
    """In the order of the calls; those that work in this transaction do it now."""
    judged = outcome.judged
    returns: list[ToolReturn] = []
    for call in judged.calls:
        if call.id in judged.refused:
            returns.append(judged.refused[call.id])
        elif call.id in outcome.acted:
            returns.append(outcome.acted[call.id])
        elif call.id in judged.deeds:
            here = replace(desk, call_id=call.id)
            returns.append(executor.performed(tx, here, judged.deeds[call.id]))
    return [checked(work, one) for one in returns]


def checked(work: Work, one: ToolReturn) -> ToolReturn:
    """A return that a rule doesn't take has failed, and the model is told why."""
    if not one.ok:
        return one
    wrong = rules.output_refused(work.rules, work.tool_names, one.name, one.text, work.language)
    return one if wrong is None else replace(one, ok=False, text=wrong)


def called_in(judged: Judged, returns: Sequence[ToolReturn]) -> list[Called]:
    """The calls that were carried out, here or by the client, with what they returned."""
    ran = {one.call_id: one for one in (*returns, *judged.given.values())}
    return [
        Called(call.name, ran[call.id].text, ran[call.id].ok)
        for call in judged.calls
        if call.id in ran and call.id not in judged.refused
    ]


def after(
    work: Work, outcome: Outcome, progress: Progress, called: Sequence[Called]
) -> tuple[StopReason | None, str | None]:
    """Why the run ends now, or None; and what the model is told that may not end it yet."""
    judged, names = outcome.judged, work.tool_names
    stop, note = None, None
    if judged.waiting:
        stop = StopReason.REQUIRES_APPROVAL
    elif judged.calls:
        ends = rules.after(work.rules, progress, names, called) == "end"
        stop = StopReason.TOOL_RULE if ends else None
    elif outcome.finish is Finish.LENGTH:
        stop = StopReason.MAX_TOKENS_EXCEEDED
    else:
        note = rules.exit_refused(work.rules, progress, names, work.language)
        if note is None:
            stop = StopReason.NO_TOOL_CALL if work.kind.needs_call else StopReason.END_TURN
        elif talked(work) + 1 >= rules.ENOUGH:
            stop = StopReason.NO_TOOL_CALL
    if stop is None:
        stop = limit(work, outcome)
    return stop, note if stop is None else None


def talked(work: Work) -> int:
    """How often in a row the run's model has answered without a call by now, though a rule wants
    one and it was told so.

    The prompt asks for the call (`rules.tool_choice`); models that can't be forced, and servers
    that take no notice, talk on until the last step, at their user's cost.
    """
    count = 0
    for one in reversed(work.messages):
        if one.run_id != work.run.id or one.calls or one.role not in SPOKEN:
            break
        count += one.role is MessageRole.ASSISTANT
    return count


def limit(work: Work, outcome: Outcome) -> StopReason | None:
    if work.cancel_asked:
        return StopReason.CANCELLED
    made = work.run.step_count + (outcome.row is not None)
    return StopReason.MAX_STEPS if made >= work.run.request.max_steps else None


def taken_up(tx: Tx, outcome: Outcome) -> bool:
    """Count the step's tokens; whether the organization has none left today."""
    used = None if outcome.row is None else outcome.row.usage
    return used is not None and quotas.count_tokens(tx, used.total_tokens)


def put_row(tx: Tx, outcome: Outcome, stop: StopReason | None) -> Step | None:
    if outcome.row is None:
        return None
    row = replace(outcome.row, status=StepStatus.SUCCESS, stop_reason=stop)
    if not outcome.stored:
        return steps.add(tx, row)
    steps.put(tx, row)
    return row


def counted(work: Work, row: Step | None) -> Run:
    if row is None:
        return work.run
    return replace(
        work.run,
        step_count=row.n,
        resumptions=0,
        usage=work.run.usage + row.usage,
        context_tokens=row.usage.prompt_tokens or work.run.context_tokens,
        ttft_ns=row.ttft_ns if work.run.ttft_ns is None else work.run.ttft_ns,
    )


def with_blocks(
    tx: Tx, state: AgentState, edited: Mapping[str, Block | None], *, goes_on: bool
) -> AgentState:
    """With blocks and files as they are now, by this step's deeds or anybody else's; `state`
    itself where they are as they were.

    A run that goes on is shown what others have written meanwhile, or else it would meet the same
    conflict at every edit.
    """
    if not edited and not goes_on:
        return state
    now = agents.blocks_of(tx, state.agent.id)
    folders = agents.folders_of(tx, state.agent) if state.folders else ()
    if now == state.blocks and folders == state.folders:
        return state
    return replace(state, blocks=now, folders=folders)


def compiled(tx: Tx, state: AgentState, work: Work) -> Message:
    """The agent's instructions, compiled anew and stored."""
    return with_instructions(tx, state, work.messages[:1], work.run.conversation_id)[0]
