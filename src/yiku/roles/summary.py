"""A role memory in figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from yiku.core.errors import ArchiveNotFound, RoleNotFound
from yiku.core.role import Routing
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory, Place
from yiku.memory.roles.stats import RoleStats, summary
from yiku.store import archives, passages
from yiku.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySummary:
    """Counts per role, the active roles, thresholds."""

    roles: Mapping[str, RoleStats]
    """By `role_id`, the oldest first: memories, thresholds, gatings, drift."""
    memories: int
    """All of them, in roles or not."""
    general: int
    """Those of no role."""
    routing_threshold: float
    active_roles: tuple[str, ...] = ()
    """Those the last gating chose, best first."""
    max_active_roles: int = 0
    routing: Routing = Routing.EXPERTS


async def summary_of(
    memory: ArchivalMemory, actor: Actor, place: Place, threshold: float
) -> MemorySummary:
    """What the database tells of it."""

    def count(tx: Tx) -> int:
        archive = archives.find(tx, place.owner, place.name)
        return 0 if archive is None else passages.count(tx, archive.id)

    try:
        made = await summary(memory, actor, place, threshold)
    except (ArchiveNotFound, RoleNotFound):  # there are no roles yet
        stored = await memory.database.read(actor, count)
        roles, general = (), stored
    else:
        roles, stored, general = made.roles, made.memories, made.general
    return MemorySummary(
        roles={one.role_id: one for one in roles},
        memories=stored,
        general=general,
        routing_threshold=threshold,
    )
