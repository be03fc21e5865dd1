"""How v1's routes are declared: the path as `letta-client` calls it, and its twin."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, compile_path

from yiku.server.routing import Refusing
from yiku.server.v1 import wire

STATUSES = (401, 403, 404, 409, 413, 422, 429, 502, 503, 507)


class Routes(Refusing):
    """Each route answers with and without a slash at its end; a redirect would cost a round trip,
    and clients that don't follow one would fail. The twin isn't in the description."""

    def __init__(self, tag: str) -> None:
        super().__init__(wire.ErrorOut, STATUSES, tags=[tag])

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().add_api_route(path, endpoint, **options)
        twin = path[:-1] if path.endswith("/") else f"{path}/"
        self.routes.append(moved(self.routes[-1], twin))

    def also(self, part: str, older: str) -> None:
        """Answer at the older addresses, too, which have `older` in the place of `part`."""
        for route in [one for one in self.routes if isinstance(one, APIRoute)]:
            if part in route.path:
                self.routes.append(moved(route, route.path.replace(part, older)))


def moved(route: BaseRoute, path: str) -> APIRoute:
    """The same route at another address, which isn't in the description. The endpoint's parameters
    and forms aren't looked through again: that takes most of a route's milliseconds."""
    assert isinstance(route, APIRoute)
    made = copy(route)
    made.path = path
    made.path_regex, made.path_format, made.param_convertors = compile_path(path)
    made.include_in_schema = False
    return made
