"""The nouns of batches: many requests to agents, carried out in the background."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from yiku.core.ids import AgentId, BatchId, OrganizationId, RunId, UserId
from yiku.core.memory import Json
from yiku.core.run import RunRequest


class BatchStatus(StrEnum):
    """Of a batch, and of each of its items."""

    CREATED = "created"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    """Of an item: its run did. A batch has none: its items tell."""
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in (BatchStatus.CREATED, BatchStatus.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One request of a batch; it becomes a run of its agent's own conversation."""

    batch_id: BatchId
    n: int
    """From 0, in the order asked."""
    agent_id: AgentId
    request: RunRequest
    """With what comes in."""
    status: BatchStatus = BatchStatus.CREATED
    run_id: RunId | None = None
    problem: str | None = None
    """Why no run of it could begin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    seq: int = 0
    id: BatchId
    organization_id: OrganizationId
    status: BatchStatus
    callback_url: str | None = None
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    created_at: datetime
    created_by: UserId
    completed_at: datetime | None = None
    callback_sent_at: datetime | None = None
    """As of a run."""
    callback_status_code: int | None = None
    callback_error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchPage:
    limit: int = 100
    after: BatchId | None = None
    before: BatchId | None = None
    newest_first: bool = True
