"""`python -m yiku` in a process of its own, forked from one that has imported all of Yiku already.

    with Warm() as warm:
        code, out, err = warm.run(["search", "tea"], cwd=folder, env=environment, timeout_s=60)
        server = warm.start(["serve"], cwd=folder, env=environment, errors=log)
        server.kill()

A command's imports take longer than most commands do. Here they are done once; all else is as
with a new interpreter: arguments, environment, folder, streams, exit code, what is done at exit.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import pkgutil
import random
import runpy
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self, TextIO

ROOT = Path(__file__).parents[2]
LONGEST = 1_000_000
"""Bytes of a request."""


class Warm:
    """The parent of commands; only where processes can be forked."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.warm", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env={**os.environ, "PYTHONUTF8": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()
        self._ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LONGEST)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._ours.close()  # which ends it
        self._process.wait()

    def run(
        self,
        words: Sequence[str],
        *,
        stdin: bytes = b"",
        cwd: Path,
        env: Mapping[str, str],
        timeout_s: float,
        program: Path | None = None,
    ) -> tuple[int, bytes, bytes]:
        """Its exit code, or minus the signal it died of; what it wrote.

        Raises: TimeoutError once it took longer; it is killed then.
        """
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            streams = [given.fileno(), out.fileno(), err.fileno()]
            going = self.begin(streams, words, cwd=cwd, env=env, program=program)
            code = going.wait(timeout_s)
            return code, read(out), read(err)

    def start(
        self,
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        errors: Path,
        program: Path | None = None,
    ) -> Started:
        """A command beside the test, which reads what it says; its errors are added to a file.

        `program`: a file that is run in place of Yiku.
        """
        says, said = os.pipe()
        with open(os.devnull, "rb") as nothing, errors.open("ab") as log, open(said, "wb") as out:
            streams = [nothing.fileno(), out.fileno(), log.fileno()]
            going = self.begin(streams, words, cwd=cwd, env=env, program=program)
        return Started(going, open(says, encoding="utf-8"))

    def begin(
        self,
        streams: Sequence[int],
        words: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        program: Path | None = None,
        at_terminal: bool = False,
    ) -> Going:
        """A command whose standard streams are the caller's files.

        `at_terminal`: the first of them is a terminal, which controls the command, so that Ctrl-C
        reaches it.
        """
        request = {
            "words": [*words],
            "cwd": str(cwd),
            "env": dict(env),
            "program": str(program) if program else None,
            "at_terminal": at_terminal,
        }
        reader, writer = os.pipe()
        try:
            socket.send_fds(self._ours, [json.dumps(request).encode()], [*streams, writer])
        finally:
            os.close(writer)
        return Going(os.fdopen(reader, "rb"))


class Going:
    """A process that was forked, until it has ended."""

    def __init__(self, told: Any) -> None:
        self.pid = int(told.readline())
        self.code: int | None = None
        """Its exit code, or minus the signal it died of; None: it hasn't been seen to end."""
        self._told = told
        self._lock = threading.Lock()
        """It may be asked for in one thread while another has killed it."""
        os.set_blocking(told.fileno(), False)

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        with self._lock:
            if self.code is None and (line := self._told.readline()):
                self.code = int(line)
                self._told.close()
            return self.code

    def wait(self, timeout_s: float) -> int:
        """Raises: TimeoutError once it took longer; it is killed then."""
        until = time.monotonic() + timeout_s
        while (code := self.poll()) is None:
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(f"The command took longer than {timeout_s} s.")
            time.sleep(0.005)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(self.pid, number)


class Started:
    """A process beside the test, with as much of Popen's face as tests need."""

    def __init__(self, going: Going, stdout: TextIO) -> None:
        self.pid = going.pid
        self.stdout = stdout
        self.send_signal = going.send_signal
        self.poll = going.poll
        self.wait = going.wait

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def communicate(self, timeout: float = 120) -> str:
        """What it said that wasn't read yet, once it has ended."""
        rest = "" if self.stdout.closed else self.stdout.read()
        self.stdout.close()
        self.wait(timeout)
        return rest


def read(file: Any) -> bytes:
    file.seek(0)
    return file.read()


def import_all() -> None:
    """Whatever a command may import later."""
    import yiku

    for found in pkgutil.walk_packages(yiku.__path__, "yiku."):
        if not found.name.endswith("__main__") and ".migrations" not in found.name:
            importlib.import_module(found.name)


def serve(requests: socket.socket) -> dict[str, Any] | None:
    """Until the other side is closed. In the process forked for a command: what it is asked."""
    while True:
        reap()
        request, fds, _, _ = socket.recv_fds(requests, LONGEST, 4)
        if not request:
            return None
        if os.fork() == 0:  # it waits for the command, so that several can run at once
            requests.close()
            return forked(json.loads(request), fds)
        for fd in fds:
            os.close(fd)


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return  # none is left


def forked(request: dict[str, Any], fds: list[int]) -> dict[str, Any]:
    """Returns in the command's process; the one between ends here."""
    *streams, told = fds
    if pid := os.fork():
        os.write(told, b"%d\n" % pid)
        _, status = os.waitpid(pid, 0)
        os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(told)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
        os.close(fd)
    return request


def become(request: dict[str, Any]) -> None:
    """The command, as a new interpreter would run it."""
    # A shell has Ctrl-C ignored by what it runs in the background, the tests, say.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if request["at_terminal"]:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    random.seed()
    # Made anew: those there know whether the parent's could be sought in.
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, "utf-8", "backslashreplace", closefd=False)
    program = request["program"]
    sys.argv = [program or "yiku", *request["words"]]
    if program:
        sys.path.insert(0, str(Path(program).parent))
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module("yiku", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import_all()
    gc.collect()
    gc.freeze()
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        become(asked)
