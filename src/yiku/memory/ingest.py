"""The way in: drafts are checked, compared with what is known, set in context, embedded, stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import DimensionMismatch, Invalid, StalePassage, StaleRole
from yiku.core.ids import ArchiveId, PassageId, SightingId, new_id
from yiku.core.memory import Added, Archive, Draft, Outcome, Passage, Sighting, SightingKind
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory, Place, check_place, participants
from yiku.memory.aside import aside
from yiku.memory.draft import check, check_name, passages_of, terms_of
from yiku.memory.duplicates import key
from yiku.memory.known import Known, Link, find_links, read_known, repetition
from yiku.memory.roles.arrive import Arrival, Home, Routes, routes_of, with_roles
from yiku.memory.roles.assign import route_rule
from yiku.memory.roles.decide import Rule
from yiku.memory.text import tokens
from yiku.store import archives, history, passages
from yiku.store.database import Tx, now_utc

Floats = NDArray[np.float32]
Also = Callable[[Tx, Archive, Sequence[Added]], None]

ROUTE = route_rule()

TRIES = 4
"""An adding that lost a race against a change of its context is planned again this often."""

MAX_DRAFTS = 1000
"""Drafts of one call: they are stored in one transaction."""


async def add(
    memory: ArchivalMemory,
    actor: Actor,
    where: Place | ArchiveId,
    drafts: Sequence[Draft],
    *,
    vectors: Floats | None = None,
    rule: Rule = ROUTE,
    also: Also | None = None,
) -> list[Added]:
    """Store drafts, in order; all of them or none.

    A draft that says what its speaker said before is linked to that passage (`YIKU_DUPLICATES`),
    and one that only repeats what a search put into its conversation is linked as an echo. An
    archive named by a `Place` is made where there is none.

    `vectors`: float32 (len(drafts), d) of the configured model, where the caller has them; then no
    context is embedded. `rule` says how memories find their roles, where the archive has roles and
    the draft names none. `also` runs in the same transaction.

    Raises: Invalid, InvalidText, ArchiveNotFound, EmbeddingModelMismatch, ProviderError,
    StoreError.
    """
    if not drafts and also is None:
        return []
    if len(drafts) > MAX_DRAFTS:
        raise Invalid(f"At most {MAX_DRAFTS} passages are added at once, not {len(drafts)}.")
    if vectors is not None and len(vectors) != len(drafts):
        raise Invalid(f"{len(drafts)} passages need as many vectors, not {len(vectors)}.")
    for draft in drafts:
        check(draft, memory.policy.max_text_bytes)
    check_place(where)
    if isinstance(where, Place):
        check_name("The archive's name", where.name)
        check_name("The user", where.owner or None)

    new = passages_of(drafts, actor, now_utc())
    for attempt in range(TRIES):
        plan = await planned(memory, actor, Given(where, drafts, new, vectors, rule))
        try:
            return await memory.database.write(actor, lambda tx, p=plan: store(tx, memory, p, also))
        except (StalePassage, StaleRole):
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


@dataclass(frozen=True, slots=True)
class Given:
    """What a call to `add` was given, its drafts as the passages they will be."""

    where: Place | ArchiveId
    drafts: Sequence[Draft]
    new: Sequence[Passage]
    vectors: Floats | None
    rule: Rule


async def planned(memory: ArchivalMemory, actor: Actor, given: Given) -> Plan:
    """Everything that can be done before the transaction."""
    where, new, vectors = given.where, given.new, given.vectors
    words, keys = await aside([one.text for one in new], lambda: read(new))
    known = await memory.database.read(
        actor, lambda tx: read_known(tx, memory, where, new, keys, names=vectors is None)
    )
    before = turns_before(new, known)
    contexts = {one.id: turn.id for one, turn in zip(new, before, strict=True) if turn}
    links = find_links(memory.policy, known, new, keys, contexts)
    fresh = [i for i in range(len(new)) if i not in links]
    found = await made_findable(memory, known, [(new[i], before[i]) for i in fresh], vectors, fresh)
    last = known.last_turns.values()

    def terms() -> list[bytes]:
        words_of = {one.id: own for one, own in zip(new, words, strict=True)}
        words_of |= {turn.id: tokens(turn.text) for turn in last}
        return [
            terms_of(new[i], words[i], words_of[turn.id] if (turn := before[i]) else ())
            for i in fresh
        ]

    indexed = {
        i: passages.Indexed(
            fingerprint=keys[i],
            terms=own,
            vector=found.own[place],
            context_vector=found.with_context.get(place),
        )
        for place, (i, own) in enumerate(
            zip(fresh, await aside([one.text for one in (*new, *last)], terms), strict=True)
        )
    }
    routable = await made_routable(memory, known, [given.drafts[i] for i in fresh], found.own)
    own = {one.id for one in new}
    seen = [*(turn for turn in before if turn), *(link.passage for link in links.values())]
    home, arriving = Home(known.archive, known.roles), arrivals(given, links)
    return Plan(
        where=where,
        new=new,
        contexts=contexts,
        links=links,
        indexed=indexed,
        seen=[one for one in seen if one.id not in own],
        routes=await routes_of(memory, actor, home, arriving, (routable, given.rule)),
    )


def read(new: Sequence[Passage]) -> tuple[list[list[str]], list[bytes]]:
    """The words of texts, and the keys they are compared by."""
    words = [tokens(one.text) for one in new]
    return words, [key(own) for own in words]


def arrivals(given: Given, links: Mapping[int, Link]) -> list[Arrival]:
    """The drafts as role memory sees them."""
    return [
        Arrival(draft.route_as or draft.text, draft.roles, i not in links)
        for i, draft in enumerate(given.drafts)
    ]


def turns_before(new: Sequence[Passage], known: Known) -> list[Passage | None]:
    """The turn before each: earlier in this call, or stored last in its conversation."""
    latest = dict(known.last_turns)
    found: list[Passage | None] = []
    for one in new:
        found.append(latest.get(one.conversation) if one.conversation else None)
        if one.conversation:
            latest[one.conversation] = one
    return found


@dataclass(frozen=True, slots=True)
class Vectors:
    """Of the texts, (n, d); and, by position, of the texts with the turn before."""

    own: Floats
    with_context: Mapping[int, Floats]


async def made_findable(
    memory: ArchivalMemory,
    known: Known,
    todo: Sequence[tuple[Passage, Passage | None]],
    given: Floats | None,
    places: Sequence[int],
) -> Vectors:
    if given is not None:
        whole = checked(given, memory.embedder.dimension)
        return Vectors(whole[list(places)], {})
    names = participants(known.speakers | {one.speaker for one, _ in todo if one.speaker})
    in_context = [i for i, (_, context) in enumerate(todo) if context is not None]
    whole = [
        *(one.text for one, _ in todo),
        *(f"{context.text}\n{one.text}" for one, context in todo if context is not None),
    ]
    texts = await aside(whole, lambda: [memory.embeddable(text, names) for text in whole])
    made = await memory.embedder.embed(texts, purpose="document")
    return Vectors(made[: len(todo)], dict(zip(in_context, made[len(todo) :], strict=True)))


async def made_routable(
    memory: ArchivalMemory, known: Known, fresh: Sequence[Draft], own: Floats
) -> Floats:
    """(n, d): what drafts are routed by; their `own` vectors but for those with a `route_as`."""
    texts = {i: one.route_as for i, one in enumerate(fresh) if one.route_as is not None}
    if not texts:
        return own
    names = participants(known.speakers)
    others = [memory.embeddable(text, names) for text in texts.values()]
    mixed = own.copy()
    mixed[list(texts)] = await memory.embedder.embed(others, purpose="document")
    return mixed


def checked(vectors: Floats, dimension: int) -> Floats:
    """The caller's vectors at unit length. Raises: DimensionMismatch, Invalid."""
    if vectors.ndim != 2 or vectors.shape[1] != dimension:
        raise DimensionMismatch(
            f"The vectors must have the shape (n, {dimension}), not {vectors.shape}."
        )
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise Invalid("A vector is zero or not finite.")
    return (vectors / lengths).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one transaction is to store: each passage is a link's or has what it is found by."""

    where: Place | ArchiveId
    new: Sequence[Passage]
    contexts: Mapping[PassageId, PassageId]
    """Of `new`, the turn before each that has one."""
    links: Mapping[int, Link]
    indexed: Mapping[int, passages.Indexed]
    seen: Sequence[Passage]
    """Stored passages it builds on, as they were: contexts, and what links lead to."""
    routes: Routes


def store(tx: Tx, memory: ArchivalMemory, plan: Plan, also: Also | None) -> list[Added]:
    """One transaction: what is new as passages with their roles, what is known as sightings.

    Raises: StalePassage where a passage it builds on has changed, StaleRole where roles have.
    """
    archive = home_of(tx, plan.where)
    passages.demand_unchanged(tx, plan.seen)
    links = {**plan.links, **stored_meanwhile(tx, memory, archive, plan)}
    fresh = [i for i in range(len(plan.new)) if i not in links]
    if fresh:
        archive = archives.bump(tx, archive.id)
        archives.settle_model(tx, archive, memory.embedder.model, memory.embedder.dimension)
    homes = homes_of(plan.new, links)
    contexts = {one: homes.get(turn, turn) for one, turn in plan.contexts.items()}
    stored = passages.settled(tx, archive, [plan.new[i] for i in fresh], contexts)
    indexed = [plan.indexed[i] for i in fresh]
    passages.insert_new(tx, memory.embedder.model, stored, indexed)
    results = [Added(outcome=Outcome.ADDED, passage=one) for one in stored]
    if links:
        results = with_links(plan.new, links, homes, stored)
        history.add_sightings(tx, sightings_of(plan.new, links, results))
    results = with_roles(tx, archive, plan.routes, results)
    if also is not None:
        also(tx, archive, results)
    return results


def home_of(tx: Tx, where: Place | ArchiveId) -> Archive:
    """Raises: ArchiveNotFound where an id names none."""
    if isinstance(where, Place):
        return archives.ensure(tx, where.owner, where.name)
    return archives.get(tx, where)


def stored_meanwhile(
    tx: Tx, memory: ArchivalMemory, archive: Archive, plan: Plan
) -> dict[int, Link]:
    """Repetitions of what someone else stored since this call looked."""
    if memory.policy.duplicates == "keep":
        return {}
    found: dict[int, Link] = {}
    there = passages.by_fingerprint(
        tx, archive.id, [indexed.fingerprint for indexed in plan.indexed.values()]
    )
    for i, indexed in plan.indexed.items() if there else ():
        link = repetition(plan.new[i], there.get(indexed.fingerprint, ()), plan.contexts)
        if link is not None:
            found[i] = link
    return found


def homes_of(new: Sequence[Passage], links: Mapping[int, Link]) -> dict[PassageId, PassageId]:
    """Which passage holds each linked draft in the end; a link may lead to another draft of this
    call, and on from there."""
    homes: dict[PassageId, PassageId] = {}
    for i in sorted(links):
        target = links[i].passage.id
        homes[new[i].id] = homes.get(target, target)
    return homes


def with_links(
    new: Sequence[Passage],
    links: Mapping[int, Link],
    homes: Mapping[PassageId, PassageId],
    stored: Sequence[Passage],
) -> list[Added]:
    """What became of each draft, in order."""
    there = {link.passage.id: link.passage for link in links.values()}
    there |= {one.id: one for one in stored}
    results: list[Added] = []
    for i, one in enumerate(new):
        outcome = Outcome.ADDED
        if i in links:
            is_echo = links[i].kind is SightingKind.ECHO
            outcome = Outcome.ECHO if is_echo else Outcome.DUPLICATE
        results.append(Added(outcome=outcome, passage=there[homes.get(one.id, one.id)]))
    return results


def sightings_of(
    new: Sequence[Passage], links: Mapping[int, Link], results: Sequence[Added]
) -> list[tuple[Passage, Sighting]]:
    """The repetitions, each with the passage that holds it."""
    held = [(i, results[i].passage) for i in sorted(links)]
    return [(passage, sighting_of(new[i], passage.id, links[i])) for i, passage in held]


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
    )
