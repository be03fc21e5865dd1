"""Deleting for good: nothing of a passage stays, in rows, indexes, caches or the file itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from yiku.core.audit import Act
from yiku.core.errors import PassageNotFound, StalePassage
from yiku.core.ids import ArchiveId, PassageId
from yiku.core.memory import Passage
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory
from yiku.memory.changes import apply
from yiku.memory.reindex import Found, made_findable
from yiku.store import archives, audit, encodings, history, passages, roles
from yiku.store.database import Tx

TRIES = 3
"""A deletion that lost a race against a new turn is planned again this often."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What one transaction erased."""

    versions: dict[ArchiveId, int]
    """Of the archives, by which it is gone."""
    ended: list[PassageId]
    """What it had superseded, and is still there."""


@dataclass(frozen=True, slots=True)
class Erased:
    """What a deletion did."""

    deleted: int
    """Of those that were named."""
    ended: tuple[PassageId, ...]
    """Passages that what was deleted had superseded. They stay ended: what was true of them until
    then is not for a deletion to say. `undo` takes the superseding back."""


async def delete(memory: ArchivalMemory, actor: Actor, passage_ids: Sequence[PassageId]) -> Erased:
    """Erase passages for good: text, vectors, tokens, history, repetitions.

    What was indexed with one of them as its context is indexed without it. What a skill made it
    from goes, too: the original text, and the superseded passage that holds it. All or none: one
    unknown id erases nothing. Raises: PassageNotFound.
    """
    ids = list(dict.fromkeys(passage_ids))

    def look(tx: Tx) -> tuple[list[Passage], list[Passage]]:
        known = passages.get_by_id(tx, ids)
        missing = [one for one in ids if one not in known]
        if missing:
            raise PassageNotFound(
                f"There is no passage {', '.join(missing[:5])}; nothing was deleted.",
                passage_ids=missing,
            )
        raw = encodings.originals(tx, [one.seq for one in known.values()])
        known |= passages.get_by_id(tx, raw)
        orphans = [p for p in passages.followers(tx, list(known)) if p.id not in known]
        return list(known.values()), orphans

    gone: list[Passage] = []
    orphans: list[Passage] = []
    done = Gone({}, [])
    for attempt in range(TRIES):
        gone, orphans = await memory.database.read(actor, look)
        found = await made_findable(memory, [(replace(p, context_id=None), None) for p in orphans])

        def unit(
            tx: Tx,
            gone: Sequence[Passage] = gone,
            orphans: Sequence[Passage] = orphans,
            found: Mapping[int, Found] = found,
        ) -> Gone:
            return erase(tx, gone, orphans, found)

        try:
            done = await memory.database.write(actor, unit)
        except StalePassage:
            if attempt == TRIES - 1:
                raise
            continue
        break
    memory.forget_cached()
    for archive_id, version in done.versions.items():
        memory.roles.drop(archive_id)
        seqs = [one.seq for one in gone if one.archive_id == archive_id]
        others = [one.seq for one in orphans if one.archive_id == archive_id]
        await asyncio.to_thread(memory.indexes.erase, archive_id, version, seqs, others)
    await memory.database.scrub()
    return Erased(len(ids), tuple(done.ended))


def erase(
    tx: Tx, gone: Sequence[Passage], orphans: Sequence[Passage], found: Mapping[int, Found]
) -> Gone:
    """Raises: StalePassage where another turn came to follow one of them meanwhile."""
    done = Gone({}, [])
    by_archive: dict[ArchiveId, list[Passage]] = {}
    for one in gone:
        by_archive.setdefault(one.archive_id, []).append(one)
    ids = {one.id for one in gone}
    encodings.erase_of(tx, [one.seq for one in gone])
    for part in by_archive.values():
        archive = archives.bump(tx, part[0].archive_id)
        here = [one for one in orphans if one.archive_id == archive.id]
        expected = {one.seq for one in here}
        now_there = {p.seq for p in passages.followers(tx, [p.id for p in part]) if p.id not in ids}
        if now_there != expected:
            raise StalePassage("Another turn came to follow a passage that is being deleted.")
        apply(
            tx,
            archive,
            [(one, {"context_id": None}) for one in here],
            {seq: f for seq, f in found.items() if seq in expected},
        )
        history.forget_changes(tx, [one.seq for one in part])
        ended = passages.erase(tx, part, archive.version)
        if roles.versions(tx, archive.id).all:
            roles.bump(tx, archive, roles=True)  # every process makes its experts without them
        done.versions[archive.id] = archive.version
        done.ended.extend(one for one in ended if one not in ids)
    return done


async def delete_archive(memory: ArchivalMemory, actor: Actor, archive_id: ArchiveId) -> int:
    """Erase an archive and all it holds; returns how many passages. Raises: ArchiveNotFound."""

    def unit(tx: Tx) -> int:
        name = archives.get(tx, archive_id).name
        deleted = archives.delete_whole(tx, archive_id)
        audit.note(tx, Act.ARCHIVE_DELETE, archive_id, name=name, passages=deleted)
        return deleted

    deleted = await memory.database.write(actor, unit)
    await forget_archives(memory, [archive_id])
    return deleted


async def forget_archives(memory: ArchivalMemory, archive_ids: Sequence[ArchiveId]) -> None:
    """Leave nothing outside of the rows of archives whose rows have been deleted."""
    for archive_id in archive_ids:
        await asyncio.to_thread(memory.indexes.erase_all, archive_id)
        memory.roles.drop(archive_id)
    memory.forget_cached()
    await memory.database.scrub()
