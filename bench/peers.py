"""The same data in chromadb and lancedb, as their documentation shows; vectors are given to them.

python -m bench.peers STEP PLACE SIZE PEER. Prints one line of JSON.

chromadb: HNSW at default settings, cosine. lancedb: the default, a flat scan, and its full-text
index for hybrid search. Both keep text, speaker, tag, time and metadata. Watched with strace:
chromadb 1.5 syncs its SQLite log at every add, as Yiku does; lancedb 0.40 syncs nothing.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

import numpy as np

from bench.data import CHUNK, MAIN_SPEAKER, RARE_TAG, START, Floats, Memory
from bench.measure import Desk, Figure, disk_bytes, memory_mb, recall, timed, turns
from bench.place import Place, say

FAR = 10_000


class Peer(Protocol):
    """Another store of passages with vectors."""

    hybrid: bool
    """Whether it searches words and vectors at once, without a model of its own."""

    def add(self, memories: Sequence[Memory], vectors: Floats) -> None: ...

    def finish(self) -> None:
        """What is to be done after a bulk load."""

    def search(self, vector: Floats, filter: str | None = None) -> list[int]:
        """The numbers of the ten nearest; `filter`: tag, time or speaker."""
        ...

    def search_hybrid(self, vector: Floats, text: str) -> int:
        """How many were found."""
        ...


class Chroma:
    hybrid = False

    def __init__(self, place: Place) -> None:
        import chromadb
        from chromadb.config import Settings

        client = chromadb.PersistentClient(
            str(place.store), settings=Settings(anonymized_telemetry=False)
        )
        self._collection = client.get_or_create_collection(
            "memories", configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
        )
        since, until = time_range(place.size)
        self._wheres: dict[str | None, Any] = {
            None: None,
            "tag": {"tag": RARE_TAG},
            "time": {"$and": [{"at": {"$gte": since}}, {"at": {"$lt": until}}]},
            "speaker": {"speaker": MAIN_SPEAKER},
        }

    def add(self, memories: Sequence[Memory], vectors: Floats) -> None:
        self._collection.add(
            ids=[str(m.number) for m in memories],
            embeddings=vectors,
            documents=[m.text for m in memories],
            metadatas=[facts(m) for m in memories],
        )

    def finish(self) -> None:
        pass

    def search(self, vector: Floats, filter: str | None = None) -> list[int]:
        found = self._collection.query(
            query_embeddings=vector[None], n_results=10, where=self._wheres[filter]
        )
        return [int(number) for number in found["ids"][0]]

    def search_hybrid(self, vector: Floats, text: str) -> int:
        raise NotImplementedError


class Lance:
    hybrid = True

    def __init__(self, place: Place) -> None:
        import lancedb
        import pyarrow as pa
        from lancedb.rerankers import RRFReranker

        self._pa = pa
        self._schema = pa.schema(
            [
                ("id", pa.int64()),
                ("text", pa.string()),
                ("speaker", pa.string()),
                ("conversation", pa.string()),
                ("tag", pa.string()),
                ("at", pa.int64()),
                ("channel", pa.string()),
                ("importance", pa.int64()),
                ("vector", pa.list_(pa.float32(), 384)),
            ]
        )
        self._reranker = RRFReranker()
        database = lancedb.connect(str(place.store))
        self._table: Any = database.create_table("memories", schema=self._schema, exist_ok=True)
        since, until = time_range(place.size)
        self._wheres = {
            "tag": f"tag = '{RARE_TAG}'",
            "time": f"at >= {since} AND at < {until}",
            "speaker": f"speaker = '{MAIN_SPEAKER}'",
        }

    def add(self, memories: Sequence[Memory], vectors: Floats) -> None:
        rows = [{"id": m.number, "text": m.text, **facts(m)} for m in memories]
        columns = {
            name: self._pa.array([row[name] for row in rows])
            for name in self._schema.names
            if name != "vector"
        }
        flat = self._pa.array(vectors.reshape(-1))
        columns["vector"] = self._pa.FixedSizeListArray.from_arrays(flat, 384)
        self._table.add(self._pa.table(columns, schema=self._schema))

    def finish(self) -> None:
        from lancedb.index import FTS

        self._table.optimize()
        self._table.create_index("text", config=FTS())

    def search(self, vector: Floats, filter: str | None = None) -> list[int]:
        query = self._table.search(vector).distance_type("cosine").limit(10)
        if filter is not None:
            query = query.where(self._wheres[filter], prefilter=True)
        found = query.select(["id", "text", "speaker", "at", "_distance"]).to_list()
        return [row["id"] for row in found]

    def search_hybrid(self, vector: Floats, text: str) -> int:
        query = self._table.search(query_type="hybrid").vector(vector).text(text)
        return len(query.distance_type("cosine").rerank(self._reranker).limit(10).to_list())


def facts(memory: Memory) -> dict[str, str | int]:
    return {
        "speaker": memory.speaker,
        "conversation": memory.conversation,
        "tag": memory.tag,
        "at": micros(memory),
        "channel": memory.channel,
        "importance": memory.importance,
    }


def micros(memory: Memory) -> int:
    return int(memory.at.timestamp() * 1_000_000)


def time_range(size: int) -> tuple[int, int]:
    """A tenth of all, as for Yiku."""
    first, last = (
        int((START + timedelta(minutes=int(size * share))).timestamp() * 1_000_000)
        for share in (0.4, 0.5)
    )
    return first, last


PEERS: dict[str, Callable[[Place], Peer]] = {"chromadb": Chroma, "lancedb": Lance}


def fill(peer: str, place: Place) -> list[Figure]:
    desk, corpus = Desk(peer, place.size), place.corpus()
    store = PEERS[peer](place)
    seconds = 0.0
    for chunk in range(place.size // CHUNK):
        memories, vectors = corpus.memories(chunk), corpus.vectors(chunk)
        seconds += timed(lambda m=memories, v=vectors: store.add(m, v))
        if chunk % 25 == 24:
            say(f"{peer}: {(chunk + 1) * CHUNK:,} of {place.size:,} stored")
    indexing = timed(store.finish)
    say(f"{peer}: indexed in {indexing:.1f} s")
    return [
        desk.one("bulk_vectors", place.size / seconds),
        desk.one("disk", disk_bytes(place.store) / place.size),
    ]


def cold(peer: str, place: Place) -> list[Figure]:
    desk, (_, vectors) = Desk(peer, place.size), place.queries()
    store = PEERS[peer](place)
    store.search(vectors[0])
    print("answered", flush=True)
    for vector in vectors[1:31]:
        store.search(vector)
    return [desk.one(name, mb) for name, mb in memory_mb().items()]


def search(peer: str, place: Place) -> list[Figure]:
    desk, (texts, vectors) = Desk(peer, place.size), place.queries()
    store = PEERS[peer](place)
    for vector in vectors[:10]:
        store.search(vector)
    kinds = ("search", "filter_tag", "filter_time", "filter_speaker")
    by_kind: dict[str, list[float]] = {kind: [] for kind in kinds}
    found: list[list[int]] = []
    for i, kind in turns(kinds, len(vectors)):
        filter = None if kind == "search" else kind.removeprefix("filter_")
        start = time.perf_counter()
        numbers = store.search(vectors[i], filter)
        by_kind[kind].append(time.perf_counter() - start)
        if filter is None:
            found.append(numbers)
    figures = [desk.many(kind, seconds) for kind, seconds in by_kind.items()]
    figures.append(desk.one("recall", recall(found, np.load(place.exact).tolist()), len(found)))
    if store.hybrid:
        store.search_hybrid(vectors[0], texts[0])
        hybrid = [
            timed(lambda v=vector, t=text: store.search_hybrid(v, t))
            for text, vector in zip(texts, vectors, strict=True)
        ]
        figures.append(desk.many("search_hybrid", hybrid))
    return figures


def write(peer: str, place: Place) -> list[Figure]:
    desk, corpus, count = Desk(peer, place.size), place.corpus(), place.repeats
    store = PEERS[peer](place)
    fresh, given = corpus.memories(FAR), corpus.vectors(FAR)
    _, queries = place.queries()
    for vector in queries[:10]:
        store.search(vector)

    def one(i: int) -> float:
        return timed(lambda: store.add([fresh[i]], given[i : i + 1]))

    added = [one(i) for i in range(count + 10)][10:]
    after: list[float] = []
    for i in range(count):
        one(500 + i)
        after.append(timed(lambda i=i: store.search(queries[i % len(queries)])))
    return [desk.many("add_vector", added), desk.many("search_after_write", after)]


STEPS = {"fill": fill, "cold": cold, "search": search, "write": write}


def main() -> None:
    step, folder, size, peer = sys.argv[1:5]
    os.environ.setdefault("LANCE_LOG", "error")
    place = Place.load(folder, int(size), peer)
    start = time.perf_counter()
    figures = STEPS[step](peer, place)
    say(f"{peer}: {step} at {place.size:,} took {time.perf_counter() - start:.0f} s")
    place.report(figures)


if __name__ == "__main__":
    main()
