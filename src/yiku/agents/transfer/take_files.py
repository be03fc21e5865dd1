"""The folders of an import, and their files: the texts are stored, then embedded in the background
as those of uploads are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from yiku.agents import folders as having
from yiku.agents.shared import Agents
from yiku.agents.transfer.carried import Carried, CarriedFile
from yiku.agents.transfer.going import FILE, Import, batches, threaded
from yiku.core.file import Duplicates, FileStatus, FolderContent, Stretch
from yiku.core.ids import AgentId, FileId, FolderId
from yiku.core.tenant import Actor
from yiku.memory.files.chunk import chunks
from yiku.memory.files.shared import JOB
from yiku.store import agent_files, file_text, files, folders, imports, outbox
from yiku.store import agents as store
from yiku.store.database import Tx
from yiku.store.imports import Made

NAMED = 10
"""Files without a text that are called by their names."""
AT_ONCE = 64
"""Stretches of a transaction: a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Homes:
    """The folders that stand for those of the file, by their keys there."""

    ids: Mapping[str, FolderId]
    fresh: frozenset[str]
    """Those that were made for it; their files are to come."""
    notes: tuple[str, ...]


def take_folders(tx: Tx, carried: Carried, agent_ids: Mapping[str, AgentId]) -> Homes:
    """Make what isn't here, and give them to the agents."""
    used = dict.fromkeys(key for one in carried.agents for key in one.folder_keys)
    ids: dict[str, FolderId] = {}
    fresh: set[str] = set()
    notes: list[str] = []
    for key in used:
        content = carried.folders[key]
        mine = {one.name: one.hash for one in carried.files if one.folder_key == key and one.count}
        there, name = home_of(tx, content, mine)
        if there is None:
            there = folders.add(tx, replace(content, name=name)).id
            fresh.add(key)
            if name != content.name:
                notes.append(
                    f"There is a folder {content.name!r} here with other files: this one is"
                    f" {name!r}."
                )
        else:
            notes.append(f"The folder {name!r} is here already, with the same files.")
        ids[key] = there
    bare = [one.name for one in carried.files if one.folder_key in used and not one.count]
    if bare:
        names = ", ".join(bare[:NAMED]) + (" …" if len(bare) > NAMED else "")
        notes.append(
            f"The text of {len(bare)} of the files is not in the file; upload them again: {names}."
        )
    for one in carried.agents:
        wanted = [ids[key] for key in one.folder_keys]
        if wanted:
            having.take(tx, store.get_to_change(tx, agent_ids[one.key]), wanted)
    return Homes(ids=ids, fresh=frozenset(fresh), notes=tuple(notes))


def home_of(tx: Tx, content: FolderContent, mine: Mapping[str, str]) -> tuple[FolderId | None, str]:
    """A folder of this name, or of it with a number, that has the same files and no others; else
    None, and a name that is free. `mine`: the files' hashes, by their names."""
    free, n = content.name, 1
    while (there := folders.find(tx, free)) is not None:
        if files.hashes(tx, there.id) == mine:
            return there.id, free
        n += 1
        free = f"{content.name} ({n})"
    return None, free


@dataclass(slots=True)
class Filling:
    """A file on its way."""

    carried: CarriedFile
    id: FileId | None = None
    stored: int = 0
    """Stretches that are."""
    lines: int = 0
    """Of those that were read; so `chunks`."""
    chunks: int = 0


def key_of(n: int) -> str:
    return f"{FILE}:{n}"


async def fillings(
    agents: Agents, actor: Actor, going: Import, there: Mapping[str, Made]
) -> dict[int, Filling]:
    """By number, the files that aren't whole yet; `there`: what an earlier run has made."""

    def unit(tx: Tx) -> dict[int, Filling]:
        homes = folders.by_id(tx, list(going.begun.folder_ids.values()))
        found: dict[int, Filling] = {}
        for n, one in enumerate(going.carried.files):
            made = there.get(key_of(n), Made(kind=FILE, target_id="", position=0))
            home = going.begun.folder_ids.get(one.folder_key)
            whole = not one.count or made.position == one.count
            if whole or one.folder_key not in going.begun.fresh_folders or home not in homes:
                continue  # nothing is left of it to do, or somebody has deleted its folder
            row = files.find(tx, made.target_id)
            if row is None:
                found[n] = Filling(one)
            else:
                found[n] = Filling(one, id=row.id, stored=made.position or 0)
        return found

    return await agents.database.read(actor, unit)


async def take_files(
    agents: Agents, actor: Actor, going: Import, there: Mapping[str, Made]
) -> None:
    """Store what isn't here of the files' texts; those that are whole are embedded from then on."""
    wanted = await fillings(agents, actor, going, there)
    if not wanted:
        return
    found = batches(measured(going, wanted), AT_ONCE)
    while batch := await threaded(found):
        for n, group in groupby(batch, lambda each: each[0]):
            one, told = wanted[n], list(group)
            one.lines += sum(stretch.line_count for _, stretch, _ in told)
            one.chunks += sum(count for _, _, count in told)
            fresh = [stretch for _, stretch, _ in told if stretch.n >= one.stored]
            if fresh:
                one.id = await agents.database.write(
                    actor, lambda tx, n=n, one=one, new=fresh: store_text(tx, going, n, one, new)
                )
                one.stored = fresh[-1].n + 1
                going.tell(len(fresh))


def measured(going: Import, wanted: Mapping[int, Filling]) -> Iterator[tuple[int, Stretch, int]]:
    """The stretches of those files, each with its file's number and how many chunks it makes."""
    for n, stretch in going.source.stretches():
        if n in wanted:
            yield n, stretch, len(chunks(stretch, wanted[n].carried.media_type))


def store_text(tx: Tx, going: Import, n: int, one: Filling, fresh: Sequence[Stretch]) -> FileId:
    """Until a file is whole nobody sees it. Raises: JobConflict, FolderNotFound."""
    folder_id = going.begun.folder_ids[one.carried.folder_key]
    home = folders.get(tx, folder_id, lock=True)
    file_id, key = one.id, key_of(n)
    if file_id is None:
        begun = files.begin(tx, home, one.carried.original_name, one.carried.media_type)
        file_id = begun.id
        imports.begin(tx, going.mark, key, Made(kind=FILE, target_id=file_id, position=0))
    imports.move(tx, going.mark, key, one.stored, fresh[-1].n + 1)
    file_text.put(tx, file_id, fresh)
    if fresh[-1].n + 1 == one.carried.count:
        name, _ = files.settle_name(tx, home, one.carried.name, Duplicates.SUFFIX)
        kept = files.change(
            tx,
            file_id,
            name=name,
            size=one.carried.size,
            hash=one.carried.hash,
            line_count=one.lines,
            chunk_count=one.chunks,
            status=FileStatus.EMBEDDING.value,
        )
        agent_files.take_file(tx, kept)
        outbox.put(tx, JOB, kept.id)
    return file_id
