"""Reading a SQLite file that lies beside the running database, and putting it in its place."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from yiku.core.errors import Conflict, DatabaseBusy, DatabaseDamaged, DatabaseForeign
from yiku.store import verify
from yiku.store.index.files import folder_beside
from yiku.store.sqlite_file import APPLICATION_ID, check_file, translate, translated
from yiku.store.verify import Progress, Report

WAL_MODE = 2


def open_file(path: Path) -> sqlite3.Connection:
    """The file as it is, without making files beside it or changing its journal's mode.

    Raises: DatabaseForeign, DatabaseDamaged, DatabaseUnreachable.
    """
    check_file(path)
    with path.open("rb") as file:
        header = file.read(100)
    if len(header) < 100:
        raise DatabaseForeign(f"{path} is empty: no database.", path=str(path))
    wal = beside(path, "-wal")
    if wal.exists() and wal.stat().st_size:
        how = "mode=rw"  # its last changes are in the log, which can't be read otherwise
    elif header[18] == WAL_MODE:
        how = "immutable=1"  # SQLite would make a log before it reads
    else:
        how = "mode=ro"
    try:
        raw = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
        application = raw.execute("PRAGMA application_id").fetchone()[0]
    except sqlite3.Error as error:
        raise translate(error, path) from error
    if application != APPLICATION_ID:
        raw.close()
        raise DatabaseForeign(f"{path} is a SQLite database of another program.", path=str(path))
    return raw


@contextmanager
def reading(path: Path) -> Generator[Connection]:
    """A connection for reading one state of the file. Raises: as `open_file`, DatabaseDamaged."""
    raw = open_file(path)
    engine = create_engine(
        "sqlite://", creator=lambda: raw, poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            yield connection
            connection.exec_driver_sql("ROLLBACK")
    except DBAPIError as error:
        raise translated(error, path) from error
    finally:
        raw.close()


def verify_file(path: Path, progress: Progress) -> Report:
    """Raises: DatabaseForeign, DatabaseDamaged, DatabaseUnreachable."""
    with reading(path) as connection:
        return verify.check(connection, progress)


def restore(
    source: Path,
    target: Path,
    *,
    replace: bool,
    now: datetime,
    progress: Callable[[int, int], None],
) -> Path | None:
    """Put a checked copy of `source` at `target`; where the database that was there is kept now.

    Raises: Conflict where there is a database and it may not be replaced; DatabaseBusy where it
    is in use; DatabaseForeign and DatabaseDamaged, of `source`. Then `target` is as it was.
    """
    report = verify_file(source, lambda done, total: None)
    if report.problems:
        raise DatabaseDamaged(
            f"{source} is damaged: {'; '.join(report.problems[:3])}. Nothing was restored."
        )
    there = target.exists() and target.stat().st_size > 0
    if there and not replace:
        raise Conflict(
            f"There is a database at {target}; --replace keeps it beside and takes its place."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = beside(target, ".restoring")
    draft.unlink(missing_ok=True)
    try:
        copy_file(source, draft, progress)
        with locked(target):
            kept = keep(target, now) if there else None
            for rest in ("-wal", "-shm"):
                beside(target, rest).unlink(missing_ok=True)
            shutil.rmtree(folder_beside(target), ignore_errors=True)  # of what was there before
            os.replace(draft, target)
            sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)
    return kept


def copy_file(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    try:
        with closing(open_file(source)) as origin, closing(sqlite3.connect(target)) as copy:
            copy.execute("PRAGMA synchronous=FULL")
            origin.backup(
                copy, pages=4096, progress=lambda _, left, total: progress(total - left, total)
            )
            copy.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise translate(error, target) from error
    target.chmod(0o600)
    with target.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Nobody else has the database open; its log is part of it. A damaged one is left as it is.

    Raises: DatabaseBusy.
    """
    if not path.exists():
        yield
        return
    with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as raw:
        try:
            raw.execute("PRAGMA journal_mode=DELETE")  # needs the file for itself, empties the log
            raw.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            ):
                raise DatabaseBusy(
                    f"{path} is in use: stop `yiku serve` and other programs that use it, then"
                    " restore again."
                ) from error
        yield


def keep(target: Path, now: datetime) -> Path:
    """A second name for the database, and for a log that could not be made part of it."""
    kept = beside(target, f".before-restore-{now:%Y%m%dT%H%M%S.%f}Z")
    for end in ("", "-wal", "-shm"):
        old = beside(target, end)
        if not old.exists():
            continue
        try:
            os.link(old, beside(kept, end))
        except OSError:  # a file system without links
            shutil.copy2(old, beside(kept, end))
    return kept


def beside(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def sync_folder(folder: Path) -> None:
    """Make a renaming durable, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
