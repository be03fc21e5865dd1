"""Schedules: agents are sent messages later, once or again and again.

The row says when it is due next; a job of the outbox wakes a server then. In one transaction it
goes on to its next time, and the run is stored, which begins when the agent's turn has come: so it
fires once, whatever servers there are and wherever they die. A job that is carried out again finds
that nothing is due.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from yiku.agents import begin, cron
from yiku.agents.check import check_timezone
from yiku.agents.lease import Asked
from yiku.agents.runner import Runner
from yiku.core.errors import (
    AgentNotFound,
    IdempotencyConflict,
    Invalid,
    QuotaExceeded,
    RunNotFound,
    ScheduleNotFound,
)
from yiku.core.ids import RunId, ScheduleId, new_id
from yiku.core.run import Run, RunStatus
from yiku.core.schedule import Missed, Schedule, ScheduleDraft, ScheduleStatus
from yiku.core.skill import Again, Job
from yiku.core.tenant import Actor
from yiku.store import attachments, outbox, runs
from yiku.store import schedules as store
from yiku.store.database import Database, Tx

logger = logging.getLogger(__name__)

JOB = "schedule"
"""The job that looks whether a schedule is due; its key is the schedule's id."""
LATE = timedelta(minutes=1)
"""What is due for longer was missed: no server was there."""
PASSED = timedelta(minutes=1)
IN_SECONDS = datetime(1971, 1, 1, tzinfo=UTC)
"""Milliseconds before it are seconds of this century."""
"""As long ago the only time of a new schedule may be: clocks differ."""
SCHEDULE = "schedule_id"
"""In a run's metadata: what began it."""
NEVER = "It would never fire: no day there is fits `{cron}`."
STILL_WAITING = "The run of the time before hasn't begun yet: the agent isn't asked twice."
TOO_LATE = "No server was there at its time, and what is missed is skipped."


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of looking at a schedule."""

    run: Run | None = None
    """To begin now."""
    next_at: datetime | None = None


async def create(database: Database, actor: Actor, draft: ScheduleDraft) -> Schedule:
    """Raises: Invalid, AgentNotFound."""

    def unit(tx: Tx) -> Schedule:
        attachments.demand(tx, draft.agent_id)
        made = store.add(tx, new_schedule(tx, draft))
        outbox.put(tx, JOB, made.id, due_at=made.next_at)
        return made

    return await database.write(actor, unit)


def new_schedule(tx: Tx, draft: ScheduleDraft) -> Schedule:
    """Raises: Invalid."""
    return Schedule(
        id=ScheduleId(new_id("schedule")),
        organization_id=tx.actor.organization_id,
        agent_id=draft.agent_id,
        status=ScheduleStatus.ACTIVE,
        at=draft.at,
        cron=draft.cron,
        timezone=draft.timezone,
        missed=draft.missed,
        request=draft.request,
        next_at=first_time(draft, tx.now),
        created_at=tx.now,
        created_by=tx.actor.user_id,
    )


def first_time(draft: ScheduleDraft, now: datetime) -> datetime:
    """Raises: Invalid."""
    if draft.at is not None:
        if draft.at < now - PASSED:
            raise Invalid(
                f"{draft.at:%Y-%m-%d %H:%M:%S} UTC has passed."
                + (
                    " It is given in milliseconds since 1970, not in seconds."
                    if draft.at < IN_SECONDS
                    else ""
                ),
                field="scheduled_at",
            )
        return draft.at
    check_timezone(draft.timezone)
    expression = draft.cron or ""
    found = cron.next_after(expression, draft.timezone, now)
    if found is None:
        raise Invalid(NEVER.format(cron=expression), field="cron_expression")
    return found


async def carry_out(runner: Runner, database: Database, actor: Actor, job: Job) -> Again | None:
    """Fire a schedule where it is due; when it is to be looked at again."""
    fired = await database.write(actor, lambda tx: fire(tx, ScheduleId(job.key)))
    if fired.run is not None:
        logger.info("a schedule fired", extra={"schedule": job.key, "run": fired.run.id})
        await runner.take_up(actor, fired.run)
    return None if fired.next_at is None else Again(fired.next_at)


def fire(tx: Tx, schedule_id: ScheduleId) -> Fired:
    """If it is due: let it go on to its next time, and store its run."""
    try:
        # Who deletes the agent takes the agent first, too: so nobody waits for the other in a ring.
        attachments.hold(tx, store.get(tx, schedule_id).agent_id)
        seen = store.get_to_change(tx, schedule_id)
    except (ScheduleNotFound, AgentNotFound):  # it was deleted, or has fired
        return Fired()
    if seen.next_at is None or seen.next_at > tx.now:
        return Fired(next_at=seen.next_at)
    if seen.missed is Missed.SKIP and tx.now - seen.next_at > LATE:
        return passed_over(tx, seen, ScheduleStatus.MISSED, TOO_LATE)
    if still_waits(tx, seen):
        return passed_over(tx, seen, ScheduleStatus.MISSED, STILL_WAITING)
    try:
        run = stored_run(tx, seen)
    except (IdempotencyConflict, QuotaExceeded) as error:
        return passed_over(tx, seen, ScheduleStatus.FAILED, error.message)
    if seen.cron is None:
        store.remove(tx, seen)
        return Fired(run)
    gone_on = replace(
        on_to_next(seen, tx.now),
        fired_at=tx.now,
        fired_count=seen.fired_count + 1,
        last_run_id=seen.last_run_id if run is None else run.id,
        problem=None,
    )
    return Fired(run, store.update(tx, gone_on).next_at)


def on_to_next(seen: Schedule, now: datetime) -> Schedule:
    """However many times have passed, the next one is to come."""
    next_at = cron.next_after(seen.cron or "", seen.timezone, now)
    return replace(seen, next_at=next_at)


def passed_over(tx: Tx, seen: Schedule, ended: ScheduleStatus, problem: str) -> Fired:
    """This time it doesn't fire; `ended`: what that makes of one that was to fire once."""
    if seen.cron is None:
        store.update(tx, replace(seen, status=ended, next_at=None, problem=problem))
        return Fired()
    gone_on = store.update(tx, replace(on_to_next(seen, tx.now), problem=problem))
    return Fired(next_at=gone_on.next_at)


def still_waits(tx: Tx, seen: Schedule) -> bool:
    """Whether the run of the last time hasn't begun: the agent has been busy since."""
    if seen.last_run_id is None:
        return False
    try:
        return runs.get(tx, seen.last_run_id).status is RunStatus.CREATED
    except RunNotFound:
        return False


def stored_run(tx: Tx, seen: Schedule) -> Run | None:
    """None: the agent was sent these messages before, under the same otids, and has a run of them.

    Raises: IdempotencyConflict, QuotaExceeded.
    """
    incoming = seen.request.incoming
    if seen.cron is not None:  # each time it is said anew
        incoming = tuple(replace(one, otid=None) for one in incoming)
    asked = Asked(
        run_id=RunId(new_id("run")),
        agent_id=seen.agent_id,
        conversation_id=None,
        incoming=incoming,
        request=seen.request,
        holder="",
        lease_s=0.0,
    )
    stored = begin.queue(tx, asked)
    if not isinstance(stored, Run):
        return None
    return runs.update(tx, replace(stored, metadata={**stored.metadata, SCHEDULE: seen.id}))


def remove(tx: Tx, schedule_id: ScheduleId) -> None:
    """It fires no more; what it has begun goes on. Raises: ScheduleNotFound."""
    store.remove(tx, store.get_to_change(tx, schedule_id))
