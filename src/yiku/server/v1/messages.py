"""/v1/messages: those of all agents, listed and searched; and how messages are listed at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.app import App
from yiku.core.agent import AgentFilter, AgentPage
from yiku.core.ids import AgentId, MessageId
from yiku.core.message import MessageFilter, MessagePage
from yiku.core.tenant import Actor
from yiku.memory import recall
from yiku.server.memory import Asks, Here
from yiku.server.v1 import wire_messages
from yiku.server.v1 import wire_sent as wire
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_messages import (
    PLAIN,
    Form,
    found_out,
    listed_out,
    messages_out,
    roles_of,
)
from yiku.server.v1.translate_sent import (
    as_asked,
    conversation_in,
    message_page,
    searched_conversation,
    times_in,
)
from yiku.store import agents, messages
from yiku.store.database import Tx

router = Routes("messages")

FOUND = ("user", "assistant")
"""Whose messages a search is answered with: v1 has no form for the others."""
MOST_AGENTS = 10_000
"""Whose messages are searched at once, the newest first."""


def listed(
    tx: Tx, wanted: MessageFilter, page: MessagePage, form: Form
) -> list[wire_messages.AnyMessageOut]:
    """A page of messages. An empty one says that there are no more: clients that list everything
    stop there; so where a page's messages aren't to be told of, the next is looked at.

    Raises: MessageNotFound where a message that bounds the page isn't there.
    """
    wanted = replace(wanted, roles=roles_of(form.types))
    while True:
        found = messages.page(tx, wanted, page)
        told = listed_out(found, form, page.newest_first)
        if told or len(found) < page.limit:
            return told
        if page.before is not None and page.after is None:
            page = replace(page, before=found[0].id)
        else:
            page = replace(page, after=found[-1].id)


@router.get("/v1/messages/", response_model=list[wire_messages.AnyMessageOut])
async def list_messages(
    query: Annotated[wire.EveryMessageQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The messages of all agents, a page of them."""
    types = query.include_return_message_types
    form = Form(types=None if types is None else frozenset(types))
    conversation = conversation_in(query.conversation_id)
    wanted = MessageFilter(
        conversation_id=conversation, all_conversations=query.conversation_id is None
    )
    page = message_page(query)
    found = await app.database.read(actor, lambda tx: listed(tx, wanted, page, form))
    return answers(as_asked(found, query))


@router.get("/v1/messages/{message_id}", response_model=list[wire_messages.AnyMessageOut])
async def retrieve(message_id: str, app: Here, actor: Asks) -> Response:
    """One message: what it thought, said and called are one each."""
    found = await app.database.read(actor, lambda tx: messages.get(tx, MessageId(message_id)))
    return answers(messages_out(found, PLAIN))


@router.post("/v1/messages/search", response_model=list[wire_messages.AnyFoundOut])
async def search(body: wire.MessageSearchIn, app: Here, actor: Asks) -> Response:
    """Find messages of an agent, or of all, by words and by meaning; the best first."""
    since, until = times_in(body)
    found = await recall.search(
        app.memory,
        actor,
        await searched(app, actor, body.agent_id),
        body.query,
        roles=FOUND,
        limit=body.limit,
        since=since,
        until=until,
        conversation_id=searched_conversation(body),
    )
    return answers(out for one in found if (out := found_out(one.message)) is not None)


async def searched(app: App, actor: Actor, agent_id: str | None) -> list[AgentId]:
    """Raises: AgentNotFound."""

    def unit(tx: Tx) -> list[AgentId]:
        if agent_id is not None:
            return [agents.get(tx, AgentId(agent_id)).id]
        return [one.id for one in agents.page(tx, AgentFilter(), AgentPage(limit=MOST_AGENTS))]

    return await app.database.read(actor, unit)
