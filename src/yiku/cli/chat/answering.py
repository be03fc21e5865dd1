"""An answer while it comes: read in this thread, while the client's thread receives it."""

from __future__ import annotations

import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import CancelledError
from contextlib import aclosing, contextmanager
from queue import SimpleQueue
from types import FrameType

from yiku.client.blocking import BlockingAgents
from yiku.client.events import Event


class End:
    """No more events."""


class Interrupted:
    """Ctrl-C was pressed."""


class Answering:
    """Its events, in order. `leave` stops waiting for them; the run is not asked to end."""

    def __init__(self, agents: BlockingAgents, stream: AsyncGenerator[Event]) -> None:
        self._events: SimpleQueue[Event | Interrupted | End] = SimpleQueue()
        self._receiving = agents.start(self._receive(stream))

    async def _receive(self, stream: AsyncGenerator[Event]) -> None:
        try:
            async with aclosing(stream) as events:
                async for event in events:
                    self._events.put(event)
        finally:
            self._events.put(End())

    def __iter__(self) -> Iterator[Event | Interrupted]:
        """Raises: what the stream raised."""
        while not isinstance(event := self._events.get(), End):
            yield event
        try:
            self._receiving.result()
        except CancelledError:
            return

    def interrupt(self) -> None:
        """To be told in its turn. May be called by a signal's handler, which must not write."""
        self._events.put(Interrupted())

    def leave(self) -> None:
        self._receiving.cancel()


@contextmanager
def on_interrupt(deed: Callable[[], None]) -> Generator[None]:
    """Ctrl-C does `deed` in place of what it does else.

    Python runs it between two steps of this thread, so nothing that is received gets lost.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what signals do, and is the one that gets them
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        deed()

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
