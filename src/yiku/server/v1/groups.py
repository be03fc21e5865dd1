"""/v1/groups: agents that belong together. How they talk with each other comes later."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.agents import groups
from yiku.core.group import GroupState
from yiku.core.ids import BlockId, GroupId
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_groups as wire
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_groups import draft_in, group_filter, group_out, group_page
from yiku.store import groups as store
from yiku.store.database import Tx

router = Routes("groups")
NULL = b"null"


@router.post("/v1/groups/", response_model=wire.GroupOut)
async def create(body: wire.GroupIn, app: Here, actor: Asks) -> Response:
    """Create a group."""
    return answer(group_out(await groups.create(app.database, actor, draft_in(body))))


@router.get("/v1/groups/", response_model=list[wire.GroupOut])
async def list_groups(
    query: Annotated[wire.GroupQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The groups there are, a page of them."""
    wanted, part = group_filter(query), group_page(query)

    def unit(tx: Tx) -> list[GroupState]:
        return [] if wanted is None else store.states(tx, store.page(tx, wanted, part))

    return answers(map(group_out, await app.database.read(actor, unit)))


@router.get("/v1/groups/count", response_model=int)
async def count(app: Here, actor: Asks) -> int:
    """How many groups there are."""
    return await app.database.read(actor, store.count)


@router.get("/v1/groups/{group_id}", response_model=wire.GroupOut)
async def retrieve(group_id: str, app: Here, actor: Asks) -> Response:
    """One group."""
    found = await app.database.read(
        actor, lambda tx: store.state(tx, store.get(tx, GroupId(group_id)))
    )
    return answer(group_out(found))


@router.patch("/v1/groups/{group_id}", response_model=wire.GroupOut)
async def update(group_id: str, body: wire.GroupPatch, app: Here, actor: Asks) -> Response:
    """Change a group."""
    changed = await groups.update(app.database, actor, GroupId(group_id), draft_in(body))
    return answer(group_out(changed))


@router.delete("/v1/groups/{group_id}", response_model=None)
async def delete(group_id: str, app: Here, actor: Asks) -> Response:
    """Delete a group; its agents and blocks stay."""
    await app.database.write(actor, lambda tx: store.remove(tx, GroupId(group_id)))
    return Response(NULL, media_type="application/json")


@router.patch("/v1/groups/{group_id}/blocks/attach/{block_id}", response_model=None)
async def attach_block(group_id: str, block_id: str, app: Here, actor: Asks) -> Response:
    """Have all agents of a group share a block."""
    one, what = GroupId(group_id), BlockId(block_id)
    await app.database.write(actor, lambda tx: groups.add_block(tx, one, what))
    return Response(NULL, media_type="application/json")


@router.patch("/v1/groups/{group_id}/blocks/detach/{block_id}", response_model=None)
async def detach_block(group_id: str, block_id: str, app: Here, actor: Asks) -> Response:
    """A block is the group's no longer; its agents keep it."""
    what = BlockId(block_id)

    def unit(tx: Tx) -> None:
        store.drop_block(tx, store.get_to_change(tx, GroupId(group_id)).id, what)

    await app.database.write(actor, unit)
    return Response(NULL, media_type="application/json")
