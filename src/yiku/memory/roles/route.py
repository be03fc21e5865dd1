"""Where would a text go; which roles speak in a context; why was it so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import ArchiveNotFound, Invalid, InvalidText, RoleNotFound, StaleRole
from yiku.core.ids import ArchiveId, DecisionId, PassageId
from yiku.core.memory import Archive, Passage
from yiku.core.ports import Purpose
from yiku.core.role import MAKE_SOME, Decision, DecisionKind, Routing, fraction
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory, Place, participants, resolve
from yiku.memory.draft import check_name, check_text
from yiku.memory.roles.assign import THRESHOLD, route_rule
from yiku.memory.roles.decide import Rule, compare, decisions
from yiku.memory.roles.pool import Current
from yiku.store import archives, passages
from yiku.store import decisions as kept
from yiku.store.database import Tx, now_utc

Floats = NDArray[np.float32]
Where = Place | ArchiveId

MAX_ACTIVE_ROLES = 3
CONTEXT_CHARACTERS = 2_000
"""Of a longer context its end decides: what was said last."""
LISTED = 200


async def route(
    memory: ArchivalMemory,
    actor: Actor,
    where: Where,
    text: str,
    *,
    threshold: float = THRESHOLD,
    routing: Routing = Routing.EXPERTS,
) -> Decision:
    """Where a text would go, and why; nothing is stored.

    Raises: Invalid, InvalidText, RoleNotFound, ProviderError, StoreError.
    """
    check_text(text, memory.policy.max_text_bytes)
    fraction("threshold", threshold)
    current = await roles_here(memory, actor, where)
    rule = replace(route_rule(threshold, routing), told=None)
    return await decided(memory, actor, current, text, rule=rule, purpose="document")


async def gate(
    memory: ArchivalMemory,
    actor: Actor,
    where: Where,
    context: str,
    *,
    max_roles: int = MAX_ACTIVE_ROLES,
    threshold: float | None = None,
    routing: Routing = Routing.EXPERTS,
    conversation: str | None = None,
) -> Decision:
    """The roles a context activates, at most `max_roles`, best first; kept for `decision`.

    `threshold` replaces each role's `activation_threshold`. A search for the same text in the same
    archive that follows uses the same embedding. Of a context of more than 2,000 characters the
    end decides.

    Raises: Invalid, InvalidText, RoleNotFound, ProviderError, StoreError.
    """
    if not context.strip():
        raise InvalidText("The context is empty; say at least a word of it.", field="context")
    check_text(context, memory.policy.max_text_bytes)
    check_name("The conversation", conversation)
    whole: Any = max_roles
    if not isinstance(whole, int) or isinstance(whole, bool) or whole < 1:
        raise Invalid(
            f"`max_roles` is a whole number from 1, not {max_roles!r}.", field="max_roles"
        )
    if threshold is not None:
        fraction("threshold", threshold)
    current = await roles_here(memory, actor, where)
    rule = Rule(DecisionKind.GATE, routing, threshold, max_roles)
    end = context[-CONTEXT_CHARACTERS:]
    made = await decided(memory, actor, current, end, rule=rule, purpose="query")
    made = replace(made, conversation=conversation)
    memory.gatings.note(actor, current, made)
    return made


async def roles_here(memory: ArchivalMemory, actor: Actor, where: Where) -> Current:
    """Raises: ArchiveNotFound, RoleNotFound where the archive has none."""
    archive = await memory.database.read(actor, lambda tx: archive_of(tx, where))
    archives.same_model(archive, memory.embedder.model)
    current = await memory.roles.current(actor, archive)
    if current is None:
        raise RoleNotFound(f"Archive {archive.name!r} has no roles. {MAKE_SOME}")
    return current


def archive_of(tx: Tx, where: Where) -> Archive:
    """Raises: ArchiveNotFound; RoleNotFound where it is a `default` that isn't there yet."""
    try:
        return resolve(tx, where)
    except ArchiveNotFound:
        if isinstance(where, Place) and where == Place(where.owner):
            raise RoleNotFound(f"There are no roles yet. {MAKE_SOME}") from None
        raise


async def decided(
    memory: ArchivalMemory,
    actor: Actor,
    current: Current,
    text: str,
    *,
    rule: Rule,
    purpose: Purpose,
) -> Decision:
    names = await memory.database.read(actor, lambda tx: names_in(tx, memory, current.archive))
    vectors = await memory.embedder.embed([memory.embeddable(text, names)], purpose=purpose)
    compared = compare(current.state, [text], vectors, rule)
    return decisions(current.state, compared, rule, now_utc(), memory.embedder.model)[0]


def names_in(tx: Tx, memory: ArchivalMemory, archive: Archive) -> frozenset[str]:
    """The speakers whose names are taken out of texts before they are embedded."""
    index = memory.indexes.current(tx, archives.get(tx, archive.id))
    return frozenset(participants(set(index.speakers.names()))) if index else frozenset()


async def rescored(
    memory: ArchivalMemory,
    actor: Actor,
    current: Current,
    stored: Sequence[Passage],
    rule: Rule | None = None,
) -> list[Decision]:
    """What stored memories would be decided now, by the vectors they have.

    Raises: StaleRole where one was deleted meanwhile.
    """
    model = current.archive.embedding_model or ""
    seqs = [one.seq for one in stored]
    vectors = await memory.database.read(actor, lambda tx: passages.vectors_of(tx, seqs, model))
    if len(vectors) < len(seqs):
        raise StaleRole("A memory was deleted meanwhile; try again.")
    rule = rule or route_rule()
    matrix = np.stack([vectors[seq] for seq in seqs])
    compared = compare(current.state, [one.text for one in stored], matrix, rule)
    made = decisions(current.state, compared, rule, now_utc(), model)
    return [replace(d, passage_id=one.id) for d, one in zip(made, stored, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Which:
    """Which decisions are asked for."""

    kind: DecisionKind | None = None
    passage_id: PassageId | None = None
    limit: int = 50


async def decision(memory: ArchivalMemory, actor: Actor, decision_id: DecisionId) -> Decision:
    """A decision as it was made. Raises: DecisionNotFound."""
    await memory.gatings.flush()
    return await memory.database.read(actor, lambda tx: kept.get(tx, decision_id))


async def decisions_made(
    memory: ArchivalMemory, actor: Actor, where: Where, which: Which
) -> list[Decision]:
    """The newest first. Raises: Invalid, ArchiveNotFound, PassageNotFound."""
    if not 1 <= which.limit <= LISTED:
        raise Invalid(f"`limit` is 1 to {LISTED}, not {which.limit}.")
    await memory.gatings.flush()

    def unit(tx: Tx) -> list[Decision]:
        seq = None if which.passage_id is None else passages.get(tx, which.passage_id).seq
        return kept.latest(
            tx, resolve(tx, where).id, kind=which.kind, passage_seq=seq, limit=which.limit
        )

    return await memory.database.read(actor, unit)
