"""One answer of a scripted model, in the words of each provider's API, whole or as a stream.

Sources: https://platform.openai.com/docs/api-reference/chat,
https://docs.anthropic.com/en/api/messages-streaming,
https://ai.google.dev/api/generate-content
"""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

Chunk = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """A tool call; arguments as text go out as they are, broken or not."""

    name: str
    arguments: dict[str, Any] | str = field(default_factory=dict[str, Any])
    id: str | None = None

    @property
    def json(self) -> str:
        if isinstance(self.arguments, str):
            return self.arguments
        return json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Says:
    """What the model says, and how it comes."""

    text: str = ""
    deltas: tuple[str, ...] = ()  # the text as it is cut in a stream; none: by `piece`
    reasoning: str = ""
    calls: tuple[Call, ...] = ()
    finish: str | None = None  # in the API's own word; None: what fits
    prompt_tokens: int = 100
    completion_tokens: int = 10
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    reasoning_field: str = "reasoning_content"  # OpenAI's API has no name for it, others two
    signature: str = "c2lnbmVk"
    piece: int = 12  # characters of a delta
    wait_s: float = 0  # before the first byte
    gap_s: float = 0  # between deltas
    cut_after: int | None = None  # chunks, then the connection is gone
    goes_on: threading.Event | None = None  # waits for it, as a stream after the first delta
    parts: bool = False  # OpenAI: the content as a list of parts, where it comes whole

    def pieces(self, text: str) -> Sequence[str]:
        if self.deltas and text is self.text:
            return self.deltas
        return [text[i : i + self.piece] for i in range(0, len(text), self.piece)]

    @property
    def named_calls(self) -> list[tuple[str, Call]]:
        return [(call.id or f"call_{i}", call) for i, call in enumerate(self.calls)]


class Dialect(Protocol):
    def whole(self, model: str, says: Says) -> Chunk: ...
    def stream(self, model: str, says: Says, asked: Chunk) -> Iterator[bytes]: ...
    def error(self, status: int, message: str, code: str | None) -> Chunk: ...


def sse(chunk: Chunk, event: str | None = None) -> bytes:
    named = f"event: {event}\n" if event else ""
    return f"{named}data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode()


class OpenAI:
    def whole(self, model: str, says: Says) -> Chunk:
        content: Any = [{"type": "text", "text": says.text}] if says.parts else says.text
        message: Chunk = {"role": "assistant", "content": content or None}
        if says.reasoning:
            message[says.reasoning_field] = says.reasoning
        if says.calls:
            message["tool_calls"] = [
                {"id": id, "type": "function", "function": {"name": c.name, "arguments": c.json}}
                for id, c in says.named_calls
            ]
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": self._finish(says)}],
            "usage": self._usage(says),
        }

    def stream(self, model: str, says: Says, asked: Chunk) -> Iterator[bytes]:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}

        def delta(delta: Chunk, finish: str | None = None) -> bytes:
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            return sse({**head, "choices": [choice]})

        yield delta({"role": "assistant", "content": ""})
        for piece in says.pieces(says.reasoning):
            yield delta({says.reasoning_field: piece})
        for piece in says.pieces(says.text):
            yield delta({"content": piece})
        for index, (id, call) in enumerate(says.named_calls):
            opened = {"name": call.name, "arguments": ""}
            first = {"index": index, "id": id, "type": "function", "function": opened}
            yield delta({"tool_calls": [first]})
            for piece in says.pieces(call.json):
                yield delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
        yield delta({}, self._finish(says))
        if (asked.get("stream_options") or {}).get("include_usage"):
            yield sse({**head, "choices": [], "usage": self._usage(says)})
        yield b"data: [DONE]\n\n"

    def error(self, status: int, message: str, code: str | None) -> Chunk:
        return {"error": {"message": message, "type": "invalid_request_error", "code": code}}

    def _finish(self, says: Says) -> str:
        return says.finish or ("tool_calls" if says.calls else "stop")

    def _usage(self, says: Says) -> Chunk:
        return {
            "prompt_tokens": says.prompt_tokens,
            "completion_tokens": says.completion_tokens,
            "total_tokens": says.prompt_tokens + says.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": says.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": says.reasoning_tokens},
        }


class Anthropic:
    def whole(self, model: str, says: Says) -> Chunk:
        content: list[Chunk] = []
        if says.reasoning:
            thinking = {"thinking": says.reasoning, "signature": says.signature}
            content.append({"type": "thinking", **thinking})
        if says.text:
            content.append({"type": "text", "text": says.text})
        content += [
            {"type": "tool_use", "id": id, "name": c.name, "input": json.loads(c.json)}
            for id, c in says.named_calls
        ]
        return {
            **self._message(model),
            "content": content,
            "stop_reason": self._finish(says),
            "usage": self._usage(says),
        }

    def stream(self, model: str, says: Says, asked: Chunk) -> Iterator[bytes]:
        started = {**self._message(model), "content": [], "stop_reason": None}
        usage = {**self._usage(says), "output_tokens": 1}
        yield self._event("message_start", message={**started, "usage": usage})
        for index, (block, deltas) in enumerate(self._blocks(says)):
            yield self._event("content_block_start", index=index, content_block=block)
            for delta in deltas:
                yield self._event("content_block_delta", index=index, delta=delta)
            yield self._event("content_block_stop", index=index)
        stopped = {"stop_reason": self._finish(says), "stop_sequence": None}
        counted = {"output_tokens": says.completion_tokens}
        yield self._event("message_delta", delta=stopped, usage=counted)
        yield self._event("message_stop")

    def error(self, status: int, message: str, code: str | None) -> Chunk:
        kinds = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
        kind = code or kinds.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return {"type": "error", "error": {"type": kind, "message": message}}

    def _blocks(self, says: Says) -> Iterator[tuple[Chunk, list[Chunk]]]:
        if says.reasoning:
            pieces = says.pieces(says.reasoning)
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
            deltas.append({"type": "signature_delta", "signature": says.signature})
            yield {"type": "thinking", "thinking": "", "signature": ""}, deltas
        if says.text:
            pieces = says.pieces(says.text)
            yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": p} for p in pieces]
        for id, call in says.named_calls:
            pieces = says.pieces(call.json)
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
            yield {"type": "tool_use", "id": id, "name": call.name, "input": {}}, deltas

    def _event(self, kind: str, **what: Any) -> bytes:
        return sse({"type": kind, **what}, kind)

    def _message(self, model: str) -> Chunk:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model,
            "stop_sequence": None,
        }

    def _finish(self, says: Says) -> str:
        return says.finish or ("tool_use" if says.calls else "end_turn")

    def _usage(self, says: Says) -> Chunk:
        return {
            "input_tokens": says.prompt_tokens - says.cached_tokens,
            "cache_read_input_tokens": says.cached_tokens,
            "cache_creation_input_tokens": 0,
            "output_tokens": says.completion_tokens,
        }


class Google:
    def whole(self, model: str, says: Says) -> Chunk:
        parts: list[Chunk] = []
        if says.reasoning:
            parts.append({"text": says.reasoning, "thought": True})
        if says.text:
            parts.append({"text": says.text})
        return self._chunk(model, says, [*parts, *self._calls(says)], says.finish or "STOP")

    def stream(self, model: str, says: Says, asked: Chunk) -> Iterator[bytes]:
        for piece in says.pieces(says.reasoning):
            yield sse(self._chunk(model, says, [{"text": piece, "thought": True}]))
        for piece in says.pieces(says.text):
            yield sse(self._chunk(model, says, [{"text": piece}]))
        for part in self._calls(says):
            yield sse(self._chunk(model, says, [part]))
        yield sse(self._chunk(model, says, [{"text": ""}], says.finish or "STOP"))

    def error(self, status: int, message: str, code: str | None) -> Chunk:
        kinds = {401: "UNAUTHENTICATED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
        kind = code or kinds.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
        return {"error": {"code": status, "message": message, "status": kind}}

    def _calls(self, says: Says) -> list[Chunk]:
        parts: list[Chunk] = [
            {"functionCall": {"id": id, "name": call.name, "args": json.loads(call.json)}}
            for id, call in says.named_calls
        ]
        if parts:
            parts[0]["thoughtSignature"] = says.signature
        return parts

    def _chunk(
        self, model: str, says: Says, parts: list[Chunk], finish: str | None = None
    ) -> Chunk:
        candidate: Chunk = {"content": {"role": "model", "parts": parts}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        usage = {
            "promptTokenCount": says.prompt_tokens,
            "candidatesTokenCount": says.completion_tokens,
            "totalTokenCount": says.prompt_tokens + says.completion_tokens,
            "cachedContentTokenCount": says.cached_tokens,
            "thoughtsTokenCount": says.reasoning_tokens,
        }
        return {
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": model,
            "responseId": "1",
        }
