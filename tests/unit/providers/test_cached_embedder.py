import asyncio
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from yiku.core.errors import ProviderUnavailable
from yiku.core.ports import Purpose
from yiku.providers.cache import CachedEmbedder


class CountingEmbedder:
    """A text's vector tells its length; keeps what it was asked for."""

    model = "test/counting"
    dimension = 2
    multilingual = True

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.failing = False
        self.closed = False

    async def warm(self) -> None:
        """Always ready."""

    async def embed(self, texts: Sequence[str], *, purpose: Purpose) -> NDArray[np.float32]:
        self.asked.append(list(texts))
        await self.open.wait()
        if self.failing:
            raise ProviderUnavailable()
        sign = 1 if purpose == "document" else -1
        return np.array([[len(t), sign] for t in texts], np.float32).reshape(-1, 2)

    async def close(self) -> None:
        self.closed = True


async def test_a_text_is_embedded_once() -> None:
    inner = CountingEmbedder()
    cached = CachedEmbedder(inner)
    first = await cached.embed(["a", "bb", "a"], purpose="document")
    second = await cached.embed(["ccc", "bb"], purpose="document")
    assert inner.asked == [["a", "bb"], ["ccc"]]
    assert first[:, 0].tolist() == [1, 2, 1]
    assert second[:, 0].tolist() == [3, 2]


async def test_query_and_document_are_kept_apart() -> None:
    cached = CachedEmbedder(CountingEmbedder())
    document = await cached.embed(["a"], purpose="document")
    query = await cached.embed(["a"], purpose="query")
    assert document[0, 1] != query[0, 1]


async def test_what_was_used_least_recently_is_dropped_first() -> None:
    inner = CountingEmbedder()
    cached = CachedEmbedder(inner, capacity=2)
    for text in ("a", "bb", "a", "ccc", "a", "bb"):
        await cached.embed([text], purpose="query")
    assert inner.asked == [["a"], ["bb"], ["ccc"], ["bb"]]


async def test_a_batch_larger_than_the_cache_is_answered_whole() -> None:
    cached = CachedEmbedder(CountingEmbedder(), capacity=1)
    texts = ["x" * n for n in range(1, 20)]
    vectors = await cached.embed(texts * 2, purpose="document")
    assert vectors[:, 0].tolist() == [len(t) for t in texts * 2]


async def test_without_capacity_nothing_is_kept() -> None:
    inner = CountingEmbedder()
    cached = CachedEmbedder(inner, capacity=0)
    for _ in range(2):
        await cached.embed(["a"], purpose="query")
    assert inner.asked == [["a"], ["a"]]


async def test_two_callers_at_once_share_the_work() -> None:
    inner = CountingEmbedder()
    inner.open.clear()
    cached = CachedEmbedder(inner)
    calls = [asyncio.create_task(cached.embed(["a", "bb"], purpose="query")) for _ in range(3)]
    await asyncio.sleep(0)
    inner.open.set()
    for vectors in await asyncio.gather(*calls):
        assert vectors[:, 0].tolist() == [1, 2]
    assert inner.asked == [["a", "bb"]]


async def test_a_caller_is_not_hurt_by_anothers_cancellation() -> None:
    inner = CountingEmbedder()
    inner.open.clear()
    cached = CachedEmbedder(inner)
    one, two = (asyncio.create_task(cached.embed(["a"], purpose="query")) for _ in range(2))
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    inner.open.set()
    assert (await two)[0, 0] == 1
    with pytest.raises(asyncio.CancelledError):
        await one


async def test_a_failure_is_not_kept() -> None:
    inner = CountingEmbedder()
    cached = CachedEmbedder(inner)
    inner.failing = True
    with pytest.raises(ProviderUnavailable):
        await cached.embed(["a"], purpose="query")
    inner.failing = False
    assert (await cached.embed(["a"], purpose="query"))[0, 0] == 1


async def test_what_was_forgotten_is_made_anew() -> None:
    inner = CountingEmbedder()
    cached = CachedEmbedder(inner)
    await cached.embed(["a", "bb"], purpose="document")
    await cached.embed(["a"], purpose="query")
    cached.forget()
    await cached.embed(["a", "bb"], purpose="document")
    await cached.embed(["a"], purpose="query")
    assert inner.asked == [["a", "bb"], ["a"]] * 2


async def test_a_text_being_embedded_while_all_is_forgotten_is_not_kept() -> None:
    inner = CountingEmbedder()
    inner.open.clear()
    cached = CachedEmbedder(inner)
    call = asyncio.create_task(cached.embed(["a"], purpose="query"))
    await asyncio.sleep(0)
    cached.forget()
    inner.open.set()
    await call
    await cached.embed(["a"], purpose="query")
    assert inner.asked == [["a"], ["a"]]


async def test_a_caller_may_write_into_what_it_got() -> None:
    cached = CachedEmbedder(CountingEmbedder())
    (await cached.embed(["a"], purpose="query"))[:] = 0
    assert (await cached.embed(["a"], purpose="query"))[0, 0] == 1


async def test_no_texts_give_no_vectors_of_the_right_width() -> None:
    assert (await CachedEmbedder(CountingEmbedder()).embed([], purpose="query")).shape == (0, 2)


async def test_surrogates_can_be_hashed() -> None:
    cached = CachedEmbedder(CountingEmbedder())
    assert (await cached.embed(["\ud83d"], purpose="query")).shape == (1, 2)


async def test_closing_closes_the_embedder_behind() -> None:
    inner = CountingEmbedder()
    await CachedEmbedder(inner).close()
    assert inner.closed
