"""Our own API: what an agent's conversation looks like after its older messages were summarised."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.responses import Response

from yiku.agents.session import History, history_with_summary
from yiku.context.conversation import headed
from yiku.core.ids import AgentId, ConversationId
from yiku.core.message import Message, MessageRole, Summary
from yiku.server import wire, wire_history
from yiku.server.memory import Asks, Here, answer
from yiku.server.routing import Refusing
from yiku.server.wire_history import HistoryCallOut, HistoryMessageOut

router = Refusing(wire.ErrorOut, (401, 403, 404, 422, 503), prefix="/memory")


@router.get(
    "/agents/{agent_id}/history", response_model=wire_history.ConversationOut, tags=["agents"]
)
async def history(
    agent_id: str, app: Here, actor: Asks, conversation_id: str | None = None
) -> Response:
    """A conversation as its agent is shown it: a summary of older messages, then the last ones."""
    conversation = ConversationId(conversation_id) if conversation_id else None
    found = await history_with_summary(app.agents, actor, AgentId(agent_id), conversation)
    return answer(history_out(agent_id, conversation_id, found))


def history_out(
    agent_id: str, conversation_id: str | None, found: History
) -> wire_history.ConversationOut:
    told = [] if found.summary is None else [summary_message(found.summary)]
    return wire_history.ConversationOut(
        agent_id=agent_id,
        conversation_id=conversation_id or None,
        summary=None if found.summary is None else summary_out(found.summary),
        messages=[*told, *(out for one in found.messages for out in messages_out(one))],
    )


def summary_out(one: Summary) -> wire_history.SummaryOut:
    return wire_history.SummaryOut(
        id=one.id,
        text=one.text,
        message_count=one.count,
        created_at=one.created_at,
        model=one.model,
    )


def summary_message(one: Summary) -> HistoryMessageOut:
    return HistoryMessageOut(
        id=one.id,
        role=MessageRole.SYSTEM.value,
        content=headed(one.text),
        name=None,
        created_at=one.created_at,
    )


def messages_out(one: Message) -> Iterator[HistoryMessageOut]:
    """A message, and one for each tool that returned something in it."""
    for given in one.returns:
        yield HistoryMessageOut(
            id=one.id,
            role=MessageRole.TOOL.value,
            content=given.text,
            name=given.name,
            created_at=one.created_at,
            tool_call_id=given.call_id,
        )
    if one.text or one.calls or not one.returns:
        yield HistoryMessageOut(
            id=one.id,
            role=one.role.value,
            content=one.text,
            name=one.name,
            created_at=one.created_at,
            tool_calls=[
                HistoryCallOut(id=call.id, name=call.name, arguments=call.arguments)
                for call in one.calls
            ],
        )
