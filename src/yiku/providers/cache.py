"""Vectors that were made already aren't made again."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from yiku.core.ports import Embedder, Purpose

Vector = NDArray[np.float32]
Key = tuple[str, Purpose, bytes]  # model, purpose, hash of the text


class Warmable(Embedder, Protocol):
    """An Embedder that can be made ready before its first text."""

    async def warm(self) -> None: ...


class CachedEmbedder:
    """An Embedder before another, with the vectors of the last `capacity` texts in memory.

    A text asked for twice, in one batch or by two callers at once, is embedded once. No text is
    kept, only its hash. A vector takes 4 bytes a dimension and 0.4 kB of housekeeping.
    """

    def __init__(self, inner: Warmable, capacity: int = 1024) -> None:
        self._inner = inner
        self._capacity = capacity
        self._vectors: OrderedDict[Key, Vector] = OrderedDict()  # least recently used first
        self._pending: dict[Key, asyncio.Future[Vector | None]] = {}

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def dimension(self) -> int:
        return self._inner.dimension

    @property
    def multilingual(self) -> bool:
        return self._inner.multilingual

    async def warm(self) -> None:
        """Make the embedder ready now. Raises: as `embed`."""
        await self._inner.warm()

    async def embed(self, texts: Sequence[str], *, purpose: Purpose) -> Vector:
        """(n, dimension), rows of unit length, in the order of `texts`. Raises: as the port."""
        keys = [self._key(text, purpose) for text in texts]
        found: dict[Key, Vector] = {}
        awaited: dict[Key, str] = {}
        missing: dict[Key, str] = {}
        for key, text in zip(keys, texts, strict=True):
            if key in self._vectors:
                self._vectors.move_to_end(key)
                found[key] = self._vectors[key]
            elif key in self._pending:
                awaited[key] = text
            else:
                missing[key] = text
        others = {key: self._pending[key] for key in awaited}
        found |= await self._embed(missing, purpose)
        for key, future in others.items():
            vector = await asyncio.shield(future)
            # None: the other caller failed or was cancelled, so it is up to this one.
            found[key] = (
                (await self._inner.embed([awaited[key]], purpose=purpose))[0]
                if vector is None
                else vector
            )
        if not keys:
            return await self._inner.embed([], purpose=purpose)
        return np.stack([found[key] for key in keys])

    def forget(self) -> None:
        """Drop all vectors; those being made just now won't be kept either."""
        self._vectors.clear()
        self._pending.clear()

    async def close(self) -> None:
        self._vectors.clear()
        await self._inner.close()

    async def _embed(self, missing: dict[Key, str], purpose: Purpose) -> dict[Key, Vector]:
        if not missing:
            return {}
        loop = asyncio.get_running_loop()
        futures = {key: loop.create_future() for key in missing}
        self._pending |= futures
        try:
            made = await self._inner.embed(list(missing.values()), purpose=purpose)
            # Copies: a row of `made` would keep all of it alive.
            vectors = {key: made[i].copy() for i, key in enumerate(missing)}
            for key, vector in vectors.items():
                futures[key].set_result(vector)
                if self._pending.get(key) is futures[key]:
                    self._keep(key, vector)
            return vectors
        finally:
            for key, future in futures.items():
                if not future.done():
                    future.set_result(None)
                if self._pending.get(key) is future:
                    del self._pending[key]

    def _keep(self, key: Key, vector: Vector) -> None:
        self._vectors[key] = vector
        if len(self._vectors) > self._capacity:
            self._vectors.popitem(last=False)

    def _key(self, text: str, purpose: Purpose) -> Key:
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return self._inner.model, purpose, digest
