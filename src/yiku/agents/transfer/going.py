"""What the steps of an import share: how far it has come, and how it is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from yiku.agents.transfer.begin import Begun
from yiku.agents.transfer.carried import Carried, Source
from yiku.core.ids import ConversationId

T = TypeVar("T")
Progress = Callable[[int, int], None]
"""How many messages, passages and stretches of files are stored, of how many."""

BATCH = 250
AGENT, ARCHIVE, CONVERSATION, FOLDER, FILE = "agent", "archive", "conversation", "folder", "file"
PART, WHOLE = "part", "whole"
KINDS = (AGENT, ARCHIVE, CONVERSATION, FOLDER, FILE, PART, WHOLE)
MESSAGES, PASSAGES = "messages", "passages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """An import that has begun, perhaps in an earlier run."""

    mark: str
    source: Source
    carried: Carried
    begun: Begun
    progress: Progress
    total: int
    conversations: dict[tuple[int, int], ConversationId] = field(
        default_factory=dict[tuple[int, int], ConversationId]
    )
    """What was made of those beside the agents' own, by the numbers of agent and thread."""
    done: list[int] = field(default_factory=lambda: [0])
    """What is stored, in its only place."""

    def conversation_of(self, agent: int, thread: int) -> ConversationId | None:
        """None: the agent's own. Raises: KeyError where somebody has deleted it meanwhile."""
        return self.conversations[agent, thread] if thread else None

    def tell(self, more: int) -> None:
        self.done[0] += more
        self.progress(self.done[0], self.total)


def ignored(done: int, total: int) -> None:
    """For those who don't watch."""


def batches(found: Iterator[T], size: int = BATCH) -> Iterator[list[T]]:
    while batch := list(islice(found, size)):
        yield batch


async def threaded(found: Iterator[list[T]]) -> list[T] | None:
    """The next of an iterator of lists, read on another thread."""
    return await asyncio.to_thread(lambda: next(found, None))
