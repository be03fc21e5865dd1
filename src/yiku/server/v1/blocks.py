"""/v1/blocks: core memory."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import Header, Query
from starlette.responses import Response

from yiku.core.block import Block
from yiku.core.errors import Invalid
from yiku.core.ids import BlockId
from yiku.memory import blocks
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate import (
    block_content,
    block_filter,
    block_out,
    block_page,
    can_match,
    given,
)

router = Routes("blocks")

IfMatch = Annotated[
    str | None,
    Header(description="The `ETag` of the block that was read: refuse if it has changed since."),
]
VERSION = re.compile(r'"([0-9]{1,9})"')


def version_in(if_match: str | None) -> int | None:
    """Raises: Invalid."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = VERSION.fullmatch(if_match.strip())
    if found is None:
        raise Invalid(f'`If-Match` is an ETag that was given here, like "3", not {if_match!r}.')
    return int(found[1])


def tagged(one: Block) -> Response:
    response = answer(block_out(one))
    response.headers["ETag"] = f'"{one.version}"'
    return response


@router.post("/v1/blocks/", response_model=wire.BlockOut)
async def create(body: wire.BlockIn, app: Here, actor: Asks) -> Response:
    """Create a block."""
    return tagged(await blocks.create(app.database, actor, block_content(body)))


@router.get("/v1/blocks/", response_model=list[wire.BlockOut])
async def list_blocks(
    query: Annotated[wire.BlockQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The blocks there are, a page of them."""
    found: list[Block] = []
    if can_match(query):
        found = await blocks.listed(app.database, actor, block_filter(query), block_page(query))
    return Response(
        b"[" + b",".join(block_out(one).model_dump_json().encode() for one in found) + b"]",
        media_type="application/json",
    )


@router.get("/v1/blocks/{block_id}", response_model=wire.BlockOut)
async def retrieve(block_id: str, app: Here, actor: Asks) -> Response:
    """One block."""
    return tagged(await blocks.get(app.database, actor, BlockId(block_id)))


@router.patch("/v1/blocks/{block_id}", response_model=wire.BlockOut)
async def update(
    block_id: str, body: wire.BlockPatch, app: Here, actor: Asks, if_match: IfMatch = None
) -> Response:
    """Change a block; its history keeps what was."""
    seen = version_in(if_match)
    changed = await blocks.update(
        app.database, actor, BlockId(block_id), given(body), seen_version=seen
    )
    return tagged(changed)


@router.delete("/v1/blocks/{block_id}", response_model=None)
async def delete(block_id: str, app: Here, actor: Asks) -> Response:
    """Erase a block for good, with its history."""
    await blocks.delete(app.database, actor, BlockId(block_id))
    return Response(b"null", media_type="application/json")
