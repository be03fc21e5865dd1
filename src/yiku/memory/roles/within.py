"""Searching in roles: which passages are theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import RoleNotFound
from yiku.core.memory import Archive
from yiku.core.role import MAKE_SOME
from yiku.core.tenant import Actor

if TYPE_CHECKING:
    from yiku.memory.archival import ArchivalMemory

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Within:
    """A part of an archive, as row numbers."""

    only: Ints | None
    """None: all but `never`."""
    never: Ints | None


EVERYWHERE = Within(None, None)


async def within(
    memory: ArchivalMemory, actor: Actor, archive: Archive, role_ids: Sequence[str]
) -> Within:
    """The memories of any of these roles; no role named: those that no role has.

    Raises: RoleNotFound.
    """
    current = await memory.roles.current(actor, archive)
    if current is None:
        if role_ids:
            raise RoleNotFound(
                f"There is no role {role_ids[0]!r} here: archive {archive.name!r} has no roles."
                f" {MAKE_SOME}"
            )
        return EVERYWHERE
    keys = {one.role_id: one.key for one in current.state.roles}
    for role_id in role_ids:
        if role_id not in keys:
            raise RoleNotFound(
                f"There is no role {role_id!r} here; there are {', '.join(keys)}.", role_id=role_id
            )
    if not role_ids:
        taken = (seq for members in current.members.values() for seq in members)
        return Within(None, as_rows(taken))
    return Within(as_rows(seq for name in role_ids for seq in current.members[keys[name]]), None)


def as_rows(seqs: Iterable[int]) -> Ints:
    return np.unique(np.fromiter(seqs, np.int64))
