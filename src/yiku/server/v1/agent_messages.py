"""/v1/agents/{agent_id}/messages: what an agent is sent, and what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Body, Query
from starlette.responses import JSONResponse, Response, StreamingResponse

from yiku.agents import talk
from yiku.agents.active import ActiveRun
from yiku.app import App
from yiku.core import errors
from yiku.core.agent import Compaction
from yiku.core.errors import AgentBusy, MessageNotFound, RunFailed, YikuError
from yiku.core.ids import AgentId, ConversationId, MessageId, RunId
from yiku.core.message import Incoming, Message
from yiku.core.run import Compacted, Ended, Failure, Run, RunRequest, Stored
from yiku.core.tenant import Actor
from yiku.memory import recall
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_messages, wire_runs
from yiku.server.v1 import wire_sent as wire
from yiku.server.v1.about import told
from yiku.server.v1.callbacks import demand_callable
from yiku.server.v1.listing import answers
from yiku.server.v1.messages import listed
from yiku.server.v1.routing import Routes
from yiku.server.v1.streaming import EVENTS, streamed
from yiku.server.v1.translate_agents import compaction_of
from yiku.server.v1.translate_messages import PLAIN, form_of, messages_out
from yiku.server.v1.translate_runs import run_out, stop_reason_out, usage_out
from yiku.server.v1.translate_sent import (
    answers_calls,
    as_asked,
    form_in,
    incoming_in,
    message_filter,
    message_page,
    patched,
    request_in,
)
from yiku.server.v1.translate_stream import (
    PARKED,
    TOLD,
    compacted_out,
    compaction_out,
    nothing_compacted,
)
from yiku.server.v1.wire_agents import AgentOut
from yiku.store import agents, messages
from yiku.store.database import Tx

router = Routes("messages")


async def incoming(
    app: App,
    actor: Actor,
    agent_id: AgentId,
    body: wire.SendIn,
    conversation_id: ConversationId | None,
) -> list[Incoming]:
    """Raises: AgentNotFound, Invalid, NothingToApprove."""
    if not answers_calls(body):
        return incoming_in(body)

    def pending(tx: Tx) -> Message | None:
        agents.get(tx, agent_id)
        return messages.pending(tx, agent_id, conversation_id)

    return incoming_in(body, await app.database.read(actor, pending))


async def begun(
    app: App,
    actor: Actor,
    agent_id: str,
    body: wire.SendIn,
    request: RunRequest,
    conversation_id: ConversationId | None = None,
) -> ActiveRun:
    """Raises: as `Runner.start`."""
    found = AgentId(agent_id)
    sent = await incoming(app, actor, found, body, conversation_id)
    return await app.runner.start(actor, found, sent, request, conversation_id)


async def answered(active: ActiveRun) -> wire_messages.AnswerOut:
    """All that a run tells, when it has ended. Raises: what the run failed with."""
    run, form = active.run, form_of(active.run.request.wire)
    said: list[wire_messages.AnyMessageOut] = []
    async for _, event in active.events():
        match event:
            case Stored(message) if message.role in TOLD:
                said += messages_out(message, form)
            case Compacted() if form.compactions:
                found = compaction_out(event, run, datetime.now(UTC))
                said += [one for one in found if form.wants(one.message_type)]
            case Ended():
                run = event.run
            case _:
                pass  # what isn't durable yet, and what clients of v1 aren't told
    raise_failure(run)
    return wire_messages.AnswerOut.model_construct(
        messages=said, stop_reason=stop_reason_out(run), usage=usage_out(run)
    )


def raise_failure(run: Run) -> None:
    """Raises: the error that the run failed with; it names the run."""
    if not run.status.ended:
        raise AgentBusy(PARKED.message, run_id=run.id)
    if run.failure is not None:
        raise failed(run.failure)(run.failure.message, run_id=run.id)


def failed(failure: Failure) -> type[YikuError]:
    """The error of that name."""
    kind: object = getattr(errors, failure.kind, None)
    return kind if isinstance(kind, type) and issubclass(kind, YikuError) else RunFailed


@router.post(
    "/v1/agents/{agent_id}/messages", response_model=wire_messages.AnswerOut, responses=EVENTS
)
async def create(agent_id: str, body: wire.StreamIn, app: Here, actor: Asks) -> Response:
    """Send an agent messages, and get what it says: when its run has ended, or, with `streaming`,
    as it comes."""
    if body.streaming:
        return await stream(agent_id, body, app, actor)
    active = await begun(app, actor, agent_id, body, request_in(body))
    return answer(await answered(active))


@router.post("/v1/agents/{agent_id}/messages/stream", response_model=None, responses=EVENTS)
async def stream(agent_id: str, body: wire.StreamIn, app: Here, actor: Asks) -> StreamingResponse:
    """Send an agent messages, and get what it says as it comes. The run goes on if you leave; join
    it again by its `run_id`: /v1/runs/{run_id}/stream."""
    request = request_in(body, stream_tokens=body.stream_tokens, background=body.background)
    active = await begun(app, actor, agent_id, body, request)
    return streamed(active, pings=body.include_pings)


@router.post("/v1/agents/{agent_id}/messages/async", response_model=wire_runs.RunOut)
async def create_async(agent_id: str, body: wire.AsyncIn, app: Here, actor: Asks) -> Response:
    """Send an agent messages, and get the run, which goes on by itself."""
    request = request_in(body, background=True)
    request = replace(request, callback_url=demand_callable(app, body.callback_url))
    active = await begun(app, actor, agent_id, body, request)
    return answer(run_out(active.run))


@router.get("/v1/agents/{agent_id}/messages", response_model=list[wire_messages.AnyMessageOut])
async def list_messages(
    agent_id: str, query: Annotated[wire.MessageQuery, Query()], app: Here, actor: Asks
) -> Response:
    """An agent's messages, a page of them. A page counts stored messages; one can be told of as
    several, with the same `id`."""
    wanted, page, form = message_filter(agent_id, query), message_page(query), form_in(query)

    def unit(tx: Tx) -> list[wire_messages.AnyMessageOut]:
        agents.get(tx, AgentId(agent_id))
        return listed(tx, wanted, page, form)

    return answers(as_asked(await app.database.read(actor, unit), query))


@router.post("/v1/agents/{agent_id}/messages/cancel", response_model=dict[str, str])
async def cancel(
    agent_id: str, app: Here, actor: Asks, body: wire.CancelIn | None = None
) -> Response:
    """Ask runs to end: those that are named, or all of the agent's that go on."""
    named = None if body is None or body.run_ids is None else [RunId(one) for one in body.run_ids]
    asked = await app.runner.cancel(actor, AgentId(agent_id), named)
    found = {**dict.fromkeys(named or (), "not running"), **dict.fromkeys(asked, "cancelled")}
    return JSONResponse(found)


@router.patch(
    "/v1/agents/{agent_id}/messages/{message_id}", response_model=wire_messages.AnyMessageOut
)
async def update(
    agent_id: str,
    message_id: str,
    body: Annotated[wire.MessagePatch, Body()],
    app: Here,
    actor: Asks,
) -> Response:
    """Change what a message says."""

    def unit(tx: Tx) -> Message:
        one = messages.get(tx, MessageId(message_id))
        if one.agent_id != agent_id:
            raise MessageNotFound(f"There is no message {message_id} of this agent.")
        changed = patched(one, body, PLAIN)
        messages.replace_parts(tx, changed)
        return changed

    changed = await app.database.write(actor, unit)
    # What it said before must not be found any more; what is left is indexed again.
    await recall.erase(app.memory, actor, changed.agent_id)
    found = messages_out(changed, PLAIN)
    return answer(next(each for each in found if each.message_type == body.message_type))


@router.patch("/v1/agents/{agent_id}/reset-messages", response_model=AgentOut)
async def reset(
    agent_id: str, app: Here, actor: Asks, body: wire.ResetIn | None = None
) -> Response:
    """Erase an agent's messages for good; blocks and memories stay."""
    return await told(app, actor, await talk.reset(app.agents, actor, AgentId(agent_id)))


@router.post("/v1/agents/{agent_id}/summarize", response_model=wire_messages.CompactedOut)
async def compact(
    agent_id: str, app: Here, actor: Asks, body: wire.SummarizeIn | None = None
) -> Response:
    """Have a summary take the place of older messages in the context; they can still be found."""
    given = None if body is None else body.compaction_settings
    settings = None if given is None else compaction_of(given)
    return await compacted(app, actor, AgentId(agent_id), settings)


async def compacted(
    app: App,
    actor: Actor,
    agent_id: AgentId,
    settings: Compaction | None,
    conversation_id: ConversationId | None = None,
) -> Response:
    """Raises: as `talk.compact`."""
    done = await talk.compact(app.agents, actor, agent_id, settings, conversation_id)
    if done is not None:
        return answer(compacted_out(done))
    ids = await app.database.read(
        actor, lambda tx: messages.ids_in_context(tx, agent_id, conversation_id)
    )
    return answer(nothing_compacted(len(ids)))
