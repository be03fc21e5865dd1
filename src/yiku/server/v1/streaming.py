"""Streams of runs over HTTP, as server-sent events in v1's form.

A run doesn't end with the connection that began it: who comes back joins it by its id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Any

from starlette.responses import StreamingResponse

from yiku.agents.active import ActiveRun
from yiku.core.ids import RunId, new_id
from yiku.server.v1 import wire_messages as wire
from yiku.server.v1.translate_stream import Stream, line

logger = logging.getLogger(__name__)

PING_S = 15.0
EVENT = {
    "type": "object",
    "properties": {"event": {"enum": ["message", "error"]}, "data": {"type": "string"}},
    "required": ["data"],
}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"itemSchema": EVENT}}}
}
"""What a stream answers with, for the API's description; `itemSchema` is a word of OpenAPI 3.2,
which readers of 3.1 pass over."""
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""A proxy that collects the answer first would make it no stream."""


def streamed(active: ActiveRun, pings: bool, starting_after: int = 0) -> StreamingResponse:
    run_id, lines = active.run.id, lines_of(active, starting_after)
    told = told_of(with_pings(lines, run_id) if pings else lines, run_id)
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)


async def told_of(lines: AsyncIterator[bytes], run_id: RunId) -> AsyncGenerator[bytes]:
    """The status has been sent when something breaks here; so the client is told in the stream,
    in the form that it makes an exception of."""
    try:
        async for each in lines:
            yield each
    except Exception:
        logger.exception("stream failed", extra={"action": "stream_failed", "run_id": run_id})
        words = "The stream broke off; the server's log says why. The run may go on."
        found = wire.ErrorMessageOut(run_id=run_id, error_type="InternalError", message=words)
        yield line(found, event="error")


async def with_pings(
    lines: AsyncIterator[bytes], run_id: RunId, every_s: float = PING_S
) -> AsyncGenerator[bytes]:
    """A sign of life wherever there was nothing to tell for a while."""
    waiting: asyncio.Task[bytes] | None = None
    try:
        while True:
            waiting = waiting or asyncio.create_task(next_of(lines), name="yiku-next-line")
            done, _ = await asyncio.wait((waiting,), timeout=every_s)
            if not done:
                yield line(wire.PingOut(id=new_id("ping"), date=datetime.now(UTC), run_id=run_id))
                continue
            if not (found := waiting.result()):
                return
            waiting = None
            yield found
    finally:
        if waiting is not None:
            waiting.cancel()


async def next_of(lines: AsyncIterator[bytes]) -> bytes:
    """The next one; empty after the last."""
    return await anext(lines, b"")


async def lines_of(active: ActiveRun, starting_after: int = 0) -> AsyncGenerator[bytes]:
    """The lines of a run, whoever runs it or ran it, after one that their reader has seen."""
    stream = Stream(active.run, starting_after=starting_after)
    async for _, event in active.events():
        if found := stream.lines(event, datetime.now(UTC)):
            yield found
