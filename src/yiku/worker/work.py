"""The worker: carries out in the background what commits have asked for (`store/outbox.py`).

It wakes at once where this process has put a job, and asks now and then for what others did. Each
job is held while it is carried out, one of a kind and key at a time, whatever servers there are;
one that fails is tried again later and keeps nobody from the others. Handlers are idempotent: where
a process dies, its jobs are carried out again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from yiku.agents.holder import is_dead, new_holder
from yiku.app import App
from yiku.core.errors import YikuError
from yiku.core.ids import UserId
from yiku.core.skill import Again, Job
from yiku.core.telemetry import Kind, within
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_USER, Actor
from yiku.store import outbox, tenants
from yiku.store.database import Tx, now_utc
from yiku.worker.handlers import Handler, handlers_of, schedules_of

logger = logging.getLogger(__name__)

SLOTS = 4
"""Jobs at a time."""
POLL_S = 5.0
"""How often it is asked what other processes have put; one short read."""
HOLD_S = 30.0
"""Seconds without a sign of life after which another worker takes a job; it is renewed until
then. A dead process of this machine is seen at once."""
FIRST_PAUSE_S = 5.0
"""After the first failure; it doubles with each."""
LONGEST_PAUSE_S = 3_600.0
NO_HANDLER_S = 60.0
"""Until a job that nobody here can carry out is looked at again."""
JOB_S = 1_800.0
"""As long a job may take: one that hangs keeps the others from a slot."""
DRAIN_S = 2.0
"""How long closing waits for jobs that are being carried out; then they are given back."""
BETWEEN_S = 0.1
"""Until it is looked again where there was less to take than there was room for."""
PLAN_S = 3_600.0
"""How often it is looked for organizations that have no scheduled job yet."""
DAILY = "daily"
"""The key of jobs that come again by themselves."""


def actor_of(job: Job) -> Actor:
    """On whose behalf a job is carried out: who asked for it, in their organization."""
    asked = job.payload.get(outbox.BY)
    user = UserId(asked) if isinstance(asked, str) else LOCAL_USER
    return Actor(organization_id=job.organization_id, user_id=user)


def pause_after(tries: int) -> float:
    """Seconds until a job is tried again; not all that failed together again together."""
    pause = min(FIRST_PAUSE_S * 2 ** (tries - 1), LONGEST_PAUSE_S)
    return pause * random.uniform(0.9, 1.1)


@asynccontextmanager
async def working(
    app: App, doors: Mapping[str, Handler] | None = None, *, after_s: float = 0.0
) -> AsyncGenerator[Worker]:
    """A worker, while it is open. `doors`: handlers of jobs that a door carries out. `after_s`: it
    begins so much later, or with the first job."""
    worker = Worker(app, {**handlers_of(app), **(doors or {})}, after_s=after_s)
    worker.open()
    try:
        yield worker
    finally:
        await worker.close()


@dataclass(frozen=True, slots=True)
class Going:
    """A job that is being carried out."""

    job: Job
    task: asyncio.Task[None]


class Worker:
    """Carries out jobs of all organizations, several at a time."""

    def __init__(
        self,
        app: App,
        handlers: Mapping[str, Handler] | None = None,
        *,
        schedules: Mapping[str, timedelta] | None = None,
        after_s: float = 0.0,
        poll_s: float = POLL_S,
        hold_s: float = HOLD_S,
        drain_s: float = DRAIN_S,
    ) -> None:
        """`handlers`: by kind, instead of the app's."""
        self._database = app.database
        self._telemetry = app.watching.telemetry
        self._handlers = handlers_of(app) if handlers is None else handlers
        self._schedules = schedules_of(app) if schedules is None else schedules
        self._after_s = after_s
        self._poll_s = poll_s
        self._hold_s = hold_s
        self._drain_s = drain_s
        self._holder = new_holder()
        self._bell = asyncio.Event()
        self._going: dict[int, Going] = {}
        """By row number."""
        self._tasks: Sequence[asyncio.Task[None]] = ()
        self._stop_listening: Callable[[], None] = lambda: None

    def open(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()

        def ring() -> None:
            with suppress(RuntimeError):  # the loop has ended; so has this worker
                loop.call_soon_threadsafe(self._bell.set)

        self._stop_listening = self._database.listen(ring)
        self._tasks = [
            asyncio.create_task(work, name=f"yiku-worker-{name}")
            for name, work in (("take", self._take_all()), ("hold", self._hold_all()))
        ]
        if any(kind in self._handlers for kind in self._schedules):
            plan = asyncio.create_task(self._plan_all(), name="yiku-worker-plan")
            self._tasks = [*self._tasks, plan]

    @property
    def alive(self) -> bool:
        """Whether it takes jobs."""
        return bool(self._tasks) and not any(task.done() for task in self._tasks)

    async def close(self) -> None:
        """End; what can't be ended soon is given back, so that another may have it at once."""
        self._stop_listening()
        await ended(*self._tasks)
        left = [one.task for one in self._going.values()]
        if left:
            await asyncio.wait(left, timeout=self._drain_s)
        cut = list(self._going.values())
        if not cut:
            return
        await ended(*(one.task for one in cut))

        def give_back(tx: Tx) -> None:
            for one in cut:
                outbox.let_go(tx, one.job, self._holder)

        try:
            await self._database.write(LOCAL_ACTOR, give_back)
        except YikuError:
            logger.exception("jobs could not be given back")

    async def _take_all(self) -> None:
        await self._rest(self._after_s)
        while True:
            self._bell.clear()
            try:
                pause = await self._take()
            # Whatever is wrong may be right the next time; without its worker nothing is done.
            except Exception as error:
                log_failure("jobs could not be taken", error)
                pause = self._poll_s
            await self._rest(pause)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._bell.wait()

    async def _take(self) -> float:
        """Take what is due and there is room for; returns how long to rest."""
        room = SLOTS - len(self._going)
        if not room:
            return self._poll_s  # the end of a job wakes us
        found = await self._database.read(LOCAL_ACTOR, lambda tx: outbox.outlook(tx.connection))
        dead = {one.holder for one in found if one.holder and self._is_dead(one.holder)}
        due = [
            one.due_at if one.holder is None or one.holder in dead else one.free_at for one in found
        ]
        wait_s = min(((one - now_utc()).total_seconds() for one in due), default=self._poll_s)
        if wait_s > 0:
            return min(wait_s, self._poll_s)
        hold = timedelta(seconds=self._hold_s)

        def unit(tx: Tx) -> list[Job]:
            until = tx.now + hold
            return outbox.take(tx.connection, self._holder, tx.now, until, room, dead=dead)

        taken = await self._database.write(LOCAL_ACTOR, unit)
        for job in taken:
            if job.seq not in self._going:  # else we hadn't the time to renew it
                self._begin(job)
        return self._poll_s if len(taken) == room else BETWEEN_S

    def _is_dead(self, holder: str) -> bool:
        return holder != self._holder and is_dead(holder)

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(self._carry_out(job), name=f"yiku-{job.kind}")
        self._going[job.seq] = Going(job, task)

        def end(_: asyncio.Task[None]) -> None:
            del self._going[job.seq]
            self._bell.set()

        task.add_done_callback(end)

    async def _carry_out(self, job: Job) -> None:
        """One job, from its handler to the end of its row."""
        with within(organization=job.organization_id, job=job.seq):
            await self._to_its_end(job)

    async def _to_its_end(self, job: Job) -> None:
        end = await self._tried(job)
        try:
            await self._database.write(LOCAL_ACTOR, end)
        # Nobody holds it any more some time from now: then somebody carries it out again.
        except Exception as error:
            log_failure("a job's end could not be stored", error)

    async def _tried(self, job: Job) -> Callable[[Tx], None]:
        """Carry it out; returns what becomes of its row."""
        handler = self._handlers.get(job.kind)
        if handler is None:
            logger.error("nobody here can carry out a job: %s of %s", job.kind, job.key)
            return self._put_off(job)
        every = self._schedules.get(job.kind) if job.key == DAILY else None
        if job.key == DAILY and every is None:  # it is not to come again any more
            return lambda tx: outbox.done(tx, job, self._holder)
        try:
            with self._telemetry.doing(Kind.JOB, job.kind, tries=job.tries):
                async with asyncio.timeout(JOB_S):
                    came = await handler(actor_of(job), job)
        # A door: whatever a handler raises is its job's problem, and nobody else's.
        except Exception as error:
            return self._failed(job, error)
        again_at = came.at if isinstance(came, Again) else None
        return lambda tx: outbox.done(tx, job, self._holder, tx.now + every if every else again_at)

    def _put_off(self, job: Job) -> Callable[[Tx], None]:
        """It costs no try: a newer server on the same database may know it."""
        untried = replace(job, tries=job.tries - 1)
        problem, pause = f"No handler for {job.kind} here.", timedelta(seconds=NO_HANDLER_S)
        return lambda tx: outbox.failed(tx, untried, self._holder, problem, tx.now + pause)

    def _failed(self, job: Job, error: Exception) -> Callable[[Tx], None]:
        problem = problem_of(error)
        last = job.tries >= outbox.MOST_TRIES
        logger.log(
            logging.ERROR if last else logging.WARNING,
            "a job failed; it isn't tried again" if last else "a job failed",
            extra={"kind": job.kind, "tries": job.tries, "why": type(error).__name__},
            exc_info=error if is_bug(error) else None,
        )
        pause = timedelta(seconds=pause_after(job.tries))
        return lambda tx: outbox.failed(tx, job, self._holder, problem, tx.now + pause)

    async def _hold_all(self) -> None:
        """Show that this worker lives, while it has jobs; let go of what is another's by now."""
        while True:
            await asyncio.sleep(self._hold_s / 3)
            if not self._going:
                continue
            held = list(self._going)
            try:
                ours = await self._database.write(LOCAL_ACTOR, self._renewal(held))
            except Exception as error:
                log_failure("jobs could not be held", error)
                continue
            for seq in held:
                if seq not in ours and seq in self._going:
                    self._going[seq].task.cancel()

    def _renewal(self, held: list[int]) -> Callable[[Tx], set[int]]:
        hold = timedelta(seconds=self._hold_s)
        return lambda tx: outbox.renew(tx.connection, self._holder, held, tx.now + hold)

    async def _plan_all(self) -> None:
        """See that each organization has its jobs that come again by themselves."""

        def unit(tx: Tx) -> None:
            for organization_id in tenants.organizations(tx.connection):
                of_it = Actor(organization_id=organization_id, user_id=LOCAL_USER)
                for kind in self._schedules.keys() & self._handlers.keys():
                    outbox.plan(Tx(tx.connection, of_it, tx.now), kind, DAILY, tx.now)

        while True:
            try:
                await self._database.write(LOCAL_ACTOR, unit)
                self._bell.set()
            except Exception as error:
                log_failure("scheduled jobs could not be planned", error)
            await asyncio.sleep(PLAN_S)


def is_bug(error: Exception) -> bool:
    return not isinstance(error, YikuError | TimeoutError)


def problem_of(error: Exception) -> str:
    """What is kept with the job: no more of a bug than its kind, its text may be a memory's."""
    if isinstance(error, YikuError):
        return f"{type(error).__name__}: {error.message}"
    if isinstance(error, TimeoutError):
        return "It took too long."
    return f"{type(error).__name__}; the log of the server says where."


def log_failure(what: str, error: Exception) -> None:
    if is_bug(error):
        logger.error(what, exc_info=error)
    else:
        logger.warning(what, extra={"why": type(error).__name__})


async def ended(*tasks: asyncio.Task[None]) -> None:
    """They are cancelled, and have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
