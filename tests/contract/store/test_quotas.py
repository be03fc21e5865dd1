"""What is used is counted exactly, and who counts waits for nobody, unless a limit asks for it."""

from collections.abc import AsyncIterator, Generator
from contextlib import ExitStack, contextmanager

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from tests.fixtures.agents import Store
from tests.fixtures.agents import store as store
from yiku.agents.begin import Begun, begin
from yiku.agents.lease import Asked
from yiku.app import App
from yiku.core.errors import QuotaExceeded
from yiku.core.ids import AgentId, RunId, new_id
from yiku.core.message import Incoming, MessageRole, Text
from yiku.core.quota import Resource
from yiku.core.run import RunRequest
from yiku.core.tenant import LOCAL_ACTOR
from yiku.store import quotas
from yiku.store.contexts import Contexts
from yiku.store.database import Tx, now_utc

ON_POSTGRES = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


@pytest.fixture
async def engine(app: App) -> AsyncIterator[Engine]:
    """For transactions that stay open beside each other."""
    made = create_engine(app.database.url)
    yield made
    made.dispose()


@contextmanager
def opened(engine: Engine) -> Generator[Tx]:
    """A transaction, rolled back unless it is committed; it waits for no lock longer than a bit."""
    with engine.connect() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 300"))
        yield Tx(connection, LOCAL_ACTOR, now_utc())
        connection.rollback()


async def used(store: Store) -> dict[Resource, int]:
    return {one.resource: one.used for one in await store.do(quotas.all_of)}


def asked(agent_id: AgentId) -> Asked:
    said = Incoming(role=MessageRole.USER, parts=(Text("hello"),))
    return Asked(
        run_id=RunId(new_id("run")),
        agent_id=agent_id,
        conversation_id=None,
        incoming=(said,),
        request=RunRequest(),
        holder="here",
        lease_s=60,
    )


async def test_what_is_counted_adds_up(store: Store) -> None:
    for said in (1, 2):
        await store.do(quotas.count_messages, said)
    assert await store.do(quotas.count_tokens, 30) is False
    await store.as_stranger(quotas.count_messages, 5)
    found = await used(store)
    assert (found[Resource.MESSAGES], found[Resource.TOKENS]) == (3, 30)
    await store.do(quotas.put, Resource.TOKENS, 40)
    assert await store.do(quotas.count_tokens, 10) is True
    with pytest.raises(QuotaExceeded, match="may have 40 tokens"):
        await store.do(quotas.count_messages, 1)
    await store.do(quotas.put, Resource.MESSAGES, 3)
    await store.do(quotas.clear, Resource.TOKENS)
    with pytest.raises(QuotaExceeded, match=r"may have 3 messages .* has 3"):
        await store.do(quotas.count_messages, 1)
    await store.do(quotas.count_messages, 0)  # an answer to a question isn't counted
    assert (await used(store))[Resource.MESSAGES] == 3


@ON_POSTGRES
async def test_messages_of_one_organization_do_not_wait_for_each_other(
    store: Store, engine: Engine
) -> None:
    """Their transactions are all open at once, from the lease to the count."""
    agents = [await store.agent(f"a{n}") for n in range(3)]
    with ExitStack() as stack:
        open_ones = [stack.enter_context(opened(engine)) for _ in agents]
        for tx, agent in zip(open_ones, agents, strict=True):
            assert isinstance(begin(tx, asked(agent.id), Contexts()), Begun)
        for tx in open_ones:
            quotas.count_tokens(tx, 7)
        for tx in open_ones:
            tx.connection.commit()
    with opened(engine) as tx:
        quotas.count_messages(tx, 1)
        rows = tx.connection.execute(text("SELECT count(*) FROM daily_usage")).scalar_one()
        tx.connection.commit()
    found = await used(store)
    assert (found[Resource.MESSAGES], found[Resource.TOKENS]) == (4, 21)
    assert rows == 3  # as many as there were at once: they are used again


@ON_POSTGRES
async def test_a_limit_of_messages_is_never_exceeded(store: Store, engine: Engine) -> None:
    await store.do(quotas.put, Resource.MESSAGES, 2)
    await store.do(quotas.count_messages, 1)
    with opened(engine) as first:
        quotas.count_messages(first, 1)  # the last one there is
        with opened(engine) as second, pytest.raises(OperationalError, match="lock timeout"):
            quotas.count_messages(second, 1)
        with opened(engine) as third:  # who only tells of tokens, or answers, waits for nobody
            quotas.count_tokens(third, 7)
            quotas.count_messages(third, 0)
            third.connection.commit()
        first.connection.commit()
    with opened(engine) as fourth, pytest.raises(QuotaExceeded, match="has 2"):
        quotas.count_messages(fourth, 1)
