"""Versions on the wire: an `ETag` with an answer, `If-Match` with a change."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header
from starlette.responses import Response

from yiku.core.errors import Invalid

IfMatch = Annotated[
    str | None,
    Header(description="The `ETag` of what was read: refuse if it has changed since."),
]
VERSION = re.compile(r'"([0-9]{1,9})"')


def version_in(if_match: str | None) -> int | None:
    """Raises: Invalid."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = VERSION.fullmatch(if_match.strip())
    if found is None:
        words = f'`If-Match` is an ETag that was given here, like "3", not {if_match!r}.'
        raise Invalid(words, field="If-Match", place="header")
    return int(found[1])


def tagged(response: Response, version: int) -> Response:
    response.headers["ETag"] = f'"{version}"'
    return response
