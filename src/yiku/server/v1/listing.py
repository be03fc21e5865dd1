"""Parts of lists that are small enough to be at hand, and lists as answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from pydantic import BaseModel
from starlette.responses import Response

from yiku.core.agent import AgentPage
from yiku.core.block import BlockPage
from yiku.core.errors import NotFound
from yiku.server.v1.wire import Page

T = TypeVar("T")
Bounded = TypeVar("Bounded", AgentPage, BlockPage)


def answers(found: Iterable[BaseModel]) -> Response:
    """What we made needs no second check."""
    body = b",".join([one.__pydantic_serializer__.to_json(one) for one in found])
    return Response(b"[" + body + b"]", media_type="application/json")


def part(
    there: Sequence[T], query: Page, id_of: Callable[[T], str], missing: type[NotFound]
) -> list[T]:
    """A page of `there`, which is in the order of creation.

    Raises: `missing` where a cursor isn't there.
    """
    found = list(there) if query.order == "asc" else list(there[::-1])
    ids = [id_of(one) for one in found]
    for cursor in (query.after, query.before):
        if cursor is not None and cursor not in ids:
            raise missing(f"There is no {cursor} to page from.")
    first = 0 if query.after is None else ids.index(query.after) + 1
    last = len(found) if query.before is None else ids.index(query.before)
    within = found[first:last]
    if query.before is not None and query.after is None:
        return within[-query.limit :]
    return within[: query.limit]


async def or_anew(
    page_of: Callable[[Bounded], Awaitable[T]], part: Bounded, missing: type[NotFound]
) -> T:
    """A page; where what bounds it is gone, one from the beginning: clients that delete what they
    list ask for the page after what they deleted last, and Letta's server answers so."""
    try:
        return await page_of(part)
    except missing:
        return await page_of(replace(part, after=None, before=None))
