"""The schema's version: Alembic's, asked without importing Alembic while nothing is to be done."""

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from yiku.core.errors import MigrationNeeded

HEAD = "0010"
"""The newest migration; a test compares it with the scripts."""


def current(connection: Connection) -> str | None:
    """The database's migration, or None where no table of ours is."""
    exists = connection.dialect.has_table(connection, "alembic_version")
    if not exists:
        return None
    found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


def is_current(connection: Connection) -> bool:
    """Whether nothing is to be done; quick, asked at every start."""
    if connection.dialect.name != "sqlite":
        return current(connection) == HEAD
    try:
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except DBAPIError as error:
        if "no such table" in str(error.orig):
            return False
        raise
    return found == HEAD


def upgrade(connection: Connection, allowed: bool) -> None:
    """Bring the schema to `HEAD` inside the caller's transaction.

    Raises: MigrationNeeded where it may not, or the database is newer than this program.
    """
    found = current(connection)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise MigrationNeeded(
            f"The database was made by a newer Yiku (schema {found}, this one knows {HEAD})."
            " Upgrade Yiku, or restore an older backup."
        )
    if found is not None and not allowed:
        raise MigrationNeeded(
            f"The database's schema is {found}, this Yiku needs {HEAD}."
            " Back it up, then run `yiku doctor --migrate` or set YIKU_AUTO_MIGRATE=true."
        )
    from yiku.store.migrations import run

    run.upgrade(connection)
