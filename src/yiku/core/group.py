"""The nouns of groups: agents that are to work together, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from yiku.core.ids import AgentId, BlockId, GroupId, OrganizationId, UserId
from yiku.core.memory import Json


class ManagerType(StrEnum):
    """Who speaks next. The names are those of the v1 API."""

    ROUND_ROBIN = "round_robin"
    SUPERVISOR = "supervisor"
    DYNAMIC = "dynamic"
    SLEEPTIME = "sleeptime"
    VOICE_SLEEPTIME = "voice_sleeptime"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    type: ManagerType = ManagerType.ROUND_ROBIN
    agent_id: AgentId | None = None
    """Who decides, where an agent does."""
    config: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """The rest, by v1's names: `max_turns`, `termination_token` …"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    seq: int = 0
    id: GroupId
    organization_id: OrganizationId
    manager: Manager
    description: str
    project_id: str | None
    hidden: bool
    created_at: datetime
    created_by: UserId
    updated_at: datetime
    updated_by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupState:
    """A group with what it has, in order."""

    group: Group
    agents: tuple[AgentId, ...]
    blocks: tuple[BlockId, ...]
    """Which all of its agents share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDraft:
    """What is said of a group; what isn't is None."""

    description: str | None = None
    manager: Manager | None = None
    project_id: str | None = None
    hidden: bool | None = None
    agent_ids: tuple[AgentId, ...] | None = None
    block_ids: tuple[BlockId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFilter:
    """Which groups are listed; what isn't given doesn't matter."""

    manager_type: ManagerType | None = None
    project_id: str | None = None
    with_hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPage:
    limit: int = 50
    after: GroupId | None = None
    before: GroupId | None = None
    newest_first: bool = True
