"""Moving an archive to another embedding model, while it is in use by the old one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from yiku.core.ids import ArchiveId, PassageId
from yiku.core.memory import Archive, Passage
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory, Place, resolve
from yiku.memory.reindex import Found, made_findable
from yiku.store import archives, embeddings, passages
from yiku.store.database import Tx

BATCH = 64


async def reembed(
    memory: ArchivalMemory,
    actor: Actor,
    where: Place | ArchiveId,
    progress: Callable[[int, int], None],
) -> int:
    """Make every passage's vectors with the configured model, then switch the archive to it.

    Vectors are kept as they are made, so that an interrupted move goes on where it stood. Until
    the switch, which is one transaction, searches and writes by the old model go on. Returns how
    many passages were embedded; `progress` gets how many have new vectors, and of how many.

    Raises: ArchiveNotFound, ProviderError, StoreError.
    """
    archive = await memory.database.read(actor, lambda tx: resolve(tx, where))
    model = memory.embedder.model
    if archive.embedding_model in (None, model):
        return 0
    made = 0
    while True:
        batch, done, total = await memory.database.read(
            actor, lambda tx: missing(tx, archive, model)
        )
        progress(done, total)
        if batch:
            found = await made_findable(memory, batch)
            await memory.database.write(
                actor, lambda tx, new=found: embeddings.add(tx, model, rows_of(new))
            )
            made += len(batch)
        elif await memory.database.write(actor, lambda tx: switch(tx, memory, archive, model)):
            memory.indexes.drop(archive.id)
            return made


def missing(
    tx: Tx, archive: Archive, model: str
) -> tuple[list[tuple[Passage, str | None]], int, int]:
    """Passages without vectors of `model`, each with the text before it; done; total."""
    found = embeddings.without(tx, archive.id, model, BATCH)
    before = passages.get_by_id(tx, [PassageId(p.context_id) for p in found if p.context_id])
    total = passages.count(tx, archive.id)
    done = total - embeddings.count_without(tx, archive.id, model)
    todo = [
        (p, before[p.context_id].text if p.context_id and p.context_id in before else None)
        for p in found
    ]
    return todo, done, total


def rows_of(found: dict[int, Found]) -> Sequence[tuple[Passage, passages.Indexed]]:
    return [(one.passage, one.indexed) for one in found.values()]


def switch(tx: Tx, memory: ArchivalMemory, archive: Archive, model: str) -> bool:
    """Whether nothing was left to embed, and the archive is the new model's now."""
    archives.bump(tx, archive.id)  # holds the archive's writers off until the commit
    if embeddings.count_without(tx, archive.id, model):
        return False
    embeddings.drop_others(tx, archive.id, model)
    archives.set_model(tx, archive.id, model, memory.embedder.dimension)
    return True
