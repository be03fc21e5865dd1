"""Runs of this process: begun, watched, cancelled, resumed after a crash, parked at the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Coroutine, Sequence

from yiku.agents import begin, follow, loop
from yiku.agents.active import ActiveRun
from yiku.agents.begin import Asked, Begun
from yiku.agents.holder import new_holder
from yiku.agents.prompt import progress_in
from yiku.agents.shared import Agents
from yiku.agents.turns import Turns
from yiku.agents.work import Work
from yiku.core.errors import AgentBusy, StoreError, YikuError
from yiku.core.ids import AgentId, ConversationId, RunId, new_id
from yiku.core.language import language_of
from yiku.core.message import Incoming
from yiku.core.run import Ended, Run, RunRequest, RunStatus
from yiku.core.tenant import LOCAL_ACTOR, Actor
from yiku.store import leases, runs
from yiku.store.database import Unit

logger = logging.getLogger(__name__)

RECENT = 256
"""Ended runs that can still be watched piece by piece."""
POLL_S = 0.05
DRAIN_S = 10.0
"""How long a closing server lets its runs end by themselves."""

Place = tuple[AgentId, ConversationId | None]


class Runner:
    """Runs agents in this process; runs of one conversation come one after the other."""

    def __init__(self, agents: Agents, *, lease_s: float, wait_s: float) -> None:
        """`lease_s`: after so many seconds without a sign of life another process takes a run
        over. `wait_s`: how long a run waits for the one before it.
        """
        self._agents = agents
        self._lease_s = lease_s
        self._wait_s = wait_s
        self._holder = new_holder()
        self._works: dict[RunId, Work] = {}
        self._tasks: dict[RunId, asyncio.Task[None]] = {}
        self._recent: OrderedDict[RunId, ActiveRun] = OrderedDict()
        self._turns = Turns()
        self._keeper: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to keep leases, and to take over what dead processes left; the first run does."""
        if self._keeper is not None:
            return
        self._keeper = asyncio.create_task(self._keep(), name="yiku-keeper")
        self._agents.recall.start()

    async def close(self) -> None:
        """Let runs end; park those that take too long: the next process goes on with them."""
        await self._agents.recall.stop()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=DRAIN_S)
        left = list(self._works.values())
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for work in left:
            await self._park(work)

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
        run is stored, and begins when its turn has come.

        Raises: AgentNotFound, AgentBusy, ApprovalPending, NothingToApprove, Invalid, StoreError.
        """
        self.open()
        asked = Asked(
            run_id=RunId(new_id("run")),
            agent_id=agent_id,
            conversation_id=conversation_id,
            incoming=tuple(incoming),
            request=request,
            holder=self._holder,
            lease_s=self._lease_s,
        )
        place = (agent_id, conversation_id)
        if request.background and not self._turns.is_free(place):
            return await self._queue(actor, asked)
        if not await self._turns.take(place, self._wait_s):
            raise begin.busy(agent_id)
        try:
            begun = await self._begin(actor, asked)
        except AgentBusy:
            self._turns.give_back(place)
            if request.background:
                return await self._queue(actor, asked)
            raise
        except BaseException:
            self._turns.give_back(place)
            raise
        return self._go(actor, begun)

    async def cancel(
        self, actor: Actor, agent_id: AgentId, run_ids: Sequence[RunId] | None = None
    ) -> list[RunId]:
        """Ask runs of an agent to end, all that go on where none is named; returns which do.

        Raises: AgentNotFound, RunNotFound.
        """
        asked = await self._agents.database.write(
            actor, lambda tx: begin.ask_to_end(tx, agent_id, run_ids)
        )
        for run_id in asked:
            work = self._works.get(run_id)
            if work is not None:
                work.cancel()
        return asked

    async def watch(self, actor: Actor, run_id: RunId) -> ActiveRun:
        """A run to watch, whoever runs it, or ran it. Raises: RunNotFound."""
        run = await self._agents.database.read(actor, lambda tx: runs.get(tx, run_id))
        known = self._works[run_id].active if run_id in self._works else self._recent.get(run_id)
        if known is not None:
            return known
        active = ActiveRun(run)
        self._remember(active)
        self._spawn(run_id, follow.follow(self._agents.database, actor, active))
        return active

    async def _begin(self, actor: Actor, asked: Asked) -> Begun:
        """Raises: as `begin.begin`; AgentBusy after the wait."""
        write, until, pause = self._agents.database.write, time.monotonic() + self._wait_s, POLL_S
        while True:
            try:
                return await write(actor, lambda tx: begin.begin(tx, asked, self._agents.contexts))
            except AgentBusy:
                if asked.request.background or time.monotonic() + pause > until:
                    raise
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _queue(self, actor: Actor, asked: Asked) -> ActiveRun:
        """Store a run that begins later. Raises: AgentNotFound, StoreError."""
        run = await self._agents.database.write(actor, lambda tx: begin.queue(tx, asked))
        active = ActiveRun(run)
        self._remember(active)
        self._spawn(run.id, self._when_free(actor, asked, active))
        return active

    async def _when_free(self, actor: Actor, asked: Asked, active: ActiveRun) -> None:
        place = (asked.agent_id, asked.conversation_id)
        await self._turns.take(place, None)
        try:
            begun = await self._begin_queued(actor, asked)
        except BaseException as error:
            self._turns.give_back(place)
            if not isinstance(error, YikuError):
                raise
            await self._refuse(actor, active, error)
            return
        if begun is None:  # cancelled, or begun by another process
            self._turns.give_back(place)
            self._tasks.pop(asked.run_id, None)
            await follow.follow(self._agents.database, actor, active)
            return
        await self._run(self._work(actor, begun, active))

    async def _begin_queued(self, actor: Actor, asked: Asked) -> Begun | None:
        """Raises: as `begin.begin_queued`, but for AgentBusy: a queued run waits."""
        while True:
            try:
                return await self._agents.database.write(
                    actor, lambda tx: begin.begin_queued(tx, asked, self._agents.contexts)
                )
            except AgentBusy:
                await asyncio.sleep(1.0)

    async def _refuse(self, actor: Actor, active: ActiveRun, error: YikuError) -> None:
        """End a queued run that could not begin."""
        failed = await self._agents.database.write(
            actor, lambda tx: begin.refuse(tx, active.run.id, loop.failure_of(error))
        )
        active.tell(Ended(failed))

    def _go(self, actor: Actor, begun: Begun) -> ActiveRun:
        active = ActiveRun(begun.run)
        self._remember(active)
        self._spawn(begun.run.id, self._run(self._work(actor, begun, active)))
        return active

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
            language=language_of(one.text for one in begun.incoming),
        )
        self._works[begun.run.id] = work
        return work

    async def _run(self, work: Work) -> None:
        self._agents.recall.note(work.actor, work.run.agent_id)
        try:
            await loop.run(work)
        finally:
            self._agents.recall.note(work.actor, work.run.agent_id)
            del self._works[work.run.id]
            self._turns.give_back((work.run.agent_id, work.run.conversation_id))

    def _spawn(self, run_id: RunId, what: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(what, name=f"yiku-{run_id}")
        self._tasks[run_id] = task
        task.add_done_callback(lambda done: self._tasks.pop(run_id, None))

    def _remember(self, active: ActiveRun) -> None:
        self._recent[active.run.id] = active
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)

    async def _park(self, work: Work) -> None:
        """Give a run's lease back, so that the next process need not wait for its end."""
        try:
            await self._agents.database.write(
                work.actor, lambda tx: leases.release(tx, work.lease(tx.now))
            )
        except StoreError:
            logger.exception("a lease could not be given back", extra={"run": work.run.id})
        work.active.tell(Ended(work.run))

    async def _keep(self) -> None:
        while True:
            try:
                await self._renew()
                await self._take_over()
            except StoreError:  # it may be back the next time
                logger.exception("leases could not be kept")
            await asyncio.sleep(self._lease_s / 3)

    async def _renew(self) -> None:
        """Show that this process lives, and hear which of its runs others cancelled."""

        def unit(work: Work) -> Unit[bool]:
            return lambda tx: (
                leases.renew(tx, work.lease(tx.now)) and runs.get(tx, work.run.id).cancel_asked
            )

        held = list(self._works.values())
        write = self._agents.database.write
        asked = await asyncio.gather(*(write(work.actor, unit(work)) for work in held))
        for work, cancelled in zip(held, asked, strict=True):
            if cancelled:
                work.cancel()

    async def _take_over(self) -> None:
        """Go on with the runs of processes that died, and begin those that never began."""
        left = await self._agents.database.write(LOCAL_ACTOR, begin.orphans)
        for run, actor in left:
            if run.id in self._tasks:
                continue
            active = ActiveRun(run)
            self._remember(active)
            going_on = self._when_free if run.status is RunStatus.CREATED else self._resume
            self._spawn(run.id, going_on(actor, self._asked_again(run), active))

    async def _resume(self, actor: Actor, asked: Asked, active: ActiveRun) -> None:
        place = (asked.agent_id, asked.conversation_id)
        await self._turns.take(place, None)
        try:
            begun = await self._agents.database.write(
                actor, lambda tx: begin.resume(tx, asked, self._agents.contexts)
            )
        except BaseException:
            self._turns.give_back(place)
            raise
        if begun is None:
            self._turns.give_back(place)
            return
        logger.info("a run goes on", extra={"run": asked.run_id})
        await self._run(self._work(actor, begun, active))

    def _asked_again(self, run: Run) -> Asked:
        return Asked(
            run_id=run.id,
            agent_id=run.agent_id,
            conversation_id=run.conversation_id,
            incoming=run.request.incoming,
            request=run.request,
            holder=self._holder,
            lease_s=self._lease_s,
        )
