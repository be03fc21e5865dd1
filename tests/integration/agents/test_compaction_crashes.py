"""A server is killed while a conversation is summarised: the next one does it, whole and once."""

import json
import os
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import letta_client
import pytest

from tests.fixtures.running import summarises
from tests.integration.agents.conftest import Lost, NewServer, Server
from tests.integration.agents.jobs import wait_for
from tests.servers.scripted_chat import Says
from tests.servers.warm import Warm

TURNS = 11
"""Two messages each: as few as are too many."""
SUMMARY = "Ann spoke of her garden."
Trick = Callable[[], None]


class Chat:
    """Answers; and summarises, with a trick before the answer where one is set."""

    def __init__(self) -> None:
        self.asked = 0
        """For summaries."""
        self.trick: Trick | None = None

    def __call__(self, request: dict[str, Any]) -> Says:
        if not summarises(request):
            return Says(text="I see.")
        self.asked += 1
        trick, self.trick = self.trick, None
        if trick is not None:
            trick()
        return Says(text=f"{SUMMARY} No. {self.asked}.")


@pytest.fixture
def jobs() -> Chat:
    return Chat()


def new_agent(server: Server) -> str:
    return server.client.agents.create(
        model="openai/scripted",
        embedding="local/all-minilm-l6-v2",
        memory_blocks=[{"label": "human", "value": "Ann has a garden."}],
    ).id


def say(server: Server, agent: str, turns: int, word: str = "spring") -> None:
    for n in range(turns):
        server.client.agents.messages.create(
            agent, messages=[{"role": "user", "content": f"It is {word}, turn {n}."}]
        )


def history(server: Server, agent: str) -> dict[str, Any]:
    return httpx.get(f"{server.url}/memory/agents/{agent}/history", timeout=30).json()


def wait_for_summary(server: Server, agent: str, count: int) -> dict[str, Any]:
    def told() -> bool:
        summary = history(server, agent)["summary"]
        return summary is not None and summary["message_count"] >= count

    wait_for(told)
    return history(server, agent)


def said(server: Server, agent: str) -> list[str]:
    listed = server.client.agents.messages.list(agent, order="asc", limit=200)
    return [one.content for one in listed if one.message_type == "user_message"]


@pytest.mark.timeout(600)
def test_a_kill_in_the_middle_of_a_compaction_loses_nothing(server: Server, jobs: Chat) -> None:
    agent = new_agent(server)
    say(server, agent, TURNS - 1)
    jobs.trick = server.kill
    with suppress(letta_client.APIConnectionError, *Lost):  # the kill may be quicker
        say(server, agent, 1)
    wait_for(lambda: server.dead)
    server.restart()

    found = wait_for_summary(server, agent, 17)
    assert jobs.asked == 2
    assert found["summary"]["text"] == f"{SUMMARY} No. 2."
    assert found["summary"]["message_count"] == 17
    assert len(found["messages"]) == 6
    assert len(said(server, agent)) == TURNS


@pytest.mark.timeout(600)
def test_a_kill_around_the_storing_of_a_summary_leaves_all_or_nothing(
    server: Server, jobs: Chat
) -> None:
    agent = new_agent(server)
    for n, seconds in enumerate((0.0, 0.004, 0.015)):
        say(server, agent, (TURNS if n == 0 else 8) - 1, f"season {n}")
        jobs.trick = threading.Timer(seconds, server.kill).start
        with suppress(letta_client.APIConnectionError, *Lost):
            say(server, agent, 1, f"season {n}")
        wait_for(lambda: server.dead)
        server.restart()
        archived = 17 + 16 * n
        found = wait_for_summary(server, agent, archived)
        assert found["summary"]["message_count"] == archived
        assert len(found["messages"]) == 6
    assert len(said(server, agent)) == TURNS + 8 + 8


@pytest.fixture
def more_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    return getattr(request, "param", {})


@pytest.mark.timeout(600)
@pytest.mark.parametrize("more_settings", [{"YIKU_WORKER": "false"}], indirect=True)
def test_a_worker_of_its_own_does_what_servers_leave(
    new_server: NewServer, jobs: Chat, tmp_path: Path, warm: Warm
) -> None:
    server = new_server()
    agent = new_agent(server)
    say(server, agent, TURNS)
    assert jobs.asked == 0
    worker = warm.start(
        ["worker", "--json"],
        cwd=tmp_path,
        env={**environment(), **server.settings},
        errors=tmp_path / "errors",
    )
    try:
        assert json.loads(worker.stdout.readline())["pid"] == worker.pid
        found = wait_for_summary(server, agent, 17)
        assert re.match(SUMMARY, found["summary"]["text"])
        worker.terminate()
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.communicate()


def environment() -> dict[str, str]:
    return {name: v for name, v in os.environ.items() if not name.startswith("YIKU_")}
