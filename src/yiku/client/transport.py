"""An httpx transport that runs an ASGI app in this process, streaming.

httpx's own collects the whole body before it returns; exports and token streams must not. What is
sent is read as the app asks for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
from starlette.types import ASGIApp, Message


class Body(httpx.AsyncByteStream):
    """The response's body as the app sends it; closing it early cancels the app."""

    def __init__(self, chunks: asyncio.Queue[bytes | None], task: asyncio.Task[None]) -> None:
        self._chunks = chunks
        self._task = task

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (chunk := await self._chunks.get()) is not None:
            yield chunk
        await self._task  # an app that failed halfway fails its reader

    async def aclose(self) -> None:
        if not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])


class InProcessTransport(httpx.AsyncBaseTransport):
    """Requests become calls of `app`, each in a task of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent = aiter(cast("httpx.AsyncByteStream", request.stream))
        started: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        # One chunk ahead of the reader: an app can't outrun whom it sends to.
        chunks: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        given = False

        async def receive() -> Message:
            nonlocal given
            if given:
                await asyncio.Event().wait()  # a client in this process doesn't hang up
            body = await anext(sent, None)
            given = body is None
            return {"type": "http.request", "body": body or b"", "more_body": not given}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.set_result(message)
                return
            if message.get("body"):
                await chunks.put(message["body"])
            if not message.get("more_body", False):
                await chunks.put(None)

        async def run() -> None:
            try:
                await self._app(scope_of(request), receive, send)
            finally:
                if not started.done():
                    started.cancel()
                elif not chunks.full():
                    chunks.put_nowait(None)

        task = asyncio.create_task(run(), name="yiku-request")
        try:
            first = await started
        except asyncio.CancelledError:
            if not task.done():
                task.cancel()
                raise
            await task  # raises what the app raised before it answered
            raise
        return httpx.Response(
            first["status"], headers=first["headers"], stream=Body(chunks, task), request=request
        )


def scope_of(request: httpx.Request) -> dict[str, Any]:
    path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": ("localhost", None),
        "client": ("127.0.0.1", 0),
    }
