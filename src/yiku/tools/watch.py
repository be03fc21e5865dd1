"""A child process under watch: fed, read within bounds, ended in time. Blocking; in a thread."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

CHUNK = 65_536
LOOK_S = 0.025
"""Between two looks at the memory it uses."""
FILE_BYTES = 2048
"""Of the kernel's memory, for a file without content that is held in memory, and its name."""
LAST_WORDS_S = 0.25
"""For what is still in the pipes once it has ended."""


class Ended(StrEnum):
    BY_ITSELF = "by itself"
    TIME = "time"
    MEMORY = "memory"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    timeout_s: float
    memory_bytes: int
    kept_bytes: int
    """Of stdout, and of stderr."""
    output_bytes: int
    """Of stdout and stderr together; more ends it."""
    answer_bytes: int


@dataclass(slots=True)
class Kept:
    """What came through a pipe: the beginning, and how much it was."""

    limit: int
    content: bytearray = field(default_factory=bytearray)
    seen: int = 0

    def take(self, chunk: bytes) -> None:
        self.seen += len(chunk)
        self.content += chunk[: max(0, self.limit - len(self.content))]

    def text(self) -> str:
        told = self.content.decode("utf-8", "replace")
        more = self.seen - len(self.content)
        return f"{told}\n… {more:,} more bytes were cut off" if more else told


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """How the child ended. `code` is negative for a signal, as subprocess has it."""

    why: Ended
    code: int
    answer: bytes
    stdout: str
    stderr: str
    took_s: float


Command = Callable[[int, ExitStack], "tuple[Sequence[str], Sequence[int]]"]
"""Makes the command's words from the number of the answer's descriptor, with the descriptors to
pass on; what it opens is closed once the child has begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How a child begins. It inherits nothing of the server's environment."""

    command: Command
    folder: str = "/"
    user: int | None = None
    in_memory: Mapping[str, int] = field(default_factory=dict[str, int])
    """Folders that are its alone and held in memory, as it sees them, and their sizes in bytes."""


class Watch:
    """One child. `stop` may be called from another thread."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End it at the next look."""
        self._stopped.set()

    def run(self, start: Start, request: bytes) -> Seen:
        """Raises: OSError where it can't begin."""
        began = time.monotonic()
        bounds = self._bounds
        answer = Kept(bounds.answer_bytes)
        out, err = Kept(bounds.kept_bytes), Kept(bounds.kept_bytes)
        with ExitStack() as opened:
            child, answers = begin(start, opened)
            opened.callback(end, child)
            pipes = Pipes(opened)
            assert child.stdin is not None
            assert child.stdout is not None
            assert child.stderr is not None
            pipes.feed(child.stdin.fileno(), request, child.stdin.close)
            pipes.read(child.stdout.fileno(), out)
            pipes.read(child.stderr.fileno(), err)
            pipes.read(answers, answer)
            kept = (out, err, answer)
            why = self._until_it_ends(child, pipes, began, kept, start.in_memory)
            end(child)
            pipes.empty(time.monotonic() + LAST_WORDS_S)
        return Seen(
            why=why,
            code=child.returncode,
            answer=bytes(answer.content),
            stdout=out.text(),
            stderr=err.text(),
            took_s=time.monotonic() - began,
        )

    def _until_it_ends(
        self,
        child: subprocess.Popen[bytes],
        pipes: Pipes,
        began: float,
        kept: Sequence[Kept],
        in_memory: Mapping[str, int],
    ) -> Ended:
        bounds, (out, err, answer) = self._bounds, kept
        look = began + LOOK_S
        while True:
            pipes.turn(LOOK_S)
            now = time.monotonic()
            if out.seen + err.seen > bounds.output_bytes or answer.seen > bounds.answer_bytes:
                return Ended.OUTPUT
            if pipes.done(child):
                return Ended.BY_ITSELF
            if now - began > bounds.timeout_s or self._stopped.is_set():
                return Ended.TIME
            if now >= look:
                look = now + LOOK_S
                pids = list(family(child.pid))
                files = files_of(pids, in_memory)
                if memory_of(pids) + files * FILE_BYTES > bounds.memory_bytes:
                    return Ended.MEMORY


class Pipes:
    """The pipes to and from a child, none of which is waited for alone."""

    def __init__(self, opened: ExitStack) -> None:
        self._selector = opened.enter_context(selectors.DefaultSelector())
        self._left = 0

    def read(self, fd: int, kept: Kept) -> None:
        os.set_blocking(fd, False)
        self._left += 1

        def ready() -> None:
            try:
                chunk = os.read(fd, CHUNK)
            except BlockingIOError:
                return
            if chunk:
                kept.take(chunk)
            else:
                self._selector.unregister(fd)
                self._left -= 1

        self._selector.register(fd, selectors.EVENT_READ, ready)

    def feed(self, fd: int, content: bytes, close: Callable[[], None]) -> None:
        os.set_blocking(fd, False)
        rest = memoryview(content)

        def ready() -> None:
            nonlocal rest
            try:
                rest = rest[os.write(fd, rest[:CHUNK]) :]
            except BlockingIOError:
                return
            except BrokenPipeError:
                rest = rest[:0]  # it ended without reading
            if not rest:
                self._selector.unregister(fd)
                close()

        self._selector.register(fd, selectors.EVENT_WRITE, ready)

    def turn(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            key.data()

    def done(self, child: subprocess.Popen[bytes]) -> bool:
        """Whether the child has ended. Once its pipes are closed, it is about to."""
        if not self._left:
            with suppress(subprocess.TimeoutExpired):
                child.wait(LOOK_S)
        return child.poll() is not None

    def empty(self, until: float) -> None:
        """Read what is left; a process that outlives the child may keep a pipe open for ever."""
        while self._left and time.monotonic() < until:
            self.turn(LOOK_S)


def begin(start: Start, opened: ExitStack) -> tuple[subprocess.Popen[bytes], int]:
    """The child, and the descriptor its answer comes from."""
    answers, answer_end = os.pipe()
    opened.callback(os.close, answers)
    with ExitStack() as ours:
        ours.callback(os.close, answer_end)
        words, passed = start.command(answer_end, ours)
        child = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            pass_fds=(answer_end, *passed),
            env={},
            cwd=start.folder,
            start_new_session=True,
            user=start.user,
            group=start.user,
            extra_groups=None if start.user is None else [],
        )
    opened.enter_context(child)
    return child, answers


def end(child: subprocess.Popen[bytes]) -> None:
    """Nothing of the child's is left: it, its session, and whatever descends from it.

    In a PID namespace the kernel ends the rest with its first process.
    """
    for pid in reversed(list(family(child.pid))) if child.poll() is None else ():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def family(pid: int) -> Iterator[int]:
    """A process and its descendants, parents first; on Linux."""
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                for word in (task / "children").read_text().split():
                    yield from family(int(word))


def files_of(pids: Sequence[int], in_memory: Mapping[str, int]) -> int:
    """How many files there are in folders that are held in memory. Their content has a limit; they
    themselves, empty, have none, and belong to no process."""
    return sum(files_in(pids, path, size) for path, size in in_memory.items())


def files_in(pids: Sequence[int], path: str, size: int) -> int:
    # The youngest are the farthest inside. For those outside, and while the sandbox is made, what
    # is at the path is another folder, of another size.
    for pid in reversed(pids):
        with suppress(OSError):
            told = os.statvfs(f"/proc/{pid}/root{path}")
            if told.f_blocks * told.f_frsize == size:
                return told.f_files - told.f_ffree
    return 0


def memory_of(pids: Iterable[int]) -> int:
    """Bytes in use, shared pages counted once; 0 where the system doesn't tell."""
    total = 0
    for pid in pids:
        with suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    total += int(line.split()[1]) << 10
                    break
    return total
