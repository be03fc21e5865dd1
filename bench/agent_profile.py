"""Where the server spends its time: py-spy looks at it from outside while messages come.

Only threads that hold the interpreter's lock count: that is what limits how many messages a process
can answer. What SQLite and the system do without it is not seen here.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.agent_server import YikuProcess
from bench.report import aligned

RATE = 400
"""Looks a second."""
SHOWN = 45


@dataclass(slots=True)
class Counted:
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Hot:
    """Milliseconds a message, by function: in itself, and with all that it calls."""

    own: dict[str, float]
    whole: dict[str, float]


@dataclass(slots=True)
class Profile:
    """Hot spots by the part of the benchmark."""

    on: bool
    found: dict[str, Hot] = field(default_factory=dict[str, Hot])

    @contextmanager
    def of(self, name: str, server: YikuProcess) -> Iterator[Counted]:
        """Profile what happens inside. Raises: FileNotFoundError without py-spy."""
        counted = Counted()
        if not self.on:
            yield counted
            return
        with TemporaryDirectory() as folder:
            path = Path(folder) / "stacks"
            command = [py_spy(), "record", "--pid", str(server.pid), "--output", str(path)]
            command += ["--format", "raw", "--rate", str(RATE), "--function", "--threads"]
            command += ["--full-filenames", "--duration", "100000", "--nonblocking", "--gil"]
            with subprocess.Popen(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            ) as spy:
                yield counted
                spy.send_signal(signal.SIGINT)
                _, complaints = spy.communicate()
            if not path.exists():
                raise FileNotFoundError(f"py-spy wrote nothing: {complaints}")
            self.found[name] = hot(path.read_text(), counted.messages)


def py_spy() -> str:
    """Raises: FileNotFoundError."""
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        raise FileNotFoundError("--profile needs py-spy: pip install py-spy")
    return found


def hot(stacks: str, messages: int) -> Hot:
    """From lines of `frame;frame;frame count`, the outermost first."""
    own: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        named = [short(frame) for frame in frames.split(";")]
        own[named[-1]] += int(count)
        for name in set(named):
            whole[name] += int(count)
    ms = 1000 / RATE / messages

    def each(found: Counter[str]) -> dict[str, float]:
        return {name: count * ms for name, count in found.most_common()}

    return Hot(each(own), each(whole))


def short(frame: str) -> str:
    """`run (yiku/agents/loop.py:19)`, without the folder Python is in."""
    function, _, place = frame.partition(" (")
    for cut in ("site-packages/", "/src/", "python3.11/", "lib/"):
        place = place.rpartition(cut)[2]
    return f"{function} ({place}" if place else frame


def table(name: str, hot: Hot) -> str:
    """The functions in which most is spent; ours in the second half."""
    top = list(hot.own.items())[:SHOWN]
    ours = [(n, ms) for n, ms in hot.whole.items() if "(yiku/" in n or "thread " in n][:SHOWN]
    rows = [[f"{name}: in itself", "ms a message"], *([n, f"{ms:.3f}"] for n, ms in top)]
    rows += [["", ""], ["with what it calls", ""], *([n, f"{ms:.3f}"] for n, ms in ours)]
    return aligned(rows)
