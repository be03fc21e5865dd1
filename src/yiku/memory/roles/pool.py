"""Role states of recently used archives, each brought up to date before use."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import YikuError
from yiku.core.ids import ArchiveId, RoleKey
from yiku.core.memory import Archive
from yiku.core.ports import Embedder
from yiku.core.role import EmbeddingRoleConfig, Role
from yiku.core.tenant import Actor
from yiku.memory.roles import cohort
from yiku.memory.roles.state import Loaded, RoleState, build, load, texts_of
from yiku.store import archives, memberships, roles
from yiku.store.database import Database, Tx

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

PAUSE_S = 1.0
"""Between one renewal of an archive's experts and the next: many memories may come at once."""
KEPT = 64
"""Archives whose roles stay in memory."""
BATCH = 64
"""Texts embedded at a time."""
TRIES = 3

Members = Mapping[RoleKey, dict[int, memberships.Seen]]


@dataclass(slots=True)
class Slot:
    """What is known of one archive's roles."""

    state: RoleState
    versions: roles.Versions
    members: dict[RoleKey, dict[int, memberships.Seen]]
    """As of `versions`; the state's own are as of when it was made."""
    renewing: asyncio.Task[None] | None = None


@dataclass(frozen=True, slots=True)
class Current:
    """An archive's roles as of now."""

    archive: Archive
    versions: roles.Versions
    state: RoleState
    members: Members


class RolePool:
    """One state per archive; the least recently used leave."""

    def __init__(
        self, database: Database, embedder: Embedder, gloss: Callable[[str], str], cache: Path
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._gloss = gloss
        self._cache = cache
        self._slots: OrderedDict[ArchiveId, Slot] = OrderedDict()
        self._cohort: cohort.Cohort | None = None
        self._making = asyncio.Lock()
        self._renewing: set[asyncio.Task[None]] = set()
        self._drops = 0

    async def current(self, actor: Actor, archive: Archive) -> Current | None:
        """The archive's roles as of now; None where it has none.

        What came to its roles or left them is known at once. An expert that should learn from much
        of it is made anew beside the work, and used when it is ready; one that was corrected, or
        described anew, is made anew before this returns.

        Raises: ProviderError, StoreError.
        """
        versions = await self._database.read(actor, lambda tx: roles.versions(tx, archive.id))
        if versions.all == 0:
            return None
        slot = self._slots.get(archive.id)
        if (
            slot is None
            or slot.versions.roles != versions.roles
            or self._other_model(slot, archive)
        ):
            slot = await self._renewed(actor, archive.id)
        elif slot.versions != versions:
            await self._catch_up(actor, archive, slot, versions.all)
        if slot is None:
            return None
        if archive.id in self._slots:  # else it was dropped meanwhile
            self._slots.move_to_end(archive.id)
        return Current(archive, slot.versions, slot.state, slot.members)

    async def learn(self, actor: Actor, archive: Archive) -> None:
        """Make the archive's experts anew of what they have now, without the usual pause."""
        await self._renewed(actor, archive.id)

    def drop(self, archive_id: ArchiveId) -> None:
        """After a deletion nothing made from the text may stay."""
        self._drops += 1
        self._slots.pop(archive_id, None)

    async def close(self) -> None:
        for task in self._renewing:
            task.cancel()
        await asyncio.gather(*self._renewing, return_exceptions=True)

    async def embedded(self, config: EmbeddingRoleConfig) -> Floats:
        """(n, d): vectors of `texts_of` the role. Raises: ProviderError."""
        return await self._embed(texts_of(config))

    async def cohort(self, dimension: int) -> cohort.Cohort:
        """The cohort as the embedding model sees it, embedded once per data directory.

        `dimension`: the archive's; a remote model's own isn't known before it has embedded a text.
        """
        async with self._making:
            if self._cohort is None:
                model = self._embedder.model
                path = cohort.cache_path(self._cache, model, not self._embedder.multilingual)
                vectors = await asyncio.to_thread(cohort.read_cached, path, dimension)
                if vectors is None:
                    vectors = await self._embed([text for text, _ in cohort.cohort_texts()])
                    await asyncio.to_thread(cohort.write_cached, path, vectors)
                self._cohort = cohort.cohort_of(vectors)
            return self._cohort

    def _other_model(self, slot: Slot, archive: Archive) -> bool:
        loaded = slot.state.loaded.embedded
        return any(found.model != archive.embedding_model for found in loaded.values())

    async def _embed(self, texts: Sequence[str]) -> Floats:
        glossed = [self._gloss(text) or text for text in texts]
        made = [
            await self._embedder.embed(glossed[i : i + BATCH], purpose="document")
            for i in range(0, len(glossed), BATCH)
        ]
        return np.concatenate(made)

    async def _renewed(self, actor: Actor, archive_id: ArchiveId) -> Slot | None:
        """Everything read and made anew; roles this model hasn't seen are embedded first."""

        def unit(tx: Tx) -> Loaded:
            return load(tx, archives.get(tx, archive_id), roles.versions(tx, archive_id))

        while True:
            drops = self._drops
            loaded = await self._database.read(actor, unit)
            for _ in range(TRIES):  # somebody may describe a role anew while it is embedded
                if loaded.unembedded:
                    await self._embed_roles(actor, loaded.unembedded)
                    loaded = await self._database.read(actor, unit)
            if not loaded.roles or loaded.unembedded:
                self._slots.pop(archive_id, None)
                return None
            made = await self.cohort(loaded.dimension)
            state = await asyncio.to_thread(build, loaded, made)
            if drops == self._drops:
                break  # else it may have what was deleted meanwhile
        slot = Slot(state, loaded.versions, {key: dict(m) for key, m in loaded.members.items()})
        self._slots[archive_id] = slot
        while len(self._slots) > KEPT:
            self._slots.popitem(last=False)
        return slot

    async def _embed_roles(self, actor: Actor, missing: Sequence[Role]) -> None:
        model = self._embedder.model
        made = {one.key: await self.embedded(one.config) for one in missing}

        def unit(tx: Tx) -> None:
            for one in missing:
                vectors = made[one.key]
                roles.put_embedded(tx, one, roles.Embedded(one.version, model, vectors))

        await self._database.write(actor.bookkeeper, unit)

    async def _catch_up(self, actor: Actor, archive: Archive, slot: Slot, wanted: int) -> None:
        """Take in what came and went up to `wanted`; roles themselves are the same."""
        while (known := slot.versions.all) < wanted:

            def unit(tx: Tx, known: int = known) -> tuple[roles.Versions, list[memberships.Seen]]:
                return roles.versions(tx, archive.id), memberships.since(tx, archive.id, known)

            versions, moves = await self._database.read(actor, unit)
            if slot.versions.all == known:  # else another call took some in meanwhile
                take_in(slot, versions, moves)
        if slot.renewing is None and slot.state.outgrown(slot.members):
            slot.renewing = asyncio.create_task(self._renew(actor, archive.id, slot))
            self._renewing.add(slot.renewing)
            slot.renewing.add_done_callback(self._renewing.discard)

    async def _renew(self, actor: Actor, archive_id: ArchiveId, slot: Slot) -> None:
        """Beside the work; who waits for nothing hears of a failure by the log."""
        await asyncio.sleep(PAUSE_S)
        try:
            await self._renewed(actor, archive_id)
        except YikuError:
            slot.renewing = None  # the next change tries again
            logger.warning("roles could not be made anew", exc_info=True)


def take_in(slot: Slot, versions: roles.Versions, moves: Sequence[memberships.Seen]) -> None:
    for one in moves:
        mine = slot.members.get(one.key)
        if mine is None:
            continue  # of a role that is gone
        if one.joined:
            mine[one.seq] = one
        else:
            mine.pop(one.seq, None)
    slot.versions = roles.Versions(versions.all, slot.versions.roles)
