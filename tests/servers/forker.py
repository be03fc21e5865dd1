"""A Python that has imported all of Yiku, and forks for each command it is asked to run.

    with Forker() as forker:
        code = forker.run(["add", "tea"], folder, environment, streams).wait(60)
        server = forker.start(["serve"], folder, environment, log)
        server.kill()

Most of a short command's time are its imports, and the suite runs hundreds of them. A fork is a
process like any other: its own memory, environment, folder, streams and end. What it isn't is a
fresh start, so who tests that starts `python -m yiku`.
"""

import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn, Self, TextIO

ROOT = Path(__file__).parents[2]
STARTED = b"started"
LONGEST = 1_000_000
"""Bytes of a request."""
NOT_IMPORTED = ("yiku.__main__", "yiku.store.migrations", "yiku.tools.inside")
"""By what begins a module's name: those that are run, not imported."""
LATER = ("pydantic_ai.models.openai", "alembic.command", "alembic.runtime.migration")
"""Of others, what commands import when they need it."""


class Forker:
    """The process that forks, seen from the tests."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="yiku-fork-")  # a socket's path is short
        self._path = f"{self._folder.name}/socket"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.forker", self._path],
            cwd=ROOT,
            env={**os.environ, "PYTHONUTF8": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == STARTED
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()  # the end of its input is its end
        self._folder.cleanup()

    def run(
        self,
        words: list[str],
        folder: Path,
        environment: dict[str, str],
        streams: list[int],
        program: Path | None = None,
    ) -> "Command":
        """Begin a command of `yiku`, or a program in a file. `streams`: its input, output, and
        errors."""
        there = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        there.connect(self._path)
        asked = {
            "words": words,
            "folder": str(folder),
            "environment": environment,
            "program": None if program is None else str(program),
        }
        socket.send_fds(there, [json.dumps(asked).encode()], streams)
        return Command(there, json.loads(there.recv(LONGEST)))

    def start(
        self,
        words: list[str],
        folder: Path,
        environment: dict[str, str],
        errors: Path,
        program: Path | None = None,
    ) -> "Started":
        """Begin it beside the test, which reads what it says; its errors are added to a file."""
        says, told = os.pipe()
        with open(os.devnull, "rb") as nothing, errors.open("ab") as log, open(told, "wb") as out:
            streams = [nothing.fileno(), out.fileno(), log.fileno()]
            command = self.run(words, folder, environment, streams, program)
        return Started(command, open(says, encoding="utf-8"))


class Command:
    """A command that goes on."""

    def __init__(self, there: socket.socket, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None
        """Its exit code, once it has ended; less than 0: the signal that ended it."""
        self._there = there

    def wait(self, timeout_s: float) -> int:
        """Its exit code. Raises: TimeoutError; then it is killed."""
        if self.code is not None:
            return self.code
        self._there.settimeout(timeout_s)
        try:
            self.code = int(json.loads(self._there.recv(LONGEST)))
        except TimeoutError:
            self.send_signal(signal.SIGKILL)
            raise
        finally:
            self._there.close()
        return self.code

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        if self.code is None and not select.select([self._there], [], [], 0)[0]:
            return None
        return self.wait(1)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Started:
    """A process beside the test, with the part of Popen's face that tests need."""

    def __init__(self, command: Command, stdout: TextIO) -> None:
        self.pid = command.pid
        self.stdout = stdout
        self.send_signal = command.send_signal
        self.poll = command.poll
        self.wait = command.wait

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = 120) -> str:
        """What it said that wasn't read yet, once it has ended."""
        rest = "" if self.stdout.closed else self.stdout.read()
        self.stdout.close()
        self.wait(timeout)
        return rest


def imported() -> None:
    import yiku

    for one in pkgutil.walk_packages(yiku.__path__, "yiku."):
        if not one.name.startswith(NOT_IMPORTED):
            import_module(one.name)
    for name in LATER:
        import_module(name)


def next_command(listener: socket.socket) -> dict[str, Any]:
    """Returns in the forked process, once for each command."""
    while True:
        ready, _, _ = select.select([listener, 0], [], [])
        if 0 in ready:
            os._exit(0)  # there is nothing to put in order
        asking, _ = listener.accept()
        if os.fork():  # who waits for the command is nobody's to wait for: SIGCHLD is ignored
            asking.close()
            continue
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        body, streams, _, _ = socket.recv_fds(asking, LONGEST, 3)
        command = os.fork()
        if command:
            watch(asking, command)
        asking.close()
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
            os.close(stream)
        return json.loads(body)


def watch(asking: socket.socket, command: int) -> NoReturn:
    asking.send(json.dumps(command).encode())
    _, status = os.waitpid(command, 0)
    with suppress(BrokenPipeError):
        asking.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def main(path: str) -> None:
    imported()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(path)
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.write(1, STARTED + b"\n")
    asked = next_command(listener)
    os.environ.clear()
    os.environ.update(asked["environment"])
    time.tzset()
    os.chdir(asked["folder"])
    sys.argv[1:] = asked["words"]
    if asked["program"] is None:
        runpy.run_module("yiku", run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(asked["program"], run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1])
