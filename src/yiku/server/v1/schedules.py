"""/v1/agents/{agent_id}/schedule: what agents are sent later."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.agents import schedules
from yiku.core.errors import ScheduleNotFound
from yiku.core.ids import AgentId, ScheduleId
from yiku.core.schedule import Schedule
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_schedules as wire
from yiku.server.v1.callbacks import demand_callable
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_schedules import (
    draft_in,
    made_out,
    page_out,
    schedule_out,
    schedule_page,
)
from yiku.store import agents
from yiku.store import schedules as store
from yiku.store.database import Tx

router = Routes("schedules")


def of_agent(tx: Tx, agent_id: str, schedule_id: str) -> Schedule:
    """Raises: AgentNotFound, ScheduleNotFound."""
    agents.get(tx, AgentId(agent_id))
    found = store.get(tx, ScheduleId(schedule_id))
    if found.agent_id != agent_id:
        raise ScheduleNotFound(f"There is no schedule {schedule_id} of this agent.")
    return found


@router.post("/v1/agents/{agent_id}/schedule", response_model=wire.ScheduleMadeOut)
async def create(agent_id: str, body: wire.ScheduleIn, app: Here, actor: Asks) -> Response:
    """Send an agent messages at a moment, or again and again."""
    callback = demand_callable(app, body.callback_url)
    draft = draft_in(agent_id, body, app.settings.schedules_missed, callback)
    return answer(made_out(await schedules.create(app.database, actor, draft)))


@router.get("/v1/agents/{agent_id}/schedule", response_model=wire.SchedulesOut)
async def list_schedules(
    agent_id: str, query: Annotated[wire.ScheduleQuery, Query()], app: Here, actor: Asks
) -> Response:
    """What an agent is to be sent, a page of it."""

    def unit(tx: Tx) -> list[Schedule]:
        found = agents.get(tx, AgentId(agent_id))
        return store.of_agent(tx, found.id, schedule_page(query))

    return answer(page_out(await app.database.read(actor, unit), query))


@router.get(
    "/v1/agents/{agent_id}/schedule/{scheduled_message_id}", response_model=wire.ScheduleOut
)
async def retrieve(agent_id: str, scheduled_message_id: str, app: Here, actor: Asks) -> Response:
    """One schedule."""
    found = await app.database.read(actor, lambda tx: of_agent(tx, agent_id, scheduled_message_id))
    return answer(schedule_out(found))


@router.delete(
    "/v1/agents/{agent_id}/schedule/{scheduled_message_id}",
    response_model=wire.ScheduleDeletedOut,
)
async def delete(agent_id: str, scheduled_message_id: str, app: Here, actor: Asks) -> Response:
    """Delete a schedule; what it has begun goes on."""

    def unit(tx: Tx) -> None:
        schedules.remove(tx, of_agent(tx, agent_id, scheduled_message_id).id)

    await app.database.write(actor, unit)
    return answer(wire.ScheduleDeletedOut(success=True))
