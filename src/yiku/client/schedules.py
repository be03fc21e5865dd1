"""Scheduled messages' part of the Python API, over the v1 wire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from yiku.client.calls import Calls, asked_for, part
from yiku.core.errors import Invalid
from yiku.server.v1 import wire_schedules as wire

WHOLE = 1_000
"""As many as an agent may be listed with."""

Schedules = list[wire.ScheduleOut]


class ScheduleClient(Calls):
    """What agents are sent later.

    Every method raises the errors of `yiku.core.errors`.
    """

    async def create(
        self,
        agent_id: str,
        text: str,
        *,
        at: datetime | None = None,
        cron: str | None = None,
        timezone: str = "UTC",
        missed: Literal["run", "skip"] | None = None,
        max_steps: int | None = None,
    ) -> wire.ScheduleOut:
        """Send an agent a text at a moment, or whenever `cron` says so in that time zone.

        `missed`: what becomes of a time at which no server runs; None: as the server is set to.
        """
        if (at is None) == (cron is None):
            raise Invalid("Say either `at`, a moment, or `cron`, an expression.")
        if at is not None and at.tzinfo is None:
            raise Invalid("`at` needs a time zone: datetime(…, tzinfo=UTC).", field="at")
        when = (
            {"type": "one-time", "scheduled_at": at.astimezone(UTC).timestamp() * 1000}
            if at is not None
            else {"type": "recurring", "cron_expression": cron, "timezone": timezone}
        )
        body = {
            "messages": [{"role": "user", "content": text}],
            "schedule": when,
            "missed": missed,
            "max_steps": max_steps,
        }
        path = f"/v1/agents/{part(agent_id)}/schedule"
        return await self._call(wire.ScheduleMadeOut, "POST", path, json=asked_for(body))

    async def get(self, agent_id: str, schedule_id: str) -> wire.ScheduleOut:
        """One that fires once is gone when it has."""
        return await self._call(wire.ScheduleOut, "GET", path_of(agent_id, schedule_id))

    async def list(self, agent_id: str, *, after: str | None = None) -> Schedules:
        """In the order they were made."""
        query = asked_for({"limit": WHOLE, "after": after})
        path = f"/v1/agents/{part(agent_id)}/schedule"
        found = await self._call(wire.SchedulesOut, "GET", path, params=query)
        return found.scheduled_messages

    async def delete(self, agent_id: str, schedule_id: str) -> None:
        """It is sent no more."""
        await self._done("DELETE", path_of(agent_id, schedule_id))


def path_of(agent_id: str, schedule_id: str) -> str:
    return f"/v1/agents/{part(agent_id)}/schedule/{part(schedule_id)}"
