"""The command line as its users have it: a process of its own.

What runs to its end is forked from a process that has imported Yiku already, which spares this
suite most of its time; what is started beside a test is a new interpreter.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.warm import Warm

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


class Cli:
    """Runs `yiku` with the environment of the test."""

    def __init__(self, folder: Path, warm: Warm) -> None:
        self.folder = folder
        self._warm = warm
        self._running: list[subprocess.Popen[str]] = []

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

    def start(self, *words: str | Path, **env: str) -> subprocess.Popen[str]:
        """Run it beside the test, which ends it."""
        started = subprocess.Popen(
            self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            cwd=self.folder,
            env={**os.environ, **env},
            text=True,
        )
        self._running.append(started)
        return started

    def serve(self, *words: str, **env: str) -> tuple[str, subprocess.Popen[str]]:
        """A server on a free port: its address, once it answers, and its process."""
        started = self.start("serve", "--port", "0", "--json", *words, **env)
        assert started.stdout is not None
        line = started.stdout.readline()
        if not line:
            _, complaints = started.communicate()
            raise AssertionError(complaints)
        return json.loads(line)["url"], started

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "yiku", *map(str, words)]

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="session")
def gloss_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Chinese dictionary is compiled once for all tests."""
    return tmp_path_factory.mktemp("gloss-cache")


@pytest.fixture
def cli(
    warm: Warm,
    fresh_home: Path,
    gloss_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cli]:
    (fresh_home / "cache").symlink_to(gloss_cache, target_is_directory=True)
    monkeypatch.setenv("PYTHONUTF8", "1")
    folder = tmp_path / "work"
    folder.mkdir()
    made = Cli(folder, warm)
    try:
        yield made
    finally:
        made.end()


Remember = Callable[..., str]


@pytest.fixture
def remember(cli: Cli) -> Remember:
    """Adds a text, and returns its passage's id."""

    def add(text: str, *options: str) -> str:
        return cli("add", text, *options, "--json").json["passage"]["id"]

    return add
