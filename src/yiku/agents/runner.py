"""Runs of this process: begun, watched, cancelled, resumed after a crash, parked at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Coroutine, Sequence

from yiku.agents import begin, follow, loop
from yiku.agents.active import ActiveRun
from yiku.agents.begin import Begun
from yiku.agents.holder import new_holder
from yiku.agents.instructions import language_in
from yiku.agents.keeper import Keeper
from yiku.agents.lease import Asked, asked_again, busy, park
from yiku.agents.prompt import progress_in
from yiku.agents.shared import Agents
from yiku.agents.turns import Turns
from yiku.agents.work import Work
from yiku.core.errors import AgentBusy, NotFound, ServerEnding, StoreError, YikuError
from yiku.core.ids import AgentId, ConversationId, RunId, new_id
from yiku.core.message import Incoming
from yiku.core.run import Ended, Run, RunRequest, RunStatus
from yiku.core.telemetry import Kind, within
from yiku.core.tenant import Actor
from yiku.store import runs
from yiku.store.database import Unit

logger = logging.getLogger(__name__)

RECENT = 256
"""Ended runs that can still be watched piece by piece."""
POLL_S = 0.05
LONGEST_POLL_S = 1.0
DRAIN_S = 10.0
"""How long a closing server lets its runs end by themselves."""


class Runner:
    """Runs agents in this process; runs of one conversation come one after the other."""

    def __init__(
        self, agents: Agents, *, lease_s: float, wait_s: float, drain_s: float = DRAIN_S
    ) -> None:
        """`lease_s`: after so many seconds without a sign of life another process takes a run
        over. `wait_s`: how long a run waits for the one before it. `drain_s`: how long closing
        waits for runs.
        """
        self._agents = agents
        agents.peers.runner = self
        self._lease_s = lease_s
        self._wait_s = wait_s
        self._drain_s = drain_s
        self._holder = new_holder()
        self._turns = Turns()
        self._works: dict[RunId, Work] = {}
        """The runs that go on."""
        self._tasks: dict[RunId, asyncio.Task[None]] = {}
        """Of those, and of runs that wait to begin or to go on."""
        self._watching: set[asyncio.Task[None]] = set()
        self._recent: OrderedDict[RunId, ActiveRun] = OrderedDict()
        self._closing: asyncio.Task[None] | None = None
        self._keeper = Keeper(agents.database, lease_s, self._works, self._tasks, self._take_over)

    @property
    def agents(self) -> Agents:
        return self._agents

    async def open(self) -> None:
        """Go on with what dead processes left, and begin to keep leases; the first run does, too.

        On return what was left has its turn, before all that is asked from now on.
        Raises: StoreError.
        """
        self._agents.recall.start()
        await self._keeper.open()

    async def close(self) -> None:
        """Begin nothing any more; let runs end, and park those that take too long: the next
        process goes on with them. Closed again, this waits for the same end."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="yiku-runner-close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        await self._agents.recall.stop()
        waiting = [task for run_id, task in self._tasks.items() if run_id not in self._works]
        await ended(*waiting, *self._watching)
        for run_id, active in self._recent.items():
            if run_id not in self._works:  # it goes on elsewhere, or later
                active.tell(Ended(active.run))
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=self._drain_s)
        await self._keeper.close()
        left = list(self._works.values())
        await ended(*self._tasks.values())
        for work in left:
            await park(work)
        for active in self._recent.values():
            active.tell(Ended(active.run))

    async def start(
        self,
        actor: Actor,
        agent_id: AgentId,
        incoming: Sequence[Incoming],
        request: RunRequest,
        conversation_id: ConversationId | None = None,
    ) -> ActiveRun:
        """Begin a run; on return what came in is durable, and the run goes on by itself.

        Waits for the run of the same conversation before it. In the background it doesn't: the
        run is stored, and begins when its turn has come. Messages whose otids the agent knows
        begin no run: the one they began before is returned.

        Raises: AgentNotFound, ConversationNotFound, AgentBusy, ApprovalPending, NothingToApprove,
        Invalid, IdempotencyConflict, ServerEnding, StoreError.
        """
        self._demand_open()
        await self.open()
        if request.model is not None:
            self._agents.models.demand_provider(request.model)
        asked = Asked(
            run_id=RunId(new_id("run")),
            agent_id=agent_id,
            conversation_id=conversation_id,
            incoming=tuple(incoming),
            request=request,
            holder=self._holder,
            lease_s=self._lease_s,
        )
        if any(one.otid is not None for one in incoming):
            read = self._agents.database.read
            before = await read(actor, lambda tx: begin.sent_before(tx, asked))
            if before is not None:
                return await self.watch(actor, before)
        place, until = (agent_id, conversation_id), time.monotonic() + self._wait_s
        if request.background and not self._turns.is_free(place):
            return await self._queue(actor, asked)
        if not await self._turns.take(place, self._wait_s):
            raise busy(agent_id)
        try:
            self._demand_open()
        except ServerEnding:
            self._turns.give_back(place)
            raise
        try:
            # Who asked may go away in the middle of it; what is stored then has begun.
            return await asyncio.shield(asyncio.create_task(self._begin(actor, asked, until)))
        except AgentBusy:
            if not request.background:
                raise
            return await self._queue(actor, asked)

    async def take_up(self, actor: Actor, queued: Run) -> None:
        """A run that another's transaction has stored begins when its turn has come. Without this
        it does, too: whoever looks after runs that nobody has finds it some seconds later.

        Raises: StoreError.
        """
        await self.open()
        if queued.id not in self._tasks and queued.id not in self._recent:
            self._take_over(queued, actor)

    async def cancel(
        self, actor: Actor, agent_id: AgentId, run_ids: Sequence[RunId] | None = None
    ) -> list[RunId]:
        """Ask runs of an agent to end, all that go on where none is named; returns which do.

        Raises: AgentNotFound, RunNotFound.
        """
        return await self._end(actor, lambda tx: begin.ask_to_end(tx, agent_id, run_ids))

    async def cancel_in(
        self, actor: Actor, agent_id: AgentId, conversation_id: ConversationId | None
    ) -> list[RunId]:
        """Ask all runs of one conversation to end; None: the agent's own. Raises: AgentNotFound."""
        return await self._end(actor, lambda tx: begin.ask_to_end_in(tx, agent_id, conversation_id))

    async def _end(self, actor: Actor, unit: Unit[list[Run]]) -> list[RunId]:
        asked = await self._agents.database.write(actor, unit)
        for run in asked:
            work, task = self._works.get(run.id), self._tasks.get(run.id)
            if work is not None:
                work.cancel()
            elif run.status.ended:  # it was queued
                if task is not None:
                    task.cancel()
                if run.id in self._recent:
                    self._recent[run.id].tell(Ended(run))
        return [run.id for run in asked]

    async def watch(self, actor: Actor, run_id: RunId) -> ActiveRun:
        """A run to watch, whoever runs it, or ran it. Raises: RunNotFound."""
        run = await self._agents.database.read(actor, lambda tx: runs.get(tx, run_id))
        known = self._works[run_id].active if run_id in self._works else self._recent.get(run_id)
        if known is not None and (known.run.status.ended or not known.ended):
            return known
        active = self._remember(ActiveRun(run))
        self._follow(actor, active)
        return active

    def _demand_open(self) -> None:
        """Raises: ServerEnding."""
        if self._closing is not None:
            raise ServerEnding

    async def _begin(self, actor: Actor, asked: Asked, until: float) -> ActiveRun:
        """Begin a run whose turn it is; the turn is given back with its end.

        Raises: as `begin.begin`; AgentBusy, where it isn't in the background after the wait.
        """
        place, pause = (asked.agent_id, asked.conversation_id), POLL_S
        try:
            while True:
                try:
                    begun = await self._agents.database.write(
                        actor, lambda tx: begin.begin(tx, asked, self._agents.contexts)
                    )
                    break
                except AgentBusy:  # another process runs it
                    if asked.request.background or time.monotonic() + pause > until:
                        raise
                    self._demand_open()
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_POLL_S)
        except BaseException:
            self._turns.give_back(place)
            raise
        if not isinstance(begun, Begun):
            self._turns.give_back(place)
            return await self.watch(actor, begun)
        work = self._work(actor, begun, self._remember(ActiveRun(begun.run)))
        self._spawn(work.run.id, self._run_in_turn(work))
        return work.active

    async def _queue(self, actor: Actor, asked: Asked) -> ActiveRun:
        """Store a run that begins later. Raises: AgentNotFound, IdempotencyConflict, StoreError."""
        run = await self._agents.database.write(actor, lambda tx: begin.queue(tx, asked))
        if not isinstance(run, Run):
            return await self.watch(actor, run)
        active = self._remember(ActiveRun(run))
        self._spawn(run.id, self._when_free(actor, asked, active))
        return active

    async def _when_free(self, actor: Actor, asked: Asked, active: ActiveRun) -> None:
        """Run what was queued, when its turn has come."""
        place = (asked.agent_id, asked.conversation_id)
        await self._turns.take(place, None)
        try:
            begun = await self._begin_queued(actor, asked)
        except StoreError:  # who asked was told that it is kept: the keeper finds it again
            self._turns.give_back(place)
            logger.exception("a run can't begin yet", extra={"run": active.run.id})
            active.tell(Ended(active.run))
        except YikuError as error:
            self._turns.give_back(place)
            await self._refuse(actor, active, error)
        except BaseException:
            self._turns.give_back(place)
            raise
        else:
            if begun is not None:
                await self._run_in_turn(self._work(actor, begun, active))
                return
            self._turns.give_back(place)
            self._follow(actor, active)

    async def _begin_queued(self, actor: Actor, asked: Asked) -> Begun | None:
        """Raises: as `begin.begin_queued`, but for AgentBusy: a queued run waits."""
        pause = POLL_S
        while True:
            try:
                return await self._agents.database.write(
                    actor, lambda tx: begin.begin_queued(tx, asked, self._agents.contexts)
                )
            except AgentBusy:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_POLL_S)

    async def _refuse(self, actor: Actor, active: ActiveRun, error: Exception) -> None:
        """End a run that could not begin, or not go on: its agent is to be free for the next."""
        try:
            failed = await self._agents.database.write(
                actor, lambda tx: begin.refuse(tx, active.run.id, loop.failure_of(error))
            )
        except NotFound:
            failed = follow.gone(active.run)
        except StoreError:  # the keeper finds it again
            logger.exception("a run could not be ended", extra={"run": active.run.id})
            failed = active.run
        active.tell(Ended(failed))

    def _work(self, actor: Actor, begun: Begun, active: ActiveRun) -> Work:
        active.run = begun.run
        work = Work(
            agents=self._agents,
            actor=actor,
            active=active,
            holder=self._holder,
            lease_s=self._lease_s,
            run=begun.run,
            state=begun.state,
            messages=list(begun.messages),
            summary=begun.summary,
            steps=list(begun.steps),
            progress=progress_in(begun),
            language=language_in(begun.state, begun.messages),
            cancel_asked=begun.run.cancel_asked,
        )
        self._works[begun.run.id] = work
        return work

    async def _run_in_turn(self, work: Work) -> None:
        try:
            await self._run(work)
        finally:
            self._turns.give_back((work.run.agent_id, work.run.conversation_id))

    async def _run(self, work: Work) -> None:
        run, telemetry = work.run, self._agents.telemetry
        ids = within(
            organization=run.organization_id,
            agent=run.agent_id,
            conversation=run.conversation_id,
            run=run.id,
        )
        telling = telemetry.doing(Kind.RUN, work.state.agent.kind, resumptions=run.resumptions)
        with ids, telling as doing:
            await self._go_on(work)
            doing.note(stop_reason=work.run.stop_reason, steps=work.run.step_count)

    async def _go_on(self, work: Work) -> None:
        self._agents.recall.note(work.actor, work.run.agent_id)
        try:
            await loop.run(work)
        except AgentBusy:
            logger.warning("a run isn't this server's any more", extra={"run": work.run.id})
            self._follow(work.actor, work.active)
        # A door: nobody waits for ever for the end of a run that a bug has ended.
        except Exception:
            logger.exception("a run was broken off", extra={"run": work.run.id})
            work.active.tell(Ended(work.run))
        finally:
            self._agents.recall.note(work.actor, work.run.agent_id)
            del self._works[work.run.id]

    def _spawn(self, run_id: RunId, what: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(what, name=f"yiku-{run_id}")
        self._tasks[run_id] = task
        task.add_done_callback(lambda done: self._tasks.pop(run_id, None))

    def _follow(self, actor: Actor, active: ActiveRun) -> None:
        task = asyncio.create_task(follow.follow(self._agents.database, actor, active))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    def _remember(self, active: ActiveRun) -> ActiveRun:
        self._recent[active.run.id] = active
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return active

    def _take_over(self, run: Run, actor: Actor) -> None:
        """Go on with a run whose process died, or begin one that never began."""
        active = self._remember(ActiveRun(run))
        asked = asked_again(run, self._holder, self._lease_s)
        going_on = self._when_free if run.status is RunStatus.CREATED else self._resume
        self._spawn(run.id, going_on(actor, asked, active))

    async def _resume(self, actor: Actor, asked: Asked, active: ActiveRun) -> None:
        """Without waiting for its turn: who has the turn waits for this run."""
        try:
            begun = await self._agents.database.write(
                actor, lambda tx: begin.resume(tx, asked, self._agents.contexts)
            )
        except StoreError:
            logger.exception("a run could not be taken over", extra={"run": asked.run_id})
            active.tell(Ended(active.run))
        # A door: what a bug keeps from going on ends, with its reason on record.
        except Exception as error:
            logger.exception("a run can't go on", extra={"run": asked.run_id})
            await self._refuse(actor, active, error)
        else:
            if begun is None:
                self._follow(actor, active)
                return
            logger.info("a run goes on", extra={"run": asked.run_id})
            await self._run(self._work(actor, begun, active))


async def ended(*tasks: asyncio.Task[None]) -> None:
    """They are cancelled, and have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
