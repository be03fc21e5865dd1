"""Notes written a moment after the work they are of, many together: nobody waits for them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from yiku.core.errors import YikuError

logger = logging.getLogger(__name__)

WAIT_S = 0.25

Note = TypeVar("Note")


class Later(Generic[Note]):
    """What was noted lately. A crash may lose the last quarter second of it; it is no memory."""

    def __init__(self, write: Callable[[Sequence[Note]], Awaitable[None]], what: str) -> None:
        """`what` the notes are, for the log."""
        self._write = write
        self._what = what
        self._noted: list[Note] = []
        self._waiting: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()

    def note(self, one: Note) -> None:
        self._noted.append(one)
        if self._waiting is None:
            self._waiting = asyncio.create_task(self._soon(), name=f"yiku-{self._what}")

    async def flush(self) -> None:
        """Write what was noted, after what is being written already. Raises: StoreError."""
        async with self._flushing:
            taken, self._noted = self._noted, []
            if taken:
                await self._write(taken)

    async def close(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.gather(self._waiting, return_exceptions=True)
        await self._flush_or_say()

    async def _soon(self) -> None:
        await asyncio.sleep(WAIT_S)
        self._waiting = None  # closing ends the wait, and never cuts off what is being written
        await self._flush_or_say()

    async def _flush_or_say(self) -> None:
        """Nobody waits for it, so a failure goes to the log."""
        try:
            await self.flush()
        except YikuError:
            logger.warning("notes could not be written", extra={"what": self._what}, exc_info=True)
