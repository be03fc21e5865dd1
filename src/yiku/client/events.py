"""What is told of an agent's run while it goes on, read from the lines of v1's stream. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call."""

    id: str
    name: str
    arguments: str
    """JSON, as the model wrote it."""


@dataclass(frozen=True, slots=True)
class Began:
    """The run has begun; it is cancelled by this id."""

    run_id: str


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of what the agent says to its user."""

    text: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of the model's reasoning."""

    text: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Called:
    """The agent calls a tool. Its arguments are whole."""

    call: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    call_id: str
    name: str
    ok: bool
    text: str
    stdout: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Edited:
    """A block of the agent has changed."""

    label: str
    block_id: str
    before: str | None
    """None: there was no such block."""
    after: str | None
    """None: there is none any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compacted:
    """Older messages gave way to a summary."""

    summary: str
    messages_before: int | None = None
    messages_after: int | None = None


@dataclass(frozen=True, slots=True)
class Waits:
    """These calls wait for somebody's approval; the run ends here."""

    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The last event of a run."""

    stop_reason: str
    run_id: str | None = None
    steps: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    context_tokens: int | None = None


Event = Began | Text | Thought | Called | Returned | Edited | Compacted | Waits | Failed | Ended


def as_json(event: Event) -> dict[str, Any]:
    """`event` names it; the rest are its fields."""
    return {"event": type(event).__name__.lower(), **asdict(event)}


class EventReader:
    """Lines of one run's stream in, its events out."""

    def __init__(self) -> None:
        self._run_id: str | None = None
        self._stop_reason: str | None = None
        self._names: dict[str, str] = {}
        self._open: dict[str, Call] = {}
        """Calls whose arguments are still being written."""

    def line(self, line: str) -> Iterator[Event]:
        """The events of a line, of whatever kind it is.

        Raises: ValueError where it is no such stream.
        """
        if not line.startswith("data:"):
            return
        content = line[5:].strip()
        if content == "[DONE]":
            return
        found: Any = json.loads(content)
        if not isinstance(found, dict):
            raise ValueError(f"an event is an object, not {content:.40}")
        yield from self._told(cast("dict[str, Any]", found))

    def _told(self, found: dict[str, Any]) -> Iterator[Event]:
        run_id = found.get("run_id")
        if self._run_id is None and isinstance(run_id, str):
            self._run_id = run_id
            yield Began(run_id)
        kind: str = found["message_type"]
        if kind == "tool_call_message":
            yield from self._calls(found)
            return
        if kind != "ping":
            yield from self._closed()
        yield from self._plain(kind, found)

    def _plain(self, kind: str, found: dict[str, Any]) -> Iterator[Event]:
        match kind:
            case "assistant_message":
                yield Text(text_of(found["content"]), found["id"])
            case "reasoning_message":
                yield Thought(found["reasoning"], found["id"])
            case "tool_return_message":
                yield from self._returns(found)
            case "approval_request_message":
                calls = tuple(map(call_of, listed(found)))
                self._names |= {call.id: call.name for call in calls}
                yield Waits(calls)
            case "summary_message":
                stats: dict[str, Any] = found.get("compaction_stats") or {}
                yield Compacted(
                    summary=found["summary"],
                    messages_before=stats.get("messages_count_before"),
                    messages_after=stats.get("messages_count_after"),
                )
            case "error_message":
                yield Failed(found["error_type"], found["message"])
            case "stop_reason":
                self._stop_reason = found["stop_reason"]
            case "usage_statistics":
                yield self._ended(found)
            case _:  # pings, and what a newer server tells
                pass

    def _calls(self, found: dict[str, Any]) -> Iterator[Event]:
        """A call is told once it is whole: when its arguments are JSON, or something else comes."""
        for piece in listed(found):
            call_id: str = piece.get("tool_call_id") or ""
            before = self._open.get(call_id) or Call(id=call_id, name="", arguments="")
            call = Call(
                id=call_id,
                name=before.name or piece.get("name") or "",
                arguments=before.arguments + (piece.get("arguments") or ""),
            )
            self._open[call_id] = call
            if is_whole(call.arguments):
                del self._open[call_id]
                yield self._called(call)

    def _closed(self) -> Iterator[Event]:
        for call in self._open.values():
            yield self._called(call)
        self._open.clear()

    def _called(self, call: Call) -> Called:
        self._names[call.id] = call.name
        return Called(call)

    def _returns(self, found: dict[str, Any]) -> Iterator[Event]:
        for one in found.get("tool_returns") or [found]:
            call_id: str = one["tool_call_id"]
            yield Returned(
                call_id=call_id,
                name=self._names.get(call_id) or found.get("name") or "",
                ok=one["status"] == "success",
                text=text_of(one["tool_return"]),
                stdout=tuple(one.get("stdout") or ()),
                stderr=tuple(one.get("stderr") or ()),
            )

    def _ended(self, usage: dict[str, Any]) -> Ended:
        return Ended(
            stop_reason=self._stop_reason or "error",
            run_id=next(iter(usage.get("run_ids") or ()), self._run_id),
            steps=usage.get("step_count") or 0,
            prompt_tokens=usage.get("prompt_tokens") or 0,
            completion_tokens=usage.get("completion_tokens") or 0,
            context_tokens=usage.get("context_tokens"),
        )


def listed(found: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The calls of a message, which v1 tells twice: whole ones as a list, pieces alone."""
    calls = found.get("tool_calls") or found["tool_call"]
    return calls if isinstance(calls, list) else [calls]  # pyright: ignore[reportUnknownVariableType] # what JSON holds


def call_of(found: Mapping[str, Any]) -> Call:
    return Call(id=found["tool_call_id"], name=found["name"], arguments=found["arguments"])


def is_whole(arguments: str) -> bool:
    if not arguments.rstrip().endswith("}"):
        return False
    try:
        json.loads(arguments)
    except ValueError:
        return False
    return True


def text_of(content: str | Sequence[Mapping[str, Any]]) -> str:
    """Plain, or the texts of its parts."""
    if isinstance(content, str):
        return content
    return "".join(one.get("text") or "" for one in content)
