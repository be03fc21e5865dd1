"""How a run begins: the right to run is taken, what came in is stored, what is there is read.

All of it in one transaction: what was acknowledged is durable, and nothing else was seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from yiku.agents.holder import is_dead
from yiku.agents.instructions import system_of
from yiku.core.agent import AgentState, Lease
from yiku.core.errors import AgentBusy, ApprovalPending, Invalid, NothingToApprove
from yiku.core.ids import AgentId, ConversationId, MessageId, RunId, new_id
from yiku.core.message import Incoming, Message, MessageRole, Summary, Text, ToolCall
from yiku.core.run import Failure, Run, RunFilter, RunPage, RunRequest, RunStatus, Step, StopReason
from yiku.core.tenant import Actor
from yiku.store import agents, leases, messages, runs, steps
from yiku.store.contexts import Contexts
from yiku.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who is to run, on what, and by which process."""

    run_id: RunId
    agent_id: AgentId
    conversation_id: ConversationId | None
    incoming: tuple[Incoming, ...]
    request: RunRequest
    holder: str
    lease_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What a run begins with, as of one moment."""

    run: Run
    state: AgentState
    messages: tuple[Message, ...]
    """In the context, oldest first; the first holds the compiled instructions."""
    incoming: tuple[Message, ...]
    """The last of those: what the run was asked with."""
    summary: Summary | None
    steps: tuple[Step, ...] = ()
    """That the run has made already: none, unless it is resumed."""


def begin(tx: Tx, asked: Asked, contexts: Contexts) -> Begun:
    """Raises: AgentNotFound, AgentBusy, ApprovalPending, NothingToApprove, Invalid."""
    state = agents.state(tx, asked.agent_id)
    take(tx, asked)
    found = contexts.read(tx, asked.agent_id, asked.conversation_id)
    check_answer(waiting_in(found), asked.incoming)
    found = with_instructions(tx, state, found)
    run = new_run(tx, asked, RunStatus.RUNNING)
    runs.add(tx, run)
    came = messages.add(tx, [of_incoming(tx, run, one) for one in asked.incoming])
    return Begun(
        run=run,
        state=state,
        messages=(*found, *came),
        incoming=tuple(came),
        summary=messages.summary(tx, asked.agent_id, asked.conversation_id),
    )


def queue(tx: Tx, asked: Asked) -> Run:
    """Store a run that begins when its turn has come. Raises: AgentNotFound."""
    agents.get(tx, asked.agent_id)
    request = replace(asked.request, incoming=asked.incoming)
    run = replace(new_run(tx, asked, RunStatus.CREATED), request=request)
    runs.add(tx, run)
    return run


def begin_queued(tx: Tx, asked: Asked, contexts: Contexts) -> Begun | None:
    """Begin a run that was queued; None: it was cancelled, or another process has begun it.

    Raises: AgentNotFound, RunNotFound, AgentBusy, ApprovalPending, NothingToApprove, Invalid.
    """
    if runs.get(tx, asked.run_id).status is not RunStatus.CREATED:
        return None
    runs.remove(tx, asked.run_id)
    asked = replace(asked, request=replace(asked.request, incoming=()))
    return begin(tx, asked, contexts)


def refuse(tx: Tx, run_id: RunId, failure: Failure) -> Run:
    """End a queued run that could not begin. Raises: RunNotFound."""
    run = replace(
        runs.get(tx, run_id),
        status=RunStatus.FAILED,
        stop_reason=StopReason.ERROR,
        failure=failure,
        completed_at=tx.now,
    )
    runs.update(tx, run)
    return run


def ask_to_end(tx: Tx, agent_id: AgentId, run_ids: Sequence[RunId] | None) -> list[RunId]:
    """Mark runs as cancelled; those that never began end at once.

    Raises: AgentNotFound, RunNotFound.
    """
    agents.get(tx, agent_id)
    if run_ids is None:
        going = RunFilter(agent_ids=(agent_id,), statuses=(RunStatus.CREATED, RunStatus.RUNNING))
        run_ids = [one.id for one in runs.page(tx, going, RunPage(limit=1000))]
    asked = runs.ask_cancel(tx, run_ids)
    for run_id in asked:
        run = runs.get(tx, run_id)
        if run.status is RunStatus.CREATED:
            runs.update(
                tx,
                replace(
                    run,
                    status=RunStatus.CANCELLED,
                    stop_reason=StopReason.CANCELLED,
                    completed_at=tx.now,
                ),
            )
    return asked


def orphans(tx: Tx) -> list[tuple[Run, Actor]]:
    """Runs of all organizations that haven't ended and that no living process has."""
    return [(run, actor) for run, actor in runs.unfinished(tx.connection) if is_left(tx, run)]


def is_left(tx: Tx, run: Run) -> bool:
    owner = replace(tx.actor, organization_id=run.organization_id)
    of_run = Tx(tx.connection, owner, tx.now)
    held = leases.find(of_run, run.agent_id, run.conversation_id or "")
    if held is None:
        return True
    if is_dead(held.holder):
        leases.release(of_run, held)
        return True
    return held.run_id == run.id and held.until <= tx.now


def resume(tx: Tx, asked: Asked, contexts: Contexts) -> Begun | None:
    """Take over a run whose process died; None: it has ended, or somebody else has it.

    Raises: AgentNotFound, RunNotFound.
    """
    run = runs.get(tx, asked.run_id)
    if run.status.ended or not leases.take(tx, lease_of(tx, asked), tx.now):
        return None
    state = agents.state(tx, run.agent_id)
    found = contexts.read(tx, run.agent_id, run.conversation_id)
    return Begun(
        run=run,
        state=state,
        messages=tuple(with_instructions(tx, state, found)),
        incoming=tuple(one for one in found if one.run_id == run.id and one.step_id is None),
        summary=messages.summary(tx, run.agent_id, run.conversation_id),
        steps=tuple(steps.of_run(tx, run.id)),
    )


def take(tx: Tx, asked: Asked) -> None:
    """Raises: AgentBusy."""
    if not leases.take(tx, lease_of(tx, asked), tx.now):
        raise busy(asked.agent_id)


def busy(agent_id: AgentId) -> AgentBusy:
    return AgentBusy(
        f"Another run of agent {agent_id} goes on. Wait until it has ended, or cancel it.",
        agent_id=agent_id,
    )


def lease_of(tx: Tx, asked: Asked) -> Lease:
    return Lease(
        agent_id=asked.agent_id,
        conversation_id=asked.conversation_id or "",
        run_id=asked.run_id,
        holder=asked.holder,
        until=tx.now + timedelta(seconds=asked.lease_s),
    )


def new_run(tx: Tx, asked: Asked, status: RunStatus) -> Run:
    return Run(
        id=asked.run_id,
        organization_id=tx.actor.organization_id,
        agent_id=asked.agent_id,
        conversation_id=asked.conversation_id,
        status=status,
        request=asked.request,
        created_at=tx.now,
        created_by=tx.actor.user_id,
    )


def of_incoming(tx: Tx, run: Run, one: Incoming) -> Message:
    return Message(
        role=one.role,
        parts=one.parts,
        id=MessageId(new_id("message")),
        organization_id=tx.actor.organization_id,
        agent_id=run.agent_id,
        conversation_id=run.conversation_id,
        created_at=tx.now,
        created_by=tx.actor.user_id,
        run_id=run.id,
        name=one.name,
        otid=one.otid,
        sender_id=one.sender_id,
        group_id=one.group_id,
    )


def with_instructions(tx: Tx, state: AgentState, found: Sequence[Message]) -> list[Message]:
    """The first message as it is to be now: blocks may have changed since it was compiled."""
    text = system_of(state)
    if not found or not is_instructions(found[0]):
        return [instructions(tx, state, text), *found]
    first = found[0]
    if first.text != text:
        first = replace(first, parts=(Text(text),))
        messages.replace_parts(tx, first)
    return [first, *found[1:]]


def is_instructions(one: Message) -> bool:
    return one.role is MessageRole.SYSTEM and one.run_id is None


def instructions(tx: Tx, state: AgentState, text: str) -> Message:
    """The message that holds an agent's compiled instructions: the first of its conversation."""
    made = Message(
        role=MessageRole.SYSTEM,
        parts=(Text(text),),
        id=MessageId(new_id("message")),
        organization_id=tx.actor.organization_id,
        agent_id=state.agent.id,
        created_at=tx.now,
        created_by=tx.actor.user_id,
    )
    [stored] = messages.add(tx, [made])
    return stored


def waiting_in(found: Sequence[Message]) -> tuple[ToolCall, ...]:
    """The calls that wait: those of the last assistant message nobody has answered yet."""
    for at in range(len(found) - 1, -1, -1):
        if found[at].role is MessageRole.ASSISTANT:
            answered = answered_in(found[at + 1 :])
            calls = found[at].calls
            return tuple(c for c in calls if c.waits is not None and c.id not in answered)
    return ()


def answered_in(found: Iterable[Message]) -> set[str]:
    return {part.call_id for one in found for part in (*one.approvals, *one.returns)}


def check_answer(waiting: Sequence[ToolCall], incoming: Sequence[Incoming]) -> None:
    """Whether what came in is what is waited for.

    Raises: ApprovalPending, NothingToApprove, Invalid.
    """
    answers = [one for one in incoming if one.role is MessageRole.APPROVAL]
    if not waiting:
        if answers:
            raise NothingToApprove("No call of this agent waits for an approval or a return.")
        return
    names = ", ".join(f"{call.name} ({call.id})" for call in waiting)
    if not answers:
        raise ApprovalPending(
            f"The agent waits for an answer to {names}: approve or deny it, or return what the"
            " tool gave, before you send something else."
        )
    answered = {part.call_id for one in answers for part in (*one.approvals, *one.returns)}
    known = {call.id for call in waiting}
    if answered != known:
        strange, missing = sorted(answered - known), sorted(known - answered)
        problem = f"{strange[0]!r} doesn't wait" if strange else f"{missing[0]!r} isn't answered"
        raise Invalid(
            f"The calls that wait are {names}; each needs an answer, and {problem}.",
            field="messages",
        )
