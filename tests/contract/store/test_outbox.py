"""Jobs of the outbox are taken, held and done alike on both databases."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.fixtures.agents import Store
from yiku.app import App
from yiku.core.skill import Job
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION
from yiku.store import outbox
from yiku.store.database import Tx, now_utc

MINUTE = timedelta(minutes=1)


def take(tx: Tx, holder: str = "one", limit: int = 10, now: datetime | None = None) -> list[Job]:
    moment = now or tx.now
    return outbox.take(tx.connection, holder, moment, moment + MINUTE, limit)


async def test_a_job_is_kept_with_its_commit_and_taken_once(store: Store) -> None:
    await store.do(outbox.put, "encode", "encoding-1", {"n": 1, "字": None})
    await store.as_stranger(outbox.put, "encode", "encoding-1")

    ours, theirs = await store.do(take)

    assert (ours.organization_id, ours.kind, ours.key) == (
        LOCAL_ORGANIZATION,
        "encode",
        "encoding-1",
    )
    assert (ours.payload, ours.turn, ours.tries) == ({"n": 1, "字": None}, 1, 0)
    assert theirs.organization_id == store.stranger.organization_id
    assert await store.do(take) == []
    assert await store.do(outbox.waiting) == [ours]

    await store.do(outbox.done, ours, "one")

    assert await store.do(outbox.waiting) == []
    assert await store.as_stranger(outbox.waiting) == [theirs]


async def test_what_is_asked_for_again_while_it_is_done_is_done_again(store: Store) -> None:
    await store.do(outbox.put, "judge", "run-1")
    [first] = await store.do(take)
    await store.do(outbox.put, "judge", "run-1", {"again": True})

    assert await store.do(take) == [], "one job of a key at a time"
    await store.do(outbox.done, first)
    [second] = await store.do(take)

    assert (second.turn, second.payload) == (2, {"again": True})
    await store.do(outbox.done, second)
    assert await store.do(outbox.waiting) == []


async def test_a_job_waits_for_its_time_and_the_longest_waiting_comes_first(store: Store) -> None:
    now = now_utc()
    await store.do(outbox.put, "evolve", "later", due_at=now + MINUTE)
    await store.do(outbox.put, "encode", "b", due_at=now - MINUTE)
    await store.do(outbox.put, "encode", "a", due_at=now - 2 * MINUTE)
    assert await store.do(lambda tx: outbox.next_due(tx.connection)) == now - 2 * MINUTE

    assert [one.key for one in await store.do(take, limit=1)] == ["a"]
    assert [one.key for one in await store.do(take)] == ["b"]
    assert await store.do(lambda tx: outbox.next_due(tx.connection)) == now + MINUTE
    await store.do(outbox.put, "evolve", "later", due_at=now + 2 * MINUTE)
    assert [one.key for one in await store.do(take, now=now + MINUTE)] == ["later"]


async def test_the_earlier_time_holds(store: Store) -> None:
    now = now_utc()
    await store.do(outbox.put, "encode", "a", due_at=now + MINUTE)
    await store.do(outbox.put, "encode", "a", due_at=now)

    [job] = await store.do(outbox.waiting)

    assert (job.due_at, job.turn) == (now, 2)


async def test_a_job_whose_holder_died_is_taken_by_another(store: Store) -> None:
    await store.do(outbox.put, "encode", "a")
    [held] = await store.do(take, "dead")
    later = now_utc() + 2 * MINUTE

    [taken] = await store.do(take, "alive", now=later)

    assert taken == held
    assert not await store.do(outbox.renew, held, "dead", later + MINUTE)
    await store.do(outbox.done, held, "dead")
    assert await store.do(outbox.waiting) == [taken]
    assert await store.do(outbox.renew, taken, "alive", later + 2 * MINUTE)
    assert await store.do(take, "third", now=later + MINUTE) == []
    await store.do(lambda tx: outbox.release(tx.connection, "alive"))
    assert await store.do(take, "third") == [taken]


async def test_what_fails_is_tried_later_and_gives_up_at_last(store: Store) -> None:
    await store.do(outbox.put, "encode", "bad")
    now = now_utc()
    for n in range(outbox.TRIES):
        [job] = await store.do(take)
        assert job.tries == n
        await store.do(outbox.failed, job, "no model", now)

    assert await store.do(take) == []
    [left] = await store.do(outbox.waiting)
    assert (left.tries, left.problem) == (outbox.TRIES, "no model")
    assert await store.do(lambda tx: outbox.next_due(tx.connection)) is None

    await store.do(outbox.put, "encode", "bad")
    [again] = await store.do(take)
    assert (again.tries, again.problem) == (0, None)


async def test_a_failure_doesnt_put_off_what_was_asked_for_again(store: Store) -> None:
    await store.do(outbox.put, "encode", "a")
    [job] = await store.do(take)
    await store.do(outbox.put, "encode", "a")
    await store.do(outbox.failed, job, "no model", now_utc() + MINUTE)

    [again] = await store.do(take)

    assert (again.turn, again.tries) == (2, 0)


async def test_what_is_done_twice_ends_no_other_job(store: Store) -> None:
    await store.do(outbox.put, "encode", "a")
    [job] = await store.do(take)
    await store.do(outbox.done, job)
    await store.do(outbox.put, "encode", "b")

    await store.do(outbox.done, job)

    assert [one.key for one in await store.do(outbox.waiting)] == ["b"]


async def test_of_takers_at_once_each_gets_others(app: App) -> None:
    def put(tx: Tx) -> None:
        for n in range(40):
            outbox.put(tx, "encode", f"encoding-{n}")

    await app.database.write(LOCAL_ACTOR, put)

    taken = await asyncio.gather(
        *(app.database.write(LOCAL_ACTOR, lambda tx: take(tx, "one", 8)) for _ in range(5))
    )

    keys = [job.key for jobs in taken for job in jobs]
    assert sorted(keys) == sorted({f"encoding-{n}" for n in range(40)})


async def test_what_fails_leaves_no_job(app: App) -> None:
    def unit(tx: Tx) -> None:
        outbox.put(tx, "encode", "a")
        raise ValueError("after it")

    with pytest.raises(ValueError, match="after it"):
        await app.database.write(LOCAL_ACTOR, unit)

    assert await app.database.read(LOCAL_ACTOR, outbox.waiting) == []
