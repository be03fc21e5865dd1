"""Queries on organizations, users and API keys."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe

from sqlalchemy import Connection, insert, select, update

from yiku.core.errors import KeyNotFound
from yiku.core.ids import ApiKeyId, OrganizationId, UserId, new_id
from yiku.core.tenant import Actor, ApiKey, Organization, Scope, User
from yiku.store.database import Tx
from yiku.store.tables import api_key, organization, user

KEY_PREFIX = "yk_"
KEY_BYTES = 32


def key_hash(key: str) -> str:
    """SHA-256 in hex. A key is 256 random bits, so no slow hash is needed."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def add_organization(tx: Tx, name: str) -> Organization:
    made = Organization(id=OrganizationId(new_id("org")), name=name, created_at=tx.now)
    tx.connection.execute(
        insert(organization).values(id=made.id, name=made.name, created_at=made.created_at)
    )
    return made


def organizations(connection: Connection) -> list[OrganizationId]:
    """All there are, the oldest first."""
    query = select(organization.c.id).order_by(organization.c.created_at, organization.c.id)
    return [OrganizationId(id) for id in connection.execute(query).scalars()]


def add_user(tx: Tx, organization_id: OrganizationId, name: str) -> User:
    made = User(
        id=UserId(new_id("user")), organization_id=organization_id, name=name, created_at=tx.now
    )
    tx.connection.execute(
        insert(user).values(
            id=made.id, organization_id=organization_id, name=name, created_at=tx.now
        )
    )
    return made


def find_user(tx: Tx, organization_id: OrganizationId, name: str) -> User | None:
    row = tx.connection.execute(
        select(user).where(user.c.organization_id == organization_id, user.c.name == name)
    ).first()
    if row is None:
        return None
    return User(
        id=UserId(row.id),
        organization_id=OrganizationId(row.organization_id),
        name=row.name,
        created_at=row.created_at,
    )


def find_organization(tx: Tx, name: str) -> Organization | None:
    row = tx.connection.execute(select(organization).where(organization.c.name == name)).first()
    if row is None:
        return None
    return Organization(id=OrganizationId(row.id), name=row.name, created_at=row.created_at)


def add_key(
    tx: Tx, owner: User, name: str, scope: Scope, expires_at: datetime | None
) -> tuple[ApiKey, str]:
    """A new key and, this once, its secret."""
    secret = KEY_PREFIX + token_urlsafe(KEY_BYTES)
    made = ApiKey(
        id=ApiKeyId(new_id("key")),
        organization_id=owner.organization_id,
        user_id=owner.id,
        name=name,
        prefix=secret[:8],
        scope=scope,
        created_at=tx.now,
        expires_at=expires_at,
        revoked_at=None,
    )
    values = {f: getattr(made, f) for f in made.__dataclass_fields__}
    tx.connection.execute(insert(api_key).values(**values, hash=key_hash(secret)))
    return made, secret


def list_keys(tx: Tx) -> list[ApiKey]:
    """The organization's keys, the oldest first."""
    columns = [api_key.c[f] for f in ApiKey.__dataclass_fields__]
    rows = tx.connection.execute(
        select(*columns)
        .where(api_key.c.organization_id == tx.actor.organization_id)
        .order_by(api_key.c.created_at, api_key.c.id)
    )
    return [
        ApiKey(
            id=row.id,
            organization_id=row.organization_id,
            user_id=row.user_id,
            name=row.name,
            prefix=row.prefix,
            scope=Scope(row.scope),
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )
        for row in rows
    ]


def revoke_key(tx: Tx, key_id: ApiKeyId) -> None:
    """Raises: KeyNotFound."""
    row = tx.connection.execute(
        update(api_key)
        .where(
            api_key.c.id == key_id,
            api_key.c.organization_id == tx.actor.organization_id,
            api_key.c.revoked_at.is_(None),
        )
        .values(revoked_at=tx.now)
        .returning(api_key.c.id)
    ).first()
    if row is None:
        raise KeyNotFound(f"There is no key {key_id} that could be revoked.", key_id=key_id)


def find_actor(tx: Tx, secret: str) -> Actor | None:
    """Whom a key speaks for, or None where it is unknown, expired or revoked."""
    row = tx.connection.execute(
        select(api_key).where(api_key.c.hash == key_hash(secret), api_key.c.revoked_at.is_(None))
    ).first()
    if row is None or (row.expires_at is not None and row.expires_at <= tx.now):
        return None
    return Actor(
        organization_id=OrganizationId(row.organization_id),
        user_id=UserId(row.user_id),
        scope=Scope(row.scope),
    )
