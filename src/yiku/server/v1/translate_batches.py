"""Between v1's forms of batches and ours; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from yiku.core.batch import Batch, BatchPage
from yiku.core.errors import Invalid
from yiku.core.ids import AgentId, BatchId
from yiku.core.message import Image, Message, Reasoning, Text
from yiku.core.run import RunRequest
from yiku.server.v1 import wire_batches as wire
from yiku.server.v1.translate_sent import answers_calls, incoming_in, request_in


def requests_in(body: wire.BatchIn) -> list[tuple[AgentId, RunRequest]]:
    """Raises: Invalid."""
    return [one_in(one, n) for n, one in enumerate(body.requests)]


def one_in(one: wire.RequestIn, n: int) -> tuple[AgentId, RunRequest]:
    """Raises: Invalid."""
    if answers_calls(one):
        raise Invalid(
            f"Request {n} answers calls that wait: send that to its agent, a batch takes words"
            " only.",
            field="requests",
        )
    incoming = tuple(incoming_in(one))
    asked = request_in(one, background=True)
    return AgentId(one.agent_id), RunRequest(
        max_steps=asked.max_steps,
        client_tools=asked.client_tools,
        model=asked.model,
        system=asked.system,
        background=True,
        incoming=incoming,
        wire=asked.wire,
    )


def batch_out(one: Batch, counts: Mapping[str, int]) -> wire.BatchOut:
    took = None if one.completed_at is None else one.completed_at - one.created_at
    return wire.BatchOut(
        id=one.id,
        status=one.status.value,
        created_at=one.created_at,
        created_by_id=one.created_by,
        completed_at=one.completed_at,
        metadata={**one.metadata, "requests": dict(sorted(counts.items()))},
        callback_url=one.callback_url,
        callback_sent_at=one.callback_sent_at,
        callback_status_code=one.callback_status_code,
        callback_error=one.callback_error,
        total_duration_ns=None if took is None else round(took.total_seconds() * 1e9),
    )


def batch_page(query: wire.BatchQuery) -> BatchPage:
    return BatchPage(
        limit=query.limit,
        after=None if query.after is None else BatchId(query.after),
        before=None if query.before is None else BatchId(query.before),
        newest_first=query.order == "desc",
    )


def kept_out(one: Message, item: str | None) -> wire.KeptMessageOut:
    calls = [
        wire.KeptCallOut(
            id=call.id, function=wire.FunctionOut(name=call.name, arguments=call.arguments)
        )
        for call in one.calls
    ]
    return wire.KeptMessageOut.model_construct(
        id=one.id,
        role=one.role.value,
        agent_id=one.agent_id,
        conversation_id=one.conversation_id,
        run_id=one.run_id,
        step_id=one.step_id,
        batch_item_id=item,
        content=list(content_out(one)),
        tool_calls=calls or None,
        tool_returns=[
            wire.KeptReturnOut(
                tool_call_id=each.call_id,
                status="success" if each.ok else "error",
                func_response=each.text,
                stdout=list(each.stdout),
                stderr=list(each.stderr),
            )
            for each in one.returns
        ],
        model=one.model,
        name=one.name,
        otid=one.otid,
        sender_id=one.sender_id,
        group_id=one.group_id,
        created_at=one.created_at,
        created_by_id=one.created_by,
    )


def content_out(one: Message) -> Iterator[dict[str, Any]]:
    for part in one.parts:
        match part:
            case Text(text):
                yield {"type": "text", "text": text}
            case Reasoning() if part.hidden is None:
                yield {"type": "reasoning", "reasoning": part.text, "is_native": True}
            case Image():
                source: dict[str, Any] = (
                    {"type": "url", "url": part.url}
                    if part.url is not None
                    else {"type": "base64", "data": part.data, "media_type": part.media_type}
                )
                yield {"type": "image", "source": source}
            case _:
                pass  # calls and returns have fields of their own
