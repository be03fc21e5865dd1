"""Identities: for whom of a program's own users agents and blocks are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from yiku.core.errors import Invalid, checked
from yiku.core.identity import (
    Identity,
    IdentityDraft,
    IdentityProperty,
    IdentityState,
    IdentityType,
)
from yiku.core.ids import IdentityId, new_id
from yiku.core.tenant import Actor
from yiku.memory.draft import check_metadata, check_name
from yiku.store import identities as store
from yiku.store.database import Database, Tx

MAX_PROPERTIES = 1_000
MAX_LINKS = 10_000
"""Agents, or blocks, that can be named at once."""


def check(draft: IdentityDraft) -> None:
    """Raises: Invalid, InvalidText, naming the field."""
    checked("identifier_key", lambda: check_name("The key", draft.identifier_key))
    checked("name", lambda: check_name("The name", draft.name))
    checked("project_id", lambda: check_name("`project_id`", draft.project_id))
    check_properties(draft.properties or ())
    for field, named in (("agent_ids", draft.agent_ids), ("block_ids", draft.block_ids)):
        if len(named or ()) > MAX_LINKS:
            raise Invalid(f"`{field}` names {MAX_LINKS:,} at most.", field=field)


def check_properties(properties: Sequence[IdentityProperty]) -> None:
    """Raises: Invalid, InvalidText."""
    if len(properties) > MAX_PROPERTIES:
        raise Invalid(f"An identity has {MAX_PROPERTIES:,} properties at most.", field="properties")
    for one in properties:
        checked("properties", lambda one=one: check_metadata({one.key: one.value}))


async def create(database: Database, actor: Actor, draft: IdentityDraft) -> IdentityState:
    """Raises: Invalid, InvalidText, IdentityExists, AgentNotFound, BlockNotFound."""
    check(draft)
    return await database.write(actor, lambda tx: made(tx, draft))


async def upsert(database: Database, actor: Actor, draft: IdentityDraft) -> IdentityState:
    """Make the identity of this key, or have it be as this says: what it says takes the place of
    what was. Raises: as `create`."""
    check(draft)

    def unit(tx: Tx) -> IdentityState:
        seen = store.find(tx, draft.identifier_key or "")
        return made(tx, draft) if seen is None else changed(tx, seen, draft, whole=True)

    return await database.write(actor, unit)


async def update(
    database: Database, actor: Actor, identity_id: IdentityId, draft: IdentityDraft
) -> IdentityState:
    """Change what is said; properties, agents and blocks are added to those it has.

    Raises: IdentityNotFound, and as `create`.
    """
    check(draft)

    def unit(tx: Tx) -> IdentityState:
        return changed(tx, store.get_to_change(tx, identity_id), draft, whole=False)

    return await database.write(actor, unit)


def made(tx: Tx, draft: IdentityDraft) -> IdentityState:
    by, at = tx.actor.user_id, tx.now
    new = Identity(
        id=IdentityId(new_id("identity")),
        organization_id=tx.actor.organization_id,
        identifier_key=draft.identifier_key or "",
        name=draft.name or "",
        identity_type=draft.identity_type or IdentityType.OTHER,
        project_id=draft.project_id,
        properties=merged((), draft.properties or ()),
        created_at=at,
        created_by=by,
        updated_at=at,
        updated_by=by,
    )
    return with_its_own(tx, store.add(tx, new), draft, whole=True)


def changed(tx: Tx, seen: Identity, draft: IdentityDraft, *, whole: bool) -> IdentityState:
    before = () if whole else seen.properties
    kept = seen.properties if draft.properties is None else merged(before, draft.properties)
    said = {
        "identifier_key": draft.identifier_key,
        "name": draft.name,
        "identity_type": draft.identity_type,
        "project_id": draft.project_id,
    }
    given = {name: value for name, value in said.items() if value is not None}
    one = store.change(tx, replace(seen, properties=kept, **given))
    return with_its_own(tx, one, draft, whole=whole)


def with_its_own(tx: Tx, one: Identity, draft: IdentityDraft, *, whole: bool) -> IdentityState:
    if draft.agent_ids is not None:
        store.give_agents(tx, one.id, draft.agent_ids, whole=whole)
    if draft.block_ids is not None:
        store.give_blocks(tx, one.id, draft.block_ids, whole=whole)
    return store.states(tx, [one])[0]


def merged(
    before: Sequence[IdentityProperty], given: Sequence[IdentityProperty]
) -> tuple[IdentityProperty, ...]:
    """Of one key the last counts, in the place of the first."""
    return tuple({one.key: one for one in (*before, *given)}.values())
