"""/v1/messages/batches: `letta-client` has no method for them any more, but types, and `post`."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import letta_client
import pytest
from fastapi import FastAPI
from letta_client.types.agents import InternalMessage

from tests.fixtures.letta import Driver, driver
from tests.fixtures.talking import made
from tests.servers.scripted_chat import Fails, Says, Script, ScriptedChat
from yiku.app import App
from yiku.worker.work import working

BATCHES = "/v1/messages/batches"
ENDLESS = Says(text="one two three four five six " * 20, piece=4, gap_s=0.1)


@pytest.fixture
async def here(talking_asgi: FastAPI, free_port: int) -> AsyncIterator[Driver]:
    async with driver("async in this process", talking_asgi, free_port) as found:
        yield found


async def asked(talk: Driver, *requests: dict[str, Any]) -> Any:
    return await talk(lambda c: c.post(BATCHES, body={"requests": requests}, cast_to=object))


async def got(talk: Driver, path: str = "", **query: Any) -> Any:
    return await talk(
        lambda c: c.get(f"{BATCHES}{path}", options={"params": query}, cast_to=object)
    )


async def when(talk: Driver, batch_id: str, status: str, **counts: int) -> Any:
    """The batch, when it is so far."""
    async with asyncio.timeout(60):
        while True:
            found = await got(talk, f"/{batch_id}")
            there = found["metadata"]["requests"]
            if found["status"] == status and counts.items() <= there.items():
                return found
            await asyncio.sleep(0.05)


async def test_a_batch_is_carried_out(here: Driver, talking: App, model: ScriptedChat) -> None:
    """Two requests of one agent come one after the other; what fails keeps nobody else."""
    model.respond = Script("a", "b", "c", Fails(status=401))
    one, other, third = [await made(here, name=name) for name in ("Yi", "Er", "San")]
    batch = await asked(
        here,
        {"agent_id": one, "input": "first"},
        {"agent_id": one, "messages": [{"role": "user", "content": "second"}]},
        {"agent_id": other, "input": "third"},
    )
    assert (batch["status"], batch["job_type"]) == ("created", "batch")
    async with working(talking):
        done = await when(here, batch["id"], "completed")
        assert done["metadata"]["requests"] == {"completed": 3}
        assert done["completed_at"] is not None
        failing = await asked(here, {"agent_id": third, "input": "x"})
        done = await when(here, failing["id"], "completed")
        assert done["metadata"]["requests"] == {"failed": 1}

    said = await got(here, f"/{batch['id']}/messages", order="asc", agent_id=one)
    messages = [InternalMessage.model_validate(one) for one in said["messages"]]
    assert [(one.role, one.content[0].text) for one in messages if one.role == "user"] == [
        ("user", "first"),
        ("user", "second"),
    ]
    assert [one.batch_item_id for one in messages] == [f"{batch['id']}/{n}" for n in (0, 0, 1, 1)]
    assert {one.agent_id for one in messages} == {one}
    everything = await got(here, f"/{batch['id']}/messages")
    assert len(everything["messages"]) == 6
    after = {"after": everything["messages"][3]["id"]}
    rest = await got(here, f"/{batch['id']}/messages", **after)
    assert rest["messages"] == everything["messages"][4:]
    listed = await got(here)
    assert [each["id"] for each in listed] == [failing["id"], batch["id"]]
    assert [each["id"] for each in await got(here, after=failing["id"])] == [batch["id"]]
    assert len(await here.all(lambda c: c.runs.list(background=True))) == 4


async def test_a_batch_is_cancelled(here: Driver, talking: App, model: ScriptedChat) -> None:
    model.respond = Script(then=ENDLESS)
    one = await made(here)
    batch = await asked(here, *({"agent_id": one, "input": str(n)} for n in range(3)))
    async with working(talking):
        await when(here, batch["id"], "running", running=1, created=2)
        cancel = f"{BATCHES}/{batch['id']}/cancel"
        await here(lambda c: c.patch(cancel, cast_to=object))
        done = await when(here, batch["id"], "cancelled", cancelled=3)
        assert done["metadata"]["requests"] == {"cancelled": 3}
        await here(lambda c: c.patch(cancel, cast_to=object))  # once more does nothing
    [run] = await here.all(lambda c: c.runs.list())
    assert run.status == "cancelled"


async def test_a_batch_goes_on_after_a_stop(
    here: Driver, talking: App, model: ScriptedChat
) -> None:
    """Of a worker that goes away in the middle nothing is done twice, and nothing forgotten."""
    model.respond = Script(Says(text="slow", wait_s=1), then="Done.")
    agents = [await made(here, name=f"A{n}") for n in range(3)]
    batch = await asked(
        here, *({"agent_id": one, "input": str(n)} for n in range(2) for one in agents)
    )
    async with working(talking):
        await when(here, batch["id"], "running")
    await here(lambda c: c.agents.delete(agents[2]))  # with its requests
    async with working(talking):
        done = await when(here, batch["id"], "completed")
    assert done["metadata"]["requests"] == {"completed": 4}
    for one in agents[:2]:
        found = await here.all(lambda c, a=one: c.agents.messages.list(a, order="asc"))
        assert [each.content for each in found if each.message_type == "user_message"] == ["0", "1"]


async def test_a_wrong_batch_is_refused(here: Driver) -> None:
    one = await made(here)
    for requests, field in (
        ([], "requests"),
        ([{"agent_id": one}], "messages"),
        ([{"agent_id": one, "messages": [{"type": "approval", "approve": True}]}], "requests"),
    ):
        error = await here.fails(
            letta_client.UnprocessableEntityError, lambda c, r=requests: asked(here, *r)
        )
        assert field in error.body["detail"][0]["loc"]
    nobody = {"agent_id": "agent-00000000-0000-4000-8000-000000000000", "input": "x"}
    await here.fails(
        letta_client.NotFoundError,
        lambda c: asked(here, {"agent_id": one, "input": "x"}, nobody),
    )
    assert await got(here) == []
