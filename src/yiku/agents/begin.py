"""How a run begins: the right to run is taken, what came in is stored, what is there is read.

All of it in one transaction: what was acknowledged is durable, and nothing else was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from yiku.agents import callbacks, lease
from yiku.agents.answers import check_answer, waiting_in
from yiku.agents.conversations import as_in, state_in
from yiku.agents.instructions import with_instructions
from yiku.agents.kinds import keeps_messages
from yiku.agents.lease import Asked
from yiku.core.agent import AgentState
from yiku.core.errors import IdempotencyConflict, Invalid
from yiku.core.ids import AgentId, ConversationId, MessageId, RunId, new_id
from yiku.core.message import (
    Incoming,
    Message,
    MessageRole,
    Part,
    Summary,
    ToolReturn,
    Utterance,
)
from yiku.core.run import Failure, Run, RunFilter, RunPage, RunStatus, Step, StopReason
from yiku.store import agents, attachments, conversations, messages, quotas, runs, steps
from yiku.store.contexts import Contexts
from yiku.store.database import Tx

LAST = (1 << 62) - 1
"""Above every `seq`."""
AGAIN = "These messages were sent before, and another run answers them."


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


def begin(tx: Tx, asked: Asked, contexts: Contexts, queued: Run | None = None) -> Begun | RunId:
    """Begin a run; or tell which one was begun with the same messages before.

    `queued`: the run is stored already. Raises: AgentNotFound, ConversationNotFound, AgentBusy,
    ApprovalPending, NothingToApprove, Invalid, IdempotencyConflict, QuotaExceeded.
    """
    state = agents.state(tx, asked.agent_id)
    known = known_otids(tx, asked, queued)
    if known and (before := run_before(known, asked)) is not None:
        return before
    if asked.conversation_id is not None:
        there = conversations.note_asked(tx, asked.agent_id, asked.conversation_id)
        state = as_in(state, there)
    lease.take(tx, asked)
    found = contexts.read(tx, asked.agent_id, asked.conversation_id)
    new = [one for one in asked.incoming if one.otid not in known]
    check_answer(waiting_in(found), new)
    found = with_instructions(tx, state, found, asked.conversation_id)
    if not keeps_messages(state.agent.config) and not waiting_in(found):
        forget(tx, found)
        found = found[:1]
    run = new_run(tx, asked, RunStatus.RUNNING) if queued is None else begun_now(asked, queued)
    run = runs.add(tx, run) if queued is None else runs.begin(tx, run)
    came = messages.add(tx, [of_incoming(tx, run, one) for one in new])
    begun = Begun(
        run=run,
        state=state,
        messages=(*found, *came),
        incoming=tuple(came),
        summary=messages.summary(tx, asked.agent_id, asked.conversation_id),
    )
    quotas.count_messages(tx, said_in(new) if queued is None else 0)
    return begun


def said_in(incoming: Sequence[Incoming]) -> int:
    """How many count: answers to calls that wait don't, or an agent would wait for ever."""
    return sum(one.role is MessageRole.USER for one in incoming)


def known_otids(tx: Tx, asked: Asked, queued: Run | None = None) -> dict[str, RunId | None]:
    """Which of the messages came before, and with which run: stored, or queued to be.

    `queued`: the run they came with; those that were queued after it don't count.
    Raises: Invalid where two of them have the same otid, IdempotencyConflict where one stands for
    another message already: that must not pass for an answer to this one.
    """
    given = {one.otid: one for one in asked.incoming if one.otid is not None}
    if not given:
        return {}
    if len(given) < sum(one.otid is not None for one in asked.incoming):
        raise Invalid("Each message needs an otid of its own, or none.", field="messages")
    known: dict[str, RunId | None] = {}
    for one in messages.with_otids(tx, asked.agent_id, sorted(given)):
        if one.otid is not None:
            demand_same(asked, given[one.otid], one, one.conversation_id)
            known[one.otid] = one.run_id
    waiting = RunFilter(agent_ids=(asked.agent_id,), statuses=(RunStatus.CREATED,))
    for run in runs.page(tx, waiting, RunPage(limit=1000)):
        if queued is None or run.seq < queued.seq:
            for one in run.request.incoming:
                if one.otid in given.keys() - known.keys():
                    demand_same(asked, given[one.otid], one, run.conversation_id)
                    known[one.otid] = run.id
    return known


def demand_same(
    asked: Asked, sent: Incoming, before: Utterance, conversation_id: ConversationId | None
) -> None:
    """Raises: IdempotencyConflict."""
    elsewhere = (conversation_id or None) != (asked.conversation_id or None)
    if elsewhere or as_sent(sent) != as_sent(before):
        where = "in another conversation" if elsewhere else "that says something else"
        raise IdempotencyConflict(
            f"The agent has a message with the otid {sent.otid!r:.80} already, {where}: give each"
            " message an otid of its own.",
        )


def as_sent(one: Utterance) -> tuple[MessageRole, tuple[Part, ...]]:
    """What is the same when a message is sent again. The name of a tool that a client has run is
    known as long as its call waits, and isn't sent."""
    parts = (replace(part, name="") if isinstance(part, ToolReturn) else part for part in one.parts)
    return one.role, tuple(parts)


def run_before(known: dict[str, RunId | None], asked: Asked) -> RunId | None:
    """The run that answers these messages already; None: one of them is new.

    Raises: IdempotencyConflict where they came with no run.
    """
    otids = [one.otid for one in asked.incoming]
    if any(otid is None or otid not in known for otid in otids):
        return None
    found = next((known[otid] for otid in reversed(otids) if otid and known[otid]), None)
    if found is None:
        raise IdempotencyConflict("The agent has these messages already, and no run answers them.")
    return found


def sent_before(tx: Tx, asked: Asked) -> RunId | None:
    """The run that the same messages began. Raises: IdempotencyConflict."""
    known = known_otids(tx, asked)
    return run_before(known, asked) if known else None


def forget(tx: Tx, found: Sequence[Message]) -> None:
    """What earlier runs said leaves the context, of an agent that doesn't keep it there."""
    first = found[0]
    if found[1:]:
        messages.archive(tx, first.agent_id, first.conversation_id, LAST, after_seq=first.seq)
    if messages.summary(tx, first.agent_id, first.conversation_id) is not None:
        messages.drop_summaries(tx, first.agent_id, first.conversation_id)


def queue(tx: Tx, asked: Asked) -> Run | RunId:
    """Store a run that begins when its turn has come; or tell which one the same messages began.

    Raises: AgentNotFound, IdempotencyConflict, QuotaExceeded.
    """
    attachments.hold(tx, asked.agent_id)  # of two that queue the same, one sees the other
    before = sent_before(tx, asked)
    if before is not None:
        return before
    if asked.conversation_id is not None:
        conversations.note_asked(tx, asked.agent_id, asked.conversation_id)
    request = replace(asked.request, incoming=asked.incoming)
    run = runs.add(tx, replace(new_run(tx, asked, RunStatus.CREATED), request=request))
    quotas.count_messages(tx, said_in(asked.incoming))
    return run


def begin_queued(tx: Tx, asked: Asked, contexts: Contexts) -> Begun | None:
    """Begin a run that was queued; None: it has ended, or another process has begun it.

    Raises: as `begin`, also AgentBusy where an older one goes first, and RunNotFound.
    """
    run = runs.get(tx, asked.run_id)
    if run.status is not RunStatus.CREATED:
        return None
    lease.demand_oldest(tx, asked)
    begun = begin(tx, asked, contexts, run)
    if isinstance(begun, Begun):
        return begun
    refuse(tx, run.id, Failure(kind=IdempotencyConflict.__name__, message=AGAIN))
    return None


def begun_now(asked: Asked, queued: Run) -> Run:
    request = replace(asked.request, incoming=())
    return replace(queued, status=RunStatus.RUNNING, request=request)


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
    callbacks.ask(tx, run)
    return run


def ask_to_end_in(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> list[Run]:
    """As `ask_to_end`, all of one conversation. Raises: AgentNotFound."""
    going_on = [run_id for run_id, _ in runs.going_on(tx, agent_id, conversation_id)]
    return ask_to_end(tx, agent_id, going_on)


def ask_to_end(tx: Tx, agent_id: AgentId, run_ids: Sequence[RunId] | None) -> list[Run]:
    """Mark runs as cancelled, those of all conversations where none is named; those that never
    began end at once. Returns those that hadn't ended. Raises: AgentNotFound, RunNotFound.
    """
    agents.get(tx, agent_id)
    if run_ids is None:
        going = RunFilter(agent_ids=(agent_id,), statuses=(RunStatus.CREATED, RunStatus.RUNNING))
        run_ids = [one.id for one in runs.page(tx, going, RunPage(limit=1000))]
    asked = [runs.get(tx, run_id) for run_id in runs.ask_cancel(tx, run_ids)]
    return [end_queued(tx, run) if run.status is RunStatus.CREATED else run for run in asked]


def end_queued(tx: Tx, run: Run) -> Run:
    ended = replace(
        run,
        status=RunStatus.CANCELLED,
        stop_reason=StopReason.CANCELLED,
        completed_at=tx.now,
    )
    callbacks.ask(tx, ended)
    return runs.update(tx, ended)


def resume(tx: Tx, asked: Asked, contexts: Contexts) -> Begun | None:
    """Take over a run whose process died; None: it has ended, or somebody else has it.

    Raises: AgentNotFound, ConversationNotFound, RunNotFound.
    """
    run = runs.get(tx, asked.run_id)
    if run.status.ended or not lease.take_over(tx, asked, run):
        return None
    run = runs.update(tx, replace(run, resumptions=run.resumptions + 1))
    state = state_in(tx, run.agent_id, run.conversation_id)
    found = contexts.read(tx, run.agent_id, run.conversation_id)
    return Begun(
        run=run,
        state=state,
        messages=tuple(with_instructions(tx, state, found, run.conversation_id)),
        incoming=tuple(one for one in found if one.run_id == run.id and one.step_id is None),
        summary=messages.summary(tx, run.agent_id, run.conversation_id),
        steps=tuple(steps.of_run(tx, run.id)),
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
