"""/v1/agents/{id}/schedule, spoken to with the real client, and what comes of it."""

import asyncio
import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import letta_client
import pytest

from tests.fixtures.agents import Store
from tests.fixtures.agents import store as store
from tests.fixtures.letta import Driver
from tests.fixtures.talking import made
from tests.servers.scripted_chat import ScriptedChat
from yiku.agents import schedules
from yiku.agents.schedules import Fired
from yiku.app import App
from yiku.core.errors import ScheduleNotFound
from yiku.core.ids import AgentId, ScheduleId
from yiku.core.message import Incoming, MessageRole, Text
from yiku.core.run import RunFilter, RunPage, RunRequest, RunStatus
from yiku.core.schedule import Missed, Schedule, ScheduleDraft, ScheduleStatus
from yiku.core.tenant import LOCAL_ACTOR
from yiku.store import agents, outbox, runs
from yiku.store import schedules as rows
from yiku.store.database import Tx, now_utc
from yiku.worker.work import working

HOUR_MS = 3_600_000
MORNING = {"type": "recurring", "cron_expression": "0 9 * * *"}
HELLO = {"role": "user", "content": "早上好"}


def now_ms() -> int:
    return int(time.time() * 1000)


async def schedule(talk: Driver, agent_id: str, when: Any, *messages: Any, **more: Any) -> Any:
    return await talk(
        lambda c: c.agents.schedule.create(
            agent_id, schedule=when, messages=list(messages or (HELLO,)), **more
        )
    )


async def test_a_schedule_is_made_read_and_deleted(letta: Driver) -> None:
    agent = (await letta(lambda c: c.agents.create(include_base_tools=False))).id
    at = now_ms() + HOUR_MS
    once = await schedule(
        letta,
        agent,
        {"scheduled_at": at},
        {"role": "user", "content": [{"type": "text", "text": "one"}], "otid": "o-1"},
        {"role": "system", "content": "two", "name": "clock"},
        max_steps=3,
        include_return_message_types=["assistant_message"],
    )
    daily = await schedule(letta, agent, {**MORNING, "timezone": "Asia/Shanghai"})
    assert once.id.startswith("schedule-")
    assert datetime.fromisoformat(once.next_scheduled_at).timestamp() * 1000 == at

    found = await letta(lambda c: c.agents.schedule.retrieve(once.id, agent_id=agent))
    assert (found.id, found.agent_id, found.next_scheduled_time) == (
        once.id,
        agent,
        once.next_scheduled_at,
    )
    assert (found.schedule.type, found.schedule.scheduled_at) == ("one-time", at)
    assert [(one.role, one.content, one.name, one.otid) for one in found.message.messages] == [
        ("user", "one", None, "o-1"),
        ("system", "two", "clock", None),
    ]
    assert found.message.max_steps == 3
    assert found.message.include_return_message_types == ["assistant_message"]

    listed = await letta(lambda c: c.agents.schedule.list(agent))
    assert [one.id for one in listed.scheduled_messages] == [once.id, daily.id]
    assert listed.has_next_page is False
    assert listed.scheduled_messages[1].schedule.cron_expression == "0 9 * * *"
    assert listed.scheduled_messages[1].next_scheduled_time.endswith("T01:00:00Z")
    first = await letta(lambda c: c.agents.schedule.list(agent, limit="1"))
    assert ([one.id for one in first.scheduled_messages], first.has_next_page) == ([once.id], True)
    rest = await letta(lambda c: c.agents.schedule.list(agent, after=once.id))
    assert ([one.id for one in rest.scheduled_messages], rest.has_next_page) == ([daily.id], False)
    before = await letta(
        lambda c: c.agents.schedule.list(agent, extra_query={"before": daily.id, "limit": 1})
    )
    assert [one.id for one in before.scheduled_messages] == [once.id]

    gone = await letta(lambda c: c.agents.schedule.delete(once.id, agent_id=agent))
    assert gone.success is True
    for method in (
        lambda c: c.agents.schedule.retrieve(once.id, agent_id=agent),
        lambda c: c.agents.schedule.delete(once.id, agent_id=agent),
        lambda c: c.agents.schedule.list(agent, after=once.id),
        lambda c: c.agents.schedule.list("agent-x"),
    ):
        await letta.fails(letta_client.NotFoundError, method)


@pytest.mark.parametrize(
    ("when", "more", "words"),
    [
        ({"scheduled_at": time.time()}, {}, "milliseconds since 1970, not in seconds"),
        ({"scheduled_at": -1}, {}, "greater than or equal to 0"),
        ({**MORNING, "cron_expression": "0 25 * * *"}, {}, "Bad hour"),
        ({**MORNING, "cron_expression": "every day"}, {}, "five fields"),
        ({**MORNING, "timezone": "Mars/Olympus"}, {}, "IANA"),
        (MORNING, {"messages": []}, "at least 1 item"),
        (MORNING, {"callback_url": "ftp://x"}, "no address of a callback"),
        (MORNING, {"extra_body": {"missed": "twice"}}, "'run' or 'skip'"),
    ],
)
async def test_what_can_not_be_scheduled_is_refused_with_a_reason(
    talk: Driver, when: Any, more: dict[str, Any], words: str
) -> None:
    agent = await made(talk)
    body = {"messages": [HELLO], **more}
    error = await talk.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.schedule.create(agent, schedule=when, **body),
    )
    assert words in str(error.body)
    assert (await talk(lambda c: c.agents.schedule.list(agent))).scheduled_messages == []


async def test_a_message_of_a_moment_is_sent_then_and_answered_once(
    talk: Driver, talking: App, model: ScriptedChat
) -> None:
    agent = await made(talk)
    async with working(talking):
        made_ = await schedule(talk, agent, {"scheduled_at": now_ms() + 300}, max_steps=2)
        run = await ended_run(talk, agent)
    assert (run.status, run.background, run.metadata["schedule_id"]) == (
        "completed",
        True,
        made_.id,
    )
    said = await talk(lambda c: c.agents.messages.list(agent, order="asc"))
    told = [(one.message_type, one.content) for one in said.items]
    assert told[-2:] == [("user_message", "早上好"), ("assistant_message", "Understood.")]
    assert len(model.bodies()) == 1
    assert (await talk(lambda c: c.agents.schedule.list(agent))).scheduled_messages == []


async def test_what_fired_where_a_server_died_is_found_by_the_next(
    talk: Driver, talking: App, model: ScriptedChat
) -> None:
    agent = await made(talk)
    one = await schedule(talk, agent, {"scheduled_at": now_ms() + HOUR_MS})

    def fire(tx: Tx) -> Fired:
        later = replace(tx, now=tx.now + timedelta(hours=2))
        return schedules.fire(later, ScheduleId(one.id))

    fired = await talking.database.write(LOCAL_ACTOR, fire)
    assert fired.run is not None
    await talking.runner.open()
    assert (await ended_run(talk, agent)).id == fired.run.id
    await talking.runner.take_up(LOCAL_ACTOR, fired.run)
    assert len(model.bodies()) == 1


async def ended_run(talk: Driver, agent: str) -> Any:
    """The one run there is, when it has ended."""
    async with asyncio.timeout(60):
        while True:
            found = (await talk(lambda c: c.runs.list(agent_id=agent))).items
            if found and found[0].status not in ("created", "running"):
                [run] = found
                return run
            await asyncio.sleep(0.02)


class Later:
    """A schedule in the store, looked at as if it were some time later."""

    def __init__(self, store: Store, agent_id: AgentId) -> None:
        self.store = store
        self.agent_id = agent_id

    async def make(self, *, otid: str | None = None, **draft: Any) -> Schedule:
        said = Incoming(role=MessageRole.USER, parts=(Text("hello"),), otid=otid)
        given = ScheduleDraft(
            agent_id=self.agent_id,
            request=RunRequest(background=True, incoming=(said,)),
            **{"missed": Missed.RUN, **draft},
        )
        return await schedules.create(self.store.database, LOCAL_ACTOR, given)

    async def look(self, one: Schedule, at: datetime) -> Fired:
        return await self.store.database.write(
            LOCAL_ACTOR, lambda tx: schedules.fire(replace(tx, now=at), one.id)
        )

    async def again(self, one: Schedule) -> Schedule:
        return await self.store.do(rows.get, one.id)

    async def runs(self) -> list[RunStatus]:
        wanted = RunFilter(agent_ids=(self.agent_id,))
        return [one.status for one in await self.store.do(runs.page, wanted, RunPage())]


@pytest.fixture
async def later(store: Store) -> Later:
    return Later(store, (await store.agent()).id)


async def test_it_fires_once_however_often_it_is_looked_at(later: Later) -> None:
    at = now_utc() + timedelta(hours=1)
    one = await later.make(at=at)
    assert await later.look(one, at - timedelta(seconds=1)) == Fired(next_at=at)
    fired = await later.look(one, at)
    assert fired.run is not None
    assert fired.next_at is None
    assert await later.look(one, at) == Fired()
    assert await later.runs() == [RunStatus.CREATED]
    with pytest.raises(ScheduleNotFound):
        await later.again(one)


async def test_a_recurring_one_goes_on_from_now_however_many_were_missed(later: Later) -> None:
    one = await later.make(cron="0 * * * *", otid="o-1")
    assert one.next_at is not None
    at = one.next_at + timedelta(days=3, minutes=5)
    fired = await later.look(one, at)
    assert fired.run is not None
    assert fired.run.request.incoming[0].otid is None
    assert fired.next_at == one.next_at + timedelta(days=3, hours=1)
    gone_on = await later.again(one)
    assert (gone_on.fired_count, gone_on.fired_at, gone_on.last_run_id, gone_on.next_at) == (
        1,
        at,
        fired.run.id,
        fired.next_at,
    )
    assert await later.look(one, at) == Fired(next_at=fired.next_at)


async def test_what_was_missed_is_skipped_where_that_is_wanted(later: Later) -> None:
    hourly = await later.make(cron="0 * * * *", missed=Missed.SKIP)
    at = now_utc() + timedelta(hours=1)
    once = await later.make(at=at, missed=Missed.SKIP)
    assert hourly.next_at is not None
    passed = await later.look(hourly, hourly.next_at + timedelta(minutes=30))
    assert passed == Fired(next_at=hourly.next_at + timedelta(hours=1))
    assert await later.look(once, at + timedelta(minutes=2)) == Fired()
    assert await later.runs() == []
    kept = await later.again(once)
    assert (kept.status, kept.next_at, kept.problem) == (
        ScheduleStatus.MISSED,
        None,
        "No server was there at its time, and what is missed is skipped.",
    )
    assert passed.next_at is not None
    assert (await later.look(hourly, passed.next_at + timedelta(seconds=59))).run is not None


async def test_an_agent_that_is_busy_is_asked_once(later: Later) -> None:
    """The run of the time before hasn't begun: a second one would only say it again."""
    one = await later.make(cron="* * * * *")
    assert one.next_at is not None
    first = await later.look(one, one.next_at)
    assert first.next_at is not None
    assert (await later.look(one, first.next_at)).run is None
    assert "hasn't begun" in ((await later.again(one)).problem or "")
    assert first.run is not None
    begun = replace(first.run, status=RunStatus.COMPLETED)
    await later.store.do(runs.update, begun)
    third = await later.look(one, first.next_at + timedelta(minutes=1))
    assert third.run is not None
    assert (await later.again(one)).problem is None


async def test_what_the_agent_was_sent_already_is_not_sent_again(later: Later) -> None:
    """Under the same otid: two schedules of a client that asked twice."""
    at = now_utc() + timedelta(minutes=1)
    first, second = await later.make(at=at, otid="o"), await later.make(at=at, otid="o")
    assert (await later.look(first, at)).run is not None
    assert (await later.look(second, at)).run is None
    assert len(await later.runs()) == 1


async def test_schedules_go_with_their_agent_and_strangers_see_none(later: Later) -> None:
    one = await later.make(cron="* * * * *")
    with pytest.raises(ScheduleNotFound):
        await later.store.as_stranger(rows.get, one.id)
    with pytest.raises(ScheduleNotFound):
        await later.store.as_stranger(schedules.remove, one.id)

    def asked(tx: Tx) -> list[str]:
        return [job.key for job in outbox.waiting(tx) if job.kind == schedules.JOB]

    assert await later.store.do(asked) == [one.id]
    await later.store.do(agents.remove, later.agent_id)
    assert await later.look(one, now_utc() + timedelta(hours=1)) == Fired()
    with pytest.raises(ScheduleNotFound):
        await later.store.do(rows.get, ScheduleId(one.id))
