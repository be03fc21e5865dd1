"""What pydantic-ai streams, as pieces and at last an answer."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pydantic_ai.messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.usage import RequestUsage

from yiku.core.message import Part, Reasoning, Text, ToolCall
from yiku.core.model import (
    Answer,
    CallPiece,
    Finish,
    Piece,
    ReasoningPiece,
    TextPiece,
    Usage,
)

FINISHES = {
    "stop": Finish.END,
    "tool_call": Finish.TOOL_CALLS,
    "length": Finish.LENGTH,
    "content_filter": Finish.FILTERED,
}
REDACTED = "redacted_thinking"
"""The id pydantic-ai gives to thinking that Anthropic and Bedrock send encrypted."""

OF_CALL = "tool_call"
"""Under this name a Reasoning's details are those of the call whose id it has."""


class Pieces:
    """Turns events into pieces; a call's index counts calls, an event's counts parts."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}

    def of(self, event: ModelResponseStreamEvent) -> Iterator[Piece]:
        if isinstance(event, PartDeltaEvent):
            delta = event.delta
            if isinstance(delta, TextPartDelta):
                if delta.content_delta:
                    yield TextPiece(delta.content_delta)
            elif isinstance(delta, ToolCallPartDelta):
                yield self._more(event.index, delta)
            elif isinstance(delta, ThinkingPartDelta) and delta.content_delta:
                yield ReasoningPiece(delta.content_delta)
        elif isinstance(event, PartStartEvent):
            part = event.part
            if isinstance(part, TextPart):
                if part.content:
                    yield TextPiece(part.content)
            elif isinstance(part, ThinkingPart):
                if part.content:
                    yield ReasoningPiece(part.content)
            elif isinstance(part, ToolCallPart):
                index = self._calls.setdefault(event.index, len(self._calls))
                yield CallPiece(
                    index=index,
                    id=part.tool_call_id,
                    name=part.tool_name,
                    arguments=written(part.args),
                )

    def _more(self, part: int, delta: ToolCallPartDelta) -> CallPiece:
        index = self._calls.setdefault(part, len(self._calls))
        return CallPiece(
            index=index, name=delta.tool_name_delta, arguments=written(delta.args_delta)
        )


def answer_of(response: ModelResponse, handle: str) -> Answer:
    parts = tuple(part for one in response.parts for part in part_of(one))
    refusal = (response.provider_details or {}).get("refusal")
    if not parts and isinstance(refusal, str):
        parts = (Text(refusal),)
    finish = FINISHES.get(response.finish_reason or "stop", Finish.END)
    if finish is Finish.END and any(isinstance(part, ToolCall) for part in parts):
        finish = Finish.TOOL_CALLS  # several servers say "stop" all the same
    return Answer(parts=parts, usage=usage_of(response.usage), finish=finish, model=handle)


def part_of(part: ModelResponsePart) -> Iterator[Part]:
    if isinstance(part, TextPart):
        if part.content:
            yield Text(part.content)
    elif isinstance(part, ToolCallPart):
        if part.provider_details:
            # What a provider wants back with the call, Google's signature of a thought say.
            yield Reasoning(
                text="",
                id=part.tool_call_id,
                provider=part.provider_name,
                hidden="omitted",
                details={OF_CALL: part.provider_details},
            )
        yield ToolCall(id=part.tool_call_id, name=part.tool_name, arguments=written(part.args))
    elif isinstance(part, ThinkingPart):
        hidden = "redacted" if part.id == REDACTED else None
        if hidden is None and part.signature and not part.content:
            hidden = "omitted"
        yield Reasoning(
            text=part.content,
            signature=part.signature,
            id=part.id,
            provider=part.provider_name,
            hidden=hidden,
            details=part.provider_details or {},
        )


def written(arguments: object) -> str:
    """JSON as the model wrote it; Google's API parses it before we see it."""
    if isinstance(arguments, str):
        return arguments
    return "" if arguments is None else json.dumps(arguments, ensure_ascii=False)


def usage_of(usage: RequestUsage) -> Usage:
    reasoning = usage.output_reasoning_tokens or usage.details.get("reasoning_tokens")
    return Usage(
        prompt_tokens=usage.input_tokens,
        completion_tokens=usage.output_tokens,
        cached_tokens=usage.cache_read_tokens or None,
        cache_write_tokens=usage.cache_write_tokens or None,
        reasoning_tokens=reasoning or None,
    )
