"""The database can't take a run's next step, or its first, for a while: another program has locked
it. What was acknowledged is done as soon as it can be."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.fixtures.running import Opener, Talk, append, first_piece, spoken
from tests.servers.scripted_chat import Says, Script
from yiku.core.ids import RunId
from yiku.core.run import Run, RunStatus
from yiku.core.tenant import LOCAL_ACTOR

WAIT_S = 0.3
LEASE_S = 2.0

pytestmark = pytest.mark.parametrize("database_url", ["postgres"], indirect=True)


async def ended(talk: Talk, run_id: RunId) -> Run:
    """When a keeper has found it, and it was run."""
    async with asyncio.timeout(60), talk.another_process() as other:
        return await (await other.runner.watch(LOCAL_ACTOR, run_id)).wait()


@asynccontextmanager
async def locked(url: str, table: str) -> AsyncGenerator[None]:
    """Another program has the table for itself."""
    async with await psycopg.AsyncConnection.connect(url.replace("+psycopg", "")) as other:
        await other.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(Identifier(table)))
        yield
        await other.rollback()


async def test_a_queued_message_waits_for_the_database_that_it_was_stored_in(
    open_talk: Opener, database_url: str, goes_on: threading.Event
) -> None:
    talk = await open_talk(busy_timeout_s=WAIT_S, lease_s=LEASE_S)
    talk.model.respond = Script(Says(text="Once upon a time", piece=5, goes_on=goes_on))
    agent = await talk.agent()
    first = await talk.start(agent, "Tell me a story.")
    await first_piece(first)
    queued = await talk.start(agent, "And then?", background=True)
    async with locked(database_url, "block"):  # a run's own row can be written meanwhile
        goes_on.set()
        assert (await first.wait()).status is RunStatus.COMPLETED
        assert (await queued.wait()).status is RunStatus.CREATED, "nobody is told that it failed"
    run = await ended(talk, queued.run.id)
    assert (run.status, run.failure) == (RunStatus.COMPLETED, None)
    assert spoken(await talk.said(agent), "user") == ["Tell me a story.", "And then?"]


async def test_a_step_that_the_database_does_not_take_is_made_again(
    open_talk: Opener, database_url: str, goes_on: threading.Event
) -> None:
    talk = await open_talk(busy_timeout_s=WAIT_S, lease_s=LEASE_S)
    says = Says(text="Well,", calls=(append("Ann likes tea."),), piece=2, goes_on=goes_on)
    talk.model.respond = Script(says, says, "Noted.")
    agent = await talk.agent("core_memory_append")
    active = await talk.start(agent, "I like tea.")
    await first_piece(active)
    async with locked(database_url, "block"):
        goes_on.set()
        assert (await active.wait()).status is RunStatus.RUNNING, "nobody is told that it failed"
    assert (await ended(talk, active.run.id)).status is RunStatus.COMPLETED
    assert len(talk.model.asked) == 3
    assert (await talk.block(agent)).value.count("Ann likes tea.") == 1
    assert spoken(await talk.said(agent))[-1] == "Noted."
