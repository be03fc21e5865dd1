"""What happens to memory skills, as server-sent events: a browser's `EventSource` reads them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Any

from fastapi import Header, Query, Request
from starlette.responses import StreamingResponse

from yiku.core.errors import Invalid
from yiku.core.tenant import Actor
from yiku.memory.skills import audit
from yiku.memory.skills.shared import Skills
from yiku.server import wire
from yiku.server.memory import Asks, Here
from yiku.server.routing import Refusing
from yiku.server.translate_skills import event_out

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""How often it is looked for new ones: other processes make some, too."""
PING_S = 15.0
LASTS_S = 600.0
"""Then the stream ends, and whoever watches comes back by himself, with the last number he saw: a
key that was revoked meanwhile is seen then."""
PAGE = 100
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""A proxy that collects the answer first would make it no stream."""
PING = b": nothing new\n\n"
EVENT = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {}},
    "required": ["id", "event", "data"],
}
EVENTS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"itemSchema": EVENT}}}
}

router = Refusing(wire.ErrorOut, (401, 403, 422, 503), prefix="/memory/skills", tags=["skills"])


@router.get("/events", response_class=StreamingResponse, responses=EVENTS)
async def skill_events(
    request: Request,
    app: Here,
    actor: Asks,
    after: Annotated[
        int | None, Query(ge=0, le=2**62, description="Those after this number; default: new ones.")
    ] = None,
    last_event_id: Annotated[
        str | None, Header(description="The last one seen; it comes before `after`.")
    ] = None,
) -> StreamingResponse:
    """What happens to skills, while it happens: added, edited, proposed, approved, rejected …

    `data` is JSON: `id`, `event`, `facts` (ids, names, versions) and `at`.
    """
    seen = after if last_event_id is None else number_of(last_event_id)
    if seen is None:
        seen = await audit.last_event(app.skills, actor)
    told = told_of(app.skills, actor, seen, lambda: request.app.state.ending)
    return StreamingResponse(told, media_type="text/event-stream", headers=HEADERS)


def number_of(last_event_id: str) -> int:
    """Raises: Invalid."""
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) < 19):
        raise Invalid("`Last-Event-ID` is the number of an event.")
    return int(last_event_id)


async def told_of(
    skills: Skills, actor: Actor, seen: int, is_ending: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    """The status has been sent when something breaks here: it ends, and the log says why."""
    try:
        yield PING  # so that who watches sees at once that it is open
        async for each in lines_of(skills, actor, seen, is_ending):
            yield each
    except Exception:
        logger.exception("stream failed", extra={"action": "stream_failed"})


async def lines_of(
    skills: Skills, actor: Actor, seen: int, is_ending: Callable[[], bool]
) -> AsyncGenerator[bytes]:
    now = asyncio.get_running_loop().time
    end, silent_since = now() + LASTS_S, now()
    while True:
        found = await audit.events(skills, actor, seen, PAGE)
        for one in found:
            seen = one.seq
            data = event_out(one).model_dump_json()
            yield f"id: {one.seq}\nevent: {one.kind}\ndata: {data}\n\n".encode()
        if found:
            silent_since = now()
        elif now() - silent_since >= PING_S:
            silent_since = now()
            yield PING
        if now() >= end or is_ending():
            return
        if len(found) < PAGE:
            await asyncio.sleep(LOOK_S)
