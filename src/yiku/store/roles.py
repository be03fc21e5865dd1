"""Queries on roles and their configurations. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row, delete, func, insert, select, update

from yiku.core.errors import RoleExists, RoleNotFound, StaleRole
from yiku.core.ids import ArchiveId, RoleKey, UserId, new_id
from yiku.core.memory import Archive
from yiku.core.role import MAKE_SOME, EmbeddingRoleConfig, Role, RoleVersion, config_of
from yiku.store import hot
from yiku.store.database import Tx
from yiku.store.role_tables import role, role_embedding, role_set, role_version

NAMES = ("key", "organization_id", "archive_id", "version", "config", "created_at", "updated_at")
COLUMNS = [role.c[name] for name in NAMES]

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Versions:
    """How often an archive's roles, or what is in them, have changed; 0: it never had roles."""

    all: int = 0
    roles: int = 0
    """`all` at the last change of the roles themselves."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """What a role's phrases look like to one embedding model."""

    version: int
    """Of the configuration they are of."""
    model: str
    vectors: Floats
    """(n, d)"""


def of_row(row: Row[Any]) -> Role:
    values: dict[str, Any] = dict(zip(NAMES, tuple(row), strict=True))
    values["config"] = config_of(values["config"])
    return Role(**values)


_VERSIONS = hot.Select(
    "SELECT version, roles_version FROM role_set"
    " WHERE archive_id = :archive AND organization_id = :organization"
)


def versions(tx: Tx, archive_id: ArchiveId) -> Versions:
    rows = _VERSIONS.rows(tx.connection, archive=archive_id, organization=tx.actor.organization_id)
    return Versions(*rows[0]) if rows else Versions()


def bump(tx: Tx, archive: Archive, *, roles: bool = False) -> int:
    """Count one change; the row stays locked until the commit. Returns the new count.

    `roles`: of the roles themselves, not only of what is in them.
    """
    ours = (
        role_set.c.archive_id == archive.id,
        role_set.c.organization_id == tx.actor.organization_id,
    )
    new = {"version": role_set.c.version + 1}
    if roles:
        new["roles_version"] = role_set.c.version + 1
    counted = tx.connection.execute(
        update(role_set).where(*ours).values(new).returning(role_set.c.version)
    ).scalar()
    if counted is not None:
        return int(counted)
    first = {"organization_id": tx.actor.organization_id, "version": 1, "roles_version": 1}
    tx.connection.execute(insert(role_set).values(archive_id=archive.id, **first))
    return 1


def list_all(tx: Tx, archive_id: ArchiveId) -> list[Role]:
    """An archive's roles, the oldest first."""
    query = (
        select(*COLUMNS)
        .where(role.c.archive_id == archive_id, *own(tx))
        .order_by(role.c.created_at, role.c.role_id)
    )
    return [of_row(row) for row in tx.connection.execute(query)]


def count(tx: Tx, archive_id: ArchiveId) -> int:
    query = select(func.count()).where(role.c.archive_id == archive_id, *own(tx))
    return int(tx.connection.execute(query).scalar_one())


def demand_same(
    tx: Tx, archive_id: ArchiveId, seen: Versions, known: Sequence[tuple[RoleKey, int]]
) -> None:
    """That no role came, went or was described anew since; what they learned doesn't matter.

    `known`: key and version of each role, as `seen`. Raises: StaleRole.
    """
    if versions(tx, archive_id).roles == seen.roles:
        return
    query = select(role.c.key, role.c.version).where(role.c.archive_id == archive_id, *own(tx))
    if {(row.key, row.version) for row in tx.connection.execute(query)} != {*known}:
        raise StaleRole("The archive's roles have changed meanwhile; try again.")


def find(tx: Tx, archive_id: ArchiveId, role_id: str) -> Role | None:
    query = select(*COLUMNS).where(
        role.c.archive_id == archive_id, role.c.role_id == role_id, *own(tx)
    )
    row = tx.connection.execute(query).first()
    return None if row is None else of_row(row)


def get(tx: Tx, archive_id: ArchiveId, role_id: str) -> Role:
    """Raises: RoleNotFound, naming the roles there are."""
    found = find(tx, archive_id, role_id)
    if found is None:
        there = [one.role_id for one in list_all(tx, archive_id)]
        listed = f"It has {', '.join(there[:20])}." if there else f"It has no roles. {MAKE_SOME}"
        raise RoleNotFound(f"There is no role {role_id!r} here. {listed}", role_id=role_id)
    return found


def create(tx: Tx, archive: Archive, config: EmbeddingRoleConfig, place: int = 0) -> Role:
    """`place`: among roles made at once, which keep their order. Raises: RoleExists."""
    if find(tx, archive.id, config.role_id) is not None:
        raise RoleExists(
            f"There is already a role {config.role_id!r} in archive {archive.name!r}."
            " Edit it, or choose another `role_id`.",
            role_id=config.role_id,
        )
    made = Role(
        key=RoleKey(new_id("role")),
        organization_id=archive.organization_id,
        archive_id=archive.id,
        version=1,
        config=config,
        created_at=tx.now + timedelta(microseconds=place),
        updated_at=tx.now,
    )
    values = {name: getattr(made, name) for name in NAMES}
    values |= {"role_id": config.role_id, "config": config.as_json(), "gated": 0, "considered": 0}
    tx.connection.execute(insert(role).values(values))
    keep_version(tx, made, None)
    return made


def change(tx: Tx, seen: Role, config: EmbeddingRoleConfig, reason: str | None) -> Role:
    """Give a role that is still as it was `seen` another configuration. Raises: StaleRole."""
    row = tx.connection.execute(
        update(role)
        .where(role.c.key == seen.key, role.c.version == seen.version, *own(tx))
        .values(config=config.as_json(), version=seen.version + 1, updated_at=tx.now)
        .returning(*COLUMNS)
    ).first()
    if row is None:
        raise StaleRole(f"Role {seen.role_id!r} has changed since it was read; read it again.")
    changed = of_row(row)
    keep_version(tx, changed, reason)
    return changed


def keep_version(tx: Tx, one: Role, reason: str | None) -> None:
    tx.connection.execute(
        insert(role_version).values(
            role_key=one.key,
            version=one.version,
            config=one.config.as_json(),
            at=tx.now,
            by=tx.actor.user_id,
            reason=reason,
        )
    )


def remove(tx: Tx, one: Role) -> None:
    """The role with its configurations, vectors and memberships; the memories stay."""
    tx.connection.execute(delete(role).where(role.c.key == one.key, *own(tx)))


def history(tx: Tx, one: Role) -> list[RoleVersion]:
    """The configurations it had, the newest first."""
    query = (
        select(role_version)
        .where(role_version.c.role_key == one.key)
        .order_by(role_version.c.version.desc())
    )
    return [
        RoleVersion(
            version=row.version,
            config=config_of(row.config),
            at=row.at,
            by=UserId(row.by),
            reason=row.reason,
        )
        for row in tx.connection.execute(query)
    ]


def put_embedded(tx: Tx, one: Role, made: Embedded) -> None:
    """Replaces what was kept for this model, unless that is of a newer configuration."""
    ours = (role_embedding.c.role_key == one.key, role_embedding.c.model == made.model)
    tx.connection.execute(
        delete(role_embedding).where(*ours, role_embedding.c.version <= made.version)
    )
    if tx.connection.execute(select(role_embedding.c.version).where(*ours)).first() is None:
        tx.connection.execute(
            insert(role_embedding).values(
                role_key=one.key,
                model=made.model,
                version=made.version,
                vectors=made.vectors.astype("<f4", copy=False).tobytes(),
            )
        )


def embedded(tx: Tx, archive_id: ArchiveId, model: str, dimension: int) -> dict[RoleKey, Embedded]:
    """By role; a role that isn't embedded yet with this model is missing."""
    e = role_embedding.c
    query = (
        select(e.role_key, e.version, e.vectors)
        .join(role, role.c.key == e.role_key)
        .where(role.c.archive_id == archive_id, e.model == model, *own(tx))
    )
    return {
        RoleKey(row.role_key): Embedded(
            row.version, model, np.frombuffer(row.vectors, "<f4").reshape(-1, dimension)
        )
        for row in tx.connection.execute(query)
    }


def count_gatings(tx: Tx, considered: Mapping[RoleKey, int], gated: Mapping[RoleKey, int]) -> None:
    """Add to how often each role was compared with a context, and how often it was chosen."""
    alike: dict[int, list[RoleKey]] = {}
    for key, times in considered.items():
        alike.setdefault(times, []).append(key)
    for times, keys in alike.items():  # all roles of an archive at once: there may be a thousand
        new: dict[str, Any] = {"considered": role.c.considered + times}
        tx.connection.execute(update(role).where(role.c.key.in_(keys), *own(tx)).values(new))
    for key, times in gated.items():
        new = {"gated": role.c.gated + times, "last_gated": tx.now}
        tx.connection.execute(update(role).where(role.c.key == key, *own(tx)).values(new))


def gatings(tx: Tx, keys: Sequence[RoleKey]) -> dict[RoleKey, tuple[int, int, Any]]:
    """By role: considered, gated, last gated."""
    query = select(role.c.key, role.c.considered, role.c.gated, role.c.last_gated).where(
        role.c.key.in_(keys), *own(tx)
    )
    return {RoleKey(row[0]): (row[1], row[2], row[3]) for row in tx.connection.execute(query)}


def own(tx: Tx) -> tuple[Any, ...]:
    return (role.c.organization_id == tx.actor.organization_id,)
