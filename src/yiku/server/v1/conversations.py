"""/v1/conversations: threads of one agent beside its own, which share its memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Query
from starlette.responses import JSONResponse, Response

from yiku.agents import conversations as deeds
from yiku.agents import talk
from yiku.app import App
from yiku.core.conversation import Conversation
from yiku.core.errors import Invalid
from yiku.core.ids import AgentId, ConversationId, MessageId
from yiku.core.tenant import Actor
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_conversations as wire
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_conversations import (
    conversation_filter,
    conversation_out,
    conversation_page,
    said_in,
    settings_in,
)
from yiku.store import agents, conversations, messages
from yiku.store.database import Tx

router = Routes("conversations")
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Thread:
    """Where something is said: an agent, and which of its conversations."""

    agent_id: AgentId
    conversation_id: ConversationId | None
    """None: its own."""


async def thread_of(app: App, actor: Actor, named: str, agent_id: str | None) -> Thread:
    """What a path names: a conversation; or, as `default` with an agent's id, or as that id alone,
    an agent's own one.

    Raises: ConversationNotFound, AgentNotFound, Invalid.
    """

    def unit(tx: Tx) -> Thread:
        if agent_id is not None:
            agents.get(tx, AgentId(agent_id))
        if named == DEFAULT:
            if agent_id is None:
                raise Invalid(
                    "Each agent has a conversation `default`: say which agent's, by `agent_id`.",
                    field="agent_id",
                )
            return Thread(AgentId(agent_id), None)
        if named.startswith("agent-"):
            return Thread(agents.get(tx, AgentId(named)).id, None)
        there = conversations.get(tx, ConversationId(named))
        return Thread(there.agent_id, there.id)

    found = await app.database.read(actor, unit)
    if agent_id is not None and found.agent_id != agent_id:
        raise Invalid(
            f"Conversation {named} is of agent {found.agent_id}, not of {agent_id}.",
            field="agent_id",
        )
    return found


async def told(app: App, actor: Actor, one: Conversation) -> Response:
    """With the ids of what is in its context."""
    ids = await app.database.read(
        actor, lambda tx: messages.ids_in_context(tx, one.agent_id, one.id)
    )
    return answer(conversation_out(one, ids))


@router.post("/v1/conversations/", response_model=wire.ConversationOut)
async def create(
    agent_id: Annotated[str, Query()],
    app: Here,
    actor: Asks,
    body: wire.ConversationIn | None = None,
) -> Response:
    """Begin a conversation of an agent; what is set here wins over the agent's settings in it."""
    settings = settings_in(body or wire.ConversationIn())
    made = await deeds.create(app.agents, actor, AgentId(agent_id), settings)
    return await told(app, actor, made)


@router.get("/v1/conversations/", response_model=list[wire.ConversationOut])
async def list_conversations(
    query: Annotated[wire.ConversationQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The conversations of an agent, or of all, a page of them."""
    wanted, page = conversation_filter(query), conversation_page(query)

    def unit(tx: Tx) -> list[Conversation]:
        if wanted.agent_id is not None:
            agents.get(tx, wanted.agent_id)
        return conversations.page(tx, wanted, page)

    return answers(map(conversation_out, await app.database.read(actor, unit)))


@router.get("/v1/conversations/{conversation_id}", response_model=wire.ConversationOut)
async def retrieve(conversation_id: str, app: Here, actor: Asks) -> Response:
    """One conversation."""
    found = await app.database.read(
        actor, lambda tx: conversations.get(tx, ConversationId(conversation_id))
    )
    return await told(app, actor, found)


@router.patch("/v1/conversations/{conversation_id}", response_model=wire.ConversationOut)
async def update(
    conversation_id: str, body: wire.ConversationPatch, app: Here, actor: Asks
) -> Response:
    """Change a conversation's settings, put it away, or take it out again."""
    moments: dict[str, Any] = {}
    if "last_message_at" in body.model_fields_set:
        moments["last_message_at"] = body.last_message_at
    changed = await deeds.update(
        app.agents,
        actor,
        ConversationId(conversation_id),
        said_in(body),
        archived=body.archived,
        **moments,
    )
    return await told(app, actor, changed)


@router.delete("/v1/conversations/{conversation_id}", response_model=None)
async def delete(conversation_id: str, app: Here, actor: Asks) -> Response:
    """Erase a conversation for good, with its messages and runs; the agent's memory stays."""
    await deeds.delete(app.agents, actor, ConversationId(conversation_id))
    return Response(b"null", media_type="application/json")


@router.post("/v1/conversations/{conversation_id}/fork", response_model=wire.ConversationOut)
async def fork(
    conversation_id: str, query: Annotated[wire.ForkQuery, Query()], app: Here, actor: Asks
) -> Response:
    """Begin a conversation with what is in the context of another one, all of it or up to a
    message. The new one has copies: each goes its own way."""
    there = await thread_of(app, actor, conversation_id, query.agent_id)
    made = await deeds.fork(
        app.agents,
        actor,
        there.agent_id,
        there.conversation_id,
        upto=None if query.message_id is None else MessageId(query.message_id),
        hidden=query.hidden,
    )
    return await told(app, actor, made)


@router.post("/v1/conversations/{conversation_id}/cancel", response_model=dict[str, str])
async def cancel(
    conversation_id: str, query: Annotated[wire.DirectQuery, Query()], app: Here, actor: Asks
) -> Response:
    """Ask all runs of a conversation that go on to end; those of others aren't touched."""
    there = await thread_of(app, actor, conversation_id, query.agent_id)
    asked = await app.runner.cancel_in(actor, there.agent_id, there.conversation_id)
    return JSONResponse(dict.fromkeys(asked, "cancelled"))


@router.post("/v1/conversations/{conversation_id}/recompile", response_model=str)
async def recompile(
    conversation_id: str,
    query: Annotated[wire.RecompileQuery, Query()],
    app: Here,
    actor: Asks,
    body: wire.RecompileIn | None = None,
) -> str:
    """The agent's instructions as its model is shown them in this conversation, compiled anew."""
    agent_id = None if body is None else body.agent_id
    there = await thread_of(app, actor, conversation_id, agent_id)
    return await talk.recompile(
        app.agents, actor, there.agent_id, there.conversation_id, dry_run=query.dry_run
    )
