"""The database as its users see it: units of work on behalf of an actor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

from sqlalchemy import Connection

from yiku.core.errors import DatabaseUnreachable, NotAllowed
from yiku.core.quota import Limits, Resource
from yiku.core.tenant import Actor, Scope

T = TypeVar("T")

BY_OTHERS = (
    "A Postgres database is backed up by its own tools: pg_dump -Fc, or your provider's snapshots."
    " `yiku export` writes the memories alone."
)


@dataclass(frozen=True, slots=True)
class Tx:
    """One unit of work: an open transaction, who asks, and when it began."""

    connection: Connection
    actor: Actor
    now: datetime
    jobs: list[str] = field(default_factory=list[str])
    """Kinds of the jobs that were put into the outbox: told to who listens, after the commit."""
    limits: Limits = field(default_factory=dict[Resource, int])
    """What an organization may have that has no limits of its own."""

    @property
    def postgres(self) -> bool:
        return self.connection.dialect.name == "postgresql"


Unit = Callable[[Tx], T]
"""A function over a transaction. It may be run again if the database asks for that, so it touches
nothing but the transaction."""


class Database(Protocol):
    """SQLite in threads of this process, or Postgres over the network."""

    url: str

    async def read(self, actor: Actor, unit: Unit[T]) -> T:
        """Run `unit` on one consistent state of the database. It must not write."""
        ...

    async def write(self, actor: Actor, unit: Unit[T]) -> T:
        """Run `unit` whole or not at all; on return it is durable.

        Raises: NotAllowed, DatabaseBusy, DatabaseFull, DatabaseDamaged, DatabaseUnreachable,
        and what `unit` raises.
        """
        ...

    def listen(self, tell: Callable[[], None]) -> Callable[[], None]:
        """`tell` is called, on any thread, after each commit of this process that put a job into
        the outbox; what is returned ends that."""
        ...

    async def scrub(self) -> None:
        """Leave no copy of deleted rows in the database's own files."""
        ...

    async def backup(self, target: Path, progress: Callable[[int, int], None]) -> None:
        """Write one consistent state to the file `target`, which must not exist.

        `progress` gets pages done and pages in all. Raises: Conflict where it exists, InvalidFile
        where it can't be written, Invalid where the database has tools of its own for that.
        """
        ...

    async def close(self) -> None: ...


class Listeners:
    """Who is told of jobs that were put into the outbox. Any thread may tell."""

    def __init__(self) -> None:
        self._told: tuple[Callable[[], None], ...] = ()

    def add(self, tell: Callable[[], None]) -> Callable[[], None]:
        self._told = (*self._told, tell)

        def end() -> None:
            self._told = tuple(one for one in self._told if one is not tell)

        return end

    def tell(self) -> None:
        for tell in self._told:
            tell()


def now_utc() -> datetime:
    return datetime.now(UTC)


def demand(actor: Actor, scope: Scope) -> None:
    """Raises: NotAllowed."""
    if not actor.may(scope):
        raise NotAllowed(
            f"This key may {actor.scope}; {scope} is needed.", scope=actor.scope, needed=scope
        )


def redacted(url: str) -> str:
    """`url` without its password."""
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":…@") if parts.password else url


async def open_database(
    url: str, *, busy_timeout_s: float, auto_migrate: bool, limits: Limits | None = None
) -> Database:
    """Open (SQLite: create) the database at `url`, its schema up to date.

    `limits`: of organizations that have none of their own.
    Raises: DatabaseUnreachable, DatabaseForeign, DatabaseDamaged, DatabaseBusy, MigrationNeeded.
    """
    scheme = url.split(":", 1)[0]
    if scheme == "sqlite":
        from yiku.store.sqlite import SqliteDatabase

        path = url.removeprefix("sqlite:///")
        if path in (url, "", ":memory:"):
            raise DatabaseUnreachable(
                f"A SQLite database is a file: sqlite:///path/to/yiku.db, not {url!r}."
            )
        return await SqliteDatabase.open(Path(path), busy_timeout_s, auto_migrate, limits or {})
    if scheme.split("+")[0] in ("postgresql", "postgres"):
        try:
            from yiku.store.postgres import PostgresDatabase
        except ImportError as error:
            raise DatabaseUnreachable(
                "Postgres needs its driver: pip install 'yiku[postgres]'."
            ) from error

        return await PostgresDatabase.open(url, busy_timeout_s, auto_migrate, limits or {})
    raise DatabaseUnreachable(
        f"A database address starts with sqlite:/// or postgresql://, not {redacted(url)!r}."
    )
