"""Memories are looked at again after roles have changed: step by step, resumable, reversible."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from yiku.core.errors import Conflict, Invalid, StaleRole
from yiku.core.ids import RoleKey
from yiku.core.memory import Passage
from yiku.core.role import Decision, Role, Routing, Why
from yiku.core.tenant import Actor, Scope
from yiku.memory.archival import ArchivalMemory
from yiku.memory.roles.assign import THRESHOLD, route_rule, take
from yiku.memory.roles.decide import Rule
from yiku.memory.roles.pool import Current
from yiku.memory.roles.route import Where, rescored, roles_here
from yiku.memory.roles.state import as_told
from yiku.store import archives, decisions, memberships, passages, role_jobs, roles
from yiku.store.database import Tx, demand
from yiku.store.memberships import Seen, Step
from yiku.store.role_jobs import Job, State

BATCH = 200
"""Memories looked at in one transaction."""
TRIES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerouted:
    """How far a rerouting has come, and what its last step did."""

    job: Job
    looked_at: int
    joined: int
    left: int


async def begin(
    memory: ArchivalMemory, actor: Actor, where: Where, role_ids: Sequence[str] = ()
) -> Job:
    """A rerouting of an archive's memories to these roles; none named: to all.

    Raises: ArchiveNotFound, RoleNotFound.
    """
    current = await roles_here(memory, actor, where)

    def unit(tx: Tx) -> Job:
        for role_id in role_ids:
            roles.get(tx, current.archive.id, role_id)
        total = passages.count(tx, current.archive.id)
        return role_jobs.create(tx, current.archive, tuple(role_ids), total)

    return await memory.database.write(actor, unit)


async def step(
    memory: ArchivalMemory,
    actor: Actor,
    job_id: str,
    *,
    threshold: float = THRESHOLD,
    routing: Routing = Routing.EXPERTS,
) -> Rerouted:
    """Look at the next memories; the job is done when none are left.

    A memory comes to the roles that claim it now, and leaves those it had been routed to that no
    longer do. Roles are judged by their descriptions and what people taught them. What somebody put
    into a role, or took out of one, stays so.

    Raises: NotAllowed, JobNotFound, Conflict where the job is undone, StoreError.
    """
    demand(actor, Scope.WRITE)  # also of a job that is done
    for attempt in range(TRIES):
        job = await memory.database.read(actor, lambda tx: role_jobs.get(tx, job_id))
        if job.state is not State.RUNNING:
            if job.state is State.UNDONE:
                raise Conflict(f"Rerouting {job.id} was undone; begin another.")
            return Rerouted(job=job, looked_at=0, joined=0, left=0)
        try:
            return await one_batch(memory, actor, job, route_rule(threshold, routing))
        except StaleRole:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


async def one_batch(memory: ArchivalMemory, actor: Actor, job: Job, rule: Rule) -> Rerouted:
    current = await roles_here(memory, actor, job.archive_id)
    batch = await memory.database.read(
        actor, lambda tx: passages.page(tx, job.archive_id, after=job.position, limit=BATCH)
    )
    made: list[Decision] = []
    if batch:
        state = await asyncio.to_thread(as_told, current.state)
        made = await rescored(memory, actor, replace(current, state=state), batch, rule)

    def unit(tx: Tx) -> Rerouted:
        demand_same(tx, current)
        position = batch[-1].seq if batch else job.position
        state = State.RUNNING if len(batch) == BATCH else State.DONE
        if not role_jobs.advance(tx, job, position, state):
            raise StaleRole("Another process took this step.")
        about = {one.role_id: one for one in current.state.roles}
        if job.roles:
            about = {name: about[name] for name in job.roles if name in about}
        steps = moves(tx, current, about, batch, made)
        crowded = take(tx, current.archive, steps, job=job.id)
        decisions.add(tx, current.archive.id, made, [one.seq for one in batch])
        joined = sum(one.joined for one in steps)
        return Rerouted(
            job=replace(job, position=position, state=state),
            looked_at=len(batch),
            joined=joined,
            left=len(steps) - joined + len(crowded),
        )

    return await memory.database.write(actor, unit)


def demand_same(tx: Tx, current: Current) -> None:
    """Raises: StaleRole where roles have changed or a memory was deleted since: it may be one of
    the batch."""
    if roles.versions(tx, current.archive.id).roles != current.versions.roles:
        raise StaleRole("The roles have changed meanwhile; try again.")


def moves(
    tx: Tx,
    current: Current,
    about: Mapping[str, Role],
    batch: Sequence[Passage],
    made: Sequence[Decision],
) -> list[Step]:
    """What is to change in the roles `about`, by what is so now and what was decided.

    Who left a full role doesn't come back while it is full.
    """
    out = memberships.crowded_out(tx, [one.seq for one in batch])
    full = {key for key in {key for key, _ in out} if is_full(tx, about, key)}
    now = memberships.of_passages(tx, [one.seq for one in batch])
    refused = memberships.refusals(tx, current.archive.id)
    steps: list[Step] = []
    for one, decision in zip(batch, made, strict=True):
        scores = {score.role_id: score.score for score in decision.scores}
        mine = {membership.role_id: membership for membership in now.get(one.seq, [])}
        for role_id, role in about.items():
            claims = role_id in decision.chosen and one.seq not in refused.get(role.key, ())
            score = scores.get(role_id, 0.0)
            if claims and role_id not in mine:
                if role.key in full and (role.key, one.seq) in out:
                    continue
                steps.append(Step(role, one.seq, True, score, Why.REROUTED))
            elif not claims and role_id in mine and mine[role_id].why not in memberships.TAUGHT:
                steps.append(Step(role, one.seq, False, score, Why.REROUTED))
    return steps


def is_full(tx: Tx, about: Mapping[str, Role], key: RoleKey) -> bool:
    role = next((one for one in about.values() if one.key == key), None)
    return role is not None and memberships.count(tx, key) >= role.config.max_memory_size


async def undo(memory: ArchivalMemory, actor: Actor, job_id: str) -> int:
    """Take back all that a rerouting moved, unless it moved again since or somebody said that it is
    right so; returns how many moves.

    Raises: JobNotFound, Conflict where it is undone already.
    """

    def unit(tx: Tx) -> int:
        job = role_jobs.get(tx, job_id)
        if job.state is State.UNDONE:
            raise Conflict(f"Rerouting {job.id} is undone already.")
        archive = archives.get(tx, job.archive_id)
        there = {one.key: one for one in roles.list_all(tx, archive.id)}
        steps = backwards(tx, job, there)
        take(tx, archive, steps)
        if not role_jobs.advance(tx, job, job.position, State.UNDONE):
            raise Invalid(f"Rerouting {job.id} is going on; try again.")
        return len(steps)

    return await memory.database.write(actor, unit)


def backwards(tx: Tx, job: Job, there: Mapping[RoleKey, Role]) -> list[Step]:
    """The moves that put every memory back where the job found it."""
    first: dict[tuple[RoleKey, int], Seen] = {}
    last: dict[tuple[RoleKey, int], Seen] = {}
    for move in memberships.moves_of_job(tx, job.id):
        first.setdefault((move.key, move.seq), move)
        last[move.key, move.seq] = move
    now = {(one.key, one.seq): one for one in memberships.all_of(tx, job.archive_id)}
    refused = memberships.refusals(tx, job.archive_id)
    steps: list[Step] = []
    for place, move in first.items():
        role = there.get(place[0])
        if role is None or (place in now) != last[place].joined or (place in now) != move.joined:
            continue  # its role is gone, or it has moved again since
        if place in now and now[place].why in memberships.TAUGHT:
            continue  # somebody put it there meanwhile
        if place not in now and move.seq in refused.get(role.key, ()):
            continue  # somebody took it out
        score, why = move.score, Why.UNDONE
        before = None if move.joined else memberships.joined_before(tx, *place, job.id)
        if before is not None:  # it comes back as it was: by the score, and by somebody's word
            score = before.score
            why = before.why if before.why in memberships.TAUGHT else why
        steps.append(Step(role, move.seq, not move.joined, score, why, job.id))
    return steps
