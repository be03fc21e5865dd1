"""The right to run an agent's conversation: one run of one process has it at a time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from yiku.agents.holder import is_dead
from yiku.agents.work import Work
from yiku.core.agent import Lease
from yiku.core.errors import AgentBusy, StoreError
from yiku.core.ids import AgentId, ConversationId, RunId
from yiku.core.message import Incoming
from yiku.core.run import Ended, Run, RunRequest, RunStatus
from yiku.core.tenant import Actor
from yiku.store import attachments, leases, runs
from yiku.store.database import Tx

logger = logging.getLogger(__name__)


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


def asked_again(run: Run, holder: str, lease_s: float) -> Asked:
    """For a run that is stored already."""
    return Asked(
        run_id=run.id,
        agent_id=run.agent_id,
        conversation_id=run.conversation_id,
        incoming=run.request.incoming,
        request=run.request,
        holder=holder,
        lease_s=lease_s,
    )


def busy(agent_id: AgentId) -> AgentBusy:
    return AgentBusy(
        f"Another run of agent {agent_id} goes on. Wait until it has ended, or cancel it.",
        agent_id=agent_id,
    )


def wanted(tx: Tx, asked: Asked) -> Lease:
    return Lease(
        agent_id=asked.agent_id,
        conversation_id=asked.conversation_id or "",
        run_id=asked.run_id,
        holder=asked.holder,
        until=tx.now + timedelta(seconds=asked.lease_s),
    )


def take(tx: Tx, asked: Asked) -> None:
    """Take the lease for a run that begins. One that a dead process left unfinished comes first.

    Raises: AgentNotFound, AgentBusy.
    """
    going_on = runs.going_on(tx, asked.agent_id, asked.conversation_id)
    begun = any(status is RunStatus.RUNNING for _, status in going_on)
    if begun or not leases.take(tx, wanted(tx, asked), tx.now):
        raise busy(asked.agent_id)


def take_over(tx: Tx, asked: Asked, run: Run) -> bool:
    """Take the lease for a run that another process left; False: somebody has it."""
    attachments.hold(tx, run.agent_id)  # of two that find it, one sees the other
    return is_left(tx, run) and leases.take(tx, wanted(tx, asked), tx.now)


def demand_oldest(tx: Tx, asked: Asked) -> None:
    """Raises: AgentBusy where another run of the conversation is to begin before this one."""
    first, _ = runs.going_on(tx, asked.agent_id, asked.conversation_id)[0]
    if first != asked.run_id:
        raise busy(asked.agent_id)


def hold(tx: Tx, work: Work) -> None:
    """Keep the right to run. Raises: AgentBusy where the run isn't ours any more."""
    if not leases.renew(tx, work.lease(tx.now)):
        raise AgentBusy(
            f"Run {work.run.id} was taken over by another server, which did not hear of this one"
            f" for {work.lease_s:g} seconds; or its agent was deleted."
        )


def demand_idle(tx: Tx, agent_id: AgentId, conversation_id: ConversationId | None) -> None:
    """Raises: AgentBusy where a run goes on, or is to go on."""
    going_on = runs.going_on(tx, agent_id, conversation_id)
    if any(status is RunStatus.RUNNING for _, status in going_on):
        raise busy(agent_id)


def orphans(tx: Tx) -> list[tuple[Run, Actor]]:
    """Runs of all organizations that haven't ended and that no living process has."""
    return [(run, actor) for run, actor in runs.unfinished(tx.connection) if is_left(tx, run)]


def is_left(tx: Tx, run: Run) -> bool:
    """Whether nobody has the run. A dead process's lease stays until the run is resumed."""
    of_run = Tx(tx.connection, replace(tx.actor, organization_id=run.organization_id), tx.now)
    held = leases.find(of_run, run.agent_id, run.conversation_id or "")
    if held is None or is_dead(held.holder):
        return True
    return held.run_id == run.id and held.until <= tx.now


async def park(work: Work) -> None:
    """Give a run's lease back, so that the next process need not wait for its end."""
    if work.active.ended:
        return
    try:
        await work.agents.database.write(
            work.actor, lambda tx: leases.release(tx, work.lease(tx.now))
        )
    except StoreError:
        logger.exception("a lease could not be given back", extra={"run": work.run.id})
    work.active.tell(Ended(work.run))
