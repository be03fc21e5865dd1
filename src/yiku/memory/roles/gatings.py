"""Gatings are noted beside the work and written in batches: a gate is a read, and stays as fast."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from yiku.core.errors import ArchiveNotFound
from yiku.core.ids import ArchiveId, RoleKey
from yiku.core.role import Decision
from yiku.core.tenant import Actor
from yiku.memory.roles.pool import Current
from yiku.store import archives, decisions, roles
from yiku.store.database import Database, Tx
from yiku.store.later import Later

EXPIRE_EVERY = 500
"""Gatings of an archive after which old ones are looked for."""


@dataclass(frozen=True, slots=True)
class Noted:
    actor: Actor
    archive_id: ArchiveId
    keys: tuple[RoleKey, ...]
    """Of all roles that were compared."""
    gated: tuple[RoleKey, ...]
    decision: Decision


class GateLog:
    """What was gated lately."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._later = Later(self._write, "gatings")
        self.flush = self._later.flush
        self.close = self._later.close
        self._since: dict[ArchiveId, int] = {}

    def note(self, actor: Actor, current: Current, made: Decision) -> None:
        keys = {one.role_id: one.key for one in current.state.roles}
        gated = tuple(keys[role_id] for role_id in made.chosen)
        by = actor.bookkeeper  # a key that may only read may gate
        self._later.note(Noted(by, current.archive.id, tuple(keys.values()), gated, made))

    async def _write(self, taken: Sequence[Noted]) -> None:
        for archive_id, actor in dict.fromkeys((one.archive_id, one.actor) for one in taken):
            mine = [one for one in taken if (one.archive_id, one.actor) == (archive_id, actor)]
            old = self._look_for_old(archive_id, len(mine))
            await self._database.write(
                actor, lambda tx, n=mine, a=archive_id, o=old: write(tx, a, n, expire=o)
            )

    def _look_for_old(self, archive_id: ArchiveId, more: int) -> bool:
        """Also at a process's first writing: some processes gate once."""
        since = self._since.get(archive_id, EXPIRE_EVERY) + more
        self._since[archive_id] = 0 if since >= EXPIRE_EVERY else since
        return since >= EXPIRE_EVERY


def write(tx: Tx, archive_id: ArchiveId, noted: list[Noted], *, expire: bool) -> None:
    try:
        archives.get(tx, archive_id)
    except ArchiveNotFound:
        return  # it was deleted since
    decisions.add(tx, archive_id, [one.decision for one in noted], [None] * len(noted))
    considered = Counter(key for one in noted for key in one.keys)
    gated = Counter(key for one in noted for key in one.gated)
    roles.count_gatings(tx, considered, gated)
    if expire:
        decisions.expire(tx, archive_id)
