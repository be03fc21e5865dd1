"""`callback_url`: who asked for it is told of the end of a run, a batch, a scheduled message."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import letta_client
import pytest
from fastapi import FastAPI
from letta_client.types.agents import LettaResponse

from tests.fixtures.letta import Driver, driver
from tests.fixtures.talking import made
from tests.servers.scripted_chat import Fails, Says, Script, ScriptedChat
from tests.servers.served import Asked, Reply, Served
from yiku.app import App
from yiku.core.skill import Job
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION
from yiku.server.v1.callbacks import JOB, carry_out, handlers
from yiku.store import outbox
from yiku.store.database import now_utc
from yiku.worker import work as workers
from yiku.worker.work import working

BATCHES = "/v1/messages/batches"
HELLO = [{"role": "user", "content": "早上好"}]


class Called(Served):
    """Who is called back; answers with `statuses`, one after the other, then 204."""

    def __init__(self) -> None:
        super().__init__()
        self.replies: list[Reply] = []

    def reply(self, asked: Asked) -> Reply:
        return self.replies.pop(0) if self.replies else Reply(status=204)

    @property
    def told(self) -> list[Any]:
        return [one.body for one in self.asked]


@pytest.fixture
def called() -> Iterator[Called]:
    with Called() as server:
        yield server


@pytest.fixture
def private() -> bool:
    """Whether this machine may be called."""
    return True


@pytest.fixture
def allowed(private: bool) -> dict[str, bool]:
    return {"fetch_private": private}


@pytest.fixture
async def here(talking_asgi: FastAPI, free_port: int) -> AsyncIterator[Driver]:
    async with driver("async in this process", talking_asgi, free_port) as found:
        yield found


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not happened():  # noqa: ASYNC110 - what a server is asked rings no bell
            await asyncio.sleep(0.02)


async def sent(talk: Driver, agent: str, url: str) -> Any:
    """The run."""
    return await talk(
        lambda c: c.agents.messages.create_async(agent, messages=HELLO, callback_url=url)
    )


async def noted(talk: Driver, run_id: str, status: int | None) -> Any:
    """The run, when a try is noted that came to this."""
    async with asyncio.timeout(60):
        while True:
            run = await talk(lambda c: c.runs.retrieve(run_id))
            if run.callback_sent_at is not None and run.callback_status_code == status:
                return run
            await asyncio.sleep(0.02)


async def no_job_waits(app: App) -> None:
    async def waits() -> bool:
        found = await app.database.read(LOCAL_ACTOR, outbox.waiting)
        return any(one.kind == JOB for one in found)

    async with asyncio.timeout(60):
        while await waits():  # noqa: ASYNC110 - nor do rows
            await asyncio.sleep(0.02)


async def test_the_end_of_a_run_is_told_once(
    here: Driver, talking: App, called: Called, model: ScriptedChat
) -> None:
    model.respond = Script(Says(text="你好"), Fails(status=401))
    url = f"{called.root}/told?key=1"
    agent = await made(here)
    async with working(talking, handlers(talking)):
        asked = await sent(here, agent, url)
        assert (asked.callback_url, asked.callback_sent_at) == (url, None)
        run = await noted(here, asked.id, 204)
        failing = await sent(here, agent, url)
        await noted(here, failing.id, 204)
        await no_job_waits(talking)
    assert run.callback_error is None
    first, second = called.asked
    assert (first.path, first.headers["content-type"]) == ("/told?key=1", "application/json")
    assert first.headers["host"] == called.root.removeprefix("http://")
    result = LettaResponse.model_validate(first.body["metadata"].pop("result"))
    assert first.body == {
        "run_id": run.id,
        "status": "completed",
        "completed_at": run.completed_at.isoformat(),
        "metadata": {},
    }
    said = [(one.message_type, one.content) for one in result.messages]
    assert said == [("user_message", "早上好"), ("assistant_message", "你好")]
    assert (result.stop_reason.stop_reason, result.usage.run_ids) == ("end_turn", [run.id])
    assert (second.body["run_id"], second.body["status"]) == (failing.id, "failed")
    assert second.body["metadata"]["error"]["type"] == "ProviderRefused"


async def test_who_does_not_take_it_is_told_again(
    here: Driver, talking: App, called: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where a redirect leads is never asked."""
    monkeypatch.setattr(workers, "FIRST_PAUSE_S", 0.01)
    away = Reply(status=307, headers={"Location": f"{called.root}/elsewhere"})
    called.replies = [Reply(status=503), away]
    agent = await made(here)
    async with working(talking, handlers(talking)):
        asked = await sent(here, agent, f"{called.root}/told")
        await noted(here, asked.id, 204)
        await no_job_waits(talking)
    assert [one.path for one in called.asked] == ["/told"] * 3
    assert called.told[0] == called.told[1] == called.told[2]


async def test_after_the_last_try_it_is_given_up(
    here: Driver, talking: App, called: Called
) -> None:
    asked = await sent(here, await made(here), called.root)
    await until_ended(here, asked.id)
    called.replies = [Reply(status=500)]
    last = Job(
        seq=0,
        organization_id=LOCAL_ORGANIZATION,
        kind=JOB,
        key=asked.id,
        tries=outbox.MOST_TRIES,
        due_at=now_utc(),
    )
    await carry_out(talking, LOCAL_ACTOR, last)  # it isn't raised: the job is done with
    run = await noted(here, asked.id, 500)
    assert "answered with 500" in run.callback_error
    assert "last of 10 tries" in run.callback_error


async def until_ended(talk: Driver, run_id: str) -> None:
    async def goes_on() -> bool:
        return (await talk(lambda c: c.runs.retrieve(run_id))).status != "completed"

    async with asyncio.timeout(60):
        while await goes_on():  # noqa: ASYNC110 - nor do rows
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("private", [False])
async def test_this_machine_is_not_called_unless_it_may_be(
    here: Driver, talking: App, called: Called
) -> None:
    agent = await made(here)
    error = await here.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.messages.create_async(
            agent, messages=HELLO, callback_url=f"{called.root}/"
        ),
    )
    assert "only public ones" in str(error.body)
    async with working(talking, handlers(talking)):
        by_name = called.root.replace("127.0.0.1", "localhost")
        run = await noted(here, (await sent(here, agent, by_name)).id, None)
        assert "only public ones" in run.callback_error
        await no_job_waits(talking)
    assert called.asked == []


@pytest.mark.parametrize("url", ["ftp://a.example/", "here", "https://u:p@a.example/", "http://"])
async def test_what_is_no_address_is_refused(here: Driver, url: str) -> None:
    agent = await made(here)
    error = await here.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.messages.create_async(agent, messages=HELLO, callback_url=url),
    )
    assert "address of a callback" in str(error.body)


async def test_the_end_of_a_batch_and_of_a_scheduled_message_is_told(
    here: Driver, talking: App, called: Called
) -> None:
    agent = await made(here)
    body = {
        "requests": [{"agent_id": agent, "input": "x"}],
        "callback_url": f"{called.root}/batch",
    }
    batch: Any = await here(lambda c: c.post(BATCHES, body=body, cast_to=object))
    assert batch["callback_url"] == f"{called.root}/batch"
    later = {"type": "one-time", "scheduled_at": int(time.time() * 1000)}
    await here(
        lambda c: c.agents.schedule.create(
            agent, schedule=later, messages=HELLO, callback_url=f"{called.root}/schedule"
        )
    )
    async with working(talking, handlers(talking)):
        await until(lambda: len(called.asked) == 2)
        await no_job_waits(talking)
    told = {one.path: one.body for one in called.asked}
    done: Any = await here(lambda c: c.get(f"{BATCHES}/{batch['id']}", cast_to=object))
    assert told["/batch"] == {
        "job_id": batch["id"],
        "status": "completed",
        "completed_at": told["/batch"]["completed_at"],
        "metadata": {"requests": {"completed": 1}},
    }
    assert (done["callback_status_code"], done["callback_error"]) == (204, None)
    run = await here(lambda c: c.runs.retrieve(told["/schedule"]["run_id"]))
    assert (run.callback_url, run.callback_status_code) == (f"{called.root}/schedule", 204)


async def test_a_queued_run_that_is_cancelled_is_told(
    here: Driver, talking: App, called: Called, model: ScriptedChat
) -> None:
    model.respond = Script(then=Says(text="one two three " * 50, piece=4, gap_s=0.1))
    agent = await made(here)
    going = await sent(here, agent, f"{called.root}/going")
    queued = await sent(here, agent, f"{called.root}/queued")
    assert queued.status == "created"
    await here(lambda c: c.agents.messages.cancel(agent))
    async with working(talking, handlers(talking)):
        await until(lambda: len(called.asked) == 2)
        await no_job_waits(talking)
    told = {one["run_id"]: one["status"] for one in called.told}
    assert told == {going.id: "cancelled", queued.id: "cancelled"}


@pytest.mark.timeout(120)
async def test_a_kill_while_it_is_told_costs_no_callback(
    here: Driver, called: Called, yiku_home: Path, database_url: str
) -> None:
    asked = await sent(here, await made(here), called.root)
    called.replies = [Reply(status=200, wait_s=30)]
    command = (sys.executable, "-m", "tests.servers.telling", str(yiku_home), database_url)
    process = await asyncio.create_subprocess_exec(*command)
    await until(lambda: len(called.asked) == 1)
    process.kill()
    await process.wait()
    assert (await here(lambda c: c.runs.retrieve(asked.id))).callback_sent_at is None

    process = await asyncio.create_subprocess_exec(*command)
    run = await noted(here, asked.id, 204)
    process.kill()
    await process.wait()
    assert run.callback_error is None
    assert called.told[0] == called.told[1]
