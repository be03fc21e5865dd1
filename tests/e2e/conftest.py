"""The command line as its users have it: a process of its own.

Each is forked from one that has imported Yiku already, which spares this suite most of its time;
what starts an interpreter of its own is in `test_wheel`, and where a shell is asked.
"""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.warm import Going, Started, Warm

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Beside:
    """A command that runs beside the test."""

    def __init__(self, started: Started, errors: Path) -> None:
        self._started = started
        self._errors = errors
        self.stdout = started.stdout
        self.send_signal = started.send_signal
        self.kill = started.kill
        self.terminate = started.terminate
        self.wait = started.wait
        self.poll = started.poll

    @property
    def err(self) -> str:
        """What it complained of."""
        return self._errors.read_text(encoding="utf-8")

    def communicate(self, timeout: float = TIMEOUT_S) -> tuple[str, str]:
        """What it said that wasn't read yet, and its complaints, once it has ended."""
        return self._started.communicate(timeout), self.err


class Cli:
    """Runs `yiku` with the environment of the test."""

    def __init__(self, folder: Path, warm: Warm) -> None:
        self.folder = folder
        self._warm = warm
        self._running: list[Beside] = []

    def __call__(
        self, *words: str | Path, stdin: bytes = b"", code: int | None = 0, **env: str
    ) -> Done:
        """Run it to its end, which must be with `code`; None: with any."""
        ended, out, err = self._warm.run(
            [*map(str, words)],
            stdin=stdin,
            cwd=self.folder,
            env={**os.environ, **env},
            timeout_s=TIMEOUT_S,
        )
        told = Done(ended, out.decode(), err.decode())
        assert code in (None, told.code), f"yiku {words}\n{told.out}\n{told.err}"
        assert "Traceback" not in told.err, told.err
        return told

    def start(self, *words: str | Path, **env: str) -> Beside:
        """Run it beside the test, which ends it."""
        errors = self.folder.parent / f"errors{len(self._running)}"
        started = self._warm.start(
            [*map(str, words)], cwd=self.folder, env={**os.environ, **env}, errors=errors
        )
        self._running.append(Beside(started, errors))
        return self._running[-1]

    def serve(self, *words: str, **env: str) -> tuple[str, Beside]:
        """A server on a free port: its address, once it answers, and its process."""
        started = self.start("serve", "--port", "0", "--json", *words, **env)
        line = started.stdout.readline()
        if not line:
            _, complaints = started.communicate()
            raise AssertionError(complaints)
        return json.loads(line)["url"], started

    def begin(
        self, streams: Sequence[int], *words: str | Path, at_terminal: bool = False, **env: str
    ) -> Going:
        """Run it beside the test, with the test's own files as its streams."""
        return self._warm.begin(
            streams,
            [*map(str, words)],
            cwd=self.folder,
            env={**os.environ, **env},
            at_terminal=at_terminal,
        )

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


@pytest.fixture
def cli(
    warm: Warm, used_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cli]:
    monkeypatch.setenv("PYTHONUTF8", "1")
    folder = tmp_path / "work"
    folder.mkdir()
    made = Cli(folder, warm)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def first_start(used_home: Path) -> None:
    """Nobody has used Yiku here yet."""
    (used_home / "yiku.db").unlink()


Remember = Callable[..., str]


@pytest.fixture
def remember(cli: Cli) -> Remember:
    """Adds a text, and returns its passage's id."""

    def add(text: str, *options: str) -> str:
        return cli("add", text, *options, "--json").json["passage"]["id"]

    return add
