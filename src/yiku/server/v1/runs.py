"""/v1/runs: what agents were asked to do, and what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from yiku.core.errors import AgentBusy
from yiku.core.ids import RunId
from yiku.core.message import MessageFilter
from yiku.core.run import Run, Step, StepFilter
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_messages
from yiku.server.v1 import wire_runs as wire
from yiku.server.v1.listing import answers
from yiku.server.v1.messages import listed
from yiku.server.v1.routing import Routes
from yiku.server.v1.streaming import EVENTS, streamed
from yiku.server.v1.translate_messages import form_of
from yiku.server.v1.translate_runs import (
    run_filter,
    run_out,
    run_page,
    run_usage_out,
    runs_can_match,
    spans_out,
    step_out,
    step_page,
)
from yiku.server.v1.translate_sent import message_page
from yiku.store import runs, steps
from yiku.store.database import Tx

router = Routes("runs")


@router.get("/v1/runs/", response_model=list[wire.RunOut])
async def list_runs(query: Annotated[wire.RunQuery, Query()], app: Here, actor: Asks) -> Response:
    """The runs of agents, a page of them."""
    found: list[Run] = []
    if runs_can_match(query):
        wanted, page = run_filter(query), run_page(query)
        found = await app.database.read(actor, lambda tx: runs.page(tx, wanted, page))
    return answers(map(run_out, found))


@router.get("/v1/runs/active", response_model=list[wire.RunOut])
async def list_active(
    query: Annotated[wire.ActiveQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The runs that haven't ended."""
    asked = wire.RunQuery(**query.model_dump(), active=True, limit=10_000)
    wanted, page = run_filter(asked), run_page(asked)
    found = await app.database.read(actor, lambda tx: runs.page(tx, wanted, page))
    return answers(map(run_out, found))


@router.get("/v1/runs/{run_id}", response_model=wire.RunOut)
async def retrieve(run_id: str, app: Here, actor: Asks) -> Response:
    """One run."""
    found = await app.database.read(actor, lambda tx: runs.get(tx, RunId(run_id)))
    return answer(run_out(found))


@router.delete("/v1/runs/{run_id}", response_model=None)
async def delete(run_id: str, app: Here, actor: Asks) -> Response:
    """Erase a run that has ended, with its steps. What was said stays."""

    def unit(tx: Tx) -> None:
        if not runs.get(tx, RunId(run_id)).status.ended:
            raise AgentBusy(f"Run {run_id} goes on; cancel it first.", run_id=run_id)
        runs.remove(tx, RunId(run_id))

    await app.database.write(actor, unit)
    return Response(b"null", media_type="application/json")


@router.get("/v1/runs/{run_id}/messages", response_model=list[wire_messages.AnyMessageOut])
async def list_messages(
    run_id: str, query: Annotated[wire.OldestPage, Query()], app: Here, actor: Asks
) -> Response:
    """What a run was asked with and what it said, told of in the form it was asked for."""
    wanted = MessageFilter(run_id=RunId(run_id), all_conversations=True)

    def unit(tx: Tx) -> list[wire_messages.AnyMessageOut]:
        form = form_of(runs.get(tx, RunId(run_id)).request.wire)
        return listed(tx, wanted, message_page(query), form)

    return answers(await app.database.read(actor, unit))


@router.post("/v1/runs/{run_id}/stream", response_model=None, responses=EVENTS)
async def rejoin(
    run_id: str, app: Here, actor: Asks, body: wire.RejoinIn | None = None
) -> StreamingResponse:
    """What a run says as it comes, from the beginning or from a `seq_id` on, whether it goes on or
    has ended."""
    asked = body or wire.RejoinIn()
    active = await app.runner.watch(actor, RunId(run_id))
    return streamed(active, bool(asked.include_pings), asked.starting_after)


@router.get("/v1/runs/{run_id}/steps", response_model=list[wire.StepOut])
async def list_steps(
    run_id: str, query: Annotated[wire.NewestPage, Query()], app: Here, actor: Asks
) -> Response:
    """A run's steps, a page of them."""

    def unit(tx: Tx) -> list[Step]:
        runs.get(tx, RunId(run_id))
        return steps.page(tx, StepFilter(run_id=RunId(run_id)), step_page(query))

    return answers(map(step_out, await app.database.read(actor, unit)))


@router.get("/v1/runs/{run_id}/usage", response_model=wire.RunUsageOut)
async def usage(run_id: str, app: Here, actor: Asks) -> Response:
    """The tokens of all of a run's steps."""
    found = await app.database.read(actor, lambda tx: runs.get(tx, RunId(run_id)))
    return answer(run_usage_out(found.usage))


@router.get("/v1/runs/{run_id}/trace", response_model=list[wire.SpanOut])
async def trace(
    run_id: str, app: Here, actor: Asks, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000
) -> Response:
    """Where a run's time went: to its steps, and in each to the model and to the tools."""

    def unit(tx: Tx) -> tuple[Run, list[Step]]:
        return runs.get(tx, RunId(run_id)), steps.of_run(tx, RunId(run_id))

    found = await app.database.read(actor, unit)
    return answers([*spans_out(*found)][:limit])
