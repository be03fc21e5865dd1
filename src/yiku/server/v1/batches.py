"""/v1/messages/batches: many requests to agents, carried out in the background."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.agents import batches as deeds
from yiku.core.batch import Batch
from yiku.core.ids import AgentId, BatchId
from yiku.core.message import MessageFilter, MessagePage
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_batches as wire
from yiku.server.v1.callbacks import demand_callable
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_batches import batch_out, batch_page, kept_out, requests_in
from yiku.server.v1.translate_sent import message_page
from yiku.store import agents, batches, messages
from yiku.store.database import Tx

router = Routes("batches")


def with_counts(tx: Tx, found: list[Batch]) -> list[wire.BatchOut]:
    counts = batches.counts(tx, [one.id for one in found])
    return [batch_out(one, counts[one.id]) for one in found]


@router.post("/v1/messages/batches", response_model=wire.BatchOut)
async def create(body: wire.BatchIn, app: Here, actor: Asks) -> Response:
    """Send messages to many agents. Each request becomes a run of its agent's own conversation;
    those of one agent come one after the other."""
    asked = requests_in(body)
    for _, request in asked:
        if request.model is not None:
            app.models.demand_provider(request.model)
    callback = demand_callable(app, body.callback_url)
    made = await deeds.create(app.database, actor, asked, callback)
    return answer(batch_out(made, {made.status.value: len(asked)}))


@router.get("/v1/messages/batches", response_model=list[wire.BatchOut])
async def list_batches(
    query: Annotated[wire.BatchQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The batches there are, a page of them."""
    page = batch_page(query)
    found = await app.database.read(actor, lambda tx: with_counts(tx, batches.page(tx, page)))
    return answers(found)


@router.get("/v1/messages/batches/{batch_id}", response_model=wire.BatchOut)
async def retrieve(batch_id: str, app: Here, actor: Asks) -> Response:
    """One batch, and how far it has come."""
    [found] = await app.database.read(
        actor, lambda tx: with_counts(tx, [batches.get(tx, BatchId(batch_id))])
    )
    return answer(found)


@router.get("/v1/messages/batches/{batch_id}/messages", response_model=wire.BatchMessagesOut)
async def list_messages(
    batch_id: str, query: Annotated[wire.BatchMessageQuery, Query()], app: Here, actor: Asks
) -> Response:
    """What a batch's runs were asked with and what they said, a page of it. `batch_item_id` is the
    batch's id and the number of the request, from 0."""
    found = BatchId(batch_id)
    wanted = MessageFilter(
        agent_id=None if query.agent_id is None else AgentId(query.agent_id),
        batch_id=found,
        all_conversations=True,
    )
    page: MessagePage = message_page(query)

    def unit(tx: Tx) -> list[wire.KeptMessageOut]:
        batches.get(tx, found)
        if wanted.agent_id is not None:
            agents.get(tx, wanted.agent_id)
        said = messages.page(tx, wanted, page)
        numbers = batches.numbers_of(tx, found, [one.run_id for one in said if one.run_id])
        items = {run_id: f"{found}/{n}" for run_id, n in numbers.items()}
        return [kept_out(one, items.get(one.run_id) if one.run_id else None) for one in said]

    return answer(
        wire.BatchMessagesOut.model_construct(messages=await app.database.read(actor, unit))
    )


@router.patch("/v1/messages/batches/{batch_id}/cancel", response_model=None)
async def cancel(batch_id: str, app: Here, actor: Asks) -> Response:
    """End a batch: what hasn't begun doesn't, and runs that go on are asked to end."""
    await deeds.cancel(app.database, app.runner, actor, BatchId(batch_id))
    return Response(b"null", media_type="application/json")
