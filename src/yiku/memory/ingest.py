"""The way in: drafts are checked, set in context, embedded, compared with what is known, stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import DimensionMismatch, Invalid
from yiku.core.ids import ArchiveId, PassageId, SightingId, new_id
from yiku.core.memory import Added, Archive, Draft, Outcome, Passage, Sighting, SightingKind
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory, Place, participants
from yiku.memory.draft import Lexical, check, check_name, lexical_of, passage_of
from yiku.memory.known import Known, Link, comparable, find_links, read_known
from yiku.store import archives, history, passages
from yiku.store.database import Tx, now_utc

Floats = NDArray[np.float32]
Also = Callable[[Tx, Sequence[Added]], None]

MAX_DRAFTS = 1000
"""Drafts of one call: they are stored in one transaction."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A draft with all that storing it needs."""

    passage: Passage
    context: Passage | None
    lexical: Lexical
    vector: Floats
    context_vector: Floats | None


async def add(
    memory: ArchivalMemory,
    actor: Actor,
    where: Place | ArchiveId,
    drafts: Sequence[Draft],
    *,
    vectors: Floats | None = None,
    also: Also | None = None,
) -> list[Added]:
    """Store drafts, in order; all of them or none.

    A draft that says what its speaker said before is linked to that passage (`YIKU_DUPLICATES`),
    and one that only repeats what a search put into its conversation is linked as an echo. An
    archive named by a `Place` is made where there is none.

    `vectors`: float32 (len(drafts), d) of the configured model, where the caller has them; then no
    context is embedded. `also` runs in the same transaction.

    Raises: Invalid, InvalidText, ArchiveNotFound, EmbeddingModelMismatch, ProviderError,
    StoreError.
    """
    if not drafts:
        return []
    if len(drafts) > MAX_DRAFTS:
        raise Invalid(f"At most {MAX_DRAFTS} passages are added at once, not {len(drafts)}.")
    for draft in drafts:
        check(draft, memory.policy.max_text_bytes)
    if isinstance(where, Place):
        check_name("The archive's name", where.name)

    now = now_utc()
    new = [passage_of(draft, actor, now) for draft in drafts]
    known = await memory.database.read(actor, lambda tx: read_known(tx, memory, where, new))
    ready = await prepare(memory, new, known, vectors)
    links = await find_links(memory, actor, known, ready)
    plan = Plan(where, ready, links, also)
    return await memory.database.write(actor, lambda tx: store(tx, memory, plan))


async def prepare(
    memory: ArchivalMemory, new: Sequence[Passage], known: Known, vectors: Floats | None
) -> list[Ready]:
    """Each passage with the turn before it, its tokens and its vectors."""
    contexts = contexts_of(new, known)
    names = participants(known.speakers | {p.speaker for p in new if p.speaker})
    texts = [memory.embeddable(p.text, names) for p in new]
    with_context = [i for i, context in enumerate(contexts) if context is not None]
    if vectors is None:
        both = [
            memory.embeddable(f"{c.text}\n{new[i].text}", names)
            for i in with_context
            if (c := contexts[i]) is not None
        ]
        made = await memory.embedder.embed([*texts, *both], purpose="document")
        own, context_vectors = made[: len(texts)], made[len(texts) :]
        by_place = dict(zip(with_context, context_vectors, strict=True))
    else:
        own, by_place = checked(vectors, len(new), memory.embedder.dimension), {}
    return [
        Ready(
            passage=p if (c := contexts[i]) is None else replace(p, context_id=c.id),
            context=contexts[i],
            lexical=lexical_of(p, None if (c := contexts[i]) is None else c.text),
            vector=own[i],
            context_vector=by_place.get(i),
        )
        for i, p in enumerate(new)
    ]


def checked(vectors: Floats, count: int, dimension: int) -> Floats:
    """The caller's vectors at unit length. Raises: DimensionMismatch, Invalid."""
    if vectors.shape != (count, dimension):
        raise DimensionMismatch(
            f"{count} vectors of {dimension} numbers are needed, not {vectors.shape}."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise Invalid("A vector is zero or not finite.")
    return (vectors / lengths).astype(np.float32)


def contexts_of(new: Sequence[Passage], known: Known) -> list[Passage | None]:
    """The turn before each passage: earlier in this call, or stored last in its conversation."""
    latest = dict(known.last_turns)
    found: list[Passage | None] = []
    for one in new:
        found.append(latest.get(one.conversation) if one.conversation else None)
        if one.conversation:
            latest[one.conversation] = one
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What one transaction is to store."""

    where: Place | ArchiveId
    ready: Sequence[Ready]
    links: dict[int, Link]
    also: Also | None


def store(tx: Tx, memory: ArchivalMemory, plan: Plan) -> list[Added]:
    """One transaction: what is new as passages, what is known as sightings."""
    archive, ready = home_of(tx, plan.where), plan.ready
    links = {**plan.links, **stored_meanwhile(tx, memory, archive, plan)}
    fresh = [i for i in range(len(ready)) if i not in links]
    if fresh:
        archive = archives.bump(tx, archive.id)
        archives.settle_model(tx, archive, memory.embedder.model, memory.embedder.dimension)
    homes = homes_of(ready, links)
    stored = passages.insert_new(
        tx,
        archive,
        memory.embedder.model,
        [new_passage(ready[i], homes) for i in fresh],
    )
    by_id = {p.id: p for p in stored}
    results: list[Added] = []
    for i, one in enumerate(ready):
        link = links.get(i)
        if link is None:
            results.append(Added(outcome=Outcome.ADDED, passage=by_id[one.passage.id]))
            continue
        target = by_id.get(homes[one.passage.id]) or link.passage
        history.add_sighting(tx, target, sighting_of(one.passage, target.id, link))
        outcome = Outcome.ECHO if link.kind is SightingKind.ECHO else Outcome.DUPLICATE
        results.append(Added(outcome=outcome, passage=target, similarity=link.similarity))
    if plan.also is not None:
        plan.also(tx, results)
    return results


def home_of(tx: Tx, where: Place | ArchiveId) -> Archive:
    """Raises: ArchiveNotFound where an id names none."""
    if isinstance(where, Place):
        return archives.ensure(tx, where.owner, where.name)
    return archives.get(tx, where)


def stored_meanwhile(
    tx: Tx, memory: ArchivalMemory, archive: Archive, plan: Plan
) -> dict[int, Link]:
    """Exact repetitions that someone else stored since `find_links` looked."""
    if memory.policy.duplicates == "keep":
        return {}
    fresh = [i for i in range(len(plan.ready)) if i not in plan.links]
    found: dict[int, Link] = {}
    for i in fresh:
        one = plan.ready[i]
        for other in passages.same_fingerprint(tx, archive.id, one.lexical.fingerprint):
            if comparable(one.passage, other):
                found[i] = Link(SightingKind.DUPLICATE, other, 1.0)
                break
    return found


def homes_of(ready: Sequence[Ready], links: dict[int, Link]) -> dict[PassageId, PassageId]:
    """Which passage holds each draft in the end; a link may lead to another draft of this call."""
    homes: dict[PassageId, PassageId] = {}
    for i, one in enumerate(ready):
        target = links[i].passage.id if i in links else one.passage.id
        homes[one.passage.id] = homes.get(target, target)
    return homes


def new_passage(one: Ready, homes: dict[PassageId, PassageId]) -> passages.New:
    context = one.passage.context_id
    return passages.New(
        one.passage,
        None if context is None else homes.get(context, context),
        passages.Indexed(
            fingerprint=one.lexical.fingerprint,
            terms=one.lexical.terms,
            vector=one.vector,
            context_vector=one.context_vector,
        ),
    )


def sighting_of(one: Passage, target: PassageId, link: Link) -> Sighting:
    return Sighting(
        id=SightingId(new_id("sighting")),
        passage_id=target,
        kind=link.kind,
        text=one.text,
        at=one.at,
        speaker=one.speaker,
        conversation=one.conversation,
        message=one.message,
        similarity=link.similarity,
    )
