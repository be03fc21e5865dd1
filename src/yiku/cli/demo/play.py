"""What happens in the demo, without a word printed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from yiku.cli.demo.story import Question, Story
from yiku.client.memory import MemoryClient
from yiku.server.wire import HitOut, PassageOut

USER = "ann"
LIMIT = 10
NEAR = 3
NEEDED = 10
"""Of the questions, this many must have their evidence among the first three."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, what was found, and at which place the expected passage is; None: not found."""

    question: Question
    hits: list[HitOut]
    place: int | None

    @property
    def good(self) -> bool:
        return self.place is not None and self.place <= NEAR


@dataclass(slots=True)
class Played:
    """All that the demo has seen."""

    ids: dict[str, str] = field(default_factory=dict[str, str])
    """Message to passage."""
    adding_ms: list[float] = field(default_factory=list[float])
    searching_ms: list[float] = field(default_factory=list[float])
    answers: list[Answer] = field(default_factory=list[Answer])

    @property
    def good(self) -> int:
        return sum(answer.good for answer in self.answers)

    @property
    def add_ms(self) -> float:
        return round(median(self.adding_ms), 2)

    @property
    def search_ms(self) -> float:
        return round(median(self.searching_ms), 2)


@dataclass(frozen=True, slots=True)
class Changed:
    """A fact and the newer one in its place: asked for now, and as it was."""

    old: PassageOut
    new: PassageOut
    now: list[HitOut]
    then: list[HitOut]

    @property
    def right(self) -> bool:
        """Each time the one that was true is found, and the other isn't."""
        now, then = ids_of(self.now), ids_of(self.then)
        return (
            self.new.id in now
            and self.old.id not in now
            and self.old.id in then
            and self.new.id not in then
        )


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A passage that was found, then hidden, then brought back."""

    passage: PassageOut
    place: int | None
    found_while_hidden: bool
    found_again: bool

    @property
    def right(self) -> bool:
        return self.place is not None and not self.found_while_hidden and self.found_again


async def remember(
    memory: MemoryClient, story: Story, played: Played, progress: Callable[[int, int], None]
) -> None:
    """Turn by turn, as they would come."""
    for number, turn in enumerate(story.turns, 1):
        started = time.perf_counter()
        added = await memory.add(**turn, user=USER)
        played.adding_ms.append(1000 * (time.perf_counter() - started))
        played.ids[turn["message"]] = added.passage.id
        progress(number, len(story.turns))


async def ask(memory: MemoryClient, question: Question, played: Played) -> Answer:
    started = time.perf_counter()
    hits = await memory.search(question.question, user=USER, limit=LIMIT)
    played.searching_ms.append(1000 * (time.perf_counter() - started))
    expected = {played.ids[message] for message in question.expect}
    answer = Answer(question, hits, place_of(hits, expected))
    played.answers.append(answer)
    return answer


async def change(memory: MemoryClient, story: Story, played: Played) -> Changed:
    """Put the newer fact in the older one's place; its turn of its own makes way."""
    newer = next(turn for turn in story.turns if turn["message"] == story.new)
    await memory.delete(played.ids[story.new])
    both = await memory.supersede(played.ids[story.old], **newer)
    return Changed(
        old=both.old,
        new=both.new,
        now=await memory.search(story.where, user=USER, limit=LIMIT),
        then=await memory.search(story.where, user=USER, limit=LIMIT, as_of=story.as_of),
    )


async def forget(memory: MemoryClient, story: Story, played: Played) -> Forgotten:
    wanted = {played.ids[story.secret]}

    async def place() -> int | None:
        hits = await memory.search(story.secret_question, user=USER, limit=LIMIT)
        return place_of(hits, wanted)

    before = await place()
    hidden = await memory.forget(played.ids[story.secret], reason="demo")
    while_hidden = await place()
    await memory.undo(hidden.id)
    return Forgotten(hidden, before, while_hidden is not None, await place() is not None)


def place_of(hits: list[HitOut], wanted: set[str]) -> int | None:
    return next((n for n, hit in enumerate(hits, 1) if hit.passage.id in wanted), None)


def ids_of(hits: list[HitOut]) -> set[str]:
    return {hit.passage.id for hit in hits}
