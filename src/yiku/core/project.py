"""Projects: what an organization's agents are for, by name."""

from dataclasses import dataclass
from datetime import datetime

from yiku.core.ids import OrganizationId, ProjectId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A name that agents and blocks are filed under, by their `project_id`. It keeps nobody out:
    keys are an organization's."""

    id: ProjectId
    organization_id: OrganizationId
    name: str
    slug: str
    """As it stands in addresses and headers; no two of an organization have the same."""
    description: str
    created_at: datetime
    created_by: UserId
