"""Organizations, their users, and the keys they use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from yiku.core.audit import Act
from yiku.core.errors import Conflict, Invalid, OrganizationExists, UserExists
from yiku.core.ids import ApiKeyId, OrganizationId, UserId
from yiku.core.tenant import LOCAL_ORGANIZATION, ApiKey, Organization, Scope, User
from yiku.store import audit, keys, outbox, tenants
from yiku.store import organizations as rows
from yiku.store.database import Tx
from yiku.tenancy.reach import checked_name, demand_server, inside

ERASE = "erase_organization"
"""The job that erases what a deleted organization leaves; its key is the organization's id."""


def add_organization(tx: Tx, name: str) -> Organization:
    """Raises: NotAllowed, Invalid, OrganizationExists."""
    demand_server(tx)
    free = free_name(tx, name)
    made = tenants.add_organization(tx, free)
    audit.note(inside(tx, made.id), Act.ORGANIZATION_CREATE, made.id, name=free)
    return made


def free_name(tx: Tx, name: str) -> str:
    """Raises: Invalid, OrganizationExists."""
    plain = checked_name("name", name)
    if tenants.find_organization(tx, plain) is not None:
        raise OrganizationExists(f"There is already an organization {plain!r}.", name=plain)
    return plain


def organizations(tx: Tx, limit: int, after: OrganizationId | None) -> list[Organization]:
    """All there are, for who runs the server; for others, their own.

    Raises: NotAllowed, OrganizationNotFound.
    """
    if tx.actor.runs_server:
        return tenants.page_of_organizations(tx, limit, after)
    own = organization(tx, after or tx.actor.organization_id)
    return [] if after else [own]


def organization(tx: Tx, organization_id: OrganizationId) -> Organization:
    """Raises: NotAllowed, OrganizationNotFound."""
    there = inside(tx, organization_id)
    return tenants.get_organization(there, there.actor.organization_id)


def rename_organization(tx: Tx, organization_id: OrganizationId, name: str) -> Organization:
    """Raises: NotAllowed, OrganizationNotFound, Invalid, OrganizationExists."""
    there = inside(tx, organization_id)
    before = tenants.get_organization(there, organization_id)
    if checked_name("name", name) == before.name:
        return before
    renamed = tenants.rename_organization(there, free_name(tx, name))
    audit.note(
        there, Act.ORGANIZATION_RENAME, before.id, name=renamed.name, name_before=before.name
    )
    return renamed


def delete_organization(tx: Tx, organization_id: OrganizationId) -> Organization:
    """Nobody finds it from now on, and its keys are refused; a job erases all that belongs to it.

    What is noted stands in the log of who does it: the organization's own goes, too. Raises:
    NotAllowed, OrganizationNotFound, Conflict.
    """
    demand_server(tx)
    if organization_id == LOCAL_ORGANIZATION:
        raise Conflict(
            "The organization that the server began with can't be deleted: its administrators run"
            " the server. Delete its agents and archives instead."
        )
    gone = tenants.get_organization(tx, organization_id)
    rows.end(tx, gone.id)
    audit.note(tx, Act.ORGANIZATION_DELETE, gone.id, name=gone.name)
    outbox.put(tx, ERASE, gone.id)
    return gone


def add_user(tx: Tx, name: str) -> User:
    """Raises: Invalid, UserExists."""
    plain = free_user_name(tx, name)
    made = tenants.add_user(tx, tx.actor.organization_id, plain)
    audit.note(tx, Act.USER_CREATE, made.id, name=plain)
    return made


def free_user_name(tx: Tx, name: str) -> str:
    """Raises: Invalid, UserExists."""
    plain = checked_name("name", name)
    if tenants.find_user(tx, tx.actor.organization_id, plain) is not None:
        raise UserExists(f"There is already a user {plain!r}.", name=plain)
    return plain


def rename_user(tx: Tx, user_id: UserId, name: str) -> User:
    """Raises: UserNotFound, Invalid, UserExists."""
    before = tenants.get_user(tx, user_id)
    if checked_name("name", name) == before.name:
        return before
    renamed = tenants.change_user(tx, user_id, {"name": free_user_name(tx, name)})
    audit.note(tx, Act.USER_RENAME, user_id, name=renamed.name, name_before=before.name)
    return renamed


def switch_user(tx: Tx, user_id: UserId, *, disabled: bool) -> User:
    """Refuse all keys of a user from now on, or take them again.

    Raises: UserNotFound; Conflict where who asks would lock himself out.
    """
    before = tenants.get_user(tx, user_id)
    if (before.disabled_at is not None) == disabled:
        return before
    if disabled and user_id == tx.actor.user_id:
        raise Conflict("Nobody disables himself; another administrator can do it.", user_id=user_id)
    changed = tenants.change_user(tx, user_id, {"disabled_at": tx.now if disabled else None})
    audit.note(tx, Act.USER_DISABLE if disabled else Act.USER_ENABLE, user_id, name=before.name)
    return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key to make."""

    name: str
    scope: Scope
    user_id: UserId | None = None
    """Who it acts as; or by name, who is made where there is none; else who asks."""
    user_name: str | None = None
    expires_at: datetime | None = None


def add_key(tx: Tx, new: NewKey) -> tuple[ApiKey, str]:
    """The key and, this once, its secret. Raises: Invalid, UserNotFound, Conflict."""
    name = checked_name("name", new.name)
    if new.expires_at is not None and new.expires_at <= tx.now:
        raise Invalid(
            f"`expires_at` is in the future, not {new.expires_at.isoformat()}.", field="expires_at"
        )
    owner = owner_of(tx, new)
    if owner.disabled_at is not None:
        raise Conflict(f"The user {owner.name!r} is disabled: a key of his would be refused.")
    made, secret = keys.add_key(tx, owner, name, new.scope, new.expires_at)
    expires = None if made.expires_at is None else made.expires_at.isoformat()
    audit.note(
        tx, Act.KEY_CREATE, made.id, name=name, scope=made.scope, user=owner.id, expires=expires
    )
    return made, secret


def owner_of(tx: Tx, new: NewKey) -> User:
    """Raises: Invalid, UserNotFound."""
    if new.user_id is not None and new.user_name is not None:
        raise Invalid("Whose key: by `user_id` or by `user`, not both.", field="user")
    if new.user_name is None:
        return tenants.get_user(tx, new.user_id or tx.actor.user_id)
    name = checked_name("user", new.user_name)
    return tenants.find_user(tx, tx.actor.organization_id, name) or add_user(tx, name)


def revoke_key(tx: Tx, key_id: ApiKeyId) -> ApiKey:
    """Refuse a key from now on; one that is revoked already stays so. Raises: KeyNotFound."""
    found = keys.get(tx, key_id)
    if found.revoked_at is not None:
        return found
    keys.revoke_key(tx, key_id)
    audit.note(tx, Act.KEY_REVOKE, key_id, name=found.name, user=found.user_id)
    return keys.get(tx, key_id)
