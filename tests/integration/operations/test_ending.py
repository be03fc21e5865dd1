"""A server is told to end in the middle of runs: they end, or the next server goes on with them."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.integration.agents.conftest import NewServer, Server
from tests.integration.agents.jobs import (
    Jobs,
    Notes,
    assert_done_once,
    give,
    give_in_background,
    hold,
    new_agent,
    task,
    until_idle,
    wait_for,
)

SHUTDOWN_S = 1.0
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def lease_s() -> float:
    """Longer than the test: what isn't parked, but left to die, isn't taken over in its time."""
    return 60.0


@pytest.fixture
def more_settings() -> dict[str, str]:
    return {"YIKU_SHUTDOWN_S": str(SHUTDOWN_S)}


def test_a_run_that_takes_too_long_is_parked_and_the_next_server_ends_it(
    server: Server, new_server: NewServer, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 2] = hold(20.0)
    with ThreadPoolExecutor(1) as thread:
        told = thread.submit(streamed, server.url, agent, 1)
        wait_for(lambda: jobs.asked[1, 2] == 1)
        began = time.monotonic()
        server.end()
        took_s = time.monotonic() - began
        lines = told.result()

    assert SHUTDOWN_S <= took_s < 15.0
    assert server.code == 0
    assert [one["error_type"] for one in lines if one["message_type"] == "error_message"] == [
        "RunGoesOn"
    ]
    other = new_server()
    [run] = until_idle(other.client, agent)
    assert run.status == "completed"
    assert_done_once(other.client, agent, [1], notes)


@ON_SQLITE
@pytest.mark.parametrize("more_settings", [{"YIKU_SHUTDOWN_S": "30"}])
def test_a_run_that_can_end_in_time_does_and_is_answered(
    server: Server, new_server: NewServer, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 2] = hold(1.0)
    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(give, server.client, agent, 1)
        wait_for(lambda: jobs.asked[1, 2] == 1)
        began = time.monotonic()
        server.end()
        took_s = time.monotonic() - began
        assert answer.result().stop_reason.stop_reason == "end_turn"
    assert (server.code, took_s < 20) == (0, True)
    assert_done_once(new_server().client, agent, [1], notes)


@ON_SQLITE
def test_what_waits_for_its_turn_is_done_by_the_next_server(
    server: Server, new_server: NewServer, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 0] = hold(20.0)
    give_in_background(server.client, agent, 1)
    wait_for(lambda: jobs.asked[1, 0] == 1)
    give_in_background(server.client, agent, 2)
    server.end()
    assert server.code == 0
    other = new_server()
    assert [run.status for run in until_idle(other.client, agent)] == ["completed"] * 2
    assert_done_once(other.client, agent, [1, 2], notes)


def streamed(url: str, agent: str, job: int) -> list[dict[str, str]]:
    """All that a stream tells, to its end."""
    body = {"messages": [{"role": "user", "content": task(job)}]}
    found: list[dict[str, str]] = []
    with httpx.stream(
        "POST", f"{url}/v1/agents/{agent}/messages/stream", json=body, timeout=60
    ) as r:
        for line in r.iter_lines():
            if line.startswith("data: {"):
                found.append(json.loads(line.removeprefix("data: ")))
    return found
