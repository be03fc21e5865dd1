"""What must follow a commit is done at least once, and by one at a time; so on both databases."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.fixtures.agents import Store
from yiku.app import App
from yiku.core.skill import Job
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, LOCAL_USER
from yiku.store import outbox
from yiku.store.database import Tx, open_database

NOW = datetime.fromisoformat("2030-01-02T03:04:05+00:00")
SECOND = timedelta(seconds=1)


async def put(store: Store, key: str = "a", *, kind: str = "compact", **more: Any) -> None:
    await store.do(outbox.put, kind, key, **{"due_at": NOW, **more})


async def take(store: Store, holder: str = "here", limit: int = 10, **more: Any) -> list[Job]:
    given = {"now": NOW, "held_until": more.get("now", NOW) + 30 * SECOND, **more}

    def unit(tx: Tx) -> list[Job]:
        return outbox.take(tx.connection, holder, limit=limit, **given)

    return await store.database.write(LOCAL_ACTOR, unit)


async def waiting(store: Store) -> list[Job]:
    return await store.do(outbox.waiting)


async def test_a_job_is_taken_by_one_and_gone_when_it_is_done(store: Store) -> None:
    await put(store, payload={"agent_id": "agent-1"})
    [job] = await take(store)
    assert (job.kind, job.key, job.turn, job.tries) == ("compact", "a", 1, 1)
    assert job.organization_id == LOCAL_ORGANIZATION
    assert job.payload == {"agent_id": "agent-1", "by": LOCAL_USER}
    assert job.due_at == NOW

    assert await take(store, "there") == []
    await store.do(outbox.done, job, "there")
    assert len(await waiting(store)) == 1, "who doesn't hold it can't end it"
    await store.do(outbox.done, job, "here")
    assert await waiting(store) == []


async def test_what_is_due_first_is_taken_first_and_what_isnt_due_waits(store: Store) -> None:
    for n, key in ((2, "later"), (1, "soon"), (3, "last")):
        await put(store, key, due_at=NOW + n * SECOND)
    assert await take(store) == []
    assert [one.key for one in await take(store, now=NOW + 2 * SECOND, limit=1)] == ["soon"]
    assert [one.key for one in await take(store, now=NOW + 9 * SECOND)] == ["later", "last"]


async def test_asked_for_again_while_it_waits_it_is_one_job(store: Store) -> None:
    await put(store, due_at=NOW + SECOND, payload={"n": 1})
    await put(store, due_at=NOW, payload={"n": 2})
    await put(store, due_at=NOW + 9 * SECOND, payload={"n": 3})
    await put(store, kind="judge")
    jobs = await take(store)
    assert [(one.kind, one.turn, one.due_at) for one in jobs] == [
        ("compact", 3, NOW),
        ("judge", 1, NOW),
    ]
    assert jobs[0].payload["n"] == 3


async def test_asked_for_again_while_it_is_carried_out_it_is_done_again(store: Store) -> None:
    await put(store)
    [first] = await take(store)
    await put(store)
    assert await take(store, "there") == [], "not by two at once"
    await store.do(outbox.done, first, "here")
    [again] = await take(store, "there")
    assert (again.turn, again.tries) == (2, 1)

    await put(store)
    failing = NOW + 600 * SECOND
    await store.do(outbox.failed, again, "there", "it was too early", failing)
    [third] = await take(store)
    assert (third.turn, third.tries, third.problem) == (3, 1, None)


async def test_a_failed_job_is_due_later_and_stays_after_ten_tries(store: Store) -> None:
    await put(store)
    await put(store, "other")
    for n in range(1, outbox.MOST_TRIES + 1):
        [job, *_] = [one for one in await take(store, now=NOW + n * SECOND) if one.key == "a"]
        assert job.tries == n
        problem = f"no model, {n}"
        await store.do(outbox.failed, job, "here", problem, NOW + (n + 1) * SECOND)
    later = NOW + 86_400 * SECOND
    assert [one.key for one in await take(store, now=later)] == ["other"]
    stuck = next(one for one in await waiting(store) if one.key == "a")
    assert (stuck.tries, stuck.problem) == (10, "no model, 10")

    await put(store)
    [job] = await take(store, now=NOW + 100 * SECOND)
    assert (job.key, job.tries, job.problem) == ("a", 1, None)


async def test_a_job_whose_holder_is_gone_is_taken_by_another(store: Store) -> None:
    await put(store)
    [job] = await take(store)
    held = await store.database.write(
        LOCAL_ACTOR,
        lambda tx: outbox.renew(tx.connection, "here", [job.seq], NOW + 60 * SECOND),
    )
    assert held == {job.seq}
    assert await take(store, "there", now=NOW + 59 * SECOND) == []
    [same] = await take(store, "there", now=NOW + 60 * SECOND)
    assert (same.seq, same.tries) == (job.seq, 2)
    lost = await store.database.write(
        LOCAL_ACTOR,
        lambda tx: outbox.renew(tx.connection, "here", [job.seq], NOW + 90 * SECOND),
    )
    assert lost == set()
    await store.do(outbox.done, job, "here")
    await store.do(outbox.failed, job, "here", "late", NOW)
    await store.do(outbox.let_go, job, "here")
    assert await take(store, "third", now=NOW + 61 * SECOND) == [], "it is still there's"

    [dead] = await take(store, "third", now=NOW + 61 * SECOND, dead=["there"])
    assert dead.seq == job.seq


async def test_a_job_that_was_broken_off_costs_no_try(store: Store) -> None:
    await put(store)
    [job] = await take(store)
    await store.do(outbox.let_go, job, "here")
    [again] = await take(store, "there")
    assert again.tries == 1


async def test_a_job_may_be_due_again_when_it_is_done(store: Store) -> None:
    assert await store.do(outbox.plan, "evolve", "daily", NOW)
    assert not await store.do(outbox.plan, "evolve", "daily", NOW + SECOND)
    [job] = await take(store)
    await store.do(outbox.done, job, "here", NOW + 86_400 * SECOND)
    assert await take(store, now=NOW + 86_399 * SECOND) == []
    [next_day] = await take(store, now=NOW + 86_400 * SECOND)
    assert (next_day.turn, next_day.tries) == (1, 1)


async def test_outlook_says_when_the_next_job_is_to_be_taken(store: Store) -> None:
    async def outlook() -> list[outbox.Outlook]:
        found = await store.database.read(LOCAL_ACTOR, lambda tx: outbox.outlook(tx.connection))
        return sorted(found, key=lambda one: one.holder or "")

    assert await outlook() == []
    await put(store)
    await put(store, "b", due_at=NOW + 2 * SECOND)
    await put(store, "c", due_at=NOW + 5 * SECOND)
    await take(store, limit=1)
    assert await outlook() == [
        outbox.Outlook(holder=None, due_at=NOW + 2 * SECOND, free_at=NOW + 2 * SECOND),
        outbox.Outlook(holder="here", due_at=NOW, free_at=NOW + 30 * SECOND),
    ]


async def test_jobs_of_all_organizations_are_taken_and_each_sees_its_own(store: Store) -> None:
    await put(store)
    await store.as_stranger(outbox.put, "compact", "a", due_at=NOW)
    assert [one.turn for one in await waiting(store)] == [1]
    assert len(await store.as_stranger(outbox.waiting)) == 1
    taken = await take(store)
    assert {one.organization_id for one in taken} == {
        LOCAL_ORGANIZATION,
        store.stranger.organization_id,
    }


async def test_of_several_takers_at_once_each_job_has_one(
    store: Store, app: App, database_url: str
) -> None:
    """Two processes' worth of connections."""

    def many(tx: Tx) -> None:
        for n in range(200):
            outbox.put(tx, "compact", str(n), due_at=NOW)

    await app.database.write(LOCAL_ACTOR, many)
    second = await open_database(database_url, busy_timeout_s=30, auto_migrate=False)

    def taking(holder: str) -> Any:
        return lambda tx: outbox.take(tx.connection, holder, NOW, NOW + 30 * SECOND, 30)

    try:
        taken = await asyncio.gather(
            *(
                (app.database, second)[n % 2].write(LOCAL_ACTOR, taking(f"holder-{n}"))
                for n in range(8)
            )
        )
    finally:
        await second.close()
    assert all(len(part) <= 30 for part in taken)
    keys = [one.key for part in taken for one in part]
    assert len(keys) == len(set(keys)) == 200


async def test_who_listens_is_told_of_jobs_after_their_commit_and_of_nothing_else(
    store: Store,
) -> None:
    heard: list[str] = []
    end = store.database.listen(lambda: heard.append("job"))

    def unit(tx: Tx) -> None:
        outbox.put(tx, "compact", "never", due_at=NOW)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - what the unit raises
        await store.database.write(LOCAL_ACTOR, unit)
    await store.agent()
    await asyncio.sleep(0.05)
    assert heard == []
    assert await waiting(store) == []
    await put(store)
    async with asyncio.timeout(60):
        while not heard:  # noqa: ASYNC110 - it is told on a thread of the store's
            await asyncio.sleep(0.01)
    assert heard == ["job"]
    end()
    await put(store)
    await asyncio.sleep(0.05)
    assert heard == ["job"]
