"""MCP servers that say their tools have changed: each is asked for them again, once it is quiet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from yiku.core.ids import McpServerId
from yiku.core.mcp import Connection

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client.session import IncomingMessage, MessageHandlerFnT

logger = logging.getLogger(__name__)

QUIET_S = 0.5
"""Servers that add tools one by one tell of each."""
LONGEST_S = 5.0
"""As long it is waited for quiet."""
AGAIN_S = 30.0
"""Until a server that has dropped who listens is listened to again."""

Look = Callable[[McpServerId, Connection], Awaitable[None]]


async def nobody(server_id: McpServerId, connection: Connection) -> None:
    """Where nothing follows."""


class Changes:
    """What this process has been told, and not looked at yet."""

    def __init__(self) -> None:
        self.look: Look = nobody
        """Reads a server's tools again; it doesn't raise what servers and networks do."""
        self._told: dict[McpServerId, float] = {}
        """When, last."""
        self._tasks: dict[McpServerId, asyncio.Task[None]] = {}

    def note(self, server_id: McpServerId, connection: Connection) -> None:
        """The server has said in a session of this connection that its tools have changed."""
        self._told[server_id] = time.monotonic()
        if server_id not in self._tasks:
            task = asyncio.create_task(self._follow(server_id, connection), name="yiku-mcp-changes")
            self._tasks[server_id] = task

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, server_id: McpServerId, connection: Connection) -> None:
        """Look, and again where it was told meanwhile: never twice at once."""
        try:
            while server_id in self._told:
                await self._quiet(server_id)
                del self._told[server_id]
                await self.look(server_id, connection)
        finally:
            del self._tasks[server_id]

    async def _quiet(self, server_id: McpServerId) -> None:
        latest = time.monotonic() + LONGEST_S

        def left() -> float:
            return min(self._told[server_id] + QUIET_S, latest) - time.monotonic()

        while (seconds := left()) > 0:  # noqa: ASYNC110 - what is told moves the end
            await asyncio.sleep(seconds)


def only_tools(told: Callable[[], None]) -> MessageHandlerFnT:
    """What a session does with all that its server tells by itself."""
    from mcp_types import ToolListChangedNotification

    async def heard(message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            told()

    return heard


@asynccontextmanager
async def listening(client: Client, told: Callable[[], None]) -> AsyncGenerator[None]:
    """By the newer protocol a server tells only who asks for that; by the older ones it tells
    everybody, and nothing is done here."""
    from mcp_types.version import MODERN_PROTOCOL_VERSIONS

    tools = client.server_capabilities.tools
    newer = client.protocol_version in MODERN_PROTOCOL_VERSIONS
    if not newer or tools is None or not tools.list_changed:
        yield
        return
    task = asyncio.create_task(listen(client, told), name="yiku-mcp-listen")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def listen(client: Client, told: Callable[[], None]) -> None:
    """Until the server closes it, or the session ends; what broke off is begun again, and what was
    missed meanwhile looked at."""
    from mcp import MCPError
    from mcp.client.subscriptions import SubscriptionLost

    while True:
        try:
            async with client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    told()
            return
        except (MCPError, SubscriptionLost, TimeoutError) as error:
            logger.info("an MCP server isn't heard", extra={"why": type(error).__name__})
        await asyncio.sleep(AGAIN_S)
        told()
