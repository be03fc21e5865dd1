"""A SQLite file from outside: what it is, what SQLite says of it, a copy of it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from yiku.core.errors import (
    Conflict,
    DatabaseBusy,
    DatabaseDamaged,
    DatabaseForeign,
    DatabaseFull,
    DatabaseUnreachable,
    InvalidFile,
    StalePassage,
    StoreError,
    YikuError,
)

APPLICATION_ID = 0x59494B55
"""`YIKU`, in the file's header: other programs' databases are refused."""


RESTORE = "Restore a backup with `yiku restore`."
"""What to do where the database in use is damaged."""


def translate(error: sqlite3.Error, path: Path, advice: str = RESTORE) -> YikuError:
    """The error of ours that says what SQLite's means for the user.

    `advice`: what to do where the file is damaged.
    """
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return DatabaseBusy(
                f"Another process is writing to {path} and did not finish in time."
                " Try again, or raise YIKU_BUSY_TIMEOUT_S.",
                path=str(path),
            )
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return DatabaseFull(
                f"{path} can't be written ({error}); nothing of this write was stored."
                " Is the disk full?",
                path=str(path),
            )
        case sqlite3.SQLITE_CORRUPT:
            return DatabaseDamaged(f"{path} is damaged ({error}). {advice}", path=str(path))
        case sqlite3.SQLITE_CONSTRAINT:
            return StalePassage(
                "Something that this write refers to was changed or deleted meanwhile; try again."
            )
        case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            return DatabaseUnreachable(
                f"{path}: {error}. It must be writable, and its folder, too: files are made beside"
                " it even to read it. Whose are they, is the disk mounted read-only?",
                path=str(path),
            )
        case sqlite3.SQLITE_NOTADB:
            return DatabaseForeign(f"{path} is not a SQLite database.", path=str(path))
        case _:
            return DatabaseUnreachable(f"{path}: {error}.", path=str(path))


def check_file(path: Path, advice: str = RESTORE) -> None:
    """Refuse what is plainly not a whole SQLite database before SQLite touches it.

    Raises: DatabaseForeign, DatabaseDamaged, DatabaseUnreachable.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise DatabaseUnreachable(f"{path} can't be read: {error.strerror}.") from error
    if size == 0:
        return
    if not header.startswith(b"SQLite format 3\0"):
        raise DatabaseForeign(f"{path} is not a SQLite database.", path=str(path))
    page = int.from_bytes(header[16:18], "big")
    expected = (65_536 if page == 1 else page) * int.from_bytes(header[28:32], "big")
    wal = path.with_name(path.name + "-wal")
    if len(header) < 100 or (size < expected and not (wal.exists() and wal.stat().st_size)):
        raise DatabaseDamaged(
            f"{path} is cut off: {size} bytes of {expected}. {advice}", path=str(path)
        )


def translated(error: DBAPIError | sqlite3.Error, path: Path, advice: str = RESTORE) -> YikuError:
    cause = error if isinstance(error, sqlite3.Error) else error.orig
    if not isinstance(cause, sqlite3.Error):
        return StoreError(str(cause))
    return translate(cause, path, advice)


def copy_database(source: Path, target: Path, progress: Callable[[int, int], None]) -> None:
    """SQLite's online backup: consistent while others write. Whole at `target`, or not there.

    Only the user may read the copy, as the original. Raises: Conflict, where something is there;
    InvalidFile, StoreError.
    """
    if target.exists():
        raise Conflict(f"{target} exists already; a backup never overwrites.")
    partial = target.with_name(target.name + ".partial")
    try:
        partial.unlink(missing_ok=True)
        partial.touch(mode=0o600)
    except OSError as error:
        raise InvalidFile(f"{target} can't be written: {error.strerror}.") from error
    at = source
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as origin,
            closing(sqlite3.connect(partial)) as copy,
        ):
            origin.execute("BEGIN")  # pages are copied from one state, however long it takes
            origin.execute("SELECT count(*) FROM sqlite_master").fetchone()
            at = target
            origin.backup(
                copy, pages=4096, progress=lambda _, left, total: progress(total - left, total)
            )
            copy.execute("PRAGMA journal_mode=DELETE")
        with partial.open("rb+") as written:
            os.fsync(written.fileno())
        partial.rename(target)
    except sqlite3.Error as error:
        damaged = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT
        raise translate(error, source if damaged else at) from error
    finally:
        partial.unlink(missing_ok=True)
