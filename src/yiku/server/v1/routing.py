"""How v1's routes are declared: the path as `letta-client` calls it, and its twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute

from yiku.server.v1 import wire

ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": wire.ErrorOut}
    for status in (401, 403, 404, 409, 413, 422, 429, 502, 503, 507)
}


class Routes(APIRouter):
    """Each route answers with and without a slash at its end; a redirect would cost a round trip,
    and clients that don't follow one would fail. The twin isn't in the description."""

    def __init__(self, tag: str) -> None:
        super().__init__(tags=[tag], responses=ERRORS)

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        twin = path[:-1] if path.endswith("/") else f"{path}/"
        hidden: dict[str, Any] = {**options, "include_in_schema": False}
        super().add_api_route(path, endpoint, **options)
        super().add_api_route(twin, endpoint, **hidden)

    def also(self, part: str, older: str) -> None:
        """Answer at the older addresses, too, which have `older` in the place of `part`. They
        aren't in the description."""
        for route in [one for one in self.routes if isinstance(one, APIRoute)]:
            if part in route.path:
                super().add_api_route(
                    route.path.replace(part, older),
                    route.endpoint,
                    methods=list(route.methods or ()),
                    response_model=route.response_model,
                    status_code=route.status_code,
                    include_in_schema=False,
                )
