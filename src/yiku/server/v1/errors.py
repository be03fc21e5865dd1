"""Errors as v1's clients read them: a status that they have an exception for, and `detail`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

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
            "loc": (error.facts.get("place", place), *error.facts.get("within", ()), field),
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


def body_of_problems(
    problems: Sequence[Any], name: str = "Invalid", *, sent: Any = None
) -> dict[str, Any]:
    """Of pydantic's problems; what was sent isn't repeated. `sent`: the request's JSON."""
    found = [
        {"loc": place_of(one, sent), "msg": one["msg"], "type": one["type"]} for one in problems
    ]
    return {"detail": [one for n, one in enumerate(found) if one not in found[:n]], "error": name}


def place_of(problem: Any, sent: Any) -> list[str | int]:
    """Where in the request the problem is. Where one of several forms may be sent, pydantic puts
    the form's name into the place (`body.input.text`): that is not in what was sent, and left out.
    """
    first, *path = problem["loc"]
    if first != "body" or not isinstance(sent, dict | list):
        return [first, *path]
    if problem["type"] == "missing":  # nor is that, but it is what was to be sent
        return [first, *there(path[:-1], sent), path[-1]]
    return [first, *there(path, sent)]


def there(path: Sequence[str | int], sent: Any) -> list[str | int]:
    """As much of `path` as leads through `sent`: a name that could be a form's or a field's is
    whichever lets more of the path be followed."""
    if not path:
        return []
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        known = isinstance(sent, list) and head < len(cast("list[Any]", sent))
        return [head, *there(rest, sent[head])] if known else []
    left_out = there(rest, sent)
    if not isinstance(sent, dict) or head not in sent:
        return left_out
    followed = [head, *there(rest, sent[head])]
    return followed if len(followed) >= len(left_out) else left_out
