"""What an organization leaves behind: its rows, found and deleted table by table, some at a time.

Which rows of a table are an organization's is said by the table's own column, or by what they
belong to, whichever an index helps with; so a table that is added is cleared like the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    delete,
    exists,
    literal_column,
    select,
    update,
)

from yiku.core.ids import ArchiveId, McpServerId, OrganizationId
from yiku.store.admin_tables import mcp_server
from yiku.store.agent_tables import run
from yiku.store.database import Tx
from yiku.store.every_table import metadata
from yiku.store.skill_tables import outbox
from yiku.store.tables import api_key, archive, organization, user

OWNER = "organization_id"
AT_ONCE = 1_000
"""Rows of a transaction."""
ARCHIVE = archive.name
LARGE = {"file_piece": 16, "file_text": 100, ARCHIVE: 100}
"""Tables of which it is fewer: their rows are large, or there is more to do for each."""


def tables() -> list[str]:
    """All that have rows of organizations, in the order in which they are cleared: what nothing
    else belongs to first; but before all the jobs, so that none is begun any more."""
    found = [one for one in reversed(metadata.sorted_tables) if one is not organization]
    found.sort(key=lambda one: one is not outbox)
    return [one.name for one in found]


def rows_of(table: Table, organization_id: OrganizationId) -> ColumnElement[bool]:
    """Which rows of a table are the organization's."""
    own = table.c.get(OWNER)
    if own is not None and leads(own):
        return own == organization_id
    for column in table.columns:
        for key in column.foreign_keys:
            parent = key.column.table
            if parent is organization or column.nullable or not leads(column):
                continue
            theirs = select(key.column).where(rows_of(parent, organization_id))
            return column.in_(theirs.correlate(None))
    if own is None:
        raise AssertionError(f"Whose the rows of {table.name} are isn't told.")
    return own == organization_id


KEYS = (PrimaryKeyConstraint, UniqueConstraint)


def leads(column: Column[Any]) -> bool:
    """Whether an index of the whole table begins with it."""
    table = column.table
    keys = [one for one in table.constraints if isinstance(one, KEYS)]
    whole = [one for one in table.indexes if one.dialect_options["sqlite"].get("where") is None]
    return any(next(iter(one.columns), None) is column for one in (*keys, *whole))


def at_once(name: str) -> int:
    """How many rows of a table go with one transaction."""
    return LARGE.get(name, AT_ONCE)


def delete_some(tx: Tx, name: str, organization_id: OrganizationId) -> int:
    """Of the table of this name; returns how many. Fewer than `at_once`: there are no more."""
    table = metadata.tables[name]
    place: ColumnElement[Any] = literal_column("ctid" if tx.postgres else "rowid")
    chosen = (
        select(place)
        .select_from(table)
        .where(rows_of(table, organization_id))
        .limit(at_once(name))
        .correlate(None)
    )
    return tx.connection.execute(delete(table).where(place.in_(chosen))).rowcount


def some_archives(tx: Tx, organization_id: OrganizationId) -> list[ArchiveId]:
    """None: there are no more."""
    query = select(archive.c.id).where(archive.c.organization_id == organization_id)
    found = tx.connection.execute(query.limit(at_once(ARCHIVE)))
    return [ArchiveId(one) for one in found.scalars()]


def delete_archives(tx: Tx, archive_ids: Sequence[ArchiveId]) -> None:
    """What was in them is gone already."""
    tx.connection.execute(delete(archive).where(archive.c.id.in_(archive_ids)))


def mcp_servers(tx: Tx, organization_id: OrganizationId) -> list[McpServerId]:
    query = select(mcp_server.c.id).where(mcp_server.c.organization_id == organization_id)
    return [McpServerId(one) for one in tx.connection.execute(query).scalars()]


def end(tx: Tx, organization_id: OrganizationId) -> None:
    """Nobody finds it any more, its name is free, its keys are refused, its runs end."""
    connection, own = tx.connection, organization_id
    connection.execute(
        update(organization)
        .where(organization.c.id == own)
        .values(deleted_at=tx.now, name=organization_id)
    )
    keys = update(api_key).where(api_key.c.organization_id == own, api_key.c.revoked_at.is_(None))
    connection.execute(keys.values(revoked_at=tx.now))
    users = update(user).where(user.c.organization_id == own, user.c.disabled_at.is_(None))
    connection.execute(users.values(disabled_at=tx.now))
    going_on = update(run).where(
        run.c.organization_id == own, run.c.status.in_(("created", "running"))
    )
    connection.execute(going_on.values(cancel_asked=True))


def was_ended(tx: Tx, organization_id: OrganizationId) -> bool:
    """Whether it waits to be erased."""
    query = select(
        exists().where(organization.c.id == organization_id, organization.c.deleted_at.is_not(None))
    )
    return bool(tx.connection.execute(query).scalar())


def erase_last(tx: Tx, organization_id: OrganizationId) -> None:
    """The organization itself, with what was written for it while it was being erased. From here on
    the database takes nothing of it any more."""
    for name in tables():
        table = metadata.tables[name]
        own = table.c.get(OWNER)
        if own is not None:
            tx.connection.execute(delete(table).where(own == organization_id))
    tx.connection.execute(delete(organization).where(organization.c.id == organization_id))
