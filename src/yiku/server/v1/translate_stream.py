"""A run's events as the lines of v1's stream; pure but for what it remembers of the run so far.

Pieces go out as they come, so they are written by hand: each message's head is made once, and each
piece adds what is its own.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from yiku.core.ids import MessageId, StepId
from yiku.core.message import Message, MessageRole
from yiku.core.model import CallPiece, ReasoningPiece, TextPiece
from yiku.core.run import Compacted, Ended, Failure, Run, RunEvent, Said, Stepped, Stored
from yiku.server.v1 import wire_messages as wire
from yiku.server.v1.argument_text import ArgumentText
from yiku.server.v1.translate_messages import (
    Form,
    PartKind,
    Told,
    form_of,
    messages_out,
    otid_of,
)
from yiku.server.v1.translate_runs import stop_reason_out, usage_out

DONE = b"data: [DONE]\n\n"
TOLD = (MessageRole.ASSISTANT, MessageRole.TOOL)
"""Whose messages a run's answer has. What it was asked with isn't repeated."""
PER_STEP = 1_000_000
"""Lines are numbered from 1 within a step, and each step begins a million further: so a number says
which step it is of, and those of earlier steps are known to have been seen whole."""

Piecewise = wire.AssistantMessageOut | wire.ReasoningMessageOut | wire.ToolCallMessageOut


def line(out: BaseModel, event: str | None = None) -> bytes:
    named = "" if event is None else f"event: {event}\n"
    return f"{named}data: {out.model_dump_json()}\n\n".encode()


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


class Head:
    """All of a line that its pieces have in common."""

    def __init__(self, out: Piecewise, *own: str) -> None:
        made = out.model_dump_json(exclude={"seq_id", *own})
        self.message_type = out.message_type
        self._start = f'data: {made[:-1]},"seq_id":'

    def line(self, seq: int, own: str) -> bytes:
        return f"{self._start}{seq},{own}}}\n\n".encode("utf-8", "replace")


class Speaking:
    """The message that the model is writing."""

    def __init__(self, said: Said, now: datetime, run: Run, form: Form) -> None:
        self.id: MessageId = said.message_id
        self._step_id: StepId = said.step_id
        self._now = now
        self._run = run
        self._form = form
        self._counts: dict[PartKind, int] = {}
        self._last: PartKind | None = None
        self._open: Head | None = None
        self._calls: dict[int, Call] = {}
        self._client_tools = frozenset(tool.name for tool in run.request.client_tools)

    @property
    def told(self) -> Told:
        return Told(
            reasoning="reasoning" in self._counts,
            text="text" in self._counts,
            calls=frozenset(n for n, call in self._calls.items() if call.told),
        )

    def piece(self, said: Said) -> tuple[Head, str] | None:
        """The head of its line, and what the line adds; None: there is nothing to tell yet."""
        match said.piece:
            case TextPiece(text):
                return (self._run_of("text"), f'"content":{quoted(text)}') if text else None
            case ReasoningPiece(text):
                own = f'"reasoning":{quoted(text)}'
                return (self._run_of("reasoning"), own) if text else None
            case CallPiece() as piece:
                self._last = "call"
                return self._call(piece, said.waits is not None)

    def _about(self, kind: PartKind, n: int) -> dict[str, Any]:
        return {
            "id": self.id,
            "date": self._now,
            "otid": otid_of(self.id, kind, n),
            "run_id": self._run.id,
            "step_id": self._step_id,
        }

    def _run_of(self, kind: PartKind) -> Head:
        """The head for pieces of this kind: a new one after those of another."""
        if self._last == kind and self._open is not None:
            return self._open
        n = self._counts.get(kind, -1) + 1
        self._counts[kind], self._last = n, kind
        about = self._about(kind, n)
        self._open = (
            Head(wire.AssistantMessageOut(**about, content=""), "content")
            if kind == "text"
            else Head(wire.ReasoningMessageOut(**about, reasoning=""), "reasoning")
        )
        return self._open

    def _call(self, piece: CallPiece, waits: bool) -> tuple[Head, str] | None:
        call = self._calls.get(piece.index)
        if call is None:
            name = piece.name or ""
            waits = waits or name in self._client_tools
            about = self._about("call", piece.index)
            call = self._calls[piece.index] = Call(name, piece.id or "", waits, about, self._form)
        return call.piece(piece)


class Call:
    """A call that the model is writing.

    One that waits for the client is held back, and told of whole when it is stored: it is what the
    client has to act on.
    """

    def __init__(
        self, name: str, call_id: str, waits: bool, about: dict[str, Any], form: Form
    ) -> None:
        self.told = False
        self._id = call_id
        self._waits = waits
        self._text: ArgumentText | None = None
        self._named = False
        if not waits and name == form.message_tool:
            self._text = ArgumentText(form.message_argument)
            self._head = Head(wire.AssistantMessageOut(**about, content=""), "content")
        else:
            nothing = wire.ToolCallDeltaOut(name=None, arguments=None, tool_call_id=None)
            out = wire.ToolCallMessageOut(**about, tool_call=nothing, tool_calls=None)
            self._head = Head(out, "tool_call", "tool_calls")

    def piece(self, piece: CallPiece) -> tuple[Head, str] | None:
        if self._waits:
            return None
        if self._text is not None:
            text = self._text.feed(piece.arguments)
            if not text:
                return None
            self.told = True
            return self._head, f'"content":{quoted(text)}'
        if self.told and not piece.arguments:
            return None
        name = "null" if self.told else quoted(piece.name or "")
        self.told = True
        delta = (
            f'{{"name":{name},"arguments":{quoted(piece.arguments)},'
            f'"tool_call_id":{quoted(self._id)}}}'
        )
        return self._head, f'"tool_call":{delta},"tool_calls":{delta}'


class Stream:
    """The lines of one run's stream, to be given all of its events from the first on.

    What comes up to the line `starting_after` is counted, and not told.
    """

    def __init__(self, run: Run, *, starting_after: int = 0) -> None:
        self._run = run
        self._form = form_of(run.request.wire)
        self._after = starting_after
        self._seq = 0
        self._step_id: StepId | None = None
        self._steps = 0
        self._speaking: Speaking | None = None

    def lines(self, event: RunEvent, now: datetime) -> bytes:
        """Empty where the event isn't told of."""
        match event:
            case Said():
                if not self._run.request.stream_tokens:
                    return b""
                self._enter(event.step_id)
                return self._said(event, now)
            case Stored(message):
                return self._stored(message)
            case Compacted():
                if not self._form.compactions:
                    return b""
                return b"".join(map(self._numbered, compaction_out(event, self._run, now)))
            case Stepped():
                return b""
            case Ended(run):
                return self._ended(run)

    def _enter(self, step_id: StepId | None) -> None:
        """What follows is of this step."""
        if step_id is None or step_id == self._step_id:
            return
        if self._step_id is not None:
            self._steps += 1
        self._step_id = step_id
        self._seq = self._steps * PER_STEP

    def _stored(self, message: Message) -> bytes:
        if message.role not in TOLD:
            return b""
        self._enter(message.step_id)
        told = Told()
        if self._speaking is not None and self._speaking.id == message.id:
            told, self._speaking = self._speaking.told, None
        elif self._run.request.stream_tokens and message.role is MessageRole.ASSISTANT:
            # Its pieces aren't known any more: who has seen some of them is told it whole.
            self._after -= self._after % PER_STEP
        # Filtered afterwards: a line has its number whether it is wanted or not.
        found = messages_out(message, self._form.all_types(), told)
        return b"".join(map(self._numbered, found))

    def _next(self, message_type: str) -> int | None:
        """The number of the next line; None where it isn't wanted."""
        self._seq += 1
        wanted = self._seq > self._after and self._form.wants(message_type)
        return self._seq if wanted else None

    def _said(self, event: Said, now: datetime) -> bytes:
        speaking = self._speaking
        if speaking is None or speaking.id != event.message_id:
            speaking = self._speaking = Speaking(event, now, self._run, self._form)
        found = speaking.piece(event)
        if found is None:
            return b""
        head, own = found
        seq = self._next(head.message_type)
        return b"" if seq is None else head.line(seq, own)

    def _numbered(self, out: wire.AnyMessageOut) -> bytes:
        seq = self._next(out.message_type)
        return b"" if seq is None else line(out.model_copy(update={"seq_id": seq}))

    def _ended(self, run: Run) -> bytes:
        """A run that hasn't ended goes on elsewhere: the server that told of it closes."""
        if not run.status.ended:
            return line(error_out(run, PARKED, self._seq + 1)) + DONE
        failure = run.failure
        error = b"" if failure is None else line(error_out(run, failure, self._seq + 1))
        return error + line(stop_reason_out(run)) + line(usage_out(run)) + DONE


PARKED = Failure(
    kind="RunGoesOn",
    message="This server stops telling of the run, which goes on later or on another one: join it"
    " by its id.",
)


def error_out(run: Run, failure: Failure, seq: int) -> wire.ErrorMessageOut:
    return wire.ErrorMessageOut(
        run_id=run.id,
        error_type=failure.kind,
        message=failure.message,
        detail=None if run.stop_reason is None else run.stop_reason.value,
        seq_id=seq,
    )


def compaction_out(one: Compacted, run: Run, now: datetime) -> list[wire.AnyMessageOut]:
    stats = wire.CompactionStatsOut(
        trigger=one.trigger,
        context_tokens_before=one.tokens_before,
        context_tokens_after=one.tokens_after,
        context_window=one.context_window,
        messages_count_before=one.messages_before,
        messages_count_after=one.messages_after,
    )
    about: dict[str, Any] = {"id": one.summary_id, "date": now, "run_id": run.id}
    message_id = MessageId(one.summary_id)
    return [
        wire.EventMessageOut(
            **about, otid=otid_of(message_id, "hidden", 0), event_data=stats.model_dump()
        ),
        wire.SummaryMessageOut(
            **about,
            otid=otid_of(message_id, "text", 0),
            summary=one.text,
            compaction_stats=stats,
        ),
    ]


def compacted_out(one: Compacted) -> wire.CompactedOut:
    return wire.CompactedOut(
        summary=one.text,
        num_messages_before=one.messages_before,
        num_messages_after=one.messages_after,
    )


def nothing_compacted(count: int) -> wire.CompactedOut:
    """Of a conversation that is too short to be summarized."""
    return wire.CompactedOut(summary="", num_messages_before=count, num_messages_after=count)
