"""Conversations on their way into an agent file: an agent's own, and those beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

from yiku.agents.transfer import give
from yiku.agents.transfer.give import Outline, Thread
from yiku.core.message import Message
from yiku.server.v1.portable import messages
from yiku.server.v1.portable.conversations import conversation_to_file
from yiku.server.v1.portable.lines import DEPTH, Json, dumped, fields, indented
from yiku.server.v1.portable.outgoing import AGENT, Export


class Numbers:
    """The ids in the file of a conversation's messages: numbers, in their order."""

    def __init__(self, of: Thread, first: int = 0) -> None:
        self._of = of
        self._next = first
        self._ends: dict[str, str] = {}
        self.shown: list[str] = []
        self.count = 0

    def of(self, one: Message) -> str:
        key, said = f"message-{self._next}", self._of.summary
        self._next += 1
        self.count += 1
        if one.id in self._of.shown:
            self.shown.append(key)
        if said is not None and said.first_seq <= one.seq <= said.last_seq:
            self._ends.setdefault("first_message_id", key)
            self._ends["last_message_id"] = key
        return key

    def summary(self) -> Json | None:
        said = self._of.summary
        if said is None or not self._ends:
            return None
        return {
            "text": said.text,
            **self._ends,
            "count": said.count,
            "created_at": said.created_at.isoformat(),
            "model": said.model,
        }


async def conversations(export: Export) -> AsyncIterator[bytes]:
    """The agent's own, in the fields of the agent; then those beside it."""
    numbers = Numbers(export.outline.thread)
    async for piece in message_list(export, export.outline.thread, numbers, 3):
        yield piece
    shown = numbers.shown if export.with_messages else []
    yield f',\n      "in_context_message_ids": {indented(shown, 3)}'.encode()
    if export.with_messages and (told := numbers.summary()) is not None:
        yield f',\n      "summary": {indented(told, 3)}'.encode()
    if export.with_messages and export.outline.last_conversation:
        async for piece in conversation_list(export, export.outline, numbers.count):
            yield piece


async def conversation_list(export: Export, outline: Outline, first: int) -> AsyncIterator[bytes]:
    """`first`: the number of their first message."""
    keys: dict[str, str] = {outline.state.agent.id: AGENT}
    yield b',\n      "conversations": ['
    async for one, thread in give.threads(export.agents, export.actor, outline):
        comma, key = "," if len(keys) > 1 else "", f"conversation-{len(keys) - 1}"
        keys[one.id] = key
        yield f"{comma}\n        {{\n".encode()
        for piece in fields(conversation_to_file(one, key, keys.get(one.forked_from or "")), 5):
            yield piece
        numbers = Numbers(thread, first)
        async for piece in message_list(export, thread, numbers, 5):
            yield piece
        first += numbers.count
        shown = None if len(numbers.shown) == numbers.count else numbers.shown
        yield f',\n          "in_context_message_ids": {indented(shown, 5)}'.encode()
        if (told := numbers.summary()) is not None:
            yield f',\n          "context_summary": {indented(told, 5)}'.encode()
        yield b"\n        }"
    yield b"\n      ]" if len(keys) > 1 else b"]"


async def message_list(
    export: Export, thread: Thread, numbers: Numbers, level: int
) -> AsyncIterator[bytes]:
    pad = " " * (DEPTH * level)
    yield f'{pad}"messages": ['.encode()
    if export.with_messages:
        async for page in give.message_pages(export.agents, export.actor, thread):
            yield "".join(lines(page, numbers, pad + "  ")).encode("utf-8", "replace")
    yield f"\n{pad}]".encode() if numbers.count else b"]"


def lines(page: Sequence[Message], numbers: Numbers, pad: str) -> Iterator[str]:
    for one in page:
        comma = "," if numbers.count else ""
        form = messages.to_file(one, numbers.of(one), AGENT)
        yield f"{comma}\n{pad}{dumped(form)}"
