"""Routes that describe, besides what they answer, how they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel


class Refusing(APIRouter):
    """All its routes may refuse in one form, with any of its statuses.

    The form is looked through once, not once for each route and status: with some 240 routes that
    was a fifth of the server's start.
    """

    def __init__(self, form: type[BaseModel], statuses: Iterable[int], **options: Any) -> None:
        super().__init__(**options)
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
