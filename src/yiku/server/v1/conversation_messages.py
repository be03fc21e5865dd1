"""/v1/conversations/{conversation_id}/messages: what is said in one of an agent's conversations."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from yiku.app import App
from yiku.core.errors import RunNotFound
from yiku.core.ids import RunId
from yiku.core.message import MessageFilter
from yiku.core.tenant import Actor
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_conversations as wire
from yiku.server.v1 import wire_messages
from yiku.server.v1.agent_messages import answered, begun, compacted
from yiku.server.v1.conversations import Thread, thread_of
from yiku.server.v1.listing import answers
from yiku.server.v1.messages import listed
from yiku.server.v1.routing import Routes
from yiku.server.v1.streaming import EVENTS, streamed
from yiku.server.v1.translate_agents import compaction_of
from yiku.server.v1.translate_sent import form_in, message_page, request_in
from yiku.store import messages, runs
from yiku.store.database import Tx

router = Routes("conversations")


@router.post(
    "/v1/conversations/{conversation_id}/messages",
    response_model=wire_messages.AnswerOut,
    responses=EVENTS,
)
async def create(conversation_id: str, body: wire.TalkIn, app: Here, actor: Asks) -> Response:
    """Say something in a conversation, and get what the agent says: as it comes, or, without
    `streaming`, when the run has ended. Runs of several conversations go on at once."""
    there = await thread_of(app, actor, conversation_id, body.agent_id)
    request = request_in(
        body,
        stream_tokens=body.streaming and body.stream_tokens,
        background=body.streaming and body.background,
    )
    active = await begun(app, actor, there.agent_id, body, request, there.conversation_id)
    if body.streaming:
        return streamed(active, pings=body.include_pings)
    return answer(await answered(active))


@router.get(
    "/v1/conversations/{conversation_id}/messages",
    response_model=list[wire_messages.AnyMessageOut],
)
async def list_messages(
    conversation_id: str, query: Annotated[wire.TalkQuery, Query()], app: Here, actor: Asks
) -> Response:
    """A conversation's messages, a page of them, as an agent's are listed."""
    there = await thread_of(app, actor, conversation_id, query.agent_id)
    wanted = MessageFilter(
        agent_id=there.agent_id, conversation_id=there.conversation_id, group_id=query.group_id
    )
    page, form = message_page(query), form_in(query)
    return answers(await app.database.read(actor, lambda tx: listed(tx, wanted, page, form)))


@router.post(
    "/v1/conversations/{conversation_id}/compact", response_model=wire_messages.CompactedOut
)
async def compact(
    conversation_id: str, app: Here, actor: Asks, body: wire.CompactIn | None = None
) -> Response:
    """Have a summary take the place of older messages in the context; they can still be found."""
    asked = body or wire.CompactIn()
    there = await thread_of(app, actor, conversation_id, asked.agent_id)
    given = asked.compaction_settings
    settings = None if given is None else compaction_of(given)
    return await compacted(app, actor, there.agent_id, settings, there.conversation_id)


@router.post("/v1/conversations/{conversation_id}/stream", response_model=None, responses=EVENTS)
async def resume(
    conversation_id: str, app: Here, actor: Asks, body: wire.ResumeIn | None = None
) -> StreamingResponse:
    """Join the run of a conversation that goes on, from the beginning or from a `seq_id` on; one
    that has ended is named by its `run_id`, or by an `otid` of what began it."""
    asked = body or wire.ResumeIn()
    there = await thread_of(app, actor, conversation_id, asked.agent_id)
    found = await run_of(app, actor, there, asked)
    active = await app.runner.watch(actor, found)
    return streamed(active, bool(asked.include_pings), asked.starting_after)


async def run_of(app: App, actor: Actor, there: Thread, asked: wire.ResumeIn) -> RunId:
    """Raises: RunNotFound."""

    def unit(tx: Tx) -> RunId:
        if asked.run_id is not None:
            return runs.get(tx, RunId(asked.run_id)).id
        going_on = runs.going_on(tx, there.agent_id, there.conversation_id)
        if asked.otid is not None:
            said = messages.with_otids(tx, there.agent_id, [asked.otid])
            began = [one.run_id for one in said if one.run_id is not None]
            queued = (runs.get(tx, run_id) for run_id, _ in going_on)
            began += [
                one.id
                for one in queued
                if any(each.otid == asked.otid for each in one.request.incoming)
            ]
            if not began:
                raise RunNotFound(f"No run was begun by a message with the otid {asked.otid!r}.")
            return began[-1]
        if not going_on:
            raise RunNotFound(
                "No run of this conversation goes on; one that has ended is named by its `run_id`."
            )
        return going_on[-1][0]

    return await app.database.read(actor, unit)
