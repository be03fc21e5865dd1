"""What each role has and does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory
from yiku.memory.roles.assign import THRESHOLD
from yiku.memory.roles.experts import drift
from yiku.memory.roles.route import Where, roles_here
from yiku.store import memberships, passages, roles
from yiku.store.database import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleStats:
    """One role in figures."""

    role_id: str
    role_name: str
    memories: int
    max_memory_size: int
    last_routed: datetime | None
    """When its newest memory came."""
    mean_margin: float | None
    """How far its memories' scores are over the routing threshold, on average."""
    considered: int
    """Gatings it was compared in."""
    gated: int
    """Those that chose it."""
    last_gated: datetime | None
    activation_threshold: float
    learned_from: int
    """Accepted memories its expert learned from."""
    drift: float
    """How far they moved it: 1 - cosine of its centroid with and without them. 0..2"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """All roles of an archive in figures."""

    roles: tuple[RoleStats, ...]
    memories: int
    """All of the archive's, in roles or not."""
    general: int
    """Those of no role."""
    routing_threshold: float


async def summary(
    memory: ArchivalMemory, actor: Actor, where: Where, threshold: float = THRESHOLD
) -> Summary:
    """Raises: ArchiveNotFound, RoleNotFound where the archive has no roles."""
    await memory.gatings.flush()
    current = await roles_here(memory, actor, where)
    state, archive_id = current.state, current.archive.id

    def unit(tx: Tx) -> Summary:
        counts = memberships.counts(tx, archive_id)
        gatings = roles.gatings(tx, [one.key for one in state.roles])
        found: list[RoleStats] = []
        for place, role in enumerate(state.roles):
            memories, last, score = counts.get(role.key, (0, None, None))
            considered, gated, last_gated = gatings.get(role.key, (0, 0, None))
            found.append(
                RoleStats(
                    role_id=role.role_id,
                    role_name=role.config.role_name,
                    memories=memories,
                    max_memory_size=role.config.max_memory_size,
                    last_routed=last,
                    mean_margin=None if score is None else score - threshold,
                    considered=considered,
                    gated=gated,
                    last_gated=last_gated,
                    activation_threshold=role.config.activation_threshold,
                    learned_from=len(state.learned[role.key]),
                    drift=drift(state.known[place]),
                )
            )
        return Summary(
            roles=tuple(found),
            memories=passages.count(tx, archive_id),
            general=memberships.homeless(tx, archive_id),
            routing_threshold=threshold,
        )

    return await memory.database.read(actor, unit)
