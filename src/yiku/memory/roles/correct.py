"""Somebody says where a memory belongs, and the experts learn from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yiku.core.errors import Invalid, RoleNotFound
from yiku.core.ids import PassageId
from yiku.core.memory import Archive, Passage
from yiku.core.role import MAKE_SOME, Membership, Move, Why
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory
from yiku.memory.roles.assign import route_rule, take
from yiku.memory.roles.route import rescored
from yiku.store import archives, memberships, passages, roles
from yiku.store.database import Tx
from yiku.store.memberships import Step


async def correct(
    memory: ArchivalMemory,
    actor: Actor,
    passage_id: PassageId,
    *,
    to: Sequence[str] = (),
    out_of: Sequence[str] = (),
) -> list[Membership]:
    """Say that a memory belongs to roles, or doesn't; their experts learn from it at once.

    Returns the memory's roles from now on. Raises: Invalid, PassageNotFound, RoleNotFound.
    """
    if not to and not out_of:
        raise Invalid("Say which roles the memory belongs to (`to`), or doesn't (`out_of`).")
    if both := set(to) & set(out_of):
        raise Invalid(f"A memory can't come to {', '.join(sorted(both))} and leave it at once.")
    scores = await scores_of(memory, actor, passage_id)

    def unit(tx: Tx) -> list[Membership]:
        one = passages.get(tx, passage_id)
        archive = archives.get(tx, one.archive_id)
        steps = [
            Step(
                roles.get(tx, archive.id, name),
                one.seq,
                joins,
                scores.get(name, 0.0),
                Why.CORRECTED,
            )
            for names, joins in ((to, True), (out_of, False))
            for name in names
        ]
        take(tx, archive, steps, taught=True)
        return memberships.of_passages(tx, [one.seq]).get(one.seq, [])

    return await memory.database.write(actor, unit)


async def scores_of(
    memory: ArchivalMemory, actor: Actor, passage_id: PassageId
) -> dict[str, float]:
    """What every role gives a stored memory now. Raises: PassageNotFound, RoleNotFound."""

    def unit(tx: Tx) -> tuple[Passage, Archive]:
        one = passages.get(tx, passage_id)
        return one, archives.get(tx, one.archive_id)

    one, archive = await memory.database.read(actor, unit)
    current = await memory.roles.current(actor, archive)
    if current is None:
        raise RoleNotFound(f"Archive {archive.name!r} has no roles. {MAKE_SOME}")
    (made,) = await rescored(memory, actor, current, [one], replace(route_rule(), told=None))
    return {score.role_id: score.score for score in made.scores}


async def memory_roles(
    memory: ArchivalMemory, actor: Actor, passage_id: PassageId
) -> tuple[list[Membership], list[Move]]:
    """A memory's roles, and how it came to them and left others. Raises: PassageNotFound."""

    def unit(tx: Tx) -> tuple[list[Membership], list[Move]]:
        one = passages.get(tx, passage_id)
        return memberships.of_passages(tx, [one.seq]).get(one.seq, []), memberships.moves_of(
            tx, one.seq
        )

    return await memory.database.read(actor, unit)
