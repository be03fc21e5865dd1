"""/v1/blocks: core memory."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.core.agent import AgentFilter
from yiku.core.block import Block
from yiku.core.errors import BlockNotFound
from yiku.core.ids import BlockId
from yiku.memory import blocks
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire, wire_agents
from yiku.server.v1.agent_pages import Answers, agent_page
from yiku.server.v1.listing import answers, or_anew
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate import (
    block_content,
    block_filter,
    block_out,
    block_page,
    given,
)
from yiku.server.v1.translate_agents import part_of, relations_of
from yiku.server.v1.versions import IfMatch, tagged, version_in
from yiku.store import blocks as store
from yiku.store.agent_lists import page_seqs
from yiku.store.database import Tx

router = Routes("blocks")


def told(one: Block) -> Response:
    return tagged(answer(block_out(one)), one.version)


@router.post("/v1/blocks/", response_model=wire.BlockOut)
async def create(body: wire.BlockIn, app: Here, actor: Asks) -> Response:
    """Create a block."""
    return told(await blocks.create(app.database, actor, block_content(body)))


@router.get("/v1/blocks/", response_model=list[wire.BlockOut])
async def list_blocks(
    query: Annotated[wire.BlockQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The blocks there are, a page of them."""
    wanted = block_filter(query)
    found = await or_anew(
        lambda part: blocks.listed(app.database, actor, wanted, part),
        block_page(query),
        BlockNotFound,
    )
    return answers(map(block_out, found))


@router.get("/v1/blocks/count", response_model=int)
async def count(app: Here, actor: Asks) -> int:
    """How many blocks there are."""
    return await app.database.read(actor, store.count)


@router.get("/v1/blocks/{block_id}", response_model=wire.BlockOut)
async def retrieve(block_id: str, app: Here, actor: Asks) -> Response:
    """One block."""
    return told(await blocks.get(app.database, actor, BlockId(block_id)))


@router.patch("/v1/blocks/{block_id}", response_model=wire.BlockOut)
async def update(
    block_id: str, body: wire.BlockPatch, app: Here, actor: Asks, if_match: IfMatch = None
) -> Response:
    """Change a block; its history keeps what was."""
    seen = version_in(if_match)
    changed = await blocks.update(
        app.database, actor, BlockId(block_id), given(body), seen_version=seen
    )
    return told(changed)


@router.delete("/v1/blocks/{block_id}", response_model=None)
async def delete(block_id: str, app: Here, actor: Asks) -> Response:
    """Erase a block for good, with its history."""
    await blocks.delete(app.database, actor, BlockId(block_id))
    return Response(b"null", media_type="application/json")


@router.get("/v1/blocks/{block_id}/agents", response_model=list[wire_agents.AgentOut])
async def list_agents(
    block_id: str,
    query: Annotated[wire_agents.AgentPages, Query()],
    app: Here,
    actor: Asks,
    kept: Answers,
) -> Response:
    """The agents that have a block, a page of them."""

    def seqs(tx: Tx) -> list[int]:
        found = store.get(tx, BlockId(block_id))
        return page_seqs(tx, AgentFilter(block_id=found.id), part_of(query))

    return await agent_page(app, actor, kept, seqs, relations_of(query))
