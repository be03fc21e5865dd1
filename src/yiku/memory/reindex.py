"""What changed passages are found by: tokens and vectors made anew, with the turns that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yiku.core.ids import PassageId
from yiku.core.memory import Passage
from yiku.memory.archival import ArchivalMemory
from yiku.memory.aside import aside
from yiku.memory.draft import terms_of
from yiku.memory.duplicates import key
from yiku.memory.text import tokens
from yiku.store import passages
from yiku.store.database import Tx


@dataclass(frozen=True, slots=True)
class Found:
    """A passage and what it is found by from now on."""

    passage: Passage
    model: str
    indexed: passages.Indexed


Todo = tuple[Passage, str | None]
"""A passage as it will be, and the text of the turn before it."""


def with_followers(
    tx: Tx, changed: Sequence[Passage], texts: Mapping[PassageId, Passage]
) -> list[Todo]:
    """The changed passages, and those that are indexed with one of the changed `texts`."""
    wanted = {one.seq: one for one in changed}
    for follower in passages.followers(tx, list(texts)):
        wanted.setdefault(follower.seq, follower)
    before = passages.get_by_id(tx, [p.context_id for p in wanted.values() if p.context_id])
    before |= texts
    return [
        (one, before[one.context_id].text if one.context_id and one.context_id in before else None)
        for one in wanted.values()
    ]


async def made_findable(memory: ArchivalMemory, todo: Sequence[Todo]) -> dict[int, Found]:
    """By row number: fingerprint, tokens and vectors of passages as they will be."""
    if not todo:
        return {}
    names = {one.speaker for one, _ in todo if one.speaker}
    whole = [
        *(one.text for one, _ in todo),
        *(f"{context}\n{one.text}" for one, context in todo if context),
    ]
    texts = await aside(whole, lambda: [memory.embeddable(text, names) for text in whole])
    vectors = await memory.embedder.embed(texts, purpose="document")
    return await aside(whole, lambda: indexed(memory, todo, vectors))


def indexed(
    memory: ArchivalMemory, todo: Sequence[Todo], vectors: NDArray[np.float32]
) -> dict[int, Found]:
    """`vectors`: of the texts, then of those with what was said before."""
    with_context = iter(vectors[len(todo) :])
    found: dict[int, Found] = {}
    for i, (one, context) in enumerate(todo):
        own = tokens(one.text)
        found[one.seq] = Found(
            one,
            memory.embedder.model,
            passages.Indexed(
                fingerprint=key(own),
                terms=terms_of(one, own, tokens(context) if context else ()),
                vector=vectors[i],
                context_vector=next(with_context) if context else None,
            ),
        )
    return found
