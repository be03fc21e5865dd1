"""Conversations' part of the Python API, over the v1 wire."""

from __future__ import annotations

from typing import Any, Literal

from yiku.client.agents import PATIENCE, Fields, MessageList, Messages, Reply, reply_of
from yiku.client.calls import Calls, asked_for, part
from yiku.client.sent import Sent, body_of
from yiku.server.v1 import wire_conversations, wire_messages
from yiku.server.v1.wire_conversations import ConversationOut

ROOT = "/v1/conversations/"
# Spelled out here: inside the class, `list` is its method.
Conversations = list[ConversationOut]


class ConversationClient(Calls):
    """Threads of agents beside their own, with messages of their own and their agent's memory.

    Every method raises the errors of `yiku.core.errors`.
    """

    async def create(self, agent_id: str, **fields: Any) -> ConversationOut:
        """Begin a conversation; `fields` are v1's: `summary`, `model`, `context_window_limit` …"""
        query = {"agent_id": agent_id}
        return await self._call(ConversationOut, "POST", ROOT, params=query, json=fields)

    async def get(self, conversation_id: str) -> ConversationOut:
        """Raises: ConversationNotFound."""
        return await self._call(ConversationOut, "GET", path_of(conversation_id))

    async def list(
        self,
        agent_id: str | None = None,
        *,
        archive_status: Literal["unarchived", "archived", "all"] = "unarchived",
        limit: int = 50,
        after: str | None = None,
        **query: Any,
    ) -> Conversations:
        """The conversations of an agent, or of all, the newest first."""
        asked = {"agent_id": agent_id, "archive_status": archive_status, "limit": limit}
        return await self._list(ConversationOut, ROOT, **asked, after=after, **query)

    async def update(self, conversation_id: str, **fields: Any) -> ConversationOut:
        """Change fields; None takes a setting away, `archived=True` puts it away."""
        return await self._call(ConversationOut, "PATCH", path_of(conversation_id), json=fields)

    async def delete(self, conversation_id: str) -> None:
        """Erase it for good, with its messages and runs."""
        await self._done("DELETE", path_of(conversation_id))

    async def fork(
        self,
        conversation_id: str,
        *,
        message_id: str | None = None,
        agent_id: str | None = None,
        hidden: bool = False,
    ) -> ConversationOut:
        """A new one with what is in the context of this one, up to a message. An agent's own is
        `"default"`, with its `agent_id`."""
        query = asked_for({"message_id": message_id, "agent_id": agent_id, "hidden": hidden})
        path = f"{path_of(conversation_id)}/fork"
        return await self._call(ConversationOut, "POST", path, params=query)

    async def send(self, conversation_id: str, message: Sent, **how: Any) -> Reply:
        """Say something in it and wait for the whole answer. Raises: as `AgentClient.send`."""
        found = await self._call(
            wire_messages.AnswerOut,
            "POST",
            f"{path_of(conversation_id)}/messages",
            json={**body_of(message), **how, "streaming": False},
            timeout=PATIENCE,
        )
        return reply_of(found)

    async def messages(
        self,
        conversation_id: str,
        *,
        limit: int = 100,
        after: str | None = None,
        before: str | None = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> Messages:
        """A page of it; `desc`: the newest first."""
        query = asked_for({"limit": limit, "after": after, "before": before, "order": order})
        path = f"{path_of(conversation_id)}/messages"
        return (await self._call(MessageList, "GET", path, params=query)).root

    async def compact(self, conversation_id: str) -> wire_messages.CompactedOut:
        """Have a summary take the place of older messages now."""
        path = f"{path_of(conversation_id)}/compact"
        body = wire_conversations.CompactIn().model_dump()
        return await self._call(wire_messages.CompactedOut, "POST", path, json=body)

    async def cancel(self, conversation_id: str) -> dict[str, Any]:
        """End the runs of it that go on; says which those are."""
        path = f"{path_of(conversation_id)}/cancel"
        return (await self._call(Fields, "POST", path)).root


def path_of(conversation_id: str) -> str:
    return f"{ROOT}{part(conversation_id)}"
