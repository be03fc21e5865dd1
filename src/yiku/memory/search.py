"""The way out: a query is embedded, candidates of every arm are gathered, fused, and explained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import ArchiveNotFound, Invalid
from yiku.core.ids import ArchiveId
from yiku.core.memory import Archive, Filter, Hit, Passage
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory, Place, resolve
from yiku.memory.draft import scalar
from yiku.store import archives, passages, shown
from yiku.store.database import Tx
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

    Raises: Invalid, InvalidFilter, ArchiveNotFound, EmbeddingModelMismatch, ProviderError,
    StoreError.
    """
    check_query(query, limit)
    wanted = filter or Filter()
    targets = await memory.database.read(actor, lambda tx: targets_of(tx, memory, places))
    if not targets:
        return []
    names = {name for target in targets for name in target.index.speakers.names()}
    text = memory.embeddable(query, names)
    vector = (await memory.embedder.embed([text], purpose="query"))[0]
    hits = await memory.database.read(
        actor, lambda tx: found_in(tx, targets, query, vector, wanted, limit)
    )
    if inject_into is not None and hits:
        injected = [hit.passage for hit in hits]
        await memory.database.write(actor, lambda tx: shown.add(tx, injected, inject_into))
    return hits


def check_query(query: str, limit: int) -> None:
    """Raises: Invalid."""
    if not query.strip():
        raise Invalid("The query is empty; ask with at least one visible character.")
    if len(query.encode("utf-8", "surrogatepass")) > MAX_QUERY_BYTES:
        raise Invalid(f"The query is longer than {MAX_QUERY_BYTES:,} bytes.")
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"`limit` is 1 to {MAX_LIMIT}, not {limit}.")


def targets_of(
    tx: Tx, memory: ArchivalMemory, places: Sequence[Place | ArchiveId]
) -> list[Target]:
    targets: dict[ArchiveId, Target] = {}
    for place in places:
        try:
            archive = resolve(tx, place)
        except ArchiveNotFound:
            if isinstance(place, Place) and place.name == DEFAULT_NAME:
                continue
            raise
        archives.same_model(archive, memory.embedder.model)
        found = memory.indexes.current(tx, archive)
        if found is not None and len(found):
            targets[archive.id] = Target(archive, found)
    return list(targets.values())
