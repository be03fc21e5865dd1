"""Role memory's share in the way in: what arrives gets its roles, in the same transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import RoleNotFound
from yiku.core.ids import ArchiveId
from yiku.core.memory import Added, Archive, Outcome, Passage
from yiku.core.role import MAKE_SOME, Why
from yiku.core.tenant import Actor
from yiku.memory.roles.assign import Assigned, Join, Text, assign, demand_known, take
from yiku.memory.roles.assign import store as keep
from yiku.memory.roles.decide import Rule
from yiku.memory.roles.pool import Current
from yiku.store import archives, memberships, roles
from yiku.store.database import Tx, now_utc
from yiku.store.memberships import Step

if TYPE_CHECKING:
    from yiku.memory.archival import ArchivalMemory

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Arrival:
    """A draft on its way in."""

    text: str
    roles: tuple[str, ...] | None
    """The roles the caller named; None: it is routed."""
    fresh: bool
    """Whether it will be a passage of its own; else another says the same already."""


@dataclass(frozen=True, slots=True)
class Routes:
    """The roles of what is to be stored."""

    versions: roles.Versions
    """As the archive's roles were."""
    current: Current | None
    """None: it has none."""
    assigned: Mapping[int, Assigned]
    """By position."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where it arrives."""

    archive: Archive | None
    """None: it isn't there yet."""
    versions: roles.Versions
    """How often its roles have changed."""


def home_of(tx: Tx, archive_id: ArchiveId) -> Home:
    """Raises: ArchiveNotFound."""
    return Home(archives.get(tx, archive_id), roles.versions(tx, archive_id))


async def routes_of(
    memory: ArchivalMemory,
    actor: Actor,
    home: Home,
    arrivals: Sequence[Arrival],
    by: tuple[Floats, Rule],
) -> Routes:
    """`by`: the vectors of what is fresh, in order, and the rule to choose roles by.

    Raises: RoleNotFound where the caller names one that isn't there.
    """
    current = None
    if home.archive is not None and home.versions.all:
        current = await memory.roles.current(actor, home.archive)
    if current is None:
        named = sorted({name for one in arrivals for name in one.roles or ()})
        if named:
            raise RoleNotFound(
                f"There is no role {named[0]!r} here: the archive has no roles. {MAKE_SOME}"
            )
        return Routes(home.versions, None, {})
    vectors, rule = by
    fresh = [i for i, one in enumerate(arrivals) if one.fresh]
    texts = [Text(arrivals[i].text, arrivals[i].roles) for i in fresh]
    made = assign(current, texts, vectors, rule, now_utc()) if fresh else []
    assigned = dict(zip(fresh, made, strict=True))
    for i, one in enumerate(arrivals):
        if not one.fresh and one.roles:
            assigned[i] = as_named(current, one)
    return Routes(current.versions, current, assigned)


def as_named(current: Current, one: Arrival) -> Assigned:
    """The roles the caller names for what is there already: his word, so without a comparison."""
    by_id = {role.role_id: (place, role) for place, role in enumerate(current.state.roles)}
    demand_known(by_id, one.roles or ())
    names = dict.fromkeys(one.roles or ())
    return Assigned(tuple(Join(by_id[name][1], 1.0, Why.GIVEN) for name in names), None)


def with_roles(tx: Tx, archive: Archive, routes: Routes, results: Sequence[Added]) -> list[Added]:
    """Store what was decided, and tell the roles of all.

    Raises: StaleRole where roles have changed since.
    """
    known = routes.current.state.roles if routes.current else ()
    roles.demand_same(tx, archive.id, routes.versions, [(one.key, one.version) for one in known])
    if routes.current is None:
        return list(results)
    stored = {
        i: made
        for i, made in routes.assigned.items()
        if results[i].outcome is Outcome.ADDED or made.decision is None
    }
    kept = keep(tx, routes.current, [(results[i].passage, made) for i, made in stored.items()])
    told = {one.passage_id: one.id for one in kept}
    joined = memberships.of_passages(tx, {one.passage.seq for one in results})
    found: list[Added] = []
    for i, one in enumerate(results):
        there = tuple(m.role_id for m in joined.get(one.passage.seq, ()))
        meant = stored[i].joins if i in stored else ()
        full = tuple(join.role.role_id for join in meant if join.role.role_id not in there)
        decision = told.get(one.passage.id) if one.outcome is Outcome.ADDED else None
        found.append(replace(one, roles=there, full=full, decision=decision))
    return found


def hand_down(tx: Tx, archive: Archive, old: Passage, new: Passage, routes: Routes) -> None:
    """What takes a passage's place keeps the roles that somebody gave the old one; where no role
    claims it ("not any more"), it keeps them all. Roles its caller named are all it has."""
    assigned = routes.assigned.get(0)
    if routes.current is None or assigned is None or assigned.decision is None:
        return
    there = memberships.of_passages(tx, [old.seq]).get(old.seq, ())
    own = {join.role.role_id for join in assigned.joins}
    steps = [
        Step(roles.get(tx, archive.id, one.role_id), new.seq, True, one.score, one.why, old.id)
        for one in there
        if one.role_id not in own and (not own or one.why in memberships.TAUGHT)
    ]
    take(tx, archive, steps)
