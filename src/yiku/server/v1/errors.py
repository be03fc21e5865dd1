"""Errors as v1's clients read them: a status that they have an exception for, and `detail`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yiku.core.errors import (
    DimensionMismatch,
    InvalidImport,
    ModelNotFound,
    ProviderRefused,
    QuotaExceeded,
    YikuError,
)

PREFIX = "/v1/"
HEADERS = {409: {"X-Should-Retry": "false"}}
"""The client tries a conflict again by itself, which would only repeat it."""
ONCE = {"X-Should-Retry": "false"}
"""It also tries all of 500 and above again. But what a run began with is stored: sent again by
itself, it would be said twice. And what a provider refuses, it refuses the next time too; nor is a
limit another one a second later."""
OF_ONCE = ("run_id", "unsure")
"""Facts of errors that may have left something behind."""
LASTING = (ProviderRefused, ModelNotFound, DimensionMismatch, QuotaExceeded)


OF_LIMITS = ("resource", "limit", "used", "resets_at")
"""Facts that stand beside the words of a limit that was met."""


def is_v1(path: str) -> bool:
    return path.startswith(PREFIX)


def body_of(name: str, message: str) -> dict[str, Any]:
    return {"detail": message, "error": name}


def body_of_error(error: YikuError, place: str) -> dict[str, Any]:
    """What is wrong with a field is said as for a field of the wrong type; a run is named.

    `place`: where the request has its fields, unless the error knows."""
    name, field = type(error).__name__, error.facts.get("field")
    if isinstance(error, InvalidImport):  # its place is one in the file
        where = [error.facts["place"]] if "place" in error.facts else []
        problem = {"loc": ("body", "file", *where), "msg": error.message, "type": name}
        return body_of_problems([problem], name)
    if isinstance(field, str):
        problem = {
            "loc": (error.facts.get("place", place), field),
            "msg": error.message,
            "type": name,
        }
        return body_of_problems([problem], name)
    if isinstance(error, QuotaExceeded):
        told = {one: error.facts[one] for one in OF_LIMITS if one in error.facts}
        return body_of(name, error.message) | told
    run_id = error.facts.get("run_id")
    return body_of(name, error.message) | ({} if run_id is None else {"run_id": run_id})


def headers_of_error(error: YikuError) -> dict[str, str]:
    lasts = isinstance(error, LASTING) or any(one in error.facts for one in OF_ONCE)
    return ONCE if lasts else {}


def body_of_problems(problems: Sequence[Any], name: str = "Invalid") -> dict[str, Any]:
    """Of pydantic's problems; what was sent isn't repeated."""
    detail = [{"loc": [*one["loc"]], "msg": one["msg"], "type": one["type"]} for one in problems]
    return {"detail": detail, "error": name}
