"""Where indexes are kept between processes: a cache beside the database, deletable at any moment.

    <folder>/<archive id>/index       the list: version, segments, what has died in them
    <folder>/<archive id>/*.segment   one each, never changed
    <folder>/<archive id>/lock        held while writing and while erasing

Whoever erases holds the lock after the deletion is committed, writes the deletion's version into
the lock file, and removes every file that has a row of an erased passage. Whoever saves holds it
too, and saves nothing that is older than that version. So no file with an erased row is there
when the deletion returns, and none comes after it.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import struct
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import StoreError
from yiku.core.ids import ArchiveId
from yiku.store.index import container
from yiku.store.index.container import Unusable
from yiku.store.index.saved import Listed, Part, Snapshot, packed
from yiku.store.index.segment import Saved

if sys.platform != "win32":
    import fcntl

logger = logging.getLogger(__name__)

LIST = "index"
LOCK = "lock"
SEGMENT = ".segment"
VERSION = struct.Struct("<q")
FOREVER = (1 << 63) - 1
"""The version of an archive that is deleted: nothing of it is saved any more."""
ERASE_WAIT_S = 30.0
"""How long a deletion waits for a process that is writing the archive's index down."""
SUPPORTED = sys.platform != "win32"
"""Windows has no `flock`, and removes no file that is mapped: nothing is kept there."""


def folder_beside(database: Path) -> Path:
    """Of a SQLite database's indexes; the same one by whatever link it is opened."""
    real = database.resolve()
    return real.with_name(f"{real.name}.index")


class IndexFiles:
    """The files of one database's indexes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, archive_id: ArchiveId) -> Path:
        return self.folder / archive_id

    def archives(self) -> list[str]:
        """Archives that have a folder here."""
        try:
            return [entry.name for entry in os.scandir(self.folder) if entry.is_dir()]
        except OSError:
            return []

    def announce(self, archive_id: ArchiveId) -> None:
        """Make the archive's folder, so that a deletion from now on leaves its version there."""
        place = self.of(archive_id)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700, exist_ok=True)
            (place / LOCK).touch(mode=0o600)
        except OSError as error:
            given_up(place, error)

    def save(
        self,
        archive_id: ArchiveId,
        identity: Mapping[str, Any],
        witnesses: Sequence[Any],
        whole: Snapshot,
    ) -> None:
        """Write down what is in no file yet, unless another process is at it.

        A disk that is full or read-only is no error: then the index is made from the rows.
        """
        place = self.of(archive_id)
        try:
            with locked(place, wait_s=0) as handle:
                if erased_version(handle) > whole.version:
                    return
                parts = [part for part in whole.parts if part.alive.any()]
                try:
                    listed = [write_part(place, identity, whole, part) for part in parts]
                    facts = {
                        **identity,
                        "witnesses": witnesses,
                        "version": whole.version,
                        "max_seq": whole.max_seq,
                        "segments": [asdict(one) for one in listed],
                    }
                    container.write(place / LIST, facts, {})
                finally:  # written or not: a full disk keeps what was listed before
                    sweep(place, listed_in(place / LIST))
        except (FileNotFoundError, BlockingIOError):
            return  # the archive or its files were deleted; or another process is saving
        except OSError as error:
            given_up(place, error)

    def erase(self, archive_id: ArchiveId, version: int, seqs: Sequence[int]) -> None:
        """No row of these passages, deleted by `version`, stays in a file or comes into one again.

        Raises: StoreError where another process holds the files for too long.
        """
        rows = np.array(seqs, np.int64)

        def clear(place: Path) -> None:
            for path in segments(place):
                if path.name.endswith(container.PARTIAL) or holds(path, rows):
                    path.unlink(missing_ok=True)
            # It names the newest passage by its id, and is of no use without that one.
            if names(place / LIST, rows):
                (place / LIST).unlink(missing_ok=True)

        self._erase(archive_id, version, clear)

    def erase_all(self, archive_id: ArchiveId, version: int = FOREVER) -> None:
        """Nothing of the archive stays in a file. Raises: StoreError."""

        def clear(place: Path) -> None:
            (place / LIST).unlink(missing_ok=True)
            sweep(place, set())

        self._erase(archive_id, version, clear)

    def discard(self, archive_id: ArchiveId) -> None:
        """Remove what belongs to another history of the archive, unless somebody is writing: who
        writes removes what he doesn't list."""
        place = self.of(archive_id)
        try:
            with locked(place, wait_s=0):
                (place / LIST).unlink(missing_ok=True)
                sweep(place, set())
        except OSError:
            return  # it is not read, whatever is there

    def forget(self, strangers: Sequence[str]) -> None:
        """Remove the folders of archives that are in no database."""
        for name in strangers:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _erase(self, archive_id: ArchiveId, version: int, clear: Callable[[Path], None]) -> None:
        place = self.of(archive_id)
        try:
            with locked(place, wait_s=ERASE_WAIT_S) as handle:
                os.pwrite(handle, VERSION.pack(max(version, erased_version(handle))), 0)
                clear(place)
                sync_folder(place)
        except (FileNotFoundError, NotADirectoryError):
            return  # nothing of it was ever saved
        except OSError as error:
            raise StoreError(
                f"The deletion is done, but the index's files in {place} could not be cleared"
                f" ({error.strerror or error}): what was deleted may be in them. Remove that folder"
                " by hand; it is made again."
            ) from error


@contextmanager
def locked(place: Path, wait_s: float) -> Generator[int]:
    """The lock file's handle. Raises: BlockingIOError where another holds it, FileNotFoundError."""
    handle = os.open(place / LOCK, os.O_RDWR)
    try:
        end = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= end:
                    raise
                time.sleep(0.01)
        yield handle
    finally:
        os.close(handle)


def erased_version(handle: int) -> int:
    """The newest version by which something was erased; 0: none was."""
    found = os.pread(handle, VERSION.size, 0)
    return VERSION.unpack(found)[0] if len(found) == VERSION.size else 0


def write_part(place: Path, identity: Mapping[str, Any], whole: Snapshot, part: Part) -> Listed:
    """The segment as it stands in the list, its file written where the one it has won't do."""
    if part.saved is not None and part.is_written and (place / part.saved.name).exists():
        return part.listed(part.saved)
    name = secrets.token_hex(8) + SEGMENT
    facts, arrays = packed(part, whole)
    container.write(place / name, {**identity, **facts}, arrays)
    part.segment.saved = saved = Saved(name, part.n, facts["rows"])
    return part.listed(saved)


def segments(place: Path) -> list[Path]:
    """Segments' files and what an interrupted process has left of some."""
    return [path for path in place.iterdir() if path.name not in (LIST, LOCK)]


def sweep(place: Path, kept: AbstractSet[str]) -> None:
    """Remove what isn't listed; nobody else is writing while the lock is held."""
    for path in segments(place):
        if path.name not in kept:
            path.unlink(missing_ok=True)


def listed_in(path: Path) -> set[str]:
    """Names of the segments' files in the list; none where it can't be read."""
    try:
        return {one["name"] for one in container.facts_of(path)["segments"]}
    except (OSError, Unusable, KeyError, TypeError):
        return set()


def holds(path: Path, rows: NDArray[np.int64]) -> bool:
    """Whether a segment's file has a row of these passages, or nobody can tell."""
    try:
        facts = container.facts_of(path)
        if not ((rows >= facts["first"]) & (rows <= facts["last"])).any():
            return False
        return bool(np.isin(rows, container.read(path).arrays["seq"]).any())
    except (Unusable, KeyError, TypeError):
        return True


def names(path: Path, rows: NDArray[np.int64]) -> bool:
    """Whether the list names one of these passages, or can't be read."""
    try:
        passage = container.facts_of(path)["witnesses"][0]
        return passage is not None and passage[0] in rows
    except FileNotFoundError:
        return False
    except (Unusable, KeyError, IndexError, TypeError):
        return True


def given_up(place: Path, error: OSError) -> None:
    logger.warning(
        "an index could not be saved",
        extra={"action": "index_not_saved", "folder": str(place), "reason": error.strerror},
    )


def sync_folder(folder: Path) -> None:
    """Make removals durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
