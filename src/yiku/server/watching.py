"""Every request has an id, is logged, and is told of, from its first byte to its last."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yiku.core.ids import new_id
from yiku.core.telemetry import Doing, Kind, Telemetry, within

logger = logging.getLogger("yiku.server.requests")

REQUEST_ID = b"x-request-id"
A_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
"""Which ids of others are taken over: those that can't break a line of a log."""
STATE = "request_id"


class Watched:
    """Before the application: who asks with an `X-Request-Id` finds it in the answer and the logs;
    who doesn't is given one."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._telemetry = telemetry

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(REQUEST_ID, b"")
        request_id = given if A_REQUEST_ID.fullmatch(given) else new_id("req").encode()
        # What goes wrong is answered outside of here.
        scope.setdefault("state", {})[STATE] = request_id.decode()
        parent = headers.get(b"traceparent")
        telling = self._telemetry.doing(
            Kind.REQUEST,
            scope["method"],
            traceparent=None if parent is None else parent.decode("latin-1"),
        )
        with within(request=request_id.decode()), telling as doing:
            await self._answer(scope, receive, send, doing)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, doing: Doing) -> None:
        began, status = time.monotonic(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                doing.note(status=status, ok=status < 500)
                own = (REQUEST_ID, scope["state"][STATE].encode())
                message = {**message, "headers": [*message["headers"], own]}
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            route = route_of(scope)
            doing.note(route=route)
            logger.info(
                "request",
                extra={
                    "method": scope["method"],
                    "route": route,
                    "status": status or 500,
                    "ms": round((time.monotonic() - began) * 1000, 1),
                },
            )


def route_of(scope: Scope) -> str:
    """As it was declared: paths and queries hold ids and texts of users."""
    found: Any = scope.get("route")
    return getattr(found, "path", "none")
