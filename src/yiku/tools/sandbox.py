"""Where the code of custom tools runs: never in the server's process."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from yiku.core.errors import SandboxUnavailable
from yiku.core.ports import Sandbox
from yiku.core.tool import (
    Code,
    Killed,
    Outcome,
    OutOfMemory,
    OutputTooLarge,
    Raised,
    Ran,
    Returned,
    TimedOut,
)
from yiku.tools.bubblewrap import Bubblewrap, reachable, unprivileged_user
from yiku.tools.watch import Bounds, Ended, Seen, Start, Watch

MB = 1 << 20
AT_ONCE = 16
"""Calls that run at the same time; more wait, and their time begins when they do."""
KEPT_BYTES = 64 << 10
OUTPUT_BYTES = 16 * MB
ANSWER_BYTES = 4 * MB
FILE_MB = 32
FOLDER_MB = 64
PROCESSES = 32
FILES = 64
"""Open at once, by each process: what waits in pipes and sockets is the kernel's memory."""
READY = b"ready\n"

LENT = ("pydantic", "pydantic_core", "typing_extensions", "annotated_types", "typing_inspection")
"""Packages of the server's own that tools may import."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    timeout_s: float = 30.0
    memory_mb: int = 512
    network: bool = False


def sandbox(kind: Literal["bwrap", "process", "off"], limits: Limits) -> Sandbox:
    """The sandbox that the setting YIKU_SANDBOX names."""
    match kind:
        case "bwrap":
            return ChildSandbox(limits, Bubblewrapped(limits))
        case "process":
            return ChildSandbox(limits, Plain())
        case "off":
            return NoSandbox()


class NoSandbox:
    """Refuses."""

    async def run(self, code: Code) -> Ran:
        raise SandboxUnavailable(
            f"{code.function} was not run: custom tools are switched off (YIKU_SANDBOX=off).",
            zh=f"{code.function} 没有运行：自定义工具已关闭（YIKU_SANDBOX=off）。",
        )

    def close(self) -> None:
        """There is nothing to close."""


class Bubblewrapped:
    """Each call in namespaces of its own, as a user that owns nothing."""

    shares_processes = False

    def __init__(self, limits: Limits) -> None:
        self._network = limits.network

    def start(self, code: Code, opened: ExitStack) -> tuple[Start, list[str]]:
        """Raises: SandboxUnavailable."""
        lent = {f"/packages/{name}": path for name, path in lent_packages().items()}
        box = Bubblewrap(
            network=self._network,
            folder_bytes=FOLDER_MB * MB,
            bound=lent | ({"/requirements": code.packages} if code.packages else {}),
        )
        command = box.command(["-c", inside()])
        start = Start(command=command, in_memory=box.in_memory)
        return start, ["/requirements"] * bool(code.packages) + ["/packages"]

    def not_begun(self, seen: Seen) -> SandboxUnavailable:
        said = " ".join(seen.stderr.split()) or f"it ended with code {seen.code}"
        return SandboxUnavailable(
            "The sandbox didn't start. This machine (or the container Yiku is in) must allow user"
            " namespaces, and bubblewrap must be 0.8 or newer. Else YIKU_SANDBOX=process runs"
            f" tools without isolation. It said: {said[:500]}"
        )


class Plain:
    """A child process with limits. It does not isolate: what the user may read, the tool may."""

    shares_processes = True

    def start(self, code: Code, opened: ExitStack) -> tuple[Start, list[str]]:
        folder = opened.enter_context(
            tempfile.TemporaryDirectory(prefix="yiku-tool-", ignore_cleanup_errors=True)
        )
        user = unprivileged_user() if os.geteuid() == 0 else None
        if user is not None and code.packages and not reachable(code.packages):
            raise SandboxUnavailable(
                f"Yiku runs as root, and the tool's packages in {code.packages} can't be read by"
                " the user that it runs as. Let Yiku run as another user, or with bubblewrap."
            )
        if user is not None:
            os.chown(folder, user, user)

        def command(answer: int, _: ExitStack) -> tuple[list[str], list[int]]:
            return [interpreter(user), "-I", "-S", "-B", "-c", inside(), str(answer)], []

        lent = {str(Path(path).parent) for path in lent_packages().values()}
        path = [code.packages] if code.packages else []
        return Start(command=command, folder=folder, user=user), [*path, *sorted(lent)]

    def not_begun(self, seen: Seen) -> SandboxUnavailable:
        said = " ".join(seen.stderr.split()) or f"it ended with code {seen.code}"
        return SandboxUnavailable(f"The tool's process didn't start. It said: {said[:500]}")


class ChildSandbox:
    """Calls in child processes, each watched by a thread."""

    def __init__(self, limits: Limits, way: Bubblewrapped | Plain) -> None:
        self._limits = limits
        self._way = way
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="yiku-tool")

    async def run(self, code: Code) -> Ran:
        watch = Watch(
            Bounds(
                timeout_s=self._limits.timeout_s,
                memory_bytes=self._limits.memory_mb * MB,
                kept_bytes=KEPT_BYTES,
                output_bytes=OUTPUT_BYTES,
                answer_bytes=ANSWER_BYTES + len(READY),
            )
        )
        running = asyncio.get_running_loop().run_in_executor(self._threads, self._run, watch, code)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            watch.stop()
            await asyncio.wait([running])
            raise

    def close(self) -> None:
        self._threads.shutdown()

    def _run(self, watch: Watch, code: Code) -> Ran:
        with ExitStack() as opened:
            start, path = self._way.start(code, opened)
            try:
                seen = watch.run(start, self._request(code, path))
            except OSError as error:
                raise SandboxUnavailable(f"The tool's process can't be made: {error}.") from error
        if not seen.answer.startswith(READY) and seen.why is Ended.BY_ITSELF:
            raise self._way.not_begun(seen)
        return Ran(
            outcome=self._outcome(seen),
            stdout=seen.stdout,
            stderr=seen.stderr,
            took_s=seen.took_s,
        )

    def _request(self, code: Code, path: list[str]) -> bytes:
        return json.dumps(
            {
                "source": code.source,
                "function": code.function,
                "arguments": code.arguments,
                "described_apart": code.described_apart,
                "takes_agent": code.takes_agent,
                "agent": code.agent,
                "environment": environment(code, self._way.shares_processes),
                "path": path,
                "timeout_s": self._limits.timeout_s,
                "memory_mb": self._limits.memory_mb,
                "file_mb": FILE_MB,
                "files": FILES,
                # Without a namespace the kernel counts all processes of the user.
                "processes": 0 if self._way.shares_processes and os.geteuid() != 0 else PROCESSES,
                "answer_bytes": ANSWER_BYTES,
            }
        ).encode()

    def _outcome(self, seen: Seen) -> Outcome:
        match seen.why:
            case Ended.TIME:
                return TimedOut(timeout_s=self._limits.timeout_s)
            case Ended.MEMORY:
                return OutOfMemory(memory_mb=self._limits.memory_mb)
            case Ended.OUTPUT:
                return OutputTooLarge(limit_bytes=OUTPUT_BYTES)
            case Ended.BY_ITSELF:
                return self._answered(seen)

    def _answered(self, seen: Seen) -> Outcome:
        """Nothing of the answer is trusted: the tool can have written it."""
        match parsed(seen.answer.removeprefix(READY)):
            case {"returned": value}:
                return Returned(value=value)
            case {"raised": {"error": str(error), "message": str(words), "traceback": str(trace)}}:
                return Raised(error=error, message=words, traceback=trace)
            case {"out_of_memory": True}:
                return OutOfMemory(memory_mb=self._limits.memory_mb)
            case {"too_large": True}:
                return OutputTooLarge(limit_bytes=ANSWER_BYTES)
            case _:
                code = -seen.code if seen.code < 0 else seen.code - 128
                return Killed(signal=code if 0 < code < 65 else None, exit_code=seen.code)


@cache
def inside() -> str:
    """The program that runs in the sandbox."""
    return files("yiku.tools").joinpath("inside.py").read_text(encoding="utf-8")


def parsed(answer: bytes) -> Any:
    """The JSON, free of half characters; None where it is none."""
    try:
        found = json.loads(answer)
        clean = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        return json.loads(clean)
    except (ValueError, RecursionError):
        return None


def environment(code: Code, plain: bool) -> dict[str, str]:
    own = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONUTF8": "1"}
    homes = {} if plain else {"HOME": "/work", "TMPDIR": "/work"}
    return {**own, **homes, **code.environment}


def lent_packages() -> dict[str, str]:
    """Where they are, by name; a module of one file by the file's name."""
    found: dict[str, str] = {}
    for name in LENT:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            continue
        path = Path(spec.origin)
        path = path.parent if path.name == "__init__.py" else path
        found[path.name] = str(path)
    return found


def interpreter(user: int | None) -> str:
    """A Python that the unprivileged user may run. Raises: SandboxUnavailable."""
    own = str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    if user is None or reachable(own):
        return own
    found = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    if found is None or not reachable(os.path.realpath(found)):
        raise SandboxUnavailable(
            f"Yiku runs as root with the Python {own}, which no other user may run, and there is"
            " no other in /usr/bin. Install one: apt-get install python3."
        )
    return found
