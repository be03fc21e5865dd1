"""The nouns of identities: for whom of a program's own users agents and blocks are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from yiku.core.ids import AgentId, BlockId, IdentityId, OrganizationId, UserId
from yiku.core.memory import Json


class IdentityType(StrEnum):
    """The names are those of the v1 API."""

    ORG = "org"
    USER = "user"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityProperty:
    key: str
    type: Literal["string", "number", "boolean", "json"]
    value: str | float | bool | Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody, or something, that a program knows by a key of its own."""

    seq: int = 0
    id: IdentityId
    organization_id: OrganizationId
    identifier_key: str
    """The program's; unique in the organization."""
    name: str
    identity_type: IdentityType
    project_id: str | None
    properties: tuple[IdentityProperty, ...]
    """In the order they came; no two have the same key."""
    created_at: datetime
    created_by: UserId
    updated_at: datetime
    updated_by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityState:
    """An identity with what is its own."""

    identity: Identity
    agents: tuple[AgentId, ...]
    blocks: tuple[BlockId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityDraft:
    """What is said of an identity; what isn't is None."""

    identifier_key: str | None = None
    name: str | None = None
    identity_type: IdentityType | None = None
    project_id: str | None = None
    properties: tuple[IdentityProperty, ...] | None = None
    agent_ids: tuple[AgentId, ...] | None = None
    block_ids: tuple[BlockId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFilter:
    """Which identities are listed; what isn't given doesn't matter."""

    name_has: str | None = None
    """Part of the name; capitals don't matter."""
    identifier_key: str | None = None
    identity_type: IdentityType | None = None
    project_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPage:
    limit: int = 50
    after: IdentityId | None = None
    before: IdentityId | None = None
    newest_first: bool = True
