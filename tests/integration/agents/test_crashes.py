"""A server is killed in the middle of a run: the next one goes on, and nothing is lost or doubled.

Each test uses a real server process, SIGKILL, and the real letta-client, on SQLite and on Postgres.
"""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import letta_client
import pytest

from tests.integration.agents.conftest import Lost, Server
from tests.integration.agents.jobs import (
    LAST,
    NOTE,
    STEPS,
    Jobs,
    Notes,
    Trick,
    assert_done_once,
    give,
    give_in_background,
    hold,
    new_agent,
    speak_slowly,
    task,
    until_idle,
    wait_for,
)
from tests.servers.scripted_chat import Says

KILLS = 8
"""At moments that nobody chose."""


def killing(server: Server) -> Trick:
    def trick(says: Says) -> Says:
        server.kill()
        return says

    return trick


def killing_after(server: Server, seconds: float) -> Trick:
    """So long after the model's answer went out."""

    def trick(says: Says) -> Says:
        threading.Timer(seconds, server.kill).start()
        return says

    return trick


@pytest.mark.timeout(600)
def test_a_run_goes_on_after_a_kill_between_any_two_steps(
    server: Server, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    for step in range(STEPS):  # the request shows that the step before it was saved
        jobs.tricks[step, step] = killing(server)
        with pytest.raises((letta_client.APIConnectionError, *Lost)):
            give(server.client, agent, step)
        server.restart()
        runs = until_idle(server.client, agent)
        assert {run.status for run in runs} == {"completed"}
        assert [jobs.asked[step, n] for n in range(STEPS)] == [
            1 + (n == step) for n in range(STEPS)
        ]
    assert_done_once(server.client, agent, range(STEPS), notes)

    assert give(server.client, agent, STEPS).stop_reason.stop_reason == "end_turn"
    assert_done_once(server.client, agent, range(STEPS + 1), notes)


@pytest.mark.timeout(600)
def test_a_run_goes_on_after_a_kill_while_a_step_is_saved(
    server: Server, jobs: Jobs, notes: Notes
) -> None:
    """Moments between the model's answer and its next question, or the end."""
    agent = new_agent(server.client, notes)
    moments = [(0, 0.001), (2, 0.004), (3, 0.004), (3, 0.015), (LAST, 0.002)]
    for job, (step, seconds) in enumerate(moments):
        jobs.tricks[job, step] = killing_after(server, seconds)
        with suppress(letta_client.APIConnectionError, *Lost):  # the kill may be quicker
            give_in_background(server.client, agent, job)
        wait_for(lambda: server.dead)
        server.restart()
        until_idle(server.client, agent)
    assert_done_once(server.client, agent, range(len(moments)), notes)


@pytest.mark.timeout(300)
def test_a_kill_during_the_models_answer_costs_only_the_answer(
    server: Server, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 2] = hold(5.0)
    give_in_background(server.client, agent, 1)
    wait_for(lambda: jobs.asked[1, 2] == 1)
    server.kill()

    server.restart()
    until_idle(server.client, agent)

    assert [jobs.asked[1, n] for n in range(STEPS)] == [1, 1, 2, 1, 1]
    assert_done_once(server.client, agent, [1], notes)


@pytest.mark.timeout(300)
def test_a_kill_during_a_custom_tool_runs_it_again_with_the_same_key(
    server: Server, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes, first_pause_s=20.0)
    give_in_background(server.client, agent, 1)
    wait_for(lambda: len(notes.keys(1)) == 1)
    server.kill()

    server.restart()
    until_idle(server.client, agent)

    assert jobs.asked[1, NOTE] == 1, "the model was asked again for what it had said"
    assert len(notes.keys(1)) == 2
    assert_done_once(server.client, agent, [1], notes)


@pytest.mark.timeout(600)
def test_what_was_acknowledged_is_done_whenever_the_kill_comes(
    server: Server, jobs: Jobs, notes: Notes
) -> None:
    """Jobs are given faster than servers live; those that wait in a queue are jobs like others."""
    rng = random.Random(1283)
    agent = new_agent(server.client, notes)
    for job in range(KILLS):
        acknowledged = give_in_background(server.client, agent, job)
        assert acknowledged.status in ("created", "running")
        time.sleep(rng.uniform(0.0, 0.2))
        server.kill()
        server.restart()

    runs = until_idle(server.client, agent)

    assert len(runs) == KILLS
    assert {run.status for run in runs} == {"completed"}
    assert_done_once(server.client, agent, range(KILLS), notes)
    said = [
        one.content
        for one in server.client.agents.messages.list(agent, order="asc", limit=100)
        if one.message_type == "user_message"
    ]
    assert said == [task(job) for job in range(KILLS)]


@pytest.mark.timeout(300)
def test_a_kill_during_a_stream_ends_the_stream_and_not_the_run(
    server: Server, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    jobs.tricks[1, LAST] = speak_slowly(0.1)
    heard: list[str] = []

    with pytest.raises((letta_client.APIConnectionError, *Lost)):
        kill_when_heard(server, agent, heard)
    server.restart()
    [run] = until_idle(server.client, agent)

    assert heard[0] == "Job "
    assert (run.status, run.stop_reason) == ("completed", "end_turn")
    assert jobs.asked[1, LAST] == 2
    assert_done_once(server.client, agent, [1], notes)


def kill_when_heard(server: Server, agent: str, heard: list[str]) -> None:
    stream = server.client.agents.messages.create(
        agent,
        messages=[{"role": "user", "content": task(1)}],
        streaming=True,
        stream_tokens=True,
    )
    for event in stream:
        if event.message_type == "assistant_message":
            heard.append(event.content)
            server.kill()


@pytest.mark.timeout(300)
def test_an_agent_whose_server_died_can_be_spoken_to_at_once(
    server: Server, jobs: Jobs, notes: Notes
) -> None:
    """The new server sees that the old one is dead: nobody waits for a lease to run out."""
    agent = new_agent(server.client, notes)
    jobs.tricks[1, 0] = killing(server)
    with pytest.raises((letta_client.APIConnectionError, *Lost)):
        give(server.client, agent, 1)
    server.restart()

    answer = give(server.client, agent, 2)

    assert answer.stop_reason.stop_reason == "end_turn"
    assert_done_once(server.client, agent, [1, 2], notes)


@pytest.mark.timeout(300)
def test_a_run_that_waits_for_an_approval_waits_through_a_kill(
    server: Server, jobs: Jobs, notes: Notes
) -> None:
    agent = new_agent(server.client, notes)
    server.client.agents.tools.update_approval("note", agent_id=agent, body_requires_approval=True)
    asked = give(server.client, agent, 1)
    assert asked.stop_reason.stop_reason == "requires_approval"
    server.kill()
    server.restart()
    call = jobs.asked[1, NOTE]

    with pytest.raises(letta_client.ConflictError):
        give(server.client, agent, 2)
    answer = server.client.agents.messages.create(
        agent,
        messages=[
            {
                "type": "approval",
                "approvals": [
                    {
                        "type": "approval",
                        "approve": True,
                        "tool_call_id": f"call-1-{NOTE}-{call}",
                    }
                ],
            }
        ],
    )

    assert answer.stop_reason.stop_reason == "end_turn"
    assert len(notes.keys(1)) == 1


@pytest.mark.timeout(300)
def test_many_agents_of_one_server_go_on(server: Server, jobs: Jobs, notes: Notes) -> None:
    agents = [new_agent(server.client, notes) for _ in range(6)]
    with ThreadPoolExecutor(len(agents)) as threads:
        for _ in threads.map(lambda n: give_in_background(server.client, agents[n], n), range(6)):
            pass
    wait_for(lambda: jobs.asked.total() > 10)
    server.kill()

    server.restart()

    for job, agent in enumerate(agents):
        until_idle(server.client, agent)
        assert_done_once(server.client, agent, [job], notes)
