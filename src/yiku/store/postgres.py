"""Postgres 16 with pgvector, over psycopg's asynchronous connections."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

import psycopg.errors as pg
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from yiku.core.errors import (
    DatabaseBusy,
    DatabaseFull,
    DatabaseUnreachable,
    Invalid,
    StalePassage,
    StoreError,
    YikuError,
)
from yiku.core.quota import Limits
from yiku.core.tenant import Actor, Scope
from yiku.store import schema
from yiku.store.database import BY_OTHERS, Listeners, Tx, Unit, demand, now_utc, redacted

T = TypeVar("T")
Begun = Callable[[Connection], Tx]
"""A unit of work, given its connection."""

TRIES = 4
"""A unit that lost a deadlock or serialization race runs again this often at most."""

AGAIN = (pg.DeadlockDetected, pg.SerializationFailure, pg.UniqueViolation)
"""A unique key taken meanwhile (two processes make one archive) is seen by the next try."""

FAILED = (DBAPIError, NoConnection, TimeoutError)
"""What a unit may end with that Postgres, or the way there, is the cause of."""

NOTICED = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""Seconds, and milliseconds: a machine that went without a word is waited for no longer. By itself
the system gives up after a quarter of an hour, and what was asked hangs until then."""

AWAY = (pg.OperationalError, pg.InterfaceError, pg.ReadOnlySqlTransaction)
"""Another connection, or the same a moment later, may find it well."""

MIGRATION_LOCK = 0x59494B55


class PostgresDatabase:
    """One Postgres database, for any number of processes."""

    def __init__(self, url: str, busy_timeout_s: float, limits: Limits) -> None:
        self.url = url
        self._limits = limits
        self._listeners = Listeners()
        wait_ms = round(busy_timeout_s * 1000)
        self._wait = text(f"SET LOCAL lock_timeout = {wait_ms}")
        rest = url.split("://", 1)[1]
        self._engine: AsyncEngine = create_async_engine(
            f"postgresql+psycopg://{rest}",
            pool_size=10,
            max_overflow=10,
            pool_timeout=busy_timeout_s,
            pool_pre_ping=True,
            connect_args={
                **{name: most for name, most in NOTICED.items() if name not in given_in(url)},
                "connect_timeout": max(2, round(busy_timeout_s)),
                "prepare_threshold": None,  # works behind a transaction-pooling proxy
            },
            hide_parameters=True,  # memory text stays out of errors and logs
        )
        # Of reads: a statement of its own in each would be one way more to the server.
        event.listen(self._engine.sync_engine, "connect", waiting_at_most(wait_ms))

    @classmethod
    async def open(
        cls, url: str, busy_timeout_s: float, auto_migrate: bool, limits: Limits
    ) -> PostgresDatabase:
        database = cls(url, busy_timeout_s, limits)
        try:
            async with database._engine.begin() as connection:
                await connection.run_sync(prepare, auto_migrate)
        except DBAPIError as error:
            await database.close()
            raise database._connection_failed(error) from error
        except StoreError:
            await database.close()
            raise
        return database

    async def read(self, actor: Actor, unit: Unit[T]) -> T:
        demand(actor, Scope.READ)
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(isolation_level="REPEATABLE READ")
                return await connection.run_sync(run, self._tx(actor), unit)
        except FAILED as error:
            raise self._translated(error) from None  # its details tell the rows' text

    async def write(self, actor: Actor, unit: Unit[T]) -> T:
        demand(actor, Scope.WRITE)
        for attempt in range(1, TRIES + 1):
            committing = False
            try:
                async with self._engine.begin() as connection:
                    await connection.execute(self._wait)
                    value, jobs = await connection.run_sync(run_and_note, self._tx(actor), unit)
                    committing = True
                if jobs:
                    self._listeners.tell()
                return value
            except FAILED as error:
                again = isinstance(getattr(error, "orig", None), AGAIN)
                if not again or attempt == TRIES:
                    ours = self._translated(error, committing)
                    raise ours from None  # its details tell the rows' text
                await asyncio.sleep(random.uniform(0, 0.05 * attempt))
        raise AssertionError("unreachable")

    def listen(self, tell: Callable[[], None]) -> Callable[[], None]:
        return self._listeners.add(tell)

    async def scrub(self) -> None:
        """Nothing to do: deleted rows leave Postgres's files with its own vacuum."""

    async def backup(self, target: Path, progress: Callable[[int, int], None]) -> None:
        raise Invalid(BY_OTHERS)

    async def close(self) -> None:
        await self._engine.dispose()

    def _tx(self, actor: Actor) -> Begun:
        return lambda connection: Tx(connection, actor, now_utc(), limits=self._limits)

    def _connection_failed(self, error: DBAPIError) -> DatabaseUnreachable:
        """Nothing was sent yet, so all of the complaint may be told."""
        return DatabaseUnreachable(f"{redacted(self.url)}: {str(error.orig).strip()}")

    def _translated(self, error: Exception, committing: bool = False) -> YikuError:
        """Says what Postgres said, without the rows it said it of."""
        cause = getattr(error, "orig", error)
        where = redacted(self.url)
        match cause:
            case pg.LockNotAvailable() | pg.QueryCanceled() | NoConnection() | TimeoutError():
                return DatabaseBusy(
                    f"{where}: waited too long for a lock or a connection."
                    " Try again, or raise YIKU_BUSY_TIMEOUT_S."
                )
            case pg.DeadlockDetected() | pg.SerializationFailure():
                return DatabaseBusy(f"{where}: others wrote the same {TRIES} times. Try again.")
            case pg.DiskFull():
                return DatabaseFull(f"{where}: the disk is full; nothing was stored.")
            case pg.IntegrityError():
                return StalePassage(
                    "Something that this write refers to was changed or deleted meanwhile;"
                    " try again."
                )
            case pg.DataError():
                return Invalid(f"Postgres can't store this: {said_by(cause)}.")
            case pg.OperationalError() if committing:
                return DatabaseUnreachable(
                    f"{where}: the connection was lost while this was being stored: it is, or it"
                    " isn't. Look before you send it again.",
                    unsure=True,
                )
            case _ if isinstance(cause, AWAY):
                return DatabaseUnreachable(f"{where}: {said_by(cause)}.")
            case _:
                return StoreError(f"{where}: {said_by(cause)}.")


def said_by(cause: Exception) -> str:
    """What the server said, without the rows; where there was none to say a thing, what the driver
    says of the way there."""
    if isinstance(cause, pg.Error):
        if cause.diag.message_primary:
            return cause.diag.message_primary.rstrip(".")
        if cause.sqlstate is None and isinstance(cause, pg.OperationalError | pg.InterfaceError):
            return str(cause).strip().partition("\n")[0].rstrip(".")
    return type(cause).__name__


def given_in(url: str) -> set[str]:
    """Parameters of the connection that whoever wrote the address has set."""
    return set(parse_qs(urlsplit(url).query))


def waiting_at_most(wait_ms: int) -> Callable[[Any, Any], None]:
    """Has a new connection wait no longer than this for a lock."""

    def begin(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = {wait_ms}")
        cursor.close()
        connection.commit()

    return begin


def run(connection: Connection, begun: Begun, unit: Unit[T]) -> T:
    return unit(begun(connection))


def run_and_note(connection: Connection, begun: Begun, unit: Unit[T]) -> tuple[T, list[str]]:
    """What the unit returns, and what it put into the outbox."""
    tx = begun(connection)
    return unit(tx), tx.jobs


def prepare(connection: Connection, auto_migrate: bool) -> None:
    """Bring the schema to date; of several processes one does it, the others wait.

    Raises: MigrationNeeded, DatabaseUnreachable without pgvector.
    """
    if schema.is_current(connection):
        return
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    try:
        connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
    except DBAPIError as error:
        raise DatabaseUnreachable(
            "Yiku needs the pgvector extension: install it, then run"
            " CREATE EXTENSION vector; as a superuser of this database."
        ) from error
    schema.upgrade(connection, auto_migrate)
