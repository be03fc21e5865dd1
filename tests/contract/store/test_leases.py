"""Of those that want an agent's conversation at once, one has it; so on both databases."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fixtures.agents import NOW, Store
from yiku.app import App
from yiku.core import errors
from yiku.core.agent import Agent, Lease
from yiku.core.ids import AgentId, RunId
from yiku.core.tenant import LOCAL_ACTOR
from yiku.store import agents, leases
from yiku.store.database import open_database

SECOND = timedelta(seconds=1)


def lease(agent: Agent, run: str = "run-1", holder: str = "here", conversation: str = "") -> Lease:
    return Lease(
        agent_id=agent.id,
        conversation_id=conversation,
        run_id=RunId(run),
        holder=holder,
        until=NOW + 10 * SECOND,
    )


async def test_a_lease_is_one_runs_until_it_expires_or_is_given_back(store: Store) -> None:
    agent, other = await store.agent(), await store.agent("bob")
    mine, theirs = lease(agent), lease(agent, "run-2", "there")
    assert await store.do(leases.find, agent.id, "") is None
    assert await store.do(leases.take, mine, NOW)
    assert await store.do(leases.find, agent.id, "") == mine

    assert not await store.do(leases.take, theirs, NOW)
    assert not await store.do(leases.take, theirs, mine.until - timedelta(microseconds=1))
    assert await store.do(leases.take, lease(agent, "run-2", conversation="conv-1"), NOW)
    assert await store.do(leases.take, lease(other, "run-2"), NOW)
    assert not await store.do(leases.renew, theirs)
    assert not await store.do(leases.release, theirs)
    assert await store.do(leases.find, agent.id, "") == mine

    later = replace(mine, until=mine.until + 5 * SECOND)
    assert await store.do(leases.renew, later)
    assert not await store.do(leases.take, theirs, mine.until)
    assert await store.do(leases.take, theirs, later.until)
    assert not await store.do(leases.renew, later)
    assert not await store.do(leases.release, later)
    assert await store.do(leases.release, theirs)
    assert await store.do(leases.find, agent.id, "") is None
    assert not await store.do(leases.release, theirs)


async def test_another_process_may_go_on_with_a_run(store: Store) -> None:
    agent = await store.agent()
    assert await store.do(leases.take, lease(agent), NOW)
    assert await store.do(leases.take, lease(agent, holder="there"), NOW)
    assert not await store.do(leases.renew, lease(agent))
    assert not await store.do(leases.release, lease(agent))
    assert await store.do(leases.renew, lease(agent, holder="there"))


@pytest.mark.parametrize("expired", [False, True])
async def test_of_several_takers_at_once_one_succeeds(
    store: Store, app: App, database_url: str, expired: bool
) -> None:
    """Two processes' worth of connections, and eight runs that want each of five agents."""
    made = [await store.agent(str(n)) for n in range(5)]
    if expired:
        for agent in made:
            assert await store.do(leases.take, lease(agent, "run-old"), NOW)
    now = NOW + 10 * SECOND
    second = await open_database(database_url, busy_timeout_s=30, auto_migrate=False)
    try:
        wanted = [
            (n, replace(lease(agent, f"run-{n}"), until=now + SECOND))
            for agent in made
            for n in range(8)
        ]
        told = await asyncio.gather(
            *(
                (app.database, second)[n % 2].write(
                    LOCAL_ACTOR, lambda tx, one=one: leases.take(tx, one, now)
                )
                for n, one in wanted
            )
        )
    finally:
        await second.close()
    for agent in made:
        winners = [
            one
            for (_, one), taken in zip(wanted, told, strict=True)
            if taken and one.agent_id == agent.id
        ]
        assert winners == [await store.do(leases.find, agent.id, "")]


async def test_a_strangers_agent_has_no_lease_to_take(store: Store) -> None:
    agent = await store.agent()
    for act in (store.as_stranger, store.do):
        wanted = (
            lease(agent) if act == store.as_stranger else lease(replace(agent, id=AgentId("x")))
        )
        with pytest.raises(errors.AgentNotFound):
            await act(leases.take, wanted, NOW)
    assert await store.do(leases.take, lease(agent), NOW)
    assert not await store.as_stranger(leases.renew, lease(agent))
    assert not await store.as_stranger(leases.release, lease(agent))
    assert await store.as_stranger(leases.find, agent.id, "") is None
    with pytest.raises(errors.AgentNotFound):
        await store.as_stranger(leases.take, lease(agent), NOW + 60 * SECOND)
    await store.do(agents.remove, agent.id)
    assert await store.do(leases.find, agent.id, "") is None
