"""A command at a terminal, as a person sees and answers it. POSIX only."""

import codecs
import contextlib
import os
import pty
import re
import select
import signal
import time
from types import TracebackType
from typing import Self

from tests.e2e.conftest import Cli

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\r")
PATIENCE_S = 90
CTRL_C, CTRL_D = "\x03", "\x04"


class Terminal:
    """What was shown so far is in `seen`, without the terminal's own signs."""

    def __init__(self, cli: Cli, *words: str, **env: str) -> None:
        self.seen = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._at = 0
        self._here, there = pty.openpty()
        how = {"TERM": "xterm", "COLUMNS": "100", "NO_COLOR": "1", **env}
        self._process = cli.begin([there] * 3, *words, at_terminal=True, **how)
        os.close(there)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        os.close(self._here)

    def type(self, text: str) -> None:
        os.write(self._here, text.encode())

    def expect(self, text: str) -> str:
        """Wait until `text` is shown after what was expected last; returns what came before it."""
        deadline = time.monotonic() + PATIENCE_S
        while (found := self.seen.find(text, self._at)) < 0:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"{text!r} was not shown after:\n{self.seen[self._at :]}")
        before, self._at = self.seen[self._at : found], found + len(text)
        return before

    def end(self) -> int:
        """Wait for its end; returns the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline - time.monotonic()):
            pass
        return self._process.wait(PATIENCE_S)

    def _read(self, wait_s: float) -> bool:
        """Some of what is shown; False: nothing more comes, or not in time."""
        ready, _, _ = select.select([self._here], [], [], max(wait_s, 0))
        if not ready:
            return False
        with contextlib.suppress(OSError):  # Linux says so that nobody is at the other end
            piece = os.read(self._here, 65_536)
            self.seen += ESCAPES.sub("", self._decoder.decode(piece))
            return bool(piece)
        return False
