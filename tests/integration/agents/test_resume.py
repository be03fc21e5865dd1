"""A run whose process went away goes on in another, and nothing is done twice or lost."""

import asyncio
import os
import threading
from pathlib import Path

import pytest

from tests.fixtures.gates import TOOL, Gate
from tests.fixtures.running import (
    Opener,
    Talk,
    append,
    first_piece,
    first_stored,
    returned,
    spoken,
    user,
)
from tests.servers.scripted_chat import Call, Says, Script
from tests.servers.warm import Warm
from yiku.agents import loop
from yiku.agents.active import ActiveRun
from yiku.agents.holder import is_dead, new_holder
from yiku.core.agent import Lease
from yiku.core.ids import RunId, new_id
from yiku.core.run import RunStatus, Said, Stepped, StepStatus
from yiku.core.tenant import LOCAL_ACTOR
from yiku.store import leases
from yiku.store.database import Tx, now_utc

STORY = "Once upon a time"
DYING = Path(__file__).parents[2] / "servers/dying.py"


async def ended_elsewhere(talk: Talk, run_id: RunId) -> RunStatus:
    return (await (await talk.runner.watch(LOCAL_ACTOR, run_id)).wait()).status


async def test_a_run_that_is_parked_in_the_models_words_is_finished_by_another(
    talk: Talk, goes_on: threading.Event
) -> None:
    talk.model.respond = Script(
        Says(calls=(append("a"),)), Says(text=STORY, piece=5, goes_on=goes_on), "The end."
    )
    agent = await talk.agent("core_memory_append")
    async with talk.another_process(drain_s=0) as first:
        active = await first.start(agent, "Tell me a story.")
        await first_stored(active)
        await second_step(active)
    assert (await active.wait()).status is RunStatus.RUNNING  # as far as that process knows

    await talk.runner.open()
    assert await ended_elsewhere(talk, active.run.id) is RunStatus.COMPLETED
    run = await talk.run(active.run.id)
    assert run.step_count == 2
    assert [one.n for one in await talk.steps(run)] == [1, 2]
    said = await talk.said(agent)
    assert [one.role for one in said] == ["system", "user", "assistant", "tool", "assistant"]
    assert said[-1].text == "The end."
    assert (await talk.block(agent)).value.endswith("\na")


async def second_step(active: ActiveRun) -> None:
    """When the model has begun to speak after the first step."""
    stepped = False
    async for _, event in active.events():
        if isinstance(event, Said) and stepped:
            return
        stepped = stepped or isinstance(event, Stepped)


async def test_a_pending_step_is_run_again_with_the_same_key(talk: Talk, gate: Gate) -> None:
    await talk.custom(TOOL)
    calls = (append("once"), Call("slow", {"port": gate.port}))
    talk.model.respond = Script(Says(calls=calls), "Good.")
    agent = await talk.agent("slow", "core_memory_append")
    async with talk.another_process(drain_s=0) as first:
        active = await first.start(agent, "x")
        key = await gate.came()
        [pending] = await talk.steps(active.run)
        assert pending.status is StepStatus.PENDING

    await talk.runner.open()
    assert await gate.came() == key
    await gate.let_go()
    assert await ended_elsewhere(talk, active.run.id) is RunStatus.COMPLETED
    assert len(talk.model.asked) == 2
    assert [(ok, text) for _, ok, text in returned(await talk.said(agent))][1] == (
        True,
        "It is done.",
    )
    assert (await talk.block(agent)).value.count("once") == 1
    first_step, _ = await talk.steps(active.run)
    assert (first_step.id, first_step.status) == (pending.id, StepStatus.SUCCESS)


async def test_a_process_that_is_killed_leaves_nothing_undone(
    *, open_talk: Opener, gate: Gate, yiku_home: Path, warm: Warm, tmp_path: Path
) -> None:
    talk = await open_talk()
    await talk.custom(TOOL)
    talk.model.respond = Script(
        Says(calls=(append("before"),)),
        Says(calls=(Call("slow", {"port": gate.port}),)),
        "Good.",
        "Next.",
    )
    agent = await talk.agent("slow", "core_memory_append")
    url = talk.app.settings.database
    words = [str(yiku_home), url, talk.model.url, agent.agent.id, "x"]
    child = warm.start(
        words, cwd=tmp_path, env=os.environ, errors=tmp_path / "errors", program=DYING
    )
    run_id = RunId((await asyncio.to_thread(child.stdout.readline)).strip())
    key = await gate.came()
    child.kill()
    child.communicate()

    following = asyncio.create_task(talk.send(agent, "And then?"))  # waits for the one before
    assert await gate.came() == key
    await gate.let_go()
    assert (await following).status is RunStatus.COMPLETED
    run = await talk.run(run_id)
    assert (run.status, run.step_count) == (RunStatus.COMPLETED, 3)
    assert spoken(await talk.said(agent), "user") == ["x", "And then?"]
    assert spoken(await talk.said(agent)) == ["Good.", "Next."]
    assert (await talk.block(agent)).value.count("before") == 1


async def test_a_run_is_taken_over_when_its_lease_expires(
    talk: Talk, goes_on: threading.Event
) -> None:
    """Its first process lives, and has hung: it doesn't write any more."""
    talk.model.respond = Script("Hello.", Says(text=STORY, piece=5, goes_on=goes_on), "The end.")
    agent = await talk.agent()
    await talk.send(agent, "hello")
    active = await talk.start(agent, "Tell me a story.")
    await first_piece(active)

    def stolen(tx: Tx) -> None:  # as though it hadn't renewed its lease
        held = leases.find(tx, agent.agent.id, "")
        assert held is not None
        leases.release(tx, held)
        leases.take(tx, Lease(**{**fields(held), "until": tx.now, "holder": "far/1/1/x"}), tx.now)

    await talk.write(stolen)
    async with talk.another_process(lease_s=1.0) as other:
        await other.runner.open()
        assert await ended_elsewhere(other, active.run.id) is RunStatus.COMPLETED
        goes_on.set()
        assert (await active.wait()).status is RunStatus.COMPLETED
    assert spoken(await talk.said(agent)) == ["Hello.", "The end."]


def fields(one: Lease) -> dict[str, object]:
    return {name: getattr(one, name) for name in Lease.__dataclass_fields__}


async def test_a_lease_is_kept_while_the_model_thinks(talk: Talk, goes_on: threading.Event) -> None:
    talk.model.respond = Script(Says(text=STORY, piece=5, goes_on=goes_on))
    agent = await talk.agent()
    async with talk.another_process(lease_s=1.0) as first:
        active = await first.start(agent, "Tell me a story.")
        await first_piece(active)
        seen = await talk.read(leases.find, agent.agent.id, "")
        now = seen
        while now.until == seen.until:
            now = await talk.read(leases.find, agent.agent.id, "")
        assert now.until > seen.until
        assert now.run_id == active.run.id
        goes_on.set()
        assert (await active.wait()).status is RunStatus.COMPLETED
    assert await talk.read(leases.find, agent.agent.id, "") is None


async def test_queued_runs_survive_and_begin_in_order(talk: Talk, goes_on: threading.Event) -> None:
    talk.model.respond = Script(Says(text=STORY, piece=5, goes_on=goes_on), then="Yes.")
    agent = await talk.agent()
    async with talk.another_process(drain_s=0) as first:
        going = await first.start(agent, "0", background=True)
        await first_piece(going)
        queued = [
            await first.start(agent, user(str(n), otid=str(n)), background=True) for n in (1, 2, 3)
        ]
    await talk.runner.open()
    for one in (going, *queued):
        assert await ended_elsewhere(talk, one.run.id) is RunStatus.COMPLETED
    assert spoken(await talk.said(agent), "user") == ["0", "1", "2", "3"]
    again = await talk.start(agent, user("2", otid="2"))
    assert again.run.id == queued[1].run.id


async def test_what_was_cancelled_meanwhile_does_not_go_on(
    talk: Talk, goes_on: threading.Event
) -> None:
    talk.model.respond = Script(Says(text=STORY, piece=5, goes_on=goes_on))
    agent = await talk.agent()
    async with talk.another_process(drain_s=0) as first:
        active = await first.start(agent, "Tell me a story.")
        await first_piece(active)
    await talk.runner.cancel(LOCAL_ACTOR, agent.agent.id)
    await talk.runner.open()
    assert await ended_elsewhere(talk, active.run.id) is RunStatus.CANCELLED
    assert len(talk.model.asked) == 1


@pytest.mark.parametrize("watched", [False, True])
async def test_a_parked_run_goes_on_whether_or_not_it_is_watched(
    talk: Talk, goes_on: threading.Event, watched: bool
) -> None:
    talk.model.respond = Script(Says(text=STORY, piece=5, goes_on=goes_on), "The end.")
    agent = await talk.agent()
    async with talk.another_process(drain_s=0) as first:
        active = await first.start(agent, "Tell me a story.")
        await first_piece(active)
    watching = [await talk.runner.watch(LOCAL_ACTOR, active.run.id)] if watched else []
    await talk.runner.open()
    assert (await talk.send(agent, "And then?")).status is RunStatus.COMPLETED
    assert (await talk.run(active.run.id)).status is RunStatus.COMPLETED
    for one in watching:
        assert (await one.wait()).status is RunStatus.COMPLETED


def test_a_holder_is_known_to_be_dead_on_its_own_machine_only(warm: Warm, tmp_path: Path) -> None:
    assert not is_dead(new_holder())
    program = tmp_path / "holds.py"
    program.write_text("from yiku.agents.holder import new_holder\nprint(new_holder())\n")
    _, said, _ = warm.run([], cwd=tmp_path, env=os.environ, timeout_s=60, program=program)
    theirs = said.decode().strip()
    assert is_dead(theirs)
    machine, rest = theirs.split("/", 1)
    assert not is_dead(f"{machine}-2/{rest}")
    mine = new_holder().rsplit("/", 3)
    assert is_dead("/".join([*mine[:2], "1", mine[3]]))  # the same number, and another process


async def test_a_lease_is_one_runs_at_a_time(talk: Talk) -> None:
    agent = await talk.agent()
    now = now_utc()
    mine, yours = (
        Lease(
            agent_id=agent.agent.id,
            conversation_id="",
            run_id=RunId(new_id("run")),
            holder="a/1/1/x",
            until=now,
        )
        for _ in range(2)
    )
    assert await talk.write(leases.take, mine, now)
    assert await talk.write(leases.take, yours, now)  # it had expired
    assert not await talk.write(leases.renew, mine)


async def test_a_run_that_ends_its_server_each_time_is_given_up(
    talk: Talk, goes_on: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a step it may try as often again."""
    monkeypatch.setattr(loop, "RESUMPTIONS", 3)
    hangs = Says(text=STORY, piece=5, goes_on=goes_on)
    talk.model.respond = Script(hangs, hangs, Says(calls=(append("a"),)), then=hangs)
    agent = await talk.agent("core_memory_append")
    async with talk.another_process(drain_s=0) as one:
        active = await one.start(agent, "Tell me a story.")
        await asked(talk, 1)
    for begun in (2, 4, 5, 6, 7):
        async with talk.another_process(drain_s=0) as one:
            await one.runner.open()
            await asked(talk, begun)
    assert (await talk.run(active.run.id)).resumptions == 3

    await talk.runner.open()
    assert await ended_elsewhere(talk, active.run.id) is RunStatus.FAILED
    run = await talk.run(active.run.id)
    assert run.failure is not None
    assert "given up" in run.failure.message
    assert (len(talk.model.asked), run.step_count) == (7, 1)
    talk.model.respond = Script("Here I am.")
    assert (await talk.send(agent, "And now?")).status is RunStatus.COMPLETED


async def asked(talk: Talk, count: int) -> None:
    """When the model was asked so often."""
    async with asyncio.timeout(60):
        while len(talk.model.asked) < count:  # noqa: ASYNC110 - it has nobody to tell
            await asyncio.sleep(0.01)
