"""The nouns of schedules: what an agent is to be sent later, once or again and again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from yiku.core.ids import AgentId, OrganizationId, RunId, ScheduleId, UserId
from yiku.core.run import RunRequest


class Missed(StrEnum):
    """What becomes of a firing that no server was there for."""

    RUN = "run"
    """It is made up for: once, however many there were."""
    SKIP = "skip"


class ScheduleStatus(StrEnum):
    ACTIVE = "active"
    MISSED = "missed"
    """It was to fire once, and no server was there."""
    FAILED = "failed"
    """It can't fire; `problem` says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleDraft:
    """A schedule to make: either `at`, once, or `cron`."""

    agent_id: AgentId
    at: datetime | None = None
    cron: str | None = None
    """Minute, hour, day of the month, month, day of the week."""
    timezone: str = "UTC"
    """Of `cron`; an IANA name."""
    missed: Missed
    request: RunRequest
    """Of each of its runs; `incoming` is what the agent is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One that fires once goes with its firing: from then on there is its run."""

    seq: int = 0
    id: ScheduleId
    organization_id: OrganizationId
    agent_id: AgentId
    status: ScheduleStatus
    at: datetime | None
    cron: str | None
    timezone: str
    missed: Missed
    request: RunRequest
    next_at: datetime | None
    """None: it fires no more."""
    fired_at: datetime | None = None
    fired_count: int = 0
    last_run_id: RunId | None = None
    problem: str | None = None
    """Of the last time it was due."""
    created_at: datetime
    created_by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePage:
    limit: int = 50
    after: ScheduleId | None = None
    before: ScheduleId | None = None
    newest_first: bool = False
