"""`python -m yiku` in a process of its own, forked from one that has imported all of Yiku already.

    with Warm() as warm:
        code, out, err = warm.run(["search", "tea"], cwd=folder, env=environment)

A command's imports take longer than most commands do. Here they are done once; all else is as
with a new interpreter: arguments, environment, folder, streams, exit code, what is done at exit.
"""

from __future__ import annotations

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
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Any, Self

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
    ) -> tuple[int, bytes, bytes]:
        """Its exit code, or minus the signal it died of; what it wrote.

        Raises: TimeoutError once it took longer; it is killed then.
        """
        request = json.dumps({"words": [*words], "cwd": str(cwd), "env": dict(env)}).encode()
        reader, writer = os.pipe()
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(stdin)
            given.seek(0)
            try:
                fds = [given.fileno(), out.fileno(), err.fileno(), writer]
                socket.send_fds(self._ours, [request], fds)
            finally:
                os.close(writer)
            with os.fdopen(reader, "rb") as told:
                pid = int(told.readline())
                code = self._ended(told, pid, timeout_s)
            return code, read(out), read(err)

    def _ended(self, told: Any, pid: int, timeout_s: float) -> int:
        os.set_blocking(told.fileno(), False)
        until = time.monotonic() + timeout_s
        while not (line := told.readline()):
            if time.monotonic() > until:
                os.kill(pid, signal.SIGKILL)
                raise TimeoutError(f"The command took longer than {timeout_s} s.")
            time.sleep(0.005)
        return int(line)


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
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    random.seed()
    sys.argv = ["yiku", *request["words"]]
    runpy.run_module("yiku", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    import_all()
    gc.collect()
    gc.freeze()
    asked = serve(socket.socket(fileno=int(sys.argv[1])))
    if asked is not None:
        become(asked)
