"""A database whose transactions are told of: how long they took, and waited for their turn."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from yiku.core.telemetry import Kind, Telemetry
from yiku.core.tenant import Actor
from yiku.store.database import Database, Tx, Unit

T = TypeVar("T")


class WatchedDatabase:
    """Before another database."""

    def __init__(self, inner: Database, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry
        self.url = inner.url

    async def read(self, actor: Actor, unit: Unit[T]) -> T:
        return await self._watched("read", self._inner.read, actor, unit)

    async def write(self, actor: Actor, unit: Unit[T]) -> T:
        return await self._watched("write", self._inner.write, actor, unit)

    async def _watched(
        self,
        mode: str,
        act: Callable[[Actor, Unit[T]], Awaitable[T]],
        actor: Actor,
        unit: Unit[T],
    ) -> T:
        asked_ns, begun_ns = time.monotonic_ns(), 0
        doing = self._telemetry.doing(Kind.TRANSACTION, mode, unit=name_of(unit))

        def timed(tx: Tx) -> T:
            nonlocal begun_ns
            begun_ns = begun_ns or time.monotonic_ns()
            return unit(tx)

        with doing as deed:
            try:
                return await act(actor, timed)
            finally:
                if begun_ns:
                    deed.note(wait_s=(begun_ns - asked_ns) / 1e9)

    def listen(self, tell: Callable[[], None]) -> Callable[[], None]:
        return self._inner.listen(tell)

    async def scrub(self) -> None:
        await self._inner.scrub()

    async def backup(self, target: Path, progress: Callable[[int, int], None]) -> None:
        await self._inner.backup(target, progress)

    async def close(self) -> None:
        await self._inner.close()


def name_of(unit: object) -> str:
    """Where in the code a unit of work is: `yiku.agents.save.step.<locals>.<lambda>`."""
    return (
        f"{getattr(unit, '__module__', '?')}.{getattr(unit, '__qualname__', type(unit).__name__)}"
    )
