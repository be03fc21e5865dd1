"""Queries on organizations and users."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Row, and_, insert, or_, select, update

from yiku.core.errors import OrganizationNotFound, UserNotFound
from yiku.core.ids import OrganizationId, UserId, new_id
from yiku.core.tenant import Organization, User
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.keys import add_key as add_key
from yiku.store.keys import find_actor as find_actor
from yiku.store.keys import list_keys as list_keys
from yiku.store.keys import revoke_key as revoke_key
from yiku.store.tables import organization, user

ORGANIZATION = tuple(Organization.__dataclass_fields__)
USER = tuple(User.__dataclass_fields__)
ORGANIZATION_COLUMNS = [organization.c[name] for name in ORGANIZATION]
USER_COLUMNS = [user.c[name] for name in USER]
THERE = organization.c.deleted_at.is_(None)
"""A deleted one is nobody's any more, and goes piece by piece (`organizations.py`)."""


def beyond(
    at: Column[Any], some_id: Column[Any], last: tuple[datetime, str]
) -> ColumnElement[bool]:
    """Rows that were made after the last one, in the order of making."""
    return or_(at > last[0], and_(at == last[0], some_id > last[1]))


def organization_of(row: Row[Any]) -> Organization:
    return Organization(**dict(zip(ORGANIZATION, row, strict=True)))


def user_of(row: Row[Any]) -> User:
    return User(**dict(zip(USER, row, strict=True)))


def add_organization(tx: Tx, name: str) -> Organization:
    made = Organization(id=OrganizationId(new_id("org")), name=name, created_at=tx.now)
    tx.connection.execute(
        insert(organization).values(id=made.id, name=made.name, created_at=made.created_at)
    )
    return made


def organizations(connection: Connection) -> list[OrganizationId]:
    """All there are, the oldest first."""
    query = select(organization.c.id).where(THERE)
    query = query.order_by(organization.c.created_at, organization.c.id)
    return [OrganizationId(id) for id in connection.execute(query).scalars()]


def page_of_organizations(tx: Tx, limit: int, after: OrganizationId | None) -> list[Organization]:
    """Of all there are, the oldest first; who may see them is the caller's business.

    Raises: OrganizationNotFound where the one that bounds the page isn't there.
    """
    at, query = organization.c.created_at, select(*ORGANIZATION_COLUMNS).where(THERE)
    if after is not None:
        last = get_organization(tx, after)
        query = query.where(beyond(at, organization.c.id, (last.created_at, last.id)))
    rows = tx.connection.execute(query.order_by(at, organization.c.id).limit(limit))
    return [organization_of(row) for row in rows]


def get_organization(tx: Tx, organization_id: OrganizationId) -> Organization:
    """Anyone's. Raises: OrganizationNotFound."""
    query = select(*ORGANIZATION_COLUMNS).where(organization.c.id == organization_id, THERE)
    row = tx.connection.execute(query).first() if askable(organization_id) else None
    if row is None:
        raise no_organization(organization_id)
    return organization_of(row)


def no_organization(organization_id: str) -> OrganizationNotFound:
    return OrganizationNotFound(
        f"There is no organization {organization_id}.", organization_id=organization_id
    )


def find_organization(tx: Tx, name: str) -> Organization | None:
    query = select(*ORGANIZATION_COLUMNS).where(organization.c.name == name, THERE)
    row = tx.connection.execute(query).first()
    return None if row is None else organization_of(row)


def rename_organization(tx: Tx, name: str) -> Organization:
    """The actor's own."""
    own = tx.actor.organization_id
    tx.connection.execute(update(organization).where(organization.c.id == own).values(name=name))
    return get_organization(tx, own)


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
    query = select(*USER_COLUMNS).where(
        user.c.organization_id == organization_id, user.c.name == name
    )
    row = tx.connection.execute(query).first()
    return None if row is None else user_of(row)


def get_user(tx: Tx, user_id: UserId) -> User:
    """Raises: UserNotFound."""
    query = select(*USER_COLUMNS).where(
        user.c.id == user_id, user.c.organization_id == tx.actor.organization_id
    )
    row = tx.connection.execute(query).first() if askable(user_id) else None
    if row is None:
        raise UserNotFound(f"There is no user {user_id}.", user_id=user_id)
    return user_of(row)


def page_of_users(tx: Tx, limit: int, after: UserId | None) -> list[User]:
    """The oldest first. Raises: UserNotFound where the one that bounds the page isn't there."""
    at = user.c.created_at
    query = select(*USER_COLUMNS).where(user.c.organization_id == tx.actor.organization_id)
    if after is not None:
        last = get_user(tx, after)
        query = query.where(beyond(at, user.c.id, (last.created_at, last.id)))
    rows = tx.connection.execute(query.order_by(at, user.c.id).limit(limit))
    return [user_of(row) for row in rows]


def change_user(tx: Tx, user_id: UserId, values: Mapping[str, Any]) -> User:
    """Raises: UserNotFound."""
    if values:
        tx.connection.execute(
            update(user)
            .where(user.c.id == user_id, user.c.organization_id == tx.actor.organization_id)
            .values(**values)
        )
    return get_user(tx, user_id)
