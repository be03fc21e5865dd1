"""Queries on API keys."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any

from sqlalchemy import Row, and_, insert, or_, select, update

from yiku.core.errors import KeyNotFound
from yiku.core.ids import ApiKeyId, OrganizationId, UserId, new_id
from yiku.core.tenant import Actor, ApiKey, Scope, User
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.hot import Select, micros
from yiku.store.tables import api_key

KEY_PREFIX = "yk_"
KEY_BYTES = 32
FIELDS = tuple(ApiKey.__dataclass_fields__)
COLUMNS = [api_key.c[name] for name in FIELDS]

_ACTOR = Select(
    "SELECT k.id, k.organization_id, k.user_id, k.scope, k.expires_at"
    ' FROM api_key k JOIN "user" u ON u.id = k.user_id'
    " WHERE k.hash = :hash AND k.revoked_at IS NULL AND u.disabled_at IS NULL"
)


def key_hash(key: str) -> str:
    """SHA-256 in hex. A key is 256 random bits, so no slow hash is needed."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def of_row(row: Row[Any]) -> ApiKey:
    values: dict[str, Any] = dict(zip(FIELDS, row, strict=True))
    values["scope"] = Scope(values["scope"])
    return ApiKey(**values)


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
    values = {f: getattr(made, f) for f in FIELDS}
    tx.connection.execute(insert(api_key).values(**values, hash=key_hash(secret)))
    return made, secret


def get(tx: Tx, key_id: ApiKeyId) -> ApiKey:
    """Raises: KeyNotFound."""
    query = select(*COLUMNS).where(
        api_key.c.id == key_id, api_key.c.organization_id == tx.actor.organization_id
    )
    row = tx.connection.execute(query).first() if askable(key_id) else None
    if row is None:
        raise KeyNotFound(f"There is no key {key_id}.", key_id=key_id)
    return of_row(row)


def list_keys(tx: Tx) -> list[ApiKey]:
    """The organization's keys, the oldest first."""
    query = (
        select(*COLUMNS)
        .where(api_key.c.organization_id == tx.actor.organization_id)
        .order_by(api_key.c.created_at, api_key.c.id)
    )
    return [of_row(row) for row in tx.connection.execute(query)]


def page(tx: Tx, limit: int, after: ApiKeyId | None, user_id: UserId | None) -> list[ApiKey]:
    """The oldest first. Raises: KeyNotFound where the one that bounds the page isn't there."""
    query = select(*COLUMNS).where(api_key.c.organization_id == tx.actor.organization_id)
    if user_id is not None:
        query = query.where(api_key.c.user_id == user_id)
    if after is not None:
        last, at = get(tx, after), api_key.c.created_at
        later = and_(at == last.created_at, api_key.c.id > last.id)
        query = query.where(or_(at > last.created_at, later))
    rows = tx.connection.execute(query.order_by(api_key.c.created_at, api_key.c.id).limit(limit))
    return [of_row(row) for row in rows]


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
    """Whom a key speaks for; None: it is unknown, expired or revoked, or its user is disabled.

    Asked at every request, of the database: what ends a key ends it on every server at once.
    """
    rows = _ACTOR.rows(tx.connection, hash=key_hash(secret))
    if not rows:
        return None
    key_id, organization_id, user_id, scope, expires_at = rows[0]
    now = micros(tx.now)
    if expires_at is not None and now is not None and expires_at <= now:
        return None
    return Actor(
        organization_id=OrganizationId(organization_id),
        user_id=UserId(user_id),
        scope=Scope(scope),
        key_id=ApiKeyId(key_id),
    )
