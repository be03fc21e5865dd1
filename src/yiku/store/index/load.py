"""Reading an archive's index from its files, where they belong to this database's history."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from yiku.core.memory import Archive
from yiku.store import hot, schema
from yiku.store.database import Tx
from yiku.store.index import container, rows, terms
from yiku.store.index.archive import END, ArchiveIndex
from yiku.store.index.container import Container, Unusable
from yiku.store.index.files import LIST, IndexFiles
from yiku.store.index.query import POOL
from yiku.store.index.saved import FORMAT, Listed, unpacked
from yiku.store.index.segment import Saved

logger = logging.getLogger(__name__)

# Each change of an archive leaves one of these with a random id, or a number that is never used
# again. A database that has the newest of the files' own has all that was before them too; one
# that was put back to an older state and went on from there has not.
_WITNESSES = (
    ("passage", "seq", "id", "version DESC, seq DESC"),
    ("change", "seq", "id", "seq DESC"),
    ("erased", "passage_seq", "version", "version DESC, passage_seq DESC"),
)
_NEWEST = [
    hot.Select(
        f"SELECT {number}, {mark} FROM {table} WHERE archive_id = :archive ORDER BY {order} LIMIT 1"
    )
    for table, number, mark, order in _WITNESSES
]
_THERE = [
    hot.Select(
        f"SELECT 1 FROM {table}"
        f" WHERE archive_id = :archive AND {number} = :number AND {mark} = :mark"
    )
    for table, number, mark, _ in _WITNESSES
]
_IS_ARCHIVE = hot.Select("SELECT 1 FROM archive WHERE id = :archive")


def identity(archive: Archive) -> dict[str, Any]:
    """What files must have in common with the archive to be of use; a migration ends it."""
    return {
        "format": [FORMAT, terms.FORMAT, schema.HEAD],
        "archive": archive.id,
        "model": archive.embedding_model,
        "dimension": archive.dimension,
    }


def witnesses(tx: Tx, archive: Archive) -> list[Any]:
    """The newest traces of the archive's history; None where there is none of a kind."""
    found = [newest.rows(tx.connection, archive=archive.id) for newest in _NEWEST]
    return [list(one[0]) if one else None for one in found]


def has_witnessed(tx: Tx, archive: Archive, traces: Sequence[Sequence[Any] | None]) -> bool:
    return all(
        there.rows(tx.connection, archive=archive.id, number=trace[0], mark=trace[1])
        for there, trace in zip(_THERE, traces, strict=True)
        if trace is not None
    )


def strangers(tx: Tx, files: IndexFiles) -> list[str]:
    """Folders of archives that this database doesn't have."""
    return [name for name in files.archives() if not _IS_ARCHIVE.rows(tx.connection, archive=name)]


def load(tx: Tx, archive: Archive, files: IndexFiles) -> ArchiveIndex | None:
    """The index as it was saved, at most as new as `archive`; None where it must be made anew.

    What is missing of it, because a passage in it was erased, is read from the rows.
    """
    place = files.of(archive.id)
    try:
        facts = container.read(place / LIST).facts
        listed = [Listed(**one) for one in facts["segments"]]
        matches = all(facts[name] == value for name, value in identity(archive).items())
        version, newest, traces = facts["version"], facts["max_seq"], facts["witnesses"]
        if version > archive.version:
            return None  # saved after this transaction began
        if not matches or not has_witnessed(tx, archive, traces):
            return files.discard(archive.id)
    except FileNotFoundError:
        return None
    except (Unusable, OSError, KeyError, TypeError, ValueError) as error:
        return passed_over(place / LIST, error)
    index = ArchiveIndex(archive.dimension or 0)
    index.version, index.position, index.max_seq = version, (version, END), newest
    missing = take_files(index, place, identity(archive), listed)
    if len(missing) == len(listed):
        return None
    for one in missing:
        for some in rows.between(tx, archive, one.first, one.last):
            index.fill([row for row in some if row.version <= version])
    return index


def take_files(
    index: ArchiveIndex, place: Path, wanted: Mapping[str, Any], listed: Sequence[Listed]
) -> list[Listed]:
    """The listed segments into the index; returns those whose file is not there or no good."""
    missing: list[Listed] = []
    files = POOL.map(opened, [place / one.name for one in listed])  # checksums take a while
    for one, file in zip(listed, files, strict=True):
        if file is None:
            missing.append(one)
            continue
        try:
            if any(file.facts.get(name) != value for name, value in wanted.items()):
                raise Unusable("it is of another archive, model or version")
            segment = unpacked(file, Saved(one.name, one.rows, one.rows), index)
        except Unusable as error:
            passed_over(place / one.name, error)
            missing.append(one)
            continue
        if one.dead:
            segment.kill(np.array(one.dead, np.int64))
        index.segments.append(segment)
    return missing


def opened(path: Path) -> Container | None:
    try:
        return container.read(path)
    except FileNotFoundError:
        return None
    except (Unusable, OSError) as error:
        return passed_over(path, error)


def passed_over(path: Path, error: Exception) -> None:
    logger.warning(
        "an index file is not used",
        extra={"action": "index_file_ignored", "file": str(path), "reason": str(error)},
    )
