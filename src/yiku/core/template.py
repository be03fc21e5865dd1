"""The noun of agent templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from yiku.core.ids import OrganizationId, TemplateId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentTemplate:
    """An agent file that agents are made of, and the versions of it that were saved."""

    seq: int
    id: TemplateId
    organization_id: OrganizationId
    name: str
    description: str | None
    project_id: str | None
    latest_version: int
    """Of those saved, which count from 1."""
    working: Mapping[str, Any]
    """The agent file as it is edited now."""
    created_at: datetime
    created_by: UserId
    updated_at: datetime
    updated_by: UserId
