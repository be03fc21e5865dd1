"""Servers as processes of their own that can be killed, and a model that outlives them."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import httpx
import pytest
from letta_client import Letta

from tests.fixtures.gates import gate as gate
from tests.fixtures.gates import goes_on as goes_on
from tests.fixtures.running import open_talk as open_talk
from tests.fixtures.running import talk as talk
from tests.integration.agents.jobs import Jobs, Notes
from tests.servers.scripted_chat import ScriptedChat
from tests.servers.warm import Started, Warm

LONG_S = 600.0
"""A lease that no test lives to see the end of."""


class Server:
    """`yiku serve`, which can be killed and started again on the same database."""

    def __init__(self, warm: Warm, settings: dict[str, str], log: Path) -> None:
        self._warm = warm
        self._settings = settings
        self._log = log
        self._process: Started | None = None

    def start(self) -> Self:
        kept = {name: v for name, v in os.environ.items() if not name.startswith("YIKU_")}
        words = ["serve", "--port", "0", "--json"]
        env = {**kept, **self._settings}
        self._process = self._warm.start(words, cwd=self._log.parent, env=env, errors=self._log)
        line = self._process.stdout.readline()
        assert line, self.log
        self.url: str = json.loads(line)["url"]
        self._client = Letta(base_url=self.url, timeout=60.0, max_retries=0)
        return self

    @property
    def client(self) -> Letta:
        return self._client

    @property
    def settings(self) -> dict[str, str]:
        return self._settings

    @property
    def log(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        """SIGKILL: nothing of it can be put in order. From another thread, too: the one it kills is
        not the one that was started anew meanwhile."""
        process = self._process
        assert process is not None
        process.kill()
        process.communicate()

    @property
    def dead(self) -> bool:
        assert self._process is not None
        return self._process.poll() is not None

    @property
    def code(self) -> int | None:
        """How it ended."""
        assert self._process is not None
        return self._process.poll()

    def stop(self) -> None:
        """It isn't given the processor, as on a machine that sleeps; until `go_on`."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> Self:
        self._client.close()
        return self.start()

    def end(self) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=30)
        finally:
            self._client.close()


NewServer = Callable[[], Server]
Lost = (httpx.HTTPError, OSError)
"""What a client of a killed server gets, below letta-client's own errors."""


@pytest.fixture
def jobs() -> Jobs:
    return Jobs()


@pytest.fixture
def notes() -> Iterator[Notes]:
    made = Notes()
    yield made
    made.remove()


@pytest.fixture
def lease_s() -> float:
    """A process that hasn't shown itself for so long has lost its runs to another."""
    return LONG_S


@pytest.fixture
def more_settings() -> dict[str, str]:
    """Of the servers, besides what all of them need."""
    return {}


@pytest.fixture
def new_server(
    *,
    database_url: str,
    yiku_home: Path,
    tmp_path: Path,
    jobs: Jobs,
    lease_s: float,
    more_settings: dict[str, str],
    warm: Warm,
) -> Iterator[NewServer]:
    """Starts servers on the test's database; at the end none of their logs may tell of a bug."""
    servers: list[Server] = []
    with ScriptedChat(jobs) as model:
        settings = {
            "YIKU_HOME": str(yiku_home),
            "YIKU_DATABASE_URL": database_url,
            "YIKU_MODEL": "openai/scripted",
            "YIKU_MODEL_BASE_URL": model.url,
            "YIKU_MODEL_API_KEY": "none",
            "YIKU_SANDBOX": "process",  # the tool's note must be seen from outside
            "YIKU_LEASE_S": str(lease_s),
            **more_settings,
        }

        def new() -> Server:
            servers.append(Server(warm, settings, tmp_path / f"server{len(servers)}.log"))
            return servers[-1].start()

        yield new
        for server in servers:
            server.end()
    for server in servers:
        assert "Traceback" not in server.log, server.log


@pytest.fixture
def server(new_server: NewServer) -> Server:
    return new_server()
