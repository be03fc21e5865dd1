"""Sessions with MCP servers: opened once, used by all calls, closed when they are idle or dead."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from yiku.core.errors import McpUnavailable
from yiku.core.ids import McpServerId
from yiku.core.mcp import Connection, Stdio, taken_apart
from yiku.tools.mcp.changes import Changes
from yiku.tools.mcp.connect import Limits, session
from yiku.tools.mcp.program import Tail

if TYPE_CHECKING:
    from mcp import Client

logger = logging.getLogger(__name__)

MOST = 64
"""Sessions at once, beyond which the longest unused is closed."""


class Held:
    """A session, and the task that it is opened, kept and closed in: the SDK's scopes belong to
    one task, and calls come from many."""

    def __init__(
        self, connection: Connection, limits: Limits, on_change: Callable[[], None]
    ) -> None:
        """`on_change`: the server has said that its tools have changed."""
        self.tail = Tail()
        self.users = 0
        self.used_at = time.monotonic()
        self.ended = asyncio.Event()
        """Nobody may begin to use it any more."""
        self.ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._connection = connection
        self._limits = limits
        self._on_change = on_change
        self.task = asyncio.create_task(self._hold(), name="yiku-mcp")

    async def _hold(self) -> None:
        limits = self._limits
        try:
            async with (
                asyncio.timeout(limits.timeout_s) as opening,
                session(
                    self._connection, limits, self.tail, self.ended.set, self._on_change
                ) as client,
            ):
                opening.reschedule(None)
                self.ready.set_result(client)
                await self._until_idle()
        # Whatever the server, the network or the SDK come up with: it is this session's end alone.
        except Exception as error:
            why = self.why(error)
            if self.ready.done():
                logger.info("an MCP session failed", extra={"why": why})
            else:
                self.ready.set_exception(McpUnavailable(why))
                self.ready.exception()  # whoever waited may have gone
        finally:
            self.ended.set()
            if not self.ready.done():
                self.ready.set_exception(McpUnavailable("this server is being stopped"))
                self.ready.exception()

    async def _until_idle(self) -> None:
        """Until it is over, or nobody has used it for long."""
        while not self.ended.is_set():
            left = self.used_at + self._limits.idle_s - time.monotonic()
            if left <= 0 and not self.users:
                return
            try:
                async with asyncio.timeout(max(left, 1.0)):
                    await self.ended.wait()
            except TimeoutError:
                continue

    def why(self, error: BaseException) -> str:
        """What went wrong, in one line, with what a program has said at its end."""
        first = first_of(error)
        if self.tail.too_large:
            most = self._limits.max_bytes
            words = f"a message is longer than {most:,} bytes (YIKU_MCP_MAX_BYTES)"
        elif isinstance(first, TimeoutError):
            words = f"no answer within {self._limits.timeout_s:g} s (YIKU_MCP_TIMEOUT_S)"
        elif isinstance(first, FileNotFoundError) and isinstance(self._connection, Stdio):
            words = f"there is no command {self._connection.command!r} on this machine"
        else:
            words = " ".join(str(first).split()) or type(first).__name__
        said = str(self.tail)
        return f"{words[:500]}; it wrote: {said}" if said else words[:500]


class Pool:
    """The sessions of this process."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.changes = Changes()
        self._held: dict[tuple[McpServerId, str], Held] = {}

    @asynccontextmanager
    async def session(
        self, server_id: McpServerId, connection: Connection
    ) -> AsyncGenerator[tuple[Client, Held]]:
        """An open session, another one where the last has ended. Raises: McpUnavailable."""
        key = (server_id, fingerprint(connection))
        held = self._held.get(key)
        if held is None or held.ended.is_set():
            self._make_room()
            held = self._held[key] = Held(
                connection, self.limits, lambda: self.changes.note(server_id, connection)
            )
            held.task.add_done_callback(lambda _: self._forget(key, held))
        held.users += 1
        try:
            client = await asyncio.shield(held.ready)
            yield client, held
        finally:
            held.users -= 1
            held.used_at = time.monotonic()

    def drop(self, server_id: McpServerId) -> None:
        """Close what is open to a server; calls that go on end."""
        for key, held in list(self._held.items()):
            if key[0] == server_id:
                held.ended.set()

    async def close(self) -> None:
        await self.changes.close()
        tasks = [held.task for held in self._held.values()]
        for held in self._held.values():
            held.ended.set()
            if not held.ready.done():
                held.task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _make_room(self) -> None:
        idle = [held for held in self._held.values() if not held.users and not held.ended.is_set()]
        if len(self._held) >= MOST and idle:
            min(idle, key=lambda held: held.used_at).ended.set()

    def _forget(self, key: tuple[McpServerId, str], held: Held) -> None:
        if self._held.get(key) is held:
            del self._held[key]


def fingerprint(connection: Connection) -> str:
    """Tells connections apart; a session is for one, with all its secrets."""
    form = json.dumps(taken_apart(connection), sort_keys=True)
    return hashlib.sha256(form.encode()).hexdigest()


def first_of(error: BaseException) -> BaseException:
    """The SDK's task groups wrap what happened, often more than once."""
    found = error
    while isinstance(found, BaseExceptionGroup):
        found = cast("BaseExceptionGroup[BaseException]", found).exceptions[0]
    return found
