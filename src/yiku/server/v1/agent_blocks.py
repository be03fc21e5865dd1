"""/v1/agents/{id}/core-memory: the blocks that an agent has."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.core.agent import AgentState
from yiku.core.block import Block
from yiku.core.errors import BlockNotFound
from yiku.core.ids import AgentId, BlockId
from yiku.memory import blocks
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire, wire_agents
from yiku.server.v1.about import told
from yiku.server.v1.listing import answers, part
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate import block_out, given
from yiku.server.v1.translate_agents import memory_out
from yiku.server.v1.versions import IfMatch, tagged, version_in
from yiku.store import agents
from yiku.store.database import Tx

router = Routes("agents")


@router.get("/v1/agents/{agent_id}/core-memory", response_model=wire_agents.MemoryOut)
async def core_memory(agent_id: str, app: Here, actor: Asks) -> Response:
    """An agent's blocks, as older clients ask for them."""
    state = await app.database.read(actor, lambda tx: agents.state(tx, AgentId(agent_id)))
    return answer(memory_out(state, [block_out(one) for one in state.blocks]))


@router.get("/v1/agents/{agent_id}/core-memory/blocks", response_model=list[wire.BlockOut])
async def list_blocks(
    agent_id: str, query: Annotated[wire.NewestFirst, Query()], app: Here, actor: Asks
) -> Response:
    """An agent's blocks, a page of them."""
    there = await app.database.read(actor, lambda tx: agents.blocks_of(tx, AgentId(agent_id)))
    in_order = sorted(there, key=lambda one: one.seq)
    return answers(map(block_out, part(in_order, query, lambda one: one.id, BlockNotFound)))


@router.get("/v1/agents/{agent_id}/core-memory/blocks/{label}", response_model=wire.BlockOut)
async def retrieve(agent_id: str, label: str, app: Here, actor: Asks) -> Response:
    """An agent's block of this label."""
    found = await app.database.read(actor, lambda tx: labelled(tx, AgentId(agent_id), label))
    return tagged(answer(block_out(found)), found.version)


def labelled(tx: Tx, agent_id: AgentId, label: str) -> Block:
    """Raises: AgentNotFound; BlockNotFound, naming the labels there are."""
    there = agents.blocks_of(tx, agent_id)
    found = next((one for one in there if one.label == label), None)
    if found is None:
        labels = ", ".join(one.label for one in there) or "none"
        raise BlockNotFound(f"Agent {agent_id} has no block {label!r}; its blocks: {labels}.")
    return found


@router.patch("/v1/agents/{agent_id}/core-memory/blocks/{label}", response_model=wire.BlockOut)
async def update(
    agent_id: str,
    label: str,
    body: wire.BlockPatch,
    app: Here,
    actor: Asks,
    if_match: IfMatch = None,
) -> Response:
    """Change an agent's block of this label; its history keeps what was."""
    seen = version_in(if_match)
    found = await app.database.read(actor, lambda tx: labelled(tx, AgentId(agent_id), label))
    changed = await blocks.update(app.database, actor, found.id, given(body), seen_version=seen)
    return tagged(answer(block_out(changed)), changed.version)


@router.patch(
    "/v1/agents/{agent_id}/core-memory/blocks/attach/{block_id}",
    response_model=wire_agents.AgentOut,
)
async def attach(agent_id: str, block_id: str, app: Here, actor: Asks) -> Response:
    """Give an agent a block; several may have it."""

    def unit(tx: Tx) -> AgentState:
        agents.attach_block(tx, AgentId(agent_id), BlockId(block_id))
        return agents.state(tx, AgentId(agent_id))

    return await told(app, actor, await app.database.write(actor, unit))


@router.patch(
    "/v1/agents/{agent_id}/core-memory/blocks/detach/{block_id}",
    response_model=wire_agents.AgentOut,
)
async def detach(agent_id: str, block_id: str, app: Here, actor: Asks) -> Response:
    """Take a block from an agent; the block stays."""

    def unit(tx: Tx) -> AgentState:
        agents.detach_block(tx, AgentId(agent_id), BlockId(block_id))
        return agents.state(tx, AgentId(agent_id))

    return await told(app, actor, await app.database.write(actor, unit))
