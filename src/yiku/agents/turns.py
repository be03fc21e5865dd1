"""Who is next: runs of one conversation come one after the other, in the order they were asked."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable


class Turns:
    """A lock for each place that somebody has, or waits for."""

    def __init__(self) -> None:
        self._locks: dict[Hashable, asyncio.Lock] = {}
        self._users: dict[Hashable, int] = {}

    async def take(self, place: Hashable, timeout_s: float | None) -> bool:
        """Wait for one's turn; False: it didn't come within `timeout_s`."""
        lock = self._locks.setdefault(place, asyncio.Lock())
        self._users[place] = self._users.get(place, 0) + 1
        taken = False
        try:
            async with asyncio.timeout(timeout_s):
                taken = await lock.acquire()
        except TimeoutError:
            return False
        finally:
            if not taken:
                self._leave(place)
        return True

    def give_back(self, place: Hashable) -> None:
        self._locks[place].release()
        self._leave(place)

    def is_free(self, place: Hashable) -> bool:
        return place not in self._locks

    def _leave(self, place: Hashable) -> None:
        self._users[place] -= 1
        if not self._users[place]:
            del self._locks[place], self._users[place]
