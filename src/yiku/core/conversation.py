"""The nouns of conversations: threads of one agent, beside its own, that share its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from yiku.core.ids import AgentId, ConversationId, OrganizationId, UserId
from yiku.core.memory import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSettings:
    """What can be set of a conversation. What isn't None wins over the agent's."""

    summary: str | None = None
    """What its user calls it; no part of the context."""
    description: str | None = None
    model: str | None = None
    """A handle, as `AgentConfig.model`."""
    model_settings: Mapping[str, Json] | None = None
    """In place of all of the agent's."""
    context_window: int | None = None
    hidden: bool = False
    """It isn't listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A thread of messages of one agent. The agent's own one is no row: its id is None."""

    seq: int = 0
    id: ConversationId
    organization_id: OrganizationId
    agent_id: AgentId
    settings: ConversationSettings
    forked_from: str | None = None
    """A conversation's id, or the agent's: its own conversation."""
    archived_at: datetime | None = None
    last_message_at: datetime | None = None
    """When it was last asked something."""
    last_run_completed_at: datetime | None = None
    created_at: datetime
    created_by: UserId
    updated_at: datetime
    updated_by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """Which conversations are listed; hidden ones never are."""

    agent_id: AgentId | None = None
    archived: bool | None = None
    summary_has: str | None = None
    """Part of the summary; capitals don't matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage:
    limit: int = 50
    after: ConversationId | None = None
    before: ConversationId | None = None
    newest_first: bool = True
    order_by: Literal["created_at", "last_message_at", "last_run_completion"] = "created_at"
