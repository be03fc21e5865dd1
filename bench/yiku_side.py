"""What is measured of Yiku; each step is a process of its own.

python -m bench.yiku_side STEP PLACE SIZE, where PLACE is the run's folder. Prints one line of JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

import yiku
from bench.data import CHUNK, MAIN_SPEAKER, RARE_TAG, START, Floats, Memory, nearest
from bench.measure import Desk, Figure, awaited, disk_bytes, memory_mb, recall, timed, turns
from bench.place import Place, say
from yiku.app import App, build
from yiku.core.memory import Draft, Filter
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import ingest
from yiku.memory import search as way_out
from yiku.memory.archival import ArchivalMemory
from yiku.memory.archival import Place as Home
from yiku.settings import load
from yiku.store import archives
from yiku.store.index.query import Query

HOME = Home(owner="ann")
FAR = 10_000
"""Chunks of passages added after the fill come from beyond any size."""


@contextlib.asynccontextmanager
async def opened(place: Place, **settings: Any) -> AsyncIterator[App]:
    address = f"sqlite:///{place.store / 'yiku.db'}"
    async with build(load(home=place.home, database_url=address, **settings)) as app:
        yield app


def draft(memory: Memory, *, turn: bool = True) -> Draft:
    return Draft(
        text=memory.text,
        at=memory.at,
        speaker=memory.speaker,
        conversation=(memory.conversation or None) if turn else None,
        message=f"m{memory.number}",
        tags=(memory.tag,),
        metadata={"channel": memory.channel, "importance": memory.importance},
    )


async def add(
    memory: ArchivalMemory, memories: Sequence[Memory], vectors: Floats | None = None
) -> None:
    drafts = [draft(m) for m in memories]
    await ingest.add(memory, LOCAL_ACTOR, HOME, drafts, vectors=vectors)


async def find(memory: ArchivalMemory, text: str, wanted: Filter | None = None) -> None:
    hits = await way_out.search(memory, LOCAL_ACTOR, [HOME], text, filter=wanted)
    assert hits, text


def warm_up_place(place: Place) -> Place:
    """A database to warm up on."""
    return Place(place.folder, place.plan, place.size, "warm-up")


async def fill(place: Place) -> list[Figure]:
    """All passages in batches of a thousand, vectors given, every one kept."""
    desk, corpus = Desk("yiku", place.size), place.corpus()
    seconds = 0.0
    async with opened(warm_up_place(place), duplicates="keep") as app:
        await add(app.memory, corpus.memories(FAR), corpus.vectors(FAR))
    async with opened(place, duplicates="keep") as app:
        for chunk in range(place.size // CHUNK):
            drafts = [draft(m) for m in corpus.memories(chunk)]
            vectors = corpus.vectors(chunk)
            work = ingest.add(app.memory, LOCAL_ACTOR, HOME, drafts, vectors=vectors)
            seconds += await awaited(work)
            if chunk % 100 == 99:
                say(f"yiku: {(chunk + 1) * CHUNK:,} of {place.size:,} stored")
    _, queries = place.queries()
    np.save(place.exact, nearest(corpus, place.size, queries))
    return [
        desk.one("bulk_vectors", place.size / seconds),
        desk.one("disk", disk_bytes(place.store) / place.size),
    ]


async def cold(place: Place) -> list[Figure]:
    """A new process to its first answer (timed by whoever started it), then what it takes up."""
    desk, (texts, _) = Desk("yiku", place.size), place.queries()
    async with opened(place) as app:
        await find(app.memory, texts[0])
        print("answered", flush=True)
        for text in texts[1:31]:
            await find(app.memory, text)
        return [desk.one(name, mb) for name, mb in memory_mb().items()]


def filters(size: int) -> dict[str, Filter | None]:
    def moment(share: float) -> Any:
        return START + timedelta(minutes=int(size * share))

    return {
        "search": None,
        "filter_tag": Filter(tags=(RARE_TAG,)),
        "filter_time": Filter(since=moment(0.4), until=moment(0.5)),
        "filter_speaker": Filter(speakers=(MAIN_SPEAKER,)),
    }


async def search(place: Place) -> list[Figure]:
    desk, (texts, vectors) = Desk("yiku", place.size), place.queries()
    async with opened(place) as app:
        memory = app.memory
        for text in place.warm_up:
            await find(memory, text)
        embedded = [await awaited(find(memory, text)) for text in texts]
        common = [await awaited(find(memory, text)) for text in place.common_queries()]
        by_kind: dict[str, list[float]] = {kind: [] for kind in filters(place.size)}
        wanted = filters(place.size)
        for i, kind in turns(list(wanted), len(texts)):
            by_kind[kind].append(await awaited(find(memory, texts[i], wanted[kind])))
        figures = [
            desk.many("search_embedded", embedded),
            desk.many("search_common", common),
            *(desk.many(kind, seconds) for kind, seconds in by_kind.items()),
        ]
        figures.append(desk.one("recall", await dense_recall(app, place, vectors), len(vectors)))
        return figures


async def dense_recall(app: App, place: Place, vectors: Floats) -> float:
    """The index's ten nearest, by its int8 vectors, against the exact ten."""

    def of_index(tx: Any) -> list[list[int]]:
        archive = archives.find(tx, HOME.owner, HOME.name)
        assert archive is not None
        index = app.memory.indexes.current(tx, archive)
        assert index is not None
        found: list[list[int]] = []
        for vector in vectors:
            candidates = index.search(Query(vector=vector, terms=()))
            best = np.argsort(-candidates.dense)[:10]
            found.append((candidates.seq[best] - 1).tolist())
        return found

    nearest_found = await app.database.read(LOCAL_ACTOR, of_index)
    return recall(nearest_found, np.load(place.exact).tolist())


async def write(place: Place) -> list[Figure]:
    """Single durable adds, and the first search after each."""
    desk, corpus, count = Desk("yiku", place.size), place.corpus(), place.repeats
    texts, _ = place.queries()
    fresh = [m for chunk in range(FAR, FAR + 3) for m in corpus.memories(chunk)]
    given = np.concatenate([corpus.vectors(chunk) for chunk in range(FAR, FAR + 3)])
    long_texts = corpus.long_texts(place.repeats)
    figures: list[Figure] = []
    async with opened(place) as app:
        memory = app.memory
        for text in [*place.warm_up, *texts[:count]]:
            await find(memory, text)

        async def one(number: int, **changed: Any) -> float:
            made = replace(draft(fresh[number], turn=False), **changed)
            return await awaited(ingest.add(memory, LOCAL_ACTOR, HOME, [made]))

        for number in range(10):
            await one(number)
        short = [await one(10 + i) for i in range(count)]
        turn = [await one(500 + i, conversation=fresh[500 + i].conversation) for i in range(count)]
        long = [await one(1000 + i, text=long_texts[i]) for i in range(count)]
        vector = [
            await awaited(add(memory, [fresh[1500 + i]], given[1500 + i : 1501 + i]))
            for i in range(count)
        ]
        for name, seconds in (
            ("add_short", short),
            ("add_turn", turn),
            ("add_long", long),
            ("add_vector", vector),
        ):
            figures.append(desk.many(name, seconds))
        figures += await after_writes(memory, desk, fresh[2000:], texts[:count])
    return figures + await through_client(place, fresh[2500:], texts)


async def after_writes(
    memory: ArchivalMemory, desk: Desk, fresh: Sequence[Memory], texts: Sequence[str]
) -> list[Figure]:
    """A search right after an add, and another after it: with the query embedded, and without."""
    seconds: dict[str, list[float]] = {
        name: [] for name in ("after_embedded", "again_embedded", "search_after_write", "again")
    }
    for i, text in enumerate(texts):
        await find(memory, text)
        await add(memory, [replace(fresh[2 * i], conversation="")])
        seconds["after_embedded"].append(await awaited(find(memory, f"{text} {i}")))
        seconds["again_embedded"].append(await awaited(find(memory, f"{text} {i}!")))
        await add(memory, [replace(fresh[2 * i + 1], conversation="")])
        seconds["search_after_write"].append(await awaited(find(memory, text)))
        seconds["again"].append(await awaited(find(memory, text)))
    return [desk.many(name, values) for name, values in seconds.items()]


async def through_client(
    place: Place, fresh: Sequence[Memory], texts: Sequence[str]
) -> list[Figure]:
    """The same by `yiku.connect`: validation, JSON, and the server's code in this process."""
    desk, count = Desk("yiku", place.size), place.repeats
    url = f"yiku://{place.store / 'yiku.db'}"
    async with yiku.connect(url, home=place.home) as client:

        def adding(m: Memory) -> Any:
            return client.add(
                m.text, user=HOME.owner, speaker=m.speaker, at=m.at, tags=[m.tag],
                metadata={"channel": m.channel, "importance": m.importance},
            )  # fmt: skip

        for text, memory in zip(place.warm_up, fresh, strict=False):
            await client.search(text, user=HOME.owner)
            await adding(memory)
        added = [await awaited(adding(m)) for m in fresh[50 : 50 + count]]
        await client.search(texts[-1], user=HOME.owner)
        found = [await awaited(client.search(t, user=HOME.owner)) for t in texts[:count]]
    return [desk.many("add_client", added), desk.many("search_client", found)]


async def bulk(place: Place) -> list[Figure]:
    """Batches into the filled archive, compared with what it holds (`duplicates` = link)."""
    desk, corpus = Desk("yiku", place.size), place.corpus()
    chunks = range(FAR + 10, FAR + 10 + min(max(place.size // CHUNK, 2), 10))
    long_texts = corpus.long_texts(1000 + place.bulk_texts)[1000:]
    async with opened(place) as app:
        await find(app.memory, place.warm_up[0])
        linked = 0.0
        for chunk in chunks:
            memories, vectors = corpus.memories(chunk), corpus.vectors(chunk)
            linked += await awaited(add(app.memory, memories, vectors))
        embedded = 0.0
        for start in range(0, len(long_texts), 100):
            drafts = [Draft(text=t, speaker="Ann") for t in long_texts[start : start + 100]]
            embedded += await awaited(ingest.add(app.memory, LOCAL_ACTOR, HOME, drafts))
    return [
        desk.one("bulk_link", len(chunks) * CHUNK / linked),
        desk.one("bulk_long", len(long_texts) / embedded),
    ]


async def prepare(place: Place) -> list[Figure]:
    """Builds what is built once: the model's graph, the dictionary, the queries."""
    seconds = timed(lambda: place.make_queries())
    async with opened(place) as app:
        await app.memory.embedder.embed(["hello"], purpose="query")
        app.memory.gloss("你好")
    say(f"queries made in {seconds:.1f} s")
    return []


STEPS: dict[str, Callable[[Place], Any]] = {
    "prepare": prepare,
    "fill": fill,
    "cold": cold,
    "search": search,
    "write": write,
    "bulk": bulk,
}


def main() -> None:
    step, place = sys.argv[1], Place.load(sys.argv[2], int(sys.argv[3]))
    start = time.perf_counter()
    figures = asyncio.run(STEPS[step](place))
    say(f"yiku: {step} at {place.size:,} took {time.perf_counter() - start:.0f} s")
    place.report(figures)


if __name__ == "__main__":
    main()
