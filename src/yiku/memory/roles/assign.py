"""Memories find their roles: on the way in, and when somebody asks where a text would go."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import RoleNotFound
from yiku.core.memory import Archive, Passage
from yiku.core.role import Decision, DecisionKind, Role, Routing, Why
from yiku.memory.roles.decide import Rule, compare, decisions
from yiku.memory.roles.pool import Current
from yiku.memory.roles.retention import overflow
from yiku.store import decisions as kept
from yiku.store import memberships, roles
from yiku.store.database import Tx
from yiku.store.memberships import Step

Floats = NDArray[np.float32]

THRESHOLD = 0.3


@dataclass(frozen=True, slots=True)
class Join:
    """A role that a memory comes to."""

    role: Role
    score: float
    why: Why


@dataclass(frozen=True, slots=True)
class Assigned:
    """What is to become of one memory: its roles, and the decision behind them."""

    joins: tuple[Join, ...]
    decision: Decision | None
    """None where the caller named the roles."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text on its way to its roles."""

    text: str
    roles: tuple[str, ...] | None
    """The roles the caller named; None: it is routed."""


def route_rule(threshold: float = THRESHOLD, routing: Routing = Routing.EXPERTS) -> Rule:
    return Rule(DecisionKind.ROUTE, routing, threshold, None)


def assign(
    current: Current, texts: Sequence[Text], vectors: Floats, rule: Rule, now: datetime
) -> list[Assigned]:
    """The roles of texts, (n, d) vectors as the embedder gave them. Raises: RoleNotFound."""
    state = current.state
    compared = compare(state, [one.text for one in texts], vectors, rule)
    by_id = {one.role_id: (place, one) for place, one in enumerate(state.roles)}
    demand_known(by_id, [name for text in texts for name in text.roles or ()])
    model = current.archive.embedding_model or ""
    made = decisions(state, compared, rule, now, model)
    found: list[Assigned] = []
    for i, (text, decision) in enumerate(zip(texts, made, strict=True)):
        scores = compared.scores[i]
        named = decision.chosen if text.roles is None else tuple(dict.fromkeys(text.roles))
        why = Why.ROUTED if text.roles is None else Why.GIVEN
        joins = tuple(
            Join(role, float(scores[place]), why) for place, role in (by_id[one] for one in named)
        )
        found.append(Assigned(joins, decision if text.roles is None else None))
    return found


def demand_known(known: Collection[str], role_ids: Iterable[str]) -> None:
    """Raises: RoleNotFound."""
    for role_id in role_ids:
        if role_id not in known:
            raise RoleNotFound(
                f"There is no role {role_id!r} here; there are {', '.join(known)}.",
                role_id=role_id,
            )


def store(tx: Tx, current: Current, assigned: Sequence[tuple[Passage, Assigned]]) -> list[Decision]:
    """Write what `assign` found: memberships, history, decisions; full roles let others go.

    The roles must still be the same. Returns the decisions as they are kept.
    """
    steps = [
        Step(join.role, one.seq, True, join.score, join.why)
        for one, made in assigned
        for join in made.joins
    ]
    take(tx, current.archive, steps)
    about = [(one, made.decision) for one, made in assigned if made.decision is not None]
    told = [replace(decision, passage_id=one.id) for one, decision in about]
    kept.add(tx, current.archive.id, told, [one.seq for one, _ in about])
    return told


def take(
    tx: Tx, archive: Archive, steps: Sequence[Step], *, job: str | None = None, taught: bool = False
) -> list[Step]:
    """Carry moves out, and those that follow because a role is full, which are returned.

    `taught`: somebody's correction, which every process is to learn from before its next decision.
    """
    if not steps:
        return []
    version = roles.bump(tx, archive, roles=taught)
    memberships.take(tx, archive.id, version, steps, job)
    touched = {one.role.key: one.role for one in steps if one.joined}
    leaving = overflow(tx, archive, list(touched.values()))
    memberships.take(tx, archive.id, version, leaving, job)
    return leaving
