"""How the server is: for who watches over it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import Protocol

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from yiku.app import App
from yiku.core.errors import MigrationNeeded, NotAllowed, NotFound, YikuError
from yiku.core.tenant import LOCAL_ACTOR, LOCAL_ORGANIZATION, Actor
from yiku.server.levels import levels_of
from yiku.server.memory import Asks, Here
from yiku.store import schema

router = APIRouter(include_in_schema=False)

READY_S = 5.0


class Worker(Protocol):
    """What carries out jobs in this process, seen from here."""

    @property
    def alive(self) -> bool: ...


@router.get("/metrics")
async def metrics(app: Here, actor: Asks) -> Response:
    """Figures of the whole server, in Prometheus' form."""
    demand_owner(actor)
    counted = app.watching.metrics
    if counted is None:
        raise NotFound("This server counts nothing; YIKU_METRICS=true has it count.")
    from yiku.telemetry.metrics import FORM

    return Response(counted.page(await levels_of(app)), media_type=FORM)


@router.get("/ready")
async def ready(request: Request, app: Here) -> Response:
    """Whether the server can do its work; 503, and what is missing, where it can't. Needs no key,
    and tells no more than that."""
    problems = {name: problem async for name, problem in problems_of(request, app)}
    told = {name: problem or "ok" for name, problem in problems.items()}
    whole = not any(problems.values())
    headers = None if whole else {"Retry-After": "1"}
    return JSONResponse({"ready": whole, **told}, 200 if whole else 503, headers)


async def problems_of(request: Request, app: App) -> AsyncGenerator[tuple[str, str | None]]:
    """Part by part; None: nothing is wrong with it."""
    state = request.app.state
    yield "server", "ending" if state.ending else None
    yield "database", await problem_with(database_serves(app))
    worker: Worker | None = state.worker
    if worker is not None:
        yield "worker", None if worker.alive else "ended"
    if not getattr(state, "embeds", False):
        problem = await problem_with(app.memory.embedder.embed(["ready"], purpose="query"))
        # Once it could, it isn't asked again: providers count what they are asked.
        state.embeds = problem is None
        yield "embedding", problem
    else:
        yield "embedding", None


async def database_serves(app: App) -> None:
    """Raises: StoreError, MigrationNeeded where another version has changed the schema."""
    if not await app.database.read(LOCAL_ACTOR, lambda tx: schema.is_current(tx.connection)):
        raise MigrationNeeded


async def problem_with(asked: Awaitable[object]) -> str | None:
    """The kind of what went wrong; None: nothing did."""
    try:
        async with asyncio.timeout(READY_S):
            await asked
    except (YikuError, TimeoutError) as error:
        return type(error).__name__
    return None


def demand_owner(actor: Actor) -> None:
    """What all organizations do together is the server's owner's business.

    Raises: NotAllowed.
    """
    if actor.organization_id != LOCAL_ORGANIZATION:
        raise NotAllowed("Figures of the whole server are for keys of its own organization.")
