"""What comes before a request is known of is bounded, whoever sends it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import cycle, islice

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tests.fixtures.letta import Server
from yiku.server.heads import MOST, BoundedHeads

ENDLESS = 64 * MOST
"""Bytes after which a server that takes all of it has failed."""
HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


async def lengths(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers how long the header `A` was, and the body."""
    if scope["type"] != "http":
        return
    body, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + len(message["body"]), message["more_body"]
    told = f"{len(dict(scope['headers']).get(b'a', b''))} {body}".encode()
    headers = [(b"content-length", str(len(told)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": told})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(lengths, port=0, log_config=None, http=BoundedHeads, lifespan="off")
    server = Server(config)
    running = asyncio.create_task(server.serve())
    await server.up.wait()
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await running


async def sent(port: int, first: bytes, rest: bytes) -> tuple[int, bytes]:
    """How many bytes of `rest`, again and again, were taken, and what came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    taken, block = 0, bytes(islice(cycle(rest), MOST // 4))
    writer.write(first)
    with suppress(ConnectionError):
        while taken < ENDLESS:
            writer.write(block)
            await writer.drain()
            taken += len(block)
            await asyncio.sleep(0)
    told = b""
    with suppress(ConnectionError, TimeoutError):
        told = await asyncio.wait_for(reader.read(1000), 5)
    writer.transport.abort()
    return taken, told


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"GET /", b"a"),
        (HEAD + b"A: ", b"a"),
        (HEAD, b"a: b\r\n"),
        (HEAD, b"a"),
        (CHUNKED + b"1\r\na\r\n0\r\n", b"a: b\r\n"),
        (CHUNKED + b"1\r\na\r\n0\r\nA: ", b"a"),
        (CHUNKED + b"1;", b"a"),
    ],
)
async def test_a_head_without_an_end_is_ended(port: int, first: bytes, rest: bytes) -> None:
    taken, told = await sent(port, first, rest)
    assert taken < ENDLESS
    assert not told or told.startswith(b"HTTP/1.1 431 ")


async def test_requests_as_they_are_made_go_through(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    small = b"1\r\na\r\n" * MOST
    for request, told in (
        (HEAD + b"A: " + b"a" * (MOST // 2) + b"\r\n\r\n", f"{MOST // 2} 0"),
        (CHUNKED + small + b"0\r\n\r\n", f"0 {MOST}"),
        (HEAD + b"\r\n", "0 0"),
    ):
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert (await reader.readexactly(len(told))).decode() == told
    writer.close()
    await writer.wait_closed()
