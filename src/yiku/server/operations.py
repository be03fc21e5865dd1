"""How the server is: for who watches over it."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from yiku.core.errors import NotAllowed, NotFound
from yiku.core.tenant import LOCAL_ORGANIZATION, Actor
from yiku.server.levels import levels_of
from yiku.server.memory import Asks, Here

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
async def metrics(app: Here, actor: Asks) -> Response:
    """Figures of the whole server, in Prometheus' form."""
    counted = app.watching.metrics
    if counted is None:
        raise NotFound("This server counts nothing; YIKU_METRICS=true has it count.")
    demand_owner(actor)
    from yiku.telemetry.metrics import FORM

    return Response(counted.page(await levels_of(app)), media_type=FORM)


def demand_owner(actor: Actor) -> None:
    """What all organizations do together is the server's owner's business.

    Raises: NotAllowed.
    """
    if actor.organization_id != LOCAL_ORGANIZATION:
        raise NotAllowed("Figures of the whole server are for keys of its own organization.")
