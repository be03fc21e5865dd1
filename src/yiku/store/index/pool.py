"""Indexes of recently used archives, within a memory budget, each brought up to date before use."""

from __future__ import annotations

import ctypes
import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from yiku.core.errors import StoreError
from yiku.core.ids import ArchiveId
from yiku.core.memory import Archive
from yiku.store.database import Tx
from yiku.store.index.archive import ArchiveIndex
from yiku.store.index.files import IndexFiles
from yiku.store.index.load import identity, load, strangers, witnesses
from yiku.store.index.rows import CHUNK, erased_since, later
from yiku.store.index.saved import snapshot

logger = logging.getLogger(__name__)

SAVE_FROM, SAVE_SHARE, SAVE_AT = 4096, 0.25, 16_384
"""An index is written down when so many rows are in no file and they are this share of it, or
when they are so many anyway: 0.15 s of work for a new process."""

TRIM_FROM = 256
"""Rows taken in at once whose 3 kB each are worth a millisecond to be given back."""

Key = tuple[ArchiveId, str]


class IndexPool:
    """One index per archive and model; the least recently used leave when memory runs short."""

    def __init__(self, budget_mb: int, files: IndexFiles | None) -> None:
        """`files`: where indexes are kept between processes; None: nowhere."""
        self._budget = budget_mb * 1_000_000
        self._files = files
        self._saver = ThreadPoolExecutor(1, "yiku-index-saver")
        self._indexes: OrderedDict[Key, ArchiveIndex] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        with self._lock:
            return sum(index.nbytes for index in self._indexes.values())

    @property
    def count(self) -> int:
        with self._lock:
            return len(self._indexes)

    def current(self, tx: Tx, archive: Archive) -> ArchiveIndex | None:
        """The archive's index as of `archive.version`; None where it holds no vectors yet.

        Reads the changes since it was last used, the whole archive the first time.
        """
        if archive.embedding_model is None or archive.dimension is None:
            return None
        key = (archive.id, archive.embedding_model)
        with self._lock:
            index = self._indexes.get(key)
            if index is None or index.worn:
                anew = index is not None
                index = self._indexes[key] = ArchiveIndex(archive.dimension, anew=anew)
            self._indexes.move_to_end(key)
        if index.version < archive.version:
            self._catch_up(tx, archive, index)
            self._shrink(key)
        return index

    def drop(self, archive_id: ArchiveId) -> None:
        with self._lock:
            for key in [k for k in self._indexes if k[0] == archive_id]:
                del self._indexes[key]

    def erase(
        self, archive_id: ArchiveId, version: int, gone: Sequence[int], others: Sequence[int]
    ) -> None:
        """Nothing of the passages `gone`, which `version` deleted, stays in a file; nor of
        `others`, which it changed. Waits for who is writing. Raises: StoreError."""
        with self._lock:
            indexes = [index for key, index in self._indexes.items() if key[0] == archive_id]
        for index in indexes:
            with index.lock:
                index.erase(gone, [*gone, *others])
        if self._files is not None:
            self._files.erase(archive_id, version, [*gone, *others])

    def erase_all(self, archive_id: ArchiveId) -> None:
        """The archive is deleted. Waits for who is writing. Raises: StoreError."""
        self.drop(archive_id)
        if self._files is not None:
            self._files.erase_all(archive_id)

    def close(self) -> None:
        """Wait until what is being written is written."""
        self._saver.shutdown()

    def _shrink(self, newest: Key) -> None:
        with self._lock:
            sizes = {key: index.nbytes for key, index in self._indexes.items()}
            while sum(sizes.values()) > self._budget and len(self._indexes) > 1:
                key, _ = self._indexes.popitem(last=False)
                if key == newest:  # never the one in use
                    raise AssertionError("the newest index is the last")
                del sizes[key]

    def _catch_up(self, tx: Tx, archive: Archive, index: ArchiveIndex) -> None:
        """Take the archive's changes in, in their order, until the index is as new as `archive`.

        Rows are read without a lock: on Postgres several units share one thread, and one that
        waits for its rows must not stop another. Whoever finds that the index has moved on since
        it read, reads again.
        """
        first = index.loading.acquire(blocking=not tx.postgres)  # threads needn't all read it
        taken = 0
        try:
            if index.is_new:
                self._start(tx, archive, index)
            while index.version < archive.version:
                known, start = index.version, index.position
                rows = later(tx, archive, *start)
                last = len(rows) < CHUNK
                if index.is_new and not last and self._files is not None:
                    self._files.announce(archive.id)  # much to read, so it may be saved
                gone = erased_since(tx, archive, known) if last else {}
                taken += len(rows)
                with index.lock:
                    if (index.version, index.position) != (known, start):
                        continue
                    index.take(rows)
                    if not last:
                        index.position = (rows[-1].version, rows[-1].seq)
                        continue
                    tainted = index.finish(archive.version, gone)
                if tainted and known:
                    self._erase_soon(archive, tainted)
        finally:
            if first:
                index.loading.release()
        if taken > CHUNK:
            with index.lock:
                index.settle()
        if taken >= TRIM_FROM:
            give_back_memory()
        if index.unsaved >= min(max(SAVE_FROM, SAVE_SHARE * len(index)), SAVE_AT):
            self._save_soon(tx, archive, index)

    def _start(self, tx: Tx, archive: Archive, index: ArchiveIndex) -> None:
        """What an earlier process has saved; the rest is made from the rows."""
        if self._files is None:
            return
        found = None if index.anew else load(tx, archive, self._files)
        with index.lock:
            if found is not None and index.is_new:
                index.adopt(found)

    def _save_soon(self, tx: Tx, archive: Archive, index: ArchiveIndex) -> None:
        if self._files is None:
            return
        traces, unknown = witnesses(tx, archive), strangers(tx, self._files)
        with index.lock:
            if index.version != archive.version:
                return  # whoever brought it further saves it
            index.unsaved = 0
            whole = snapshot(index)
        self._saver.submit(self._files.forget, unknown)
        self._saver.submit(self._files.save, archive.id, identity(archive), traces, whole)

    def _erase_soon(self, archive: Archive, seqs: Sequence[int]) -> None:
        """What another process has deleted; on this machine it did this itself."""
        if self._files is not None:
            self._saver.submit(erase_quietly, self._files, archive, seqs)


def erase_quietly(files: IndexFiles, archive: Archive, seqs: Sequence[int]) -> None:
    try:
        files.erase(archive.id, archive.version, seqs)
    except StoreError as error:
        logger.warning(
            "an index file was not removed",
            extra={
                "action": "index_file_kept",
                "folder": str(files.folder),
                "reason": error.message,
            },
        )


def give_back_memory() -> None:
    """What loading took goes back to the system, where its allocator has a call for that (glibc):
    rows come in small pieces, which it would keep."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
