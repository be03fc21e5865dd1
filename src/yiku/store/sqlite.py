"""SQLite: one thread writes, committing in groups; others read.

Each unit of work has a savepoint of its own inside its group's transaction, so one that fails
takes nothing else with it. A unit is acknowledged after the group's commit has reached the disk
(`synchronous=FULL`): the fdatasync is shared by all units of the group.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from yiku.core.errors import (
    DatabaseForeign,
    DatabaseUnreachable,
    StoreError,
    YikuError,
)
from yiku.core.quota import Limits
from yiku.core.tenant import Actor, Scope
from yiku.store import schema
from yiku.store.database import Listeners, Tx, Unit, demand, now_utc
from yiku.store.sqlite_file import (
    APPLICATION_ID,
    check_file,
    copy_database,
    translate,
    translated,
)

T = TypeVar("T")

logger = logging.getLogger(__name__)

OLDEST = (3, 38)
"""RETURNING came with 3.35, JSON functions in every build with 3.38."""

GROUP = 256
"""Units committed together at most, so that other processes get their turn."""

READERS = 4

SCRUB_WAIT_MS = 500
"""How long a deletion waits for readers of the log to let it be emptied."""


Answer = Callable[[], None]
"""Settles a unit's future: with what it returned, or with what it raised."""


class Work:
    """A unit waiting for the writer."""

    __slots__ = ("actor", "future", "unit")

    def __init__(self, actor: Actor, unit: Unit[Any]) -> None:
        self.actor = actor
        self.unit = unit
        self.future: Future[Any] = Future()


class SqliteDatabase:
    """One SQLite file, for any number of processes."""

    def __init__(self, path: Path, busy_timeout_s: float, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        self.url = f"sqlite:///{path}"
        self._listeners = Listeners()
        self._engine = engine_of(path, busy_timeout_s)
        self._queue: SimpleQueue[Work | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._write_all, name="yiku-writer", daemon=True)
        self._local = threading.local()
        self._reading: list[Connection] = []
        self._readers = ThreadPoolExecutor(READERS, "yiku-reader")
        self._closed = False

    @classmethod
    async def open(
        cls, path: Path, busy_timeout_s: float, auto_migrate: bool, limits: Limits
    ) -> SqliteDatabase:
        database = cls(path, busy_timeout_s, limits)
        try:
            await asyncio.to_thread(prepare, database._engine, path, auto_migrate)
        except DBAPIError as error:
            raise translated(error, path) from error
        database._writer.start()
        return database

    async def read(self, actor: Actor, unit: Unit[T]) -> T:
        demand(actor, Scope.READ)
        future = self._readers.submit(self._read, actor, unit)
        return await asyncio.wrap_future(future)

    async def write(self, actor: Actor, unit: Unit[T]) -> T:
        demand(actor, Scope.WRITE)
        if self._closed:
            raise DatabaseUnreachable(f"{self.path} was closed.")
        work = Work(actor, unit)
        self._queue.put(work)
        return await asyncio.wrap_future(work.future)

    def listen(self, tell: Callable[[], None]) -> Callable[[], None]:
        return self._listeners.add(tell)

    async def scrub(self) -> None:
        """Move the log into the file, whose freed pages are zeroed (`secure_delete`), and empty it.

        A reader in another process may hold the log back; then it is emptied by the next scrub.
        """
        await asyncio.wrap_future(self._readers.submit(self._scrub))

    async def backup(self, target: Path, progress: Callable[[int, int], None]) -> None:
        await asyncio.to_thread(copy_database, self.path, target, progress)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._writer.join)
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reading:
            connection.close()
        self._engine.dispose()

    def _read(self, actor: Actor, unit: Unit[T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        try:
            if connection is None:
                connection = self._local.connection = self._engine.connect()
                self._reading.append(connection)
            raw = driver(connection)
            raw.execute("BEGIN")
            try:
                return unit(Tx(connection, actor, now_utc(), limits=self._limits))
            finally:
                if raw.in_transaction:
                    raw.execute("ROLLBACK")
        except (DBAPIError, sqlite3.Error) as error:
            raise translated(error, self.path) from error

    def _scrub(self) -> None:
        with self._engine.connect() as connection:
            raw = driver(connection)
            raw.execute(f"PRAGMA busy_timeout={SCRUB_WAIT_MS}")
            try:
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.Error as error:
                raise StoreError(
                    f"The deletion is done, but SQLite's log could not be emptied ({error}): what"
                    " was deleted may be in it until the next deletion, or until every process"
                    " has closed the database."
                ) from error

    def _write_all(self) -> None:
        """The writer thread: groups of units, until told to stop."""
        with self._engine.connect() as connection:
            while (first := self._queue.get()) is not None:
                self._write_group(connection, first)

    def _write_group(self, connection: Connection, first: Work) -> None:
        taken: list[Work] = [first]
        answers: list[Answer] = []
        jobs: list[str] = []
        raw = driver(connection)
        try:
            raw.execute("BEGIN IMMEDIATE")
            self._write_one(connection, first, answers, jobs)
            while len(taken) < GROUP and not self._queue.empty():
                work = self._queue.get()
                if work is None:  # told to stop: finish this group first
                    self._queue.put(None)
                    break
                taken.append(work)
                self._write_one(connection, work, answers, jobs)
            raw.execute("COMMIT")
        except (DBAPIError, sqlite3.Error) as error:
            fail(raw, taken, translated(error, self.path))
            return
        # Without its writer the memory would wait forever: a bug fails its group, not the rest.
        except Exception as error:
            logger.exception("a group of writes failed", extra={"units": len(taken)})
            fail(raw, taken, StoreError(str(error)))
            return
        for answer in answers:
            answer()
        if jobs:
            self._listeners.tell()

    def _write_one(
        self,
        connection: Connection,
        work: Work,
        answers: list[Answer],
        jobs: list[str],
    ) -> None:
        """Run a unit; what it is answered comes into `answers`, for after the commit: what it was
        refused for may be another one's write, which nobody can read until then."""
        if not work.future.set_running_or_notify_cancel():
            return
        raw = driver(connection)
        raw.execute("SAVEPOINT unit")
        try:
            tx = Tx(connection, work.actor, now_utc(), limits=self._limits)
            value = work.unit(tx)
        # The writer serves everybody: whatever one unit raises is that unit's own result.
        except BaseException as error:
            ours = (
                translated(error, self.path)
                if isinstance(error, DBAPIError | sqlite3.Error)
                else error
            )
            if not raw.in_transaction:  # a full disk takes the whole group down
                work.future.set_exception(ours)
                raise
            raw.execute("ROLLBACK TO unit")
            raw.execute("RELEASE unit")
            answers.append(partial(work.future.set_exception, ours))
        else:
            raw.execute("RELEASE unit")
            answers.append(partial(work.future.set_result, value))
            jobs += tx.jobs


def fail(raw: sqlite3.Connection, group: list[Work], error: YikuError) -> None:
    """Give up a group: nothing of it was committed, and everyone in it is told so."""
    if raw.in_transaction:
        raw.execute("ROLLBACK")
    for work in group:
        if not work.future.done():
            work.future.set_exception(error)


def driver(connection: Connection) -> sqlite3.Connection:
    """SQLite's own connection under SQLAlchemy's."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def dump_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def engine_of(path: Path, busy_timeout_s: float) -> Engine:
    """Connections in driver autocommit: transactions are begun and ended by name here."""

    def connect() -> sqlite3.Connection:
        try:
            raw = sqlite3.connect(
                path,
                timeout=busy_timeout_s,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            raw.executescript(
                "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON;"
                "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4096; PRAGMA wal_autocheckpoint=8192;"
            )
        except sqlite3.Error as error:
            raise translate(error, path) from error
        return raw

    return create_engine(
        "sqlite://",
        creator=connect,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        json_serializer=dump_json,
        hide_parameters=True,  # memory text stays out of errors and logs
    )


def prepare(engine: Engine, path: Path, auto_migrate: bool) -> None:
    """Create the file where there is none; refuse one that is not ours; bring its schema to date.

    Raises: DatabaseForeign, DatabaseDamaged, DatabaseBusy, MigrationNeeded.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise DatabaseUnreachable(
            f"Yiku needs SQLite {'.'.join(map(str, OLDEST))} or newer; this Python has"
            f" {sqlite3.sqlite_version}."
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Memories are nobody else's business; SQLite gives its log the rights of the database.
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise DatabaseUnreachable(f"{path} can't be made: {error.strerror}.") from error
    check_file(path)
    with engine.connect() as connection:
        _wal(connection)
        if schema.is_current(connection):
            return
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
            tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
            if tables and application != APPLICATION_ID:
                raise DatabaseForeign(
                    f"{path} is a SQLite database of another program.", path=str(path)
                )
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
            schema.upgrade(connection, auto_migrate)
        except BaseException:
            if driver(connection).in_transaction:
                connection.exec_driver_sql("ROLLBACK")
            raise
        connection.exec_driver_sql("COMMIT")


def _wal(connection: Connection) -> None:
    """Write-ahead logging; two processes that create the file at once wait for each other."""
    for attempt in range(50):
        try:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        except DBAPIError as error:
            # Changing the journal mode ignores the busy timeout.
            busy = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or attempt == 49:
                raise
            time.sleep(0.05)
        else:
            return
