"""Who is next: runs of one conversation come one after the other, in the order they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable


class Turns:
    """A lock for each place that somebody has, or waits for."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, tuple[asyncio.Lock, int]] = {}

    async def take(self, place: Hashable, timeout_s: float | None) -> bool:
        """Wait for one's turn; False: it didn't come within `timeout_s`."""
        lock, users = self._locks.get(place, (asyncio.Lock(), 0))
        self._locks[place] = (lock, users + 1)
        try:
            async with asyncio.timeout(timeout_s):
                await lock.acquire()
        except BaseException as error:
            self._leave(place)
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def give_back(self, place: Hashable) -> None:
        self._locks[place][0].release()
        self._leave(place)

    def is_free(self, place: Hashable) -> bool:
        return place not in self._locks

    def _leave(self, place: Hashable) -> None:
        lock, users = self._locks[place]
        if users == 1:
            del self._locks[place]
        else:
            self._locks[place] = (lock, users - 1)
