"""A run while it goes on: what has happened, for everybody who watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from yiku.agents.role_memory import Kept, Opened
from yiku.core.ids import MessageId
from yiku.core.run import Ended, Run, RunEvent, Stored


class ActiveRun:
    """A run of this process, going on or just ended. Watchers see every event from the first."""

    def __init__(self, run: Run) -> None:
        self.run = run
        """As it was when it last changed."""
        self.last: MessageId | None = None
        """The last message that was told to be stored."""
        self.opened: Opened | None = None
        """What opened roles of an agent with role memory, where this process ran it."""
        self.kept: list[Kept] = []
        """What such an agent has kept in its roles since."""
        self._events: list[RunEvent] = []
        self._news = asyncio.Event()
        self._end: asyncio.Event = asyncio.Event()

    @property
    def ended(self) -> bool:
        return self._end.is_set()

    def tell(self, event: RunEvent) -> None:
        """Append an event; never waits for a watcher. Nothing comes after the end."""
        if self.ended:
            return
        self._events.append(event)
        if isinstance(event, Stored):
            self.last = event.message.id
        if isinstance(event, Ended):
            self.run = event.run
            self._end.set()
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def events(self, after: int = 0) -> AsyncGenerator[tuple[int, RunEvent]]:
        """Numbered from 1, those after `after`; ends with the run."""
        at = after
        while True:
            news = self._news
            while at < len(self._events):
                event = self._events[at]
                at += 1
                yield at, event
            if self._end.is_set():
                return
            await news.wait()

    async def wait(self) -> Run:
        """The run when it has ended."""
        await self._end.wait()
        return self.run
