"""From what is known of an MCP server to a session with it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from yiku.core.mcp import Connection, Remote, Stdio, Transport
from yiku.tools.mcp.changes import listening, only_tools
from yiku.tools.mcp.program import Tail, running

if TYPE_CHECKING:
    import httpx2
    from mcp import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    timeout_s: float = 60.0
    """For a connection, a list of tools, or a call."""
    max_bytes: int = 8_388_608
    """Of one message."""
    idle_s: float = 600.0
    """After this time without a call a session is closed."""
    private: bool = True
    """Whether addresses of this machine and its network are reached."""


class TooLarge(Exception):
    """A message is longer than it may be."""


@asynccontextmanager
async def session(
    connection: Connection,
    limits: Limits,
    tail: Tail,
    on_end: Callable[[], None],
    on_change: Callable[[], None],
) -> AsyncGenerator[Client]:
    """A session, while it is open. `on_end` is called when the server has left it, `on_change` when
    it says that its tools have changed.

    Raises: what the system, HTTP and the protocol raise.
    """
    from mcp import Client
    from mcp_types import Implementation

    info = Implementation(name="yiku", version=version("yiku"))
    transport = transport_of(connection, limits, tail, on_end)
    heard = only_tools(on_change)
    async with (
        Client(transport, client_info=info, cache=None, message_handler=heard) as client,
        listening(client, on_change),
    ):
        yield client


def transport_of(
    connection: Connection, limits: Limits, tail: Tail, on_end: Callable[[], None]
) -> AbstractAsyncContextManager[Any]:
    if isinstance(connection, Stdio):
        return running(connection, tail, limits.max_bytes, on_end)
    if connection.transport is Transport.HTTP:
        return over_http(connection, limits, tail)
    return over_sse(connection, limits, tail, on_end)


@asynccontextmanager
async def over_http(connection: Remote, limits: Limits, tail: Tail) -> AsyncGenerator[Any]:
    from mcp.client.streamable_http import streamable_http_client

    async with (
        http_client(connection, limits, tail) as http,
        streamable_http_client(
            connection.url, http_client=http, max_sse_event_size=limits.max_bytes
        ) as streams,
    ):
        yield streams


@asynccontextmanager
async def over_sse(
    connection: Remote, limits: Limits, tail: Tail, on_end: Callable[[], None]
) -> AsyncGenerator[Any]:
    from mcp.client.sse import sse_client

    def factory(*_: Any, **__: Any) -> httpx2.AsyncClient:
        return http_client(connection, limits, tail, on_end)

    async with sse_client(connection.url, httpx_client_factory=factory) as streams:
        yield streams


def http_client(
    connection: Remote, limits: Limits, tail: Tail, on_end: Callable[[], None] | None = None
) -> httpx2.AsyncClient:
    """Follows no redirects to other places, and takes answers up to the limit. `on_end` is called
    when a stream of events is over."""
    import httpx2

    from yiku.tools.mcp.allowed import Allowed

    async def bound(response: httpx2.Response) -> None:
        events = response.headers.get("content-type", "").startswith("text/event-stream")
        response.stream = bounded(response.stream, limits.max_bytes, events, tail)
        if events and on_end is not None:
            response.stream = watched(response.stream, on_end)

    # A stream of events is open while nothing happens; calls have time-outs of their own.
    timeout = httpx2.Timeout(limits.timeout_s, read=None)
    headers = headers_of(connection)
    return httpx2.AsyncClient(
        headers=headers,
        timeout=timeout,
        event_hooks={"response": [bound]},
        transport=None if limits.private else Allowed(),
    )


def headers_of(connection: Remote) -> dict[str, str]:
    """A bare token goes as `Bearer`; one that says its scheme, or has a header of its own, as it
    is."""
    made = dict(connection.headers)
    token, name = connection.auth_token, connection.auth_header or "Authorization"
    if token:
        bare = name.lower() == "authorization" and " " not in token.strip()
        made[name] = f"Bearer {token.strip()}" if bare else token
    return made


def bounded(stream: Any, most: int, events: bool, tail: Tail) -> httpx2.AsyncByteStream:
    """The same bytes, as many as may be: of a stream of events between two empty lines, else in
    all. Raises: TooLarge."""

    async def pieces() -> AsyncGenerator[bytes]:
        count, last = 0, b""
        async for piece in stream:
            joined = last + piece
            ended = max(joined.rfind(b"\n\n"), joined.rfind(b"\r\n\r\n")) if events else -1
            count = len(joined) - ended if ended >= 0 else count + len(piece)
            last = piece[-3:]
            if count > most:
                tail.too_large = True
                raise TooLarge
            yield piece

    return streamed(pieces(), stream.aclose)


def watched(stream: Any, on_end: Callable[[], None]) -> httpx2.AsyncByteStream:
    """The same bytes; `on_end` is called when there are no more."""

    async def pieces() -> AsyncGenerator[bytes]:
        try:
            async for piece in stream:
                yield piece
        finally:
            on_end()

    return streamed(pieces(), stream.aclose)


def streamed(
    pieces: AsyncGenerator[bytes], close: Callable[[], Awaitable[None]]
) -> httpx2.AsyncByteStream:
    import httpx2

    class Stream(httpx2.AsyncByteStream):
        def __aiter__(self) -> AsyncIterator[bytes]:
            return pieces

        async def aclose(self) -> None:
            try:
                await pieces.aclose()
            finally:
                await close()

    return Stream()
