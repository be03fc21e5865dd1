"""/v1/steps: the model calls of runs, each with its tools."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.core.ids import StepId
from yiku.core.message import MessageFilter
from yiku.core.run import Step
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_messages
from yiku.server.v1 import wire_runs as wire
from yiku.server.v1.listing import answers
from yiku.server.v1.messages import listed
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_messages import PLAIN
from yiku.server.v1.translate_runs import (
    metrics_out,
    step_filter,
    step_out,
    step_page,
    steps_can_match,
    trace_out,
)
from yiku.server.v1.translate_sent import message_page
from yiku.store import step_traces, steps
from yiku.store.database import Tx

router = Routes("steps")


@router.get("/v1/steps/", response_model=list[wire.StepOut])
async def list_steps(query: Annotated[wire.StepQuery, Query()], app: Here, actor: Asks) -> Response:
    """The steps of all runs, a page of them."""
    found: list[Step] = []
    if steps_can_match(query):
        wanted, page = step_filter(query), step_page(query)
        found = await app.database.read(actor, lambda tx: steps.page(tx, wanted, page))
    return answers(map(step_out, found))


@router.get("/v1/steps/{step_id}", response_model=wire.StepOut)
async def retrieve(step_id: str, app: Here, actor: Asks) -> Response:
    """One step."""
    found = await app.database.read(actor, lambda tx: steps.get(tx, StepId(step_id)))
    return answer(step_out(found))


@router.patch("/v1/steps/{step_id}/feedback", response_model=wire.StepOut)
async def give_feedback(step_id: str, body: wire.FeedbackIn, app: Here, actor: Asks) -> Response:
    """Say whether a step was good, or take that back; `tags` take the place of those it has."""

    def unit(tx: Tx) -> Step:
        return steps.set_feedback(tx, StepId(step_id), body.feedback, body.tags)

    return answer(step_out(await app.database.write(actor, unit)))


@router.get("/v1/steps/{step_id}/messages", response_model=list[wire_messages.AnyMessageOut])
async def list_messages(
    step_id: str, query: Annotated[wire.OldestPage, Query()], app: Here, actor: Asks
) -> Response:
    """What was said in a step."""
    wanted = MessageFilter(step_id=StepId(step_id), all_conversations=True)

    def unit(tx: Tx) -> list[wire_messages.AnyMessageOut]:
        steps.get(tx, StepId(step_id))
        return listed(tx, wanted, message_page(query), PLAIN)

    return answers(await app.database.read(actor, unit))


@router.get("/v1/steps/{step_id}/metrics", response_model=wire.MetricsOut)
async def metrics(step_id: str, app: Here, actor: Asks) -> Response:
    """How long a step took."""
    found = await app.database.read(actor, lambda tx: steps.get(tx, StepId(step_id)))
    return answer(metrics_out(found))


@router.get("/v1/steps/{step_id}/trace", response_model=wire.TraceOut | None)
async def trace(step_id: str, app: Here, actor: Asks) -> Response:
    """What the model was shown in a step and what it said. Null: it isn't kept (any more)."""

    def unit(tx: Tx) -> wire.TraceOut | None:
        one = steps.get(tx, StepId(step_id))
        kept = step_traces.find(tx, one.id)
        return None if kept is None else trace_out(one, kept)

    found = await app.database.read(actor, unit)
    if found is None:
        return Response(b"null", media_type="application/json")
    return answer(found)
