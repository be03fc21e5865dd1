"""Scheduled messages on the v1 wire.

A recurring schedule's `timezone`, and `missed`, are ours; so is what is told of how a schedule did.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from yiku.server.v1.wire import Cursors, In, Out
from yiku.server.v1.wire_messages import MessageType
from yiku.server.v1.wire_sent import CallbackIn, MessageIn, telling

LAST_MS = 253_402_300_799_000
"""The last second of the year 9999."""


class OnceIn(In):
    scheduled_at: float = Field(
        ge=0,
        le=LAST_MS,
        allow_inf_nan=False,
        description="Milliseconds since 1970, not seconds; not in the past.",
    )
    type: Literal["one-time"] = "one-time"


class RecurringIn(In):
    cron_expression: str = Field(
        description="Minute, hour, day of the month, month, day of the week."
    )
    type: Literal["recurring"] = "recurring"
    timezone: str = Field(
        default="UTC", description="Of the expression; an IANA name, like Asia/Shanghai (ours)."
    )


WhenIn = Annotated[
    Annotated[OnceIn, Tag("one-time")] | Annotated[RecurringIn, Tag("recurring")],
    Discriminator(telling("one-time", cron_expression="recurring")),
]


class ScheduleIn(In):
    """What an agent is to be sent, and when."""

    messages: list[MessageIn] = Field(min_length=1)
    schedule: WhenIn
    include_return_message_types: list[MessageType] | None = None
    max_steps: int = Field(default=50, ge=1, le=10_000)
    callback_url: CallbackIn | None = Field(
        default=None, description="Where the end of each of its runs is told, with a POST."
    )
    missed: Literal["run", "skip"] | None = Field(
        default=None,
        description="What becomes of a time at which no server was there; null: as the server is"
        " set to (ours).",
    )


class OnceOut(Out):
    type: Literal["one-time"]
    scheduled_at: float


class RecurringOut(Out):
    type: Literal["recurring"]
    cron_expression: str
    timezone: str


class SentLaterOut(Out):
    """What the agent is sent."""

    messages: list[dict[str, Any]]
    include_return_message_types: list[str] | None
    max_steps: int
    callback_url: str | None


class ScheduleOut(Out):
    """A schedule. One that fires once is gone when it has: then there is its run."""

    id: str
    agent_id: str
    message: SentLaterOut
    schedule: OnceOut | RecurringOut
    next_scheduled_time: str | None = Field(description="Null: it fires no more.")
    missed: Literal["run", "skip"]
    status: Literal["active", "missed", "failed"]
    problem: str | None = Field(description="Of the last time it was due.")
    last_fired_at: datetime | None
    last_run_id: str | None
    fired_count: int
    created_at: datetime


class ScheduleMadeOut(ScheduleOut):
    """v1 has its id and the next time only, which it gives another name here."""

    next_scheduled_at: str | None


class SchedulesOut(Out):
    scheduled_messages: list[ScheduleOut]
    has_next_page: bool


class ScheduleQuery(Cursors):
    """Which part of an agent's schedules, in the order they were made."""


class ScheduleDeletedOut(Out):
    success: Literal[True]
