"""Batches: many requests to agents, carried out in the background, each exactly once.

A job looks at the batch for a few seconds: it begins what there is room for, in runs of their own,
notes what has ended, and asks for the next job. So no job waits for models, and where a process
dies, the next one goes on. Each message of an item has an otid of its own: an item that was begun
before its beginning could be noted begins no second run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from yiku.agents import callbacks
from yiku.agents.runner import Runner
from yiku.core.batch import Batch, BatchItem, BatchStatus
from yiku.core.errors import BatchNotFound, NotFound, RunNotFound, StoreError, YikuError
from yiku.core.ids import AgentId, BatchId, RunId, new_id
from yiku.core.message import Incoming
from yiku.core.run import Run, RunRequest, RunStatus
from yiku.core.tenant import Actor
from yiku.store import batches, outbox, runs
from yiku.store.database import Database, Tx

JOB = "batch"
"""The job that looks at a batch; its key is the batch's id and the number of the look."""
AT_ONCE = 8
"""Items of a batch that go on at once, each of another agent."""
LOOK_S = 5.0
"""How long one job looks at a batch whose items end one after the other."""
AGAIN_S = 1.0
"""Until the next job looks."""
ENDED = {
    RunStatus.COMPLETED: BatchStatus.COMPLETED,
    RunStatus.FAILED: BatchStatus.FAILED,
    RunStatus.CANCELLED: BatchStatus.CANCELLED,
}


async def create(
    database: Database,
    actor: Actor,
    asked: Sequence[tuple[AgentId, RunRequest]],
    callback_url: str | None = None,
) -> Batch:
    """Store a batch; its items begin soon. Raises: AgentNotFound, StoreError."""
    batch_id = BatchId(new_id("batch"))

    def unit(tx: Tx) -> Batch:
        made = Batch(
            id=batch_id,
            organization_id=tx.actor.organization_id,
            status=BatchStatus.CREATED,
            callback_url=callback_url,
            created_at=tx.now,
            created_by=tx.actor.user_id,
        )
        items = [
            BatchItem(batch_id=batch_id, n=n, agent_id=agent_id, request=request)
            for n, (agent_id, request) in enumerate(asked)
        ]
        made = batches.add(tx, made, items)
        outbox.put(tx, JOB, f"{batch_id}:0")
        return made

    return await database.write(actor, unit)


async def cancel(database: Database, runner: Runner, actor: Actor, batch_id: BatchId) -> None:
    """End a batch: what hasn't begun doesn't, and runs that go on are asked to end.

    Raises: BatchNotFound, StoreError.
    """

    def unit(tx: Tx) -> list[BatchItem]:
        there = batches.get(tx, batch_id)
        if batches.end(tx, batch_id, BatchStatus.CANCELLED):
            callbacks.ask_of_batch(tx, there)
        return batches.going_on(tx, batch_id)

    for one in await database.write(actor, unit):
        if one.run_id is not None:
            await end(runner, actor, one.agent_id, one.run_id)


async def end(runner: Runner, actor: Actor, agent_id: AgentId, run_id: RunId) -> None:
    try:
        await runner.cancel(actor, agent_id, [run_id])
    except NotFound:
        return  # it was erased: it has ended


async def look(database: Database, runner: Runner, actor: Actor, key: str) -> None:
    """Carry out a job of a batch. Raises: StoreError."""
    named, _, number = key.rpartition(":")
    batch_id, until = BatchId(named), time.monotonic() + LOOK_S
    while True:
        try:
            left = await advance(database, runner, actor, batch_id)
        except BatchNotFound:
            return
        if left is None:
            return
        remaining = until - time.monotonic()
        if remaining <= 0:
            break
        if left:
            await any_ended(runner, actor, left, remaining)

    def again(tx: Tx) -> None:
        due_at = tx.now + timedelta(seconds=AGAIN_S)
        outbox.put(tx, JOB, f"{batch_id}:{int(number) + 1}", due_at=due_at)

    await database.write(actor, again)


async def advance(
    database: Database, runner: Runner, actor: Actor, batch_id: BatchId
) -> list[RunId] | None:
    """Note what has ended, begin what there is room for; the runs that go on now. None: it is done.

    Raises: BatchNotFound, StoreError.
    """

    def note(tx: Tx) -> tuple[list[BatchItem], list[BatchItem]] | None:
        batch = batches.get(tx, batch_id)
        status = batch.status
        batches.begin(tx, batch_id)
        there = [one for one in batches.going_on(tx, batch_id) if not noted(tx, one)]
        busy = {one.agent_id for one in there}
        waiting = [] if status.ended else batches.next_ones(tx, batch_id, AT_ONCE + len(busy))
        free = [one for one in waiting if one.agent_id not in busy]
        if not there and not waiting:
            if batches.end(tx, batch_id, BatchStatus.COMPLETED):
                callbacks.ask_of_batch(tx, batch)
            return None
        return there, free[: max(0, AT_ONCE - len(there))]

    found = await database.write(actor, note)
    if found is None:
        return None
    there, free = found
    going_on = [one.run_id for one in there if one.run_id is not None]
    for one in free:
        run_id = await begun(database, runner, actor, one)
        if run_id is not None:
            going_on.append(run_id)
    return going_on


def noted(tx: Tx, one: BatchItem) -> bool:
    """Whether an item's run has ended; then the item has, too."""
    try:
        run = None if one.run_id is None else runs.get(tx, one.run_id)
    except RunNotFound:
        run = None
    if run is not None and not run.status.ended:
        return False
    status = BatchStatus.FAILED if run is None else ENDED[run.status]
    problem = "Its run was erased." if run is None else problem_of(run)
    batches.set_item(tx, one, status, problem=problem)
    return True


def problem_of(run: Run) -> str | None:
    return None if run.failure is None else f"{run.failure.kind}: {run.failure.message}"


async def begun(database: Database, runner: Runner, actor: Actor, one: BatchItem) -> RunId | None:
    """Begin an item's run; None: it can't be, and has failed. Raises: StoreError."""
    request = replace(one.request, incoming=(), background=True)
    try:
        active = await runner.start(actor, one.agent_id, numbered(one), request)
    except StoreError:
        raise
    except YikuError as error:
        problem = f"{type(error).__name__}: {error.message}"
        await database.write(
            actor,
            lambda tx: batches.set_item(tx, one, BatchStatus.FAILED, problem=problem),
        )
        return None
    run_id = active.run.id
    still = await database.write(
        actor, lambda tx: batches.set_item(tx, one, BatchStatus.RUNNING, run_id=run_id)
    )
    if not still:  # the batch was cancelled meanwhile
        await end(runner, actor, one.agent_id, run_id)
        return None
    return run_id


def numbered(one: BatchItem) -> list[Incoming]:
    """With an otid each, so that they begin one run however often they are sent."""
    return [
        replace(each, otid=f"{one.batch_id}/{one.n}/{at}") if each.otid is None else each
        for at, each in enumerate(one.request.incoming)
    ]


async def any_ended(
    runner: Runner, actor: Actor, run_ids: Sequence[RunId], timeout_s: float
) -> None:
    """Return when one of the runs has ended, or after a while."""
    waiting: list[asyncio.Task[Run]] = []
    try:
        for run_id in run_ids:
            active = await runner.watch(actor, run_id)
            waiting.append(asyncio.create_task(active.wait(), name=f"yiku-batch-{run_id}"))
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    except RunNotFound:
        return  # it was erased: its item is looked at next
    finally:
        for task in waiting:
            task.cancel()
