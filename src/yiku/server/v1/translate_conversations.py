"""Between v1's forms of conversations and ours; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yiku.core.conversation import (
    Conversation,
    ConversationFilter,
    ConversationPage,
    ConversationSettings,
)
from yiku.core.ids import AgentId, ConversationId, MessageId
from yiku.server.v1 import wire_conversations as wire
from yiku.server.v1.translate_models import settings_of

NAMES = {
    "summary": "summary",
    "description": "description",
    "model": "model",
    "context_window_limit": "context_window",
}
"""v1's field -> ours."""
ARCHIVED = {"unarchived": False, "archived": True, "all": None}


def said_in(form: wire.ConversationFields) -> dict[str, Any]:
    """The settings that a request names; null is None."""
    given = form.model_fields_set
    found: dict[str, Any] = {
        ours: getattr(form, theirs) for theirs, ours in NAMES.items() if theirs in given
    }
    if "model_settings" in given:
        settings = form.model_settings
        found["model_settings"] = None if settings is None else settings_of(settings)
    return found


def settings_in(form: wire.ConversationIn) -> ConversationSettings:
    return ConversationSettings(hidden=form.hidden, **said_in(form))


def conversation_out(
    one: Conversation, in_context: Sequence[MessageId] | None = None
) -> wire.ConversationOut:
    """`in_context` None: it wasn't looked for."""
    settings = one.settings
    given = settings.model_settings
    return wire.ConversationOut.model_construct(
        id=one.id,
        agent_id=one.agent_id,
        archived=one.archived_at is not None,
        archived_at=one.archived_at,
        summary=settings.summary,
        description=settings.description,
        model=settings.model,
        model_settings=None if given is None else dict(given),
        context_window_limit=settings.context_window,
        in_context_message_ids=None if in_context is None else list(in_context),
        last_message_at=one.last_message_at,
        created_at=one.created_at,
        created_by_id=one.created_by,
        updated_at=one.updated_at,
        last_updated_by_id=one.updated_by,
    )


def conversation_filter(query: wire.ConversationQuery) -> ConversationFilter:
    return ConversationFilter(
        agent_id=None if query.agent_id is None else AgentId(query.agent_id),
        archived=ARCHIVED[query.archive_status],
        summary_has=query.summary_search,
    )


def conversation_page(query: wire.ConversationQuery) -> ConversationPage:
    return ConversationPage(
        limit=query.limit,
        after=None if query.after is None else ConversationId(query.after),
        before=None if query.before is None else ConversationId(query.before),
        newest_first=query.order == "desc",
        order_by=query.order_by,
    )
