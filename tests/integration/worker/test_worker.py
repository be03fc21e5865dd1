"""Jobs are carried out by one worker at a time, again where they fail or are asked for again."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures.agents import Store
from tests.fixtures.agents import store as store
from yiku.app import App
from yiku.core.errors import ProviderUnavailable
from yiku.core.skill import Job
from yiku.core.tenant import LOCAL_USER, Actor
from yiku.store import outbox
from yiku.store.database import Tx, now_utc
from yiku.worker import work as workers
from yiku.worker.handlers import Handler
from yiku.worker.work import Worker

Opener = Callable[..., Awaitable[Worker]]
PATIENCE_S = 60.0


@pytest.fixture
async def work(app: App) -> AsyncIterator[Opener]:
    """Opens a worker with these handlers."""
    async with AsyncExitStack() as stack:

        async def opened(handlers: dict[str, Handler], **how: Any) -> Worker:
            made = Worker(app, handlers, **{"poll_s": 0.5, "drain_s": 0.1, **how})
            made.open()
            stack.push_async_callback(made.close)
            return made

        yield opened


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is tried again at once, nearly."""
    monkeypatch.setattr(workers, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(workers, "LONGEST_PAUSE_S", 0.05)


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - what happens elsewhere rings no bell
            await asyncio.sleep(0.01)


async def waiting(store: Store) -> list[Job]:
    return await store.do(outbox.waiting)


async def until_none_waits(store: Store) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while await waiting(store):  # noqa: ASYNC110 - nor do rows
            await asyncio.sleep(0.02)


async def until_put_off(store: Store, tries: int) -> Job:
    """The job that was tried so often and is not to be tried again soon, once there is one."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            for job in await waiting(store):
                if job.tries == tries and job.due_at > now_utc() + timedelta(seconds=30):
                    return job
            await asyncio.sleep(0.02)


def let_come(tx: Tx) -> None:
    """As if what is to be tried later were due."""
    tx.connection.exec_driver_sql("UPDATE outbox SET due_at = 0")


class Done:
    """A handler that notes what it did."""

    def __init__(self, *problems: Exception) -> None:
        self.jobs: list[Job] = []
        self.actors: list[Actor] = []
        self.problems = list(problems)

    async def __call__(self, actor: Actor, job: Job) -> None:
        self.jobs.append(job)
        self.actors.append(actor)
        if self.problems:
            raise self.problems.pop(0)

    @property
    def keys(self) -> list[str]:
        return [job.key for job in self.jobs]


async def test_a_job_is_carried_out_at_once_on_behalf_of_who_asked(
    store: Store, work: Opener
) -> None:
    done = Done()
    await work({"note": done}, poll_s=2 * PATIENCE_S)
    await asyncio.sleep(0.2)  # it rests
    await store.as_stranger(outbox.put, "note", "a", {"n": 1})
    await until(lambda: bool(done.jobs))
    await until_none_waits(store)
    assert done.jobs[0].payload["n"] == 1
    assert done.actors == [store.stranger]
    assert done.actors[0].scope == "write"


async def test_what_other_processes_put_is_found_by_asking(store: Store, work: Opener) -> None:
    done = Done()
    await store.do(outbox.put, "note", "before")
    worker = await work({"note": done}, poll_s=0.2)
    await until(lambda: done.keys == ["before"])
    worker._stop_listening()  # as if somebody else had put it
    await store.do(outbox.put, "note", "other")
    await until(lambda: done.keys == ["before", "other"])


async def test_an_idle_worker_writes_nothing_and_reads_once_a_while(
    store: Store, app: App, work: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = {"read": 0, "write": 0}

    def counting(name: str) -> Any:
        original = getattr(type(app.database), name)

        async def call(self: Any, *given: Any) -> Any:
            counted[name] += 1
            return await original(self, *given)

        return call

    for name in counted:
        monkeypatch.setattr(type(app.database), name, counting(name))
    began = time.monotonic()
    await work({}, poll_s=0.25)
    await until(lambda: counted["read"] == 4)
    assert time.monotonic() - began >= 3 * 0.25
    assert counted["write"] == 0


async def test_a_failing_job_is_tried_again_and_keeps_its_problem_meanwhile(
    store: Store, work: Opener, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "FIRST_PAUSE_S", 600.0)
    down = ProviderUnavailable("The model did not answer.")
    done = Done(down, down)
    await work({"note": done}, poll_s=0.1)
    await store.do(outbox.put, "note", "a")
    for tries in (1, 2):
        job = await until_put_off(store, tries)
        assert job.problem == "ProviderUnavailable: The model did not answer."
        await store.do(let_come)
    await until_none_waits(store)
    assert [one.tries for one in done.jobs] == [1, 2, 3]
    assert "Traceback" not in caplog.text


async def test_a_poisoned_job_blocks_nobody_and_stays_after_ten_tries(
    store: Store, work: Opener, quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    poisoned, done = Done(*(ValueError("secret words") for _ in range(99))), Done()
    await work({"poison": poisoned, "note": done})
    for n in range(8):
        await store.do(outbox.put, "poison", str(n))
    for n in range(20):
        await store.do(outbox.put, "note", str(n))
    await until(lambda: len(done.jobs) == 20)
    await until(lambda: len(poisoned.jobs) == 80)
    await asyncio.sleep(0.3)
    left = await waiting(store)
    assert len(left) == 8
    assert {one.tries for one in left} == {outbox.MOST_TRIES}
    assert {one.problem for one in left} == {"ValueError; the log of the server says where."}
    assert len(poisoned.jobs) == 80, "it was tried after the last time"
    assert "it isn't tried again" in caplog.text


async def test_a_job_that_hangs_ends(
    store: Store, work: Opener, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "JOB_S", 0.1)
    tries: list[int] = []

    async def hang(actor: Actor, job: Job) -> None:
        tries.append(job.tries)
        if job.tries < 3:
            await asyncio.sleep(60)

    await work({"note": hang})
    await store.do(outbox.put, "note", "a")
    await until_none_waits(store)
    assert tries == [1, 2, 3]


async def test_asked_for_again_while_it_is_carried_out_it_is_carried_out_again(
    store: Store, work: Opener
) -> None:
    began, go_on = asyncio.Event(), asyncio.Event()
    turns: list[int] = []
    at_once = 0

    async def slow(actor: Actor, job: Job) -> None:
        nonlocal at_once
        at_once += 1
        assert at_once == 1, "one of a key at a time"
        turns.append(job.turn)
        began.set()
        await go_on.wait()
        at_once -= 1

    await work({"note": slow})
    await store.do(outbox.put, "note", "a")
    await began.wait()
    await store.do(outbox.put, "note", "a")
    await store.do(outbox.put, "note", "a")
    await asyncio.sleep(0.2)
    assert turns == [1]
    go_on.set()
    await until_none_waits(store)
    assert turns == [1, 3]


async def test_two_workers_share_the_jobs(store: Store, work: Opener) -> None:
    done = [Done(), Done()]
    for one in done:
        await work({"note": one}, poll_s=0.05)

    def many(tx: Tx) -> None:
        for n in range(60):
            outbox.put(tx, "note", str(n))

    await store.do(many)
    await until_none_waits(store)
    keys = [key for one in done for key in one.keys]
    assert sorted(keys, key=int) == [str(n) for n in range(60)]


async def test_a_worker_that_takes_longer_than_its_hold_keeps_the_job(
    store: Store, work: Opener
) -> None:
    hold_s = 2.0
    carried: list[str] = []

    def slow(name: str) -> Handler:
        async def handler(actor: Actor, job: Job) -> None:
            carried.append(name)
            await asyncio.sleep(1.2 * hold_s)

        return handler

    for name in ("a", "b"):
        await work({"note": slow(name)}, hold_s=hold_s, poll_s=0.1)
    await store.do(outbox.put, "note", "x")
    await until_none_waits(store)
    assert len(carried) == 1


async def test_a_job_whose_worker_lost_it_is_anothers(store: Store, work: Opener) -> None:
    """The first sleeps through its hold, as on a machine that sleeps, and hears that it lost it."""
    cut: list[str] = []

    async def endless(actor: Actor, job: Job) -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cut.append(job.key)
            raise

    first = await work({"note": endless}, hold_s=3.0)
    await store.do(outbox.put, "note", "x")
    await until(lambda: bool(first._going))

    def lapse(tx: Tx) -> list[Job]:
        later = now_utc() + timedelta(seconds=60)
        return outbox.take(tx.connection, "another", later, later, 1)

    assert [one.key for one in await store.do(lapse)] == ["x"]
    await until(lambda: cut == ["x"])
    [job] = await waiting(store)
    await store.do(outbox.done, job, "another")
    assert await waiting(store) == []


async def test_a_closing_worker_gives_back_what_it_can_not_end(store: Store, work: Opener) -> None:
    async def endless(actor: Actor, job: Job) -> None:
        await asyncio.sleep(60)

    first = await work({"note": endless}, hold_s=10 * PATIENCE_S)
    await store.do(outbox.put, "note", "a")
    await until(lambda: bool(first._going))
    await first.close()
    done = Done()
    await work({"note": done})
    await until(lambda: done.keys == ["a"])
    assert done.jobs[0].tries == 1


async def test_a_dead_workers_jobs_are_taken_at_once(store: Store, work: Opener) -> None:
    dead = workers.new_holder().rsplit("/", 3)
    holder = f"{dead[0]}/999999999/{dead[2]}/{dead[3]}"
    await store.do(outbox.put, "note", "a")

    def taken_by_it(tx: Tx) -> list[Job]:
        return outbox.take(tx.connection, holder, tx.now, tx.now + timedelta(hours=1), 1)

    await store.do(taken_by_it)
    done = Done()
    await work({"note": done})
    await until(lambda: done.keys == ["a"])


async def test_a_kind_without_a_handler_stays_and_is_told(
    store: Store, work: Opener, caplog: pytest.LogCaptureFixture
) -> None:
    done = Done()
    await work({"note": done})
    await store.do(outbox.put, "dream", "a")
    await store.do(outbox.put, "note", "b")
    await until(lambda: done.keys == ["b"])
    await until(lambda: "nobody here can carry out a job: dream of a" in caplog.text)
    job = await until_put_off(store, 0)
    assert (job.kind, job.problem) == ("dream", "No handler for dream here.")
    assert any(one.levelno == logging.ERROR for one in caplog.records)


async def test_scheduled_jobs_come_again_for_each_organization(store: Store, work: Opener) -> None:
    done = Done()
    every = {"evolve": timedelta(seconds=0.3), "unknown": timedelta(seconds=0.1)}
    worker = await work({"evolve": done}, schedules=every, poll_s=0.1)
    await until(lambda: len(done.jobs) >= 6)
    whose = {one.organization_id for one in done.jobs}
    assert whose == {store.stranger.organization_id, *(a.organization_id for a in done.actors)}
    assert len(whose) == 2
    assert {one.kind for one in done.jobs} == {"evolve"}
    assert {one.user_id for one in done.actors} == {LOCAL_USER}

    await worker.close()
    asked = len(done.jobs)
    await work({"evolve": done}, schedules={}, poll_s=0.1)  # switched off
    await until_none_waits(store)
    assert len(done.jobs) == asked
