"""Two servers on one database: an agent has one run at a time, whoever was asked for it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import letta_client
import pytest

from tests.integration.agents.conftest import Lost, NewServer, Server
from tests.integration.agents.jobs import (
    LAST,
    STEPS,
    Jobs,
    Notes,
    assert_done_once,
    assert_in_blocks,
    fact,
    give,
    give_in_background,
    hold,
    hold_until,
    new_agent,
    speak_slowly,
    until_idle,
    wait_for,
)

LEASE_S = 6.0
HELD_S = 45.0
"""How long a model thinks that isn't waited for; a server looks for news of its runs three times a
lease."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def lease_s() -> float:
    return LEASE_S


@pytest.fixture
def other(server: Server, new_server: NewServer) -> Server:
    return new_server()


def test_messages_to_one_agent_never_interleave(
    server: Server, other: Server, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    clients = [server.client, other.client] * 3

    with ThreadPoolExecutor(len(clients)) as threads:
        answers = list(threads.map(lambda n: give(clients[n], agent, n), range(len(clients))))

    assert [one.stop_reason.stop_reason for one in answers] == ["end_turn"] * len(clients)
    assert_in_blocks(jobs.order)
    assert len(jobs.order) == len(clients) * STEPS
    assert_done_once(other.client, agent, range(len(clients)), notes)


def test_a_run_is_cancelled_from_the_other_server(
    server: Server, other: Server, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 2] = hold(HELD_S)

    with ThreadPoolExecutor(1) as thread:
        answer = thread.submit(give, server.client, agent, 1)
        wait_for(lambda: jobs.asked[1, 2] == 1)
        began = time.monotonic()
        other.client.agents.messages.cancel(agent)
        reason = answer.result().stop_reason.stop_reason

    assert (reason, time.monotonic() - began < HELD_S / 2) == ("cancelled", True)
    assert [run.status for run in until_idle(other.client, agent)] == ["cancelled"]
    assert give(other.client, agent, 2).stop_reason.stop_reason == "end_turn"
    block = other.client.agents.blocks.retrieve("human", agent_id=agent).value
    assert [fact(1, 0) in block, fact(1, 2) in block, fact(2, 2) in block] == [True, False, True]
    assert len(set(notes.keys(1))) == len(set(notes.keys(2))) == 1


def test_a_server_goes_on_with_the_runs_of_one_that_died(
    server: Server, other: Server, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 2] = hold(5.0)
    give_in_background(server.client, agent, 1)
    wait_for(lambda: jobs.asked[1, 2] == 1)
    server.kill()

    [run] = until_idle(other.client, agent)

    assert run.status == "completed"
    assert_done_once(other.client, agent, [1], notes)


def test_a_server_that_slept_too_long_does_nothing_to_a_run_that_was_taken_over(
    server: Server, other: Server, jobs: Jobs, notes: Notes, goes_on: threading.Event
) -> None:
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 2] = hold_until(goes_on)
    give_in_background(server.client, agent, 1)
    wait_for(lambda: jobs.asked[1, 2] == 1)
    server.stop()
    goes_on.set()
    try:
        [run] = until_idle(other.client, agent)
        assert run.status == "completed"
    finally:
        server.go_on()
    # It finds the model's answer, and may not save it.
    answer = give(server.client, agent, 2)

    assert answer.stop_reason.stop_reason == "end_turn"
    assert_done_once(server.client, agent, [1, 2], notes)
    assert jobs.asked[1, LAST] == 1


def test_a_stream_is_followed_from_the_other_server(
    server: Server, other: Server, jobs: Jobs, notes: Notes
) -> None:
    """Message by message: pieces are told only where they are made."""
    agent = new_agent(server.client, notes)
    jobs.tricks[1, LAST] = speak_slowly(0.05)
    run = give_in_background(server.client, agent, 1)

    told = [one.message_type for one in other.client.runs.messages.stream(run.id)]

    assert told.count("assistant_message") == 1
    assert told.count("tool_return_message") == STEPS - 1
    assert_done_once(other.client, agent, [1], notes)


def test_a_killed_server_leaves_the_other_its_agents(
    server: Server, other: Server, jobs: Jobs, notes: Notes
) -> None:
    """Asked of the living one while the dead one's run isn't taken over yet."""
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 0] = hold(5.0)
    with ThreadPoolExecutor(1) as thread:
        lost = thread.submit(give, server.client, agent, 1)
        wait_for(lambda: jobs.asked[1, 0] == 1)
        server.kill()
        with pytest.raises((letta_client.APIConnectionError, *Lost)):
            lost.result()

    assert give(other.client, agent, 2).stop_reason.stop_reason == "end_turn"

    until_idle(other.client, agent)
    assert_done_once(other.client, agent, [1, 2], notes)
