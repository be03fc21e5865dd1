"""Routes that know who asks before they read a body, and describe how they refuse."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from yiku.server.auth import actor_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Known(APIRoute):
    """FastAPI reads and parses a body before it looks at what else a route depends on: a stranger's
    32 MB of JSON would take half a gigabyte, and a second in which nobody is answered."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        asks = any(one.call is actor_of for one in self.dependant.dependencies)
        if self.body_field is None or not asks:
            return handler

        async def known(request: Request) -> Response:
            request.state.actor = await actor_of(request)
            return await handler(request)

        return known


class Refusing(APIRouter):
    """All its routes may refuse in one form, with any of its statuses.

    The form is looked through once, not once for each route and status: with some 240 routes that
    was a fifth of the server's start.
    """

    def __init__(self, form: type[BaseModel], statuses: Iterable[int], **options: Any) -> None:
        super().__init__(route_class=Known, **options)
        told: dict[int | str, dict[str, Any]] = {status: {"model": form} for status in statuses}
        self._refuses = APIRoute("/", refused, responses=told)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().add_api_route(path, endpoint, **options)
        route = self.routes[-1]
        assert isinstance(route, APIRoute)
        route.responses = {**self._refuses.responses, **route.responses}
        route.response_fields = {**self._refuses.response_fields, **route.response_fields}


async def refused() -> None:
    """Stands for any endpoint that refuses."""
