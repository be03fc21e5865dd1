"""A memory whose text has changed finds its roles anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from yiku.core.memory import Passage
from yiku.core.role import Decision
from yiku.core.tenant import Actor
from yiku.memory.roles.assign import route_rule, take
from yiku.memory.roles.decide import compare, decisions
from yiku.memory.roles.pool import Current
from yiku.memory.roles.reroute import moves
from yiku.store import archives, roles
from yiku.store import decisions as kept
from yiku.store.database import Tx, now_utc

if TYPE_CHECKING:
    from yiku.memory.archival import ArchivalMemory
    from yiku.memory.reindex import Found


@dataclass(frozen=True, slots=True)
class Reconsidered:
    """An edited memory, and what was decided about its new text."""

    current: Current
    passage: Passage
    decision: Decision


async def reconsidered(
    memory: ArchivalMemory, actor: Actor, edited: Passage, found: Mapping[int, Found]
) -> Reconsidered | None:
    """`found`: what the edited passage will be found by. None where the archive has no roles."""
    archive = await memory.database.read(actor, lambda tx: archives.get(tx, edited.archive_id))
    current = await memory.roles.current(actor, archive)
    if current is None:
        return None
    rule, vector = route_rule(), found[edited.seq].indexed.vector
    compared = compare(current.state, [edited.text], vector[None], rule)
    made = decisions(current.state, compared, rule, now_utc(), memory.embedder.model)[0]
    return Reconsidered(current, edited, replace(made, passage_id=edited.id))


def move(tx: Tx, again: Reconsidered) -> None:
    """Where it was routed and no longer belongs, it leaves; what somebody said stays so.

    Raises: StaleRole where roles have changed since.
    """
    archive = again.current.archive
    known = [(one.key, one.version) for one in again.current.state.roles]
    roles.demand_same(tx, archive.id, again.current.versions, known)
    about = {one.role_id: one for one in again.current.state.roles}
    steps = moves(tx, again.current, about, [again.passage], [again.decision])
    take(tx, archive, steps)
    kept.add(tx, archive.id, [again.decision], [again.passage.seq])
