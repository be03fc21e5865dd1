"""`yiku serve` as a process that is watched from outside: its start, memory, time and log."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from bench.place import ROOT

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
LIMIT_S = 120
LOG_HEAD = 32
FRAME_HEAD = 24


class ServerFailed(Exception):
    """The server didn't start, or ended by itself."""


@dataclass(frozen=True, slots=True)
class Log:
    """SQLite's write-ahead log at one moment: since its salt was chosen, commits and bytes."""

    salt: bytes
    commits: int
    written: int


class YikuProcess:
    """A server on a home of its own; SIGTERM ends it in order."""

    def __init__(self, home: Path, model_url: str, wrapped: tuple[str, ...] = ()) -> None:
        """`wrapped`: what is put between Python and the server, such as `-m cProfile`."""
        self._home = home
        self._env = environment(home, model_url)
        self._command = [sys.executable, *wrapped, "-m", "yiku", "serve", "--port", "0", "--json"]

    def __enter__(self) -> Self:
        """Raises: ServerFailed."""
        began = time.perf_counter()
        self._process = subprocess.Popen(
            self._command, cwd=self._home, env=self._env, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise ServerFailed(f"{' '.join(self._command)} ended with {self._process.wait()}")
        told = json.loads(line)
        self.url: str = told["url"]
        self.pid: int = told["pid"]
        httpx.get(f"{self.url}/v1/health/", follow_redirects=True).raise_for_status()
        self.start_s = time.perf_counter() - began
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def memory_mb(self) -> float:
        """Resident, mapped files included."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise ServerFailed("it has ended")

    def processor_s(self) -> float:
        """Of all its threads, since it began."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) * TICK_S

    def log(self) -> Log:
        """Read from the file, frame by frame: the server isn't asked, and not disturbed.

        Source: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
        """
        raw = (self._home / "yiku.db-wal").read_bytes()
        page = struct.unpack(">I", raw[8:12])[0]
        salt = raw[16:24]
        commits = frames = 0
        for at in range(LOG_HEAD, len(raw) - FRAME_HEAD, FRAME_HEAD + page):
            if raw[at + 8 : at + 16] != salt:
                break  # of an earlier round of the file
            frames += 1
            commits += raw[at + 4 : at + 8] != bytes(4)
        return Log(salt, commits, frames * (FRAME_HEAD + page))


def environment(home: Path, model_url: str) -> dict[str, str]:
    """No setting of the user's; this repository first on the path.

    Python may keep what it has compiled, as it does for whoever starts a server twice.
    """
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("YIKU_") and k != "PYTHONDONTWRITEBYTECODE"
    }
    path = os.pathsep.join([str(ROOT / "src"), kept.get("PYTHONPATH", "")])
    return {
        **kept,
        "PYTHONPATH": path.rstrip(os.pathsep),
        "YIKU_HOME": str(home),
        "YIKU_MODEL": MODEL,
        "YIKU_MODEL_BASE_URL": model_url,
        "YIKU_MODEL_API_KEY": "none",
    }


MODEL = "openai/scripted"
