"""What an archive knows already of drafts on their way in: duplicates and echoes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from yiku.core.ids import ArchiveId
from yiku.core.memory import Archive, Passage, SightingKind
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory, Place
from yiku.memory.duplicates import is_echo, same_meaning
from yiku.memory.text import tokens
from yiku.store import archives, passages, shown
from yiku.store.database import Tx
from yiku.store.index.archive import ArchiveIndex

if TYPE_CHECKING:
    from yiku.memory.ingest import Ready

NEAR = 0.7
"""Cosine of text and context from which a passage is looked at as a possible duplicate; whether it
is one, `same_meaning` decides."""

LOOKED_AT = 8
"""Passages looked at for one draft."""

SELF_CONTAINED = 4
"""Different content words from which a text is understood without the turn before it: "I'm allergic
to peanuts" says the same in any conversation, "yes, the second one" does not."""


@dataclass(frozen=True, slots=True)
class Known:
    """The archive as it was when the drafts came."""

    archive: Archive | None
    index: ArchiveIndex | None
    speakers: frozenset[str]
    last_turns: dict[str, Passage]
    """By conversation."""
    shown: dict[str, list[Passage]]
    """What searches put into each conversation lately."""


@dataclass(frozen=True, slots=True)
class Link:
    """A draft that is not stored anew, and the passage that holds it."""

    kind: SightingKind
    passage: Passage
    similarity: float


def read_known(
    tx: Tx, memory: ArchivalMemory, where: Place | ArchiveId, new: Iterable[Passage]
) -> Known:
    """Raises: ArchiveNotFound where an id names none, EmbeddingModelMismatch."""
    if isinstance(where, Place):
        archive = archives.find(tx, where.owner, where.name)
    else:
        archive = archives.get(tx, where)
    if archive is None:
        return Known(None, None, frozenset(), {}, {})
    archives.same_model(archive, memory.embedder.model)
    index = memory.indexes.current(tx, archive)
    conversations = {p.conversation for p in new if p.conversation}
    turns = {c: passages.last_turn(tx, archive.id, c) for c in conversations}
    since = tx.now - memory.policy.echo_guard
    guarded = conversations if memory.policy.echo_guard else ()
    return Known(
        archive=archive,
        index=index,
        speakers=frozenset(index.speakers.names()) if index else frozenset(),
        last_turns={c: turn for c, turn in turns.items() if turn is not None},
        shown={c: found for c in guarded if (found := shown.latest(tx, archive.id, c, since))},
    )


async def find_links(
    memory: ArchivalMemory, actor: Actor, known: Known, ready: Sequence[Ready]
) -> dict[int, Link]:
    """By position: drafts that say what is known, and where it is."""
    links = echoes(known, ready)
    if memory.policy.duplicates == "keep":
        return links
    links |= repeated_here(ready, links)
    if known.archive is None or known.index is None:
        return links
    archive, index = known.archive, known.index
    stored = await memory.database.read(
        actor, lambda tx: repeated_there(tx, archive, index, ready, links)
    )
    return links | stored


def echoes(known: Known, ready: Sequence[Ready]) -> dict[int, Link]:
    found: dict[int, Link] = {}
    for i, one in enumerate(ready):
        injected = known.shown.get(one.passage.conversation or "")
        if not injected:
            continue
        place = is_echo(one.passage.text, [p.text for p in injected])
        if place is not None:
            found[i] = Link(SightingKind.ECHO, injected[place], 1.0)
    return found


def comparable(one: Passage, other: Passage) -> bool:
    """Whether the two may be one memory: one speaker, and one context where that matters."""
    if one.speaker != other.speaker:
        return False
    return one.context_id == other.context_id or len(set(tokens(one.text))) >= SELF_CONTAINED


def repeated_here(ready: Sequence[Ready], links: dict[int, Link]) -> dict[int, Link]:
    """Drafts that repeat an earlier draft of the same call."""
    if len(ready) < 2:
        return {}
    vectors = np.stack([one.vector for one in ready])
    cosines = vectors @ vectors.T
    found: dict[int, Link] = {}
    for i, j in np.argwhere(np.tril(cosines, -1) >= NEAR).tolist():
        if i in found or i in links or j in found or j in links:
            continue
        one, other = ready[i].passage, ready[j].passage
        alike = float(cosines[i, j])
        if comparable(one, other) and same_meaning(one.text, other.text, alike):
            found[i] = Link(SightingKind.DUPLICATE, other, alike)
    return found


def repeated_there(
    tx: Tx,
    archive: Archive,
    index: ArchiveIndex,
    ready: Sequence[Ready],
    links: dict[int, Link],
) -> dict[int, Link]:
    """Drafts that repeat a stored passage."""
    near = {
        i: [seq for seq, _ in index.near(searched_vector(one), NEAR, LOOKED_AT)]
        for i, one in enumerate(ready)
        if i not in links
    }
    seqs = list({seq for found in near.values() for seq in found})
    if not seqs:
        return {}
    stored = passages.get_by_seq(tx, seqs)
    vectors = passages.vectors_of(tx, seqs, archive.embedding_model or "")
    links_found: dict[int, Link] = {}
    for i, candidates in near.items():
        one = ready[i]
        for seq in candidates:
            other = stored.get(seq)
            if other is None or other.superseded_by is not None or seq not in vectors:
                continue
            alike = float(vectors[seq] @ one.vector)
            if comparable(one.passage, other) and same_meaning(one.passage.text, other.text, alike):
                links_found[i] = Link(SightingKind.DUPLICATE, other, alike)
                break
    return links_found


def searched_vector(one: Ready) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """As the index holds it; the weight of the context matters little for a first look."""
    return one.vector if one.context_vector is None else one.vector + one.context_vector
