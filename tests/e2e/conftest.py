"""The command line as its users have it: a process of its own.

Each command is started as users start it the first time that a process of the suite runs it; after
that it is forked by a Python that has the imports behind it.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.forker import Forker
from yiku.cli.main import COMMANDS

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


class Starter:
    """Runs commands to their end: each the first time as a fresh start, then as a fork."""

    def __init__(self, forker: Forker) -> None:
        self._forker = forker
        self._seen: set[str] = set()

    def run(self, words: list[str], stdin: bytes, folder: Path, env: dict[str, str]) -> Done:
        name = next((word for word in words if word in COMMANDS), "")
        if name in self._seen:
            return self._forked(words, stdin, folder, env)
        self._seen.add(name)
        done = subprocess.run(
            command(*words),
            input=stdin,
            capture_output=True,
            cwd=folder,
            env=env,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def _forked(self, words: list[str], stdin: bytes, folder: Path, env: dict[str, str]) -> Done:
        given, gives = os.pipe()
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            open(gives, "wb") as giving,
        ):
            going = self._forker.run(words, folder, env, [given, out.fileno(), err.fileno()])
            os.close(given)
            with suppress(BrokenPipeError):  # it may end without having read all
                giving.write(stdin)
                giving.close()
            code = going.wait(TIMEOUT_S)
            out.seek(0)
            err.seek(0)
            return Done(code, out.read().decode(), err.read().decode())


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "yiku", *map(str, words)]


class Cli:
    """Runs `yiku` with the environment of the test."""

    def __init__(self, folder: Path, starter: Starter) -> None:
        self.folder = folder
        self.command = command
        self._starter = starter
        self._running: list[subprocess.Popen[str]] = []

    def __call__(
        self, *words: str | Path, stdin: bytes = b"", code: int | None = 0, **env: str
    ) -> Done:
        """Run it to its end, which must be with `code`; None: with any."""
        told = self._starter.run(
            [str(word) for word in words], stdin, self.folder, {**os.environ, **env}
        )
        assert code in (None, told.code), f"yiku {words}\n{told.out}\n{told.err}"
        assert "Traceback" not in told.err, told.err
        return told

    def start(self, *words: str | Path, **env: str) -> subprocess.Popen[str]:
        """Run it beside the test, which ends it."""
        started = subprocess.Popen(
            command(*words),
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

    def end(self) -> None:
        for process in self._running:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.communicate()


@pytest.fixture(scope="session")
def gloss_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the Chinese dictionary is compiled once for all tests."""
    return tmp_path_factory.mktemp("gloss-cache")


@pytest.fixture(scope="session")
def starter(forker: Forker) -> Starter:
    return Starter(forker)


@pytest.fixture
def cli(
    fresh_home: Path,
    gloss_cache: Path,
    starter: Starter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Cli]:
    (fresh_home / "cache").symlink_to(gloss_cache, target_is_directory=True)
    monkeypatch.setenv("PYTHONUTF8", "1")
    folder = tmp_path / "work"
    folder.mkdir()
    made = Cli(folder, starter)
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
