"""`run_code` where there is no sandbox: pydantic-monty, a Python interpreter of its own.

It knows the language and little of the library, and reaches no file, no network and no environment.
It runs in a process beside ours, which ends when its memory or time does.
"""

from __future__ import annotations

import importlib
import importlib.util
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from yiku.core.errors import SandboxUnavailable
from yiku.core.tool import Killed, OutOfMemory, Raised, Ran, Returned, TimedOut
from yiku.tools.sandbox import KEPT_BYTES, MB, Limits

if TYPE_CHECKING:
    from yiku.core.tool import Outcome


@dataclass(frozen=True, slots=True)
class Portable:
    limits: Limits

    async def run(self, code: str) -> Ran:
        """What `run_code` runs: the value is the text of its last expression, None without one.

        Raises: SandboxUnavailable where the interpreter's program can't be started.
        """
        monty: Any = importlib.import_module("pydantic_monty")
        printed = monty.CollectStreams(KEPT_BYTES)
        limits = {
            "max_feed_duration_secs": self.limits.timeout_s,
            "max_memory": self.limits.memory_mb * MB,
        }
        began = time.monotonic()
        outcome: Outcome
        try:
            async with (
                monty.AsyncMonty(max_processes=1) as pool,
                pool.checkout(limits=limits) as it,
            ):
                value: Any = await it.feed_run(code, print_callback=printed)
            outcome = Returned(value=None if value is None else repr(value))
        except monty.MontyCrashedError as error:
            crashed = Killed(signal=None, exit_code=error.exit_status or -1)
            outcome = TimedOut(timeout_s=self.limits.timeout_s) if error.timed_out else crashed
        except (monty.MontySyntaxError, monty.MontyRuntimeError) as error:
            outcome = self._raised(error)
        except OSError as error:
            raise SandboxUnavailable(f"The portable interpreter didn't start: {error}.") from error
        pieces: list[tuple[str, str]] = printed.output
        return Ran(
            outcome=outcome,
            stdout="".join(text for stream, text in pieces if stream == "stdout"),
            stderr="".join(text for stream, text in pieces if stream == "stderr"),
            took_s=time.monotonic() - began,
        )

    def _raised(self, error: Any) -> Outcome:
        inner: BaseException = error.exception()
        told = str(inner)
        if isinstance(inner, TimeoutError) and "time limit exceeded" in told:
            return TimedOut(timeout_s=self.limits.timeout_s)
        if isinstance(inner, MemoryError) and "memory limit exceeded" in told:
            return OutOfMemory(memory_mb=self.limits.memory_mb)
        return Raised(error=type(inner).__name__, message=told, traceback=error.display())


def portable(limits: Limits) -> Portable | None:
    """None: the extra `yiku[monty]` isn't installed."""
    there = importlib.util.find_spec("pydantic_monty") is not None
    return Portable(limits) if there else None
