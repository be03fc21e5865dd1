"""An MCP server that is a program of this machine: started, spoken to line by line, ended.

The SDK's own transport reads lines of any length and passes the program's stderr on to ours. Here
a line has a limit, and the end of stderr is kept to say why a program died.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from yiku.core.mcp import Stdio

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
    from mcp.shared.message import SessionMessage

    Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]
    Outgoing = MemoryObjectSendStream[SessionMessage]

PATIENCE_S = 2.0
"""For the end after its input was closed, and again after SIGTERM; then SIGKILL. The protocol's
order: modelcontextprotocol.io, specification 2025-11-25, lifecycle, shutdown."""
KEPT_LINES = 8
KEPT_CHARACTERS = 300
PIECE = 65_536


class Tail:
    """The last lines a program has written that were no messages."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self.too_large = False
        """Whether it ended because a message was longer than it may be."""

    def add(self, line: bytes) -> None:
        text = line.decode(errors="replace").strip()
        if text:
            self._lines.append(text[:KEPT_CHARACTERS])

    def __str__(self) -> str:
        return " / ".join(self._lines)


@asynccontextmanager
async def running(
    connection: Stdio, tail: Tail, max_bytes: int, on_end: Callable[[], None]
) -> AsyncGenerator[tuple[Incoming, Outgoing]]:
    """The program's messages while it runs; at the end it is ended, with all that it started.

    `on_end` is called when it has said its last, or said too much at once.
    Raises: OSError where it can't be started.
    """
    import anyio
    from mcp.client.stdio import get_default_environment
    from mcp.shared.message import SessionMessage

    loop = asyncio.get_running_loop()
    # As asyncio.create_subprocess_exec does, which keeps the transport to itself.
    transport, protocol = await loop.subprocess_exec(
        lambda: asyncio.subprocess.SubprocessStreamProtocol(max_bytes, loop),
        connection.command,
        *connection.args,
        env={**get_default_environment(), **connection.env},
        start_new_session=True,
    )
    process = asyncio.subprocess.Process(transport, protocol, loop)
    told, heard = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    asked, to_ask = anyio.create_memory_object_stream[SessionMessage](0)
    tasks = [
        asyncio.create_task(listen(process, told, tail, on_end)),
        asyncio.create_task(speak(process, to_ask, told)),
        asyncio.create_task(overhear(process, tail)),
    ]
    try:
        yield heard, asked
    finally:
        try:
            await end(process)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await empty(process)
            transport.close()  # somebody may hold its pipes open who has left its session
            await asyncio.sleep(0)  # they close in the next turn of the loop
            for stream in (told, heard, asked, to_ask):
                stream.close()


async def listen(
    process: asyncio.subprocess.Process,
    told: MemoryObjectSendStream[SessionMessage | Exception],
    tail: Tail,
    on_end: Callable[[], None],
) -> None:
    """Pass on each message that it writes; when `told` is closed, calls that wait end."""
    import anyio
    from mcp.shared.message import SessionMessage
    from mcp_types import jsonrpc_message_adapter

    assert process.stdout is not None
    try:
        with told:
            while line := await process.stdout.readline():
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError:
                    tail.add(line)  # servers that print beside the protocol go on
                    continue
                await told.send(SessionMessage(message))
    except ValueError:
        tail.too_large = True
    except (anyio.BrokenResourceError, anyio.ClosedResourceError):
        tail.add(b"")  # nobody listens any more
    finally:
        on_end()


async def speak(
    process: asyncio.subprocess.Process,
    to_ask: MemoryObjectReceiveStream[SessionMessage],
    told: MemoryObjectSendStream[SessionMessage | Exception],
) -> None:
    assert process.stdin is not None
    try:
        async for asked in to_ask:
            line = asked.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(f"{line}\n".encode())
            await process.stdin.drain()
    except OSError:
        told.close()  # it has closed its input: calls that wait must not


async def overhear(process: asyncio.subprocess.Process, tail: Tail) -> None:
    assert process.stderr is not None
    while piece := await process.stderr.read(PIECE):
        for line in piece.splitlines()[-KEPT_LINES:]:
            tail.add(line)


async def end(process: asyncio.subprocess.Process) -> None:
    """Close its input, then ask, then kill; whoever waits for this may be cancelled himself."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()
    except TimeoutError:
        send(process, signal.SIGTERM)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await process.wait()
    finally:
        send(process, signal.SIGKILL)  # what it has started may have outlived it


async def empty(process: asyncio.subprocess.Process) -> None:
    """Read what it has left unread, and see it end."""
    with suppress(TimeoutError, ValueError):
        async with asyncio.timeout(PATIENCE_S):
            for stream in (process.stdout, process.stderr):
                while stream is not None and await stream.read(PIECE):
                    continue
            await process.wait()


def send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
