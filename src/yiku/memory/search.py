"""The way out: a query is embedded, candidates of every arm are gathered, fused, and explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import ArchiveNotFound, Invalid, InvalidFilter
from yiku.core.ids import ArchiveId
from yiku.core.memory import Archive, Filter, Hit, Passage
from yiku.core.tenant import Actor, Scope
from yiku.memory import rank
from yiku.memory.archival import ArchivalMemory, Place, participants, resolve
from yiku.memory.draft import QUESTION, TIME_WORDS, check_name, scalar
from yiku.memory.names import named_speaker, strip_names
from yiku.memory.roles.within import EVERYWHERE, Within, within
from yiku.memory.text import tokens
from yiku.memory.when import is_when_question, spans
from yiku.store import archives, passages, shown
from yiku.store.database import Tx, demand, now_utc
from yiku.store.index import query as index
from yiku.store.index.archive import ArchiveIndex
from yiku.store.index.terms import field_term, term_hash
from yiku.store.tables import to_micros

MAX_LIMIT = 200
MAX_QUERY_BYTES = 65_536
DEFAULT_NAME = "default"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Target:
    """An archive to search, and its index as of now."""

    archive: Archive
    index: ArchiveIndex
    within: Within = EVERYWHERE


async def search(
    memory: ArchivalMemory,
    actor: Actor,
    places: Sequence[Place | ArchiveId],
    query: str,
    *,
    filter: Filter | None = None,
    limit: int = 10,
    inject_into: str | None = None,
) -> list[Hit]:
    """The passages of these archives that answer `query`, best first.

    A user's `default` archive that isn't there yet is empty, not an error. `inject_into` names the
    conversation whose context the hits go into, for the echo guard.

    Raises: Invalid, InvalidFilter, ArchiveNotFound, RoleNotFound, EmbeddingModelMismatch,
    ProviderError, StoreError.
    """
    check_query(query, limit)
    if inject_into is not None:
        demand(actor, Scope.WRITE)  # it remembers what was shown
        check_name("The conversation", inject_into)
    wanted = filter or Filter()
    check_filter(wanted)
    targets = await memory.database.read(actor, lambda tx: targets_of(tx, memory, places))
    if wanted.roles is not None:
        targets = [
            replace(one, within=await within(memory, actor, one.archive, wanted.roles))
            for one in targets
        ]
        if not targets:
            await demand_roles(memory, actor, places, wanted.roles)
    if not targets:
        return []
    asked = await asked_of(memory, targets, query)
    hits = await memory.database.read(actor, lambda tx: found_in(tx, targets, asked, wanted, limit))
    if inject_into is not None and hits:
        injected = [hit.passage for hit in hits]
        await memory.database.write(actor, lambda tx: shown.add(tx, injected, inject_into))
    return hits


async def demand_roles(
    memory: ArchivalMemory,
    actor: Actor,
    places: Sequence[Place | ArchiveId],
    role_ids: Sequence[str],
) -> None:
    """Raises: RoleNotFound where an archive that is there, though empty, has no such role."""
    for place in places:
        archive = await memory.database.read(actor, lambda tx, p=place: archive_at(tx, p))
        if archive is not None:
            await within(memory, actor, archive, role_ids)


def check_query(query: str, limit: int) -> None:
    """Raises: Invalid."""
    if not query.strip():
        raise Invalid(
            "The query is empty; ask with at least one visible character.",
            zh="查询是空的，至少要有一个可见字符。",
            field="query",
        )
    if len(query.encode("utf-8", "surrogatepass")) > MAX_QUERY_BYTES:
        raise Invalid(
            f"The query is longer than {MAX_QUERY_BYTES:,} bytes.",
            zh=f"查询超过了 {MAX_QUERY_BYTES:,} 字节。",
            field="query",
        )
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"`limit` is 1 to {MAX_LIMIT}, not {limit}.")


def check_filter(wanted: Filter) -> None:
    """Raises: InvalidFilter."""
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise InvalidFilter("`since` must come before `until`.", zh="起始时间必须早于结束时间。")


def targets_of(tx: Tx, memory: ArchivalMemory, places: Sequence[Place | ArchiveId]) -> list[Target]:
    targets: dict[ArchiveId, Target] = {}
    for place in places:
        archive = archive_at(tx, place)
        if archive is None:
            continue
        archives.same_model(archive, memory.embedder.model)
        found = memory.indexes.current(tx, archive)
        if found is not None and len(found):
            targets[archive.id] = Target(archive, found)
    return list(targets.values())


def archive_at(tx: Tx, place: Place | ArchiveId) -> Archive | None:
    """None: a `default` that isn't there yet. Raises: ArchiveNotFound."""
    try:
        return resolve(tx, place)
    except ArchiveNotFound:
        if isinstance(place, Place) and place.name == DEFAULT_NAME:
            return None
        raise


@dataclass(frozen=True, slots=True)
class Asked:
    """A query with all that its words tell."""

    vector: Floats
    terms: tuple[int, ...]
    speaker: str | None
    spans: tuple[tuple[int, int], ...]
    is_when: bool
    glossed: bool


async def asked_of(memory: ArchivalMemory, targets: Sequence[Target], query: str) -> Asked:
    names = participants({name for t in targets for name in t.index.speakers.names()})
    text = memory.embeddable(query, names)
    vector = (await memory.embedder.embed([text], purpose="query"))[0]
    for target in targets:
        archives.same_dimension(target.archive, len(vector))
    return Asked(
        vector=vector,
        terms=tuple({term_hash(token) for token in tokens(strip_names(query, names))}),
        speaker=named_speaker(query, names),
        spans=tuple((to_micros(s.start), to_micros(s.end)) for s in spans(query, now_utc())),
        is_when=is_when_question(query),
        glossed=memory.gloss(query) != query,
    )


def found_in(
    tx: Tx, targets: Sequence[Target], asked: Asked, wanted: Filter, limit: int
) -> list[Hit]:
    """Candidates of every archive, ranked together, as hits."""
    looked_for = index_query(asked, wanted, tx.now)
    gathered = [
        target.index.search(replace(looked_for, only=target.within.only, never=target.within.never))
        for target in targets
    ]
    candidates = rank.Candidates(**columns(targets, gathered, asked))
    facts = rank.QueryFacts(
        attainable=max(found.attainable for found in gathered),
        speaker=0 if asked.speaker is not None else None,
        spans=asked.spans,
        is_when=asked.is_when,
        glossed=asked.glossed,
    )
    ranked = rank.rank(facts, candidates, limit=limit)
    seqs = np.concatenate([found.seq for found in gathered])[ranked.rows].tolist()
    places = {"lexical": places_of(candidates.lexical), "dense": places_of(candidates.dense)}
    stored = passages.get_by_seq(tx, seqs)
    hits: list[Hit] = []
    for i, (seq, row) in enumerate(zip(seqs, ranked.rows.tolist(), strict=True)):
        found = stored.get(seq)
        if found is None or not allowed(found, wanted):
            continue  # deleted this moment; or one of 2⁶⁴ hashes met another
        hits.append(
            Hit(
                passage=found,
                score=float(ranked.scores[i]),
                parts={name: float(part[i]) for name, part in ranked.parts.items()},
                ranks={arm: int(p[row]) for arm, p in places.items() if p[row]},
            )
        )
    return hits


def columns(
    targets: Sequence[Target], gathered: Sequence[index.Candidates], asked: Asked
) -> dict[str, Any]:
    """All archives' candidates as one table; codes that mean the same in each."""

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(found, name) for found in gathered])

    speakers: list[NDArray[np.int32]] = []
    conversations: list[NDArray[np.int32]] = []
    first = 0
    for target, found in zip(targets, gathered, strict=True):
        code = target.index.speakers.numbers.get(asked.speaker or "", -2)
        speakers.append(np.where(found.speaker == code, 0, -1).astype(np.int32))
        own = found.conversation
        conversations.append(np.where(own < 0, own, own + first).astype(np.int32))
        first += len(target.index.conversations.numbers)
    flags = joined("flags")
    return {
        "lexical": joined("lexical"),
        "dense": joined("dense") / np.float32(2),  # of the sum of two vectors: their mean
        "speaker": np.concatenate(speakers),
        "conversation": np.concatenate(conversations),
        "at": joined("at"),
        "length": joined("length"),
        "question": (flags & QUESTION) > 0,
        "time_words": (flags & TIME_WORDS) > 0,
    }


def places_of(scores: Floats) -> NDArray[np.int64]:
    """Place of each in its arm's list, from 1; 0 where the arm did not find it."""
    order = np.argsort(-scores, kind="stable")
    places = np.empty(len(scores), np.int64)
    places[order] = np.arange(1, len(scores) + 1)
    return np.where(scores > 0, places, 0)


def index_query(asked: Asked, wanted: Filter, now: datetime) -> index.Query:
    moment = wanted.as_of or now
    return index.Query(
        vector=asked.vector,
        terms=asked.terms,
        required=required_terms(wanted),
        speakers=wanted.speakers,
        conversations=wanted.conversations,
        since=None if wanted.since is None else to_micros(wanted.since),
        until=None if wanted.until is None else to_micros(wanted.until),
        as_of=None if wanted.superseded else to_micros(moment),
        spans=asked.spans,
    )


def required_terms(wanted: Filter) -> list[list[int]]:
    """Groups of field terms: every group must be met, by any of its terms."""
    groups = [[field_term("tag", tag)] for tag in wanted.tags]
    if wanted.any_tags:
        groups.append([field_term("tag", tag) for tag in wanted.any_tags])
    named = (
        ("tag", wanted.any_tags),
        ("message", wanted.messages),
        ("language", wanted.languages),
    )
    groups += [[field_term(name, value) for value in values] for name, values in named if values]
    for name, value in wanted.metadata.items():
        any_of = value if isinstance(value, list) else [value]
        groups.append([field_term(f"metadata.{name}", scalar(one)) for one in any_of])
    return [[term_hash(term) for term in group] for group in groups]


def allowed(found: Passage, wanted: Filter) -> bool:
    """Whether the passage itself meets the filter its index row met."""
    if found.forgotten or not set(wanted.tags) <= set(found.tags):
        return False
    if wanted.any_tags and not set(wanted.any_tags) & set(found.tags):
        return False
    named = (
        (wanted.speakers, found.speaker),
        (wanted.conversations, found.conversation),
        (wanted.messages, found.message),
        (wanted.languages, found.language),
    )
    return all(value in values for values, value in named if values)
