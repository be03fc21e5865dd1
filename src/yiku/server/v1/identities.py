"""/v1/identities: for whom agents and blocks are, and which agents are for whom."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.agents import identities
from yiku.core.agent import AgentFilter
from yiku.core.block import Block, BlockFilter
from yiku.core.identity import IdentityDraft, IdentityState
from yiku.core.ids import AgentId, IdentityId
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire, wire_agents
from yiku.server.v1 import wire_identities as forms
from yiku.server.v1.agent_pages import Answers, agent_page
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate import block_out, block_page
from yiku.server.v1.translate_agents import part_of, relations_of
from yiku.server.v1.translate_identities import (
    draft_in,
    identity_filter,
    identity_out,
    identity_page,
    properties_in,
)
from yiku.store import agents, blocks
from yiku.store import identities as store
from yiku.store.agent_lists import page_seqs
from yiku.store.database import Tx

router = Routes("identities")
NULL = b"null"


@router.post("/v1/identities/", response_model=forms.IdentityOut)
async def create(body: forms.IdentityIn, app: Here, actor: Asks) -> Response:
    """Create an identity."""
    return answer(identity_out(await identities.create(app.database, actor, draft_in(body))))


@router.put("/v1/identities/", response_model=forms.IdentityOut)
async def upsert(body: forms.IdentityIn, app: Here, actor: Asks) -> Response:
    """Create the identity of this key, or have it be as this says."""
    return answer(identity_out(await identities.upsert(app.database, actor, draft_in(body))))


@router.get("/v1/identities/", response_model=list[forms.IdentityOut])
async def list_identities(
    query: Annotated[forms.IdentityQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The identities there are, a page of them."""
    wanted, part = identity_filter(query), identity_page(query)

    def unit(tx: Tx) -> list[IdentityState]:
        return store.states(tx, store.page(tx, wanted, part))

    return answers(map(identity_out, await app.database.read(actor, unit)))


@router.get("/v1/identities/count", response_model=int)
async def count(app: Here, actor: Asks) -> int:
    """How many identities there are."""
    return await app.database.read(actor, store.count)


@router.get("/v1/identities/{identity_id}", response_model=forms.IdentityOut)
async def retrieve(identity_id: str, app: Here, actor: Asks) -> Response:
    """One identity."""

    def unit(tx: Tx) -> IdentityState:
        return store.states(tx, [store.get(tx, IdentityId(identity_id))])[0]

    return answer(identity_out(await app.database.read(actor, unit)))


@router.patch("/v1/identities/{identity_id}", response_model=forms.IdentityOut)
async def update(identity_id: str, body: forms.IdentityPatch, app: Here, actor: Asks) -> Response:
    """Change an identity, and add to what is its own."""
    one = IdentityId(identity_id)
    changed = await identities.update(app.database, actor, one, draft_in(body))
    return answer(identity_out(changed))


@router.delete("/v1/identities/{identity_id}", response_model=None)
async def delete(identity_id: str, app: Here, actor: Asks) -> Response:
    """Delete an identity; its agents and blocks stay."""
    await app.database.write(actor, lambda tx: store.remove(tx, IdentityId(identity_id)))
    return Response(NULL, media_type="application/json")


@router.put("/v1/identities/{identity_id}/properties", response_model=None)
async def set_properties(
    identity_id: str, body: forms.PropertiesIn, app: Here, actor: Asks
) -> Response:
    """Set properties of an identity; others stay."""
    draft = IdentityDraft(properties=properties_in(body.root))
    await identities.update(app.database, actor, IdentityId(identity_id), draft)
    return Response(NULL, media_type="application/json")


@router.get("/v1/identities/{identity_id}/agents", response_model=list[wire_agents.AgentOut])
async def list_agents(
    identity_id: str,
    query: Annotated[wire_agents.AgentPages, Query()],
    app: Here,
    actor: Asks,
    kept: Answers,
) -> Response:
    """The agents of an identity, a page of them."""

    def seqs(tx: Tx) -> list[int]:
        found = store.get(tx, IdentityId(identity_id))
        return page_seqs(tx, AgentFilter(identity_id=found.id), part_of(query))

    return await agent_page(app, actor, kept, seqs, relations_of(query))


@router.get("/v1/identities/{identity_id}/blocks", response_model=list[wire.BlockOut])
async def list_blocks(
    identity_id: str, query: Annotated[wire.NewestFirst, Query()], app: Here, actor: Asks
) -> Response:
    """The blocks of an identity, a page of them."""

    def unit(tx: Tx) -> list[Block]:
        found = store.get(tx, IdentityId(identity_id))
        return blocks.page(tx, BlockFilter(identity_id=found.id), block_page(query))

    return answers(map(block_out, await app.database.read(actor, unit)))


@router.patch("/v1/agents/{agent_id}/identities/attach/{identity_id}", response_model=None)
async def attach(agent_id: str, identity_id: str, app: Here, actor: Asks) -> Response:
    """Give an agent to an identity; it may be several identities'."""
    one, whose = AgentId(agent_id), IdentityId(identity_id)
    await app.database.write(actor, lambda tx: agents.attach_identity(tx, one, whose))
    return Response(NULL, media_type="application/json")


@router.patch("/v1/agents/{agent_id}/identities/detach/{identity_id}", response_model=None)
async def detach(agent_id: str, identity_id: str, app: Here, actor: Asks) -> Response:
    """Take an agent from an identity; both stay."""
    one, whose = AgentId(agent_id), IdentityId(identity_id)
    await app.database.write(actor, lambda tx: agents.detach_identity(tx, one, whose))
    return Response(NULL, media_type="application/json")
