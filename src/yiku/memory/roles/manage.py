"""Roles come, change and go. Their memories stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from yiku.core.errors import Invalid
from yiku.core.memory import Archive
from yiku.core.role import EmbeddingRoleConfig, Role, RoleVersion, Why
from yiku.core.tenant import Actor, Scope
from yiku.memory.archival import ArchivalMemory, Place, check_place, resolve
from yiku.memory.draft import check_name
from yiku.memory.roles.retention import overflow
from yiku.memory.roles.route import Where, archive_of
from yiku.store import archives, memberships, role_blocks, roles
from yiku.store.database import Tx, demand
from yiku.store.memberships import Step

MAX_ROLES = 2_000
"""Roles of one archive."""


async def add(
    memory: ArchivalMemory, actor: Actor, where: Where, configs: Sequence[EmbeddingRoleConfig]
) -> list[Role]:
    """Make roles; all of them or none. An archive named by a `Place` is made where there is none.

    Memories that are there already don't move: `reroute` lets the new roles claim theirs.

    Raises: Invalid, RoleExists, ArchiveNotFound, EmbeddingModelMismatch, ProviderError, StoreError.
    """
    if isinstance(where, Place):
        check_name("The archive's name", where.name)
        check_name("The user", where.owner or None)
    if len(configs) > MAX_ROLES:
        raise Invalid(f"An archive has at most {MAX_ROLES:,} roles.", field="roles")
    times = Counter(one.role_id for one in configs)
    twice = sorted(role_id for role_id, many in times.items() if many > 1)
    if twice:
        raise Invalid(f"A `role_id` is there twice: {', '.join(twice)}.", field="role_id")
    vectors = [await memory.roles.embedded(one) for one in configs]
    model, dimension = memory.embedder.model, memory.embedder.dimension

    def unit(tx: Tx) -> list[Role]:
        archive = home_of(tx, where)
        archives.settle_model(tx, archive, model, dimension)
        if roles.count(tx, archive.id) + len(configs) > MAX_ROLES:
            raise Invalid(f"An archive has at most {MAX_ROLES:,} roles.", field="roles")
        made = [roles.create(tx, archive, one, place) for place, one in enumerate(configs)]
        for role, own in zip(made, vectors, strict=True):
            roles.put_embedded(tx, role, roles.Embedded(role.version, model, own))
        if made:
            roles.bump(tx, archive, roles=True)
        return made

    return await memory.database.write(actor, unit)


def home_of(tx: Tx, where: Where) -> Archive:
    """Raises: ArchiveNotFound where an id names none, Invalid."""
    check_place(where)
    if isinstance(where, Place):
        return archives.ensure(tx, where.owner, where.name)
    return archives.get(tx, where)


async def edit(
    memory: ArchivalMemory,
    actor: Actor,
    where: Where,
    role_id: str,
    changes: Mapping[str, Any],
    *,
    reason: str | None = None,
) -> Role:
    """Change fields of a role; its earlier configurations are kept.

    Its memories stay with it until `reroute` looks at them again; one that now keeps fewer lets
    the others go at once.

    Raises: NotAllowed, Invalid, RoleNotFound, StaleRole, ProviderError, StoreError.
    """
    demand(actor, Scope.WRITE)  # also where nothing is to be changed
    if "role_id" in changes and changes["role_id"] != role_id:
        raise Invalid("A `role_id` can't be changed; add another role.", field="role_id")
    before = await memory.database.read(
        actor, lambda tx: roles.get(tx, archive_of(tx, where).id, role_id)
    )
    config = before.config.changed(changes)
    if config == before.config:
        return before
    vectors = await memory.roles.embedded(config)

    def unit(tx: Tx) -> Role:
        archive = archives.get(tx, before.archive_id)
        changed = roles.change(tx, before, config, reason)
        model = memory.embedder.model
        roles.put_embedded(tx, changed, roles.Embedded(changed.version, model, vectors))
        roles.bump(tx, archive, roles=True)
        shrink(tx, archive, changed)
        return changed

    return await memory.database.write(actor, unit)


def shrink(tx: Tx, archive: Archive, role: Role) -> None:
    """Let go what a role no longer has room for."""
    version = roles.versions(tx, archive.id).all
    memberships.take(tx, archive.id, version, overflow(tx, archive, [role]))


async def restore(
    memory: ArchivalMemory, actor: Actor, where: Where, role_id: str, version: int
) -> Role:
    """Give a role a configuration it had before, as a new version.

    Raises: Invalid, RoleNotFound, StaleRole, ProviderError, StoreError.
    """
    found = await history(memory, actor, where, role_id)
    old = next((one for one in found if one.version == version), None)
    if old is None:
        raise Invalid(f"Role {role_id!r} had versions 1 to {found[0].version}, not {version}.")
    return await edit(
        memory, actor, where, role_id, old.config.as_json(), reason=f"back to version {version}"
    )


async def remove(memory: ArchivalMemory, actor: Actor, where: Where, role_id: str) -> int:
    """Remove a role, and what it noted for itself; its memories stay, in their other roles or the
    general memory.

    Returns how many it had. Raises: RoleNotFound, StoreError.
    """

    def unit(tx: Tx) -> int:
        archive = archive_of(tx, where)
        role = roles.get(tx, archive.id, role_id)
        steps = [
            Step(role, one.seq, False, one.score, Why.REMOVED)
            for one in memberships.held(tx, role.key)
        ]
        version = roles.bump(tx, archive, roles=True)
        memberships.take(tx, archive.id, version, steps)
        roles.remove(tx, role)
        role_blocks.erase(tx, archive.id, [role_blocks.ROLE + role_id])
        return len(steps)

    return await memory.database.write(actor, unit)


async def listed(memory: ArchivalMemory, actor: Actor, where: Where) -> list[Role]:
    """The oldest first; an archive that isn't there yet has none."""

    def unit(tx: Tx) -> list[Role]:
        if isinstance(where, Place) and archives.find(tx, where.owner, where.name) is None:
            return []
        return roles.list_all(tx, resolve(tx, where).id)

    return await memory.database.read(actor, unit)


async def shown(memory: ArchivalMemory, actor: Actor, where: Where, role_id: str) -> Role:
    """Raises: RoleNotFound, ArchiveNotFound."""
    return await memory.database.read(
        actor, lambda tx: roles.get(tx, archive_of(tx, where).id, role_id)
    )


async def history(
    memory: ArchivalMemory, actor: Actor, where: Where, role_id: str
) -> list[RoleVersion]:
    """The configurations a role had, the newest first. Raises: RoleNotFound."""
    return await memory.database.read(
        actor, lambda tx: roles.history(tx, roles.get(tx, archive_of(tx, where).id, role_id))
    )
