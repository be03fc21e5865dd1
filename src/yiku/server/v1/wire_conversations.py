"""The forms of conversations on v1's wire; nothing of ours is imported here."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from yiku.server.v1.wire import Cursors, In, Out
from yiku.server.v1.wire_archives import Said
from yiku.server.v1.wire_models import Compaction, Handle, ModelSettings, Window
from yiku.server.v1.wire_runs import RejoinIn
from yiku.server.v1.wire_sent import StreamIn, ToldQuery, Words

DIRECT = Field(
    default=None, description="The agent whose own conversation `default` in the path is."
)
AgentId = Annotated[str | None, DIRECT]


class ConversationFields(In):
    """What wins over the agent's settings in a conversation, and what it is called."""

    summary: Words | None = None
    description: Words | None = None
    model: Handle | None = None
    model_settings: ModelSettings | None = None
    context_window_limit: Window | None = None


class ConversationIn(ConversationFields):
    """A conversation to make."""

    hidden: bool = Field(default=False, description="It isn't listed.")


class ConversationPatch(ConversationFields):
    """Fields to change; what is left out stays. Null takes a setting away: then the agent's
    counts."""

    archived: bool | None = Field(default=None, description="Null: it stays as it is.")
    last_message_at: Said | None = None


class ConversationOut(Out):
    id: str
    agent_id: str
    archived: bool
    archived_at: datetime | None
    summary: str | None
    description: str | None
    model: str | None
    model_settings: dict[str, Any] | None
    context_window_limit: int | None
    in_context_message_ids: list[str] | None = Field(description="Null in lists.")
    last_message_at: datetime | None
    created_at: datetime
    created_by_id: str
    updated_at: datetime
    last_updated_by_id: str


class ConversationQuery(Cursors):
    """Which conversations are listed; hidden ones never are."""

    order: Literal["asc", "desc"] = Field(default="desc", description="desc: the newest first.")
    agent_id: str | None = None
    archive_status: Literal["unarchived", "archived", "all"] = "unarchived"
    summary_search: Words | None = Field(default=None, description="Part of the summary.")
    order_by: Literal["created_at", "last_run_completion", "last_message_at"] = "created_at"


class ForkQuery(In):
    agent_id: AgentId = None
    hidden: bool = False
    message_id: str | None = Field(default=None, description="The last one that is taken along.")


class DirectQuery(In):
    agent_id: AgentId = None


class RecompileQuery(In):
    dry_run: bool = False


class RecompileIn(In):
    agent_id: AgentId = None
    compaction_settings: Compaction | None = Field(
        default=None, description="Without effect: nothing is compacted."
    )


class CompactIn(In):
    agent_id: AgentId = None
    compaction_settings: Compaction | None = Field(
        default=None, description="Null: the agent's own."
    )


class TalkIn(StreamIn):
    """What is said in a conversation."""

    agent_id: AgentId = None
    streaming: bool = True


class TalkQuery(ToldQuery):
    agent_id: AgentId = None


class ResumeIn(RejoinIn):
    """Which run of a conversation is streamed: this one, the one that a message with this `otid`
    began, or the one that goes on."""
