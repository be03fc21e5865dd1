"""Two servers on one database, one of them killed: what is scheduled is sent once."""

import threading
import time

import pytest

from tests.integration.agents.conftest import NewServer, Server
from tests.integration.agents.jobs import (
    Jobs,
    Notes,
    assert_done_once,
    new_agent,
    task,
    until_idle,
    wait_for,
)

AGENTS = 4
ROUNDS = (0.0, 0.05, 0.3)
"""When the first server is killed: so many seconds after the moment of the messages."""
AHEAD_S = 1.5

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def lease_s() -> float:
    return 6.0


def test_each_message_is_sent_once_whoever_dies(
    server: Server, new_server: NewServer, jobs: Jobs, notes: Notes
) -> None:
    other = new_server()
    agents = [new_agent(other.client, notes) for _ in range(AGENTS)]
    for round_, after_s in enumerate(ROUNDS):
        at = time.time() + AHEAD_S
        for n, agent in enumerate(agents):
            (server if n % 2 else other).client.agents.schedule.create(
                agent,
                schedule={"scheduled_at": at * 1000},
                messages=[{"role": "user", "content": task(number(round_, n))}],
            )
        threading.Timer(at + after_s - time.time(), server.kill).start()
        wait_for(
            lambda: (
                not any(other.client.agents.schedule.list(one).scheduled_messages for one in agents)
            )
        )
        for n, agent in enumerate(agents):
            found = until_idle(other.client, agent)
            assert [run.status for run in found] == ["completed"] * (round_ + 1), found
            done = [number(each, n) for each in range(round_ + 1)]
            assert_done_once(other.client, agent, done, notes)
        wait_for(lambda: server.dead)
        server.restart()


def number(round_: int, n: int) -> int:
    return round_ * AGENTS + n
