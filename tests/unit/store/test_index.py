"""The index finds what a search through everything finds."""

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from yiku.store.index.archive import ArchiveIndex, IndexRow
from yiku.store.index.query import Query
from yiku.store.index.segment import CAPACITY
from yiku.store.index.terms import field_term, pack, term_hash

DIMENSION = 16
K1, B = 0.9, 0.6
WORDS = [f"word{n}" for n in range(300)]


@dataclass
class Entry:
    """A passage as the exhaustive search sees it."""

    seq: int
    words: list[str]
    vector: np.ndarray
    tags: list[str]
    at: int = 0
    valid_to: int | None = None
    forgotten: bool = False


@dataclass
class World:
    """An archive twice: as an index, and as a plain list."""

    rng: np.random.Generator
    entries: dict[int, Entry] = field(default_factory=dict)
    index: ArchiveIndex = field(default_factory=lambda: ArchiveIndex(DIMENSION))

    def entry(self, seq: int) -> Entry:
        picks = self.rng.zipf(1.4, 8) % len(WORDS)
        return Entry(
            seq=seq,
            words=[WORDS[n] for n in picks],
            vector=self.rng.normal(size=DIMENSION).astype(np.float32),
            tags=["rare"] if seq % 50 == 0 else ["common"],
            at=seq * 1000,
        )

    def take(self, entries: list[Entry]) -> None:
        self.entries |= {e.seq: e for e in entries}
        self.index.take([row_of(e) for e in entries])

    def erase(self, seqs: list[int]) -> None:
        for seq in seqs:
            del self.entries[seq]
        self.index.drop(seqs)

    def visible(self) -> list[Entry]:
        return [e for e in self.entries.values() if not e.forgotten]


def row_of(e: Entry) -> IndexRow:
    fields = [field_term("tag", tag) for tag in e.tags]
    return IndexRow(
        seq=e.seq,
        version=1,
        at=e.at,
        valid_from=0,
        valid_to=e.valid_to,
        forgotten_at=1 if e.forgotten else None,
        speaker=None,
        conversation=None,
        terms=pack(e.words, [], fields, 0),
        vector=(e.vector / 2).astype("<f4").tobytes(),  # the index holds the sum of both
        context_vector=None,
    )


def bm25(world: World, words: list[str], rows: int, total: int) -> dict[int, float]:
    """By the textbook; rows and lengths count dead rows too, as the index's do."""
    scores: dict[int, float] = {}
    visible = world.visible()
    for word in set(words):
        holding = [e for e in visible if word in e.words]
        if not holding:
            continue
        idf = math.log(1 + (rows - len(holding) + 0.5) / (len(holding) + 0.5))
        for e in holding:
            f = e.words.count(word)
            norm = K1 * (1 - B + B * len(e.words) / (total / rows))
            scores[e.seq] = scores.get(e.seq, 0) + idf * f * (K1 + 1) / (f + norm)
    return scores


@pytest.fixture
def world() -> World:
    return World(np.random.default_rng(7))


def test_every_row_of_a_small_archive_has_its_exact_scores(world: World) -> None:
    world.take([world.entry(n) for n in range(1, 900)])
    vector = world.rng.normal(size=DIMENSION).astype(np.float32)
    words = ["word1", "word7", "word40"]
    found = world.index.search(Query(vector=vector, terms=[term_hash(w) for w in words]))
    assert sorted(found.seq) == sorted(world.entries)
    expected = bm25(world, words, 899, 899 * 8)
    assert found.lexical == pytest.approx(
        np.array([expected.get(s, 0) for s in found.seq.tolist()]), rel=1e-4
    )
    exact = np.array([world.entries[s].vector @ vector for s in found.seq.tolist()])
    assert np.abs(found.dense - exact).max() < 0.15
    assert np.corrcoef(found.dense, exact)[0, 1] > 0.999


def test_a_large_archive_gives_the_best_of_each_arm(world: World) -> None:
    world.take([world.entry(n) for n in range(1, 6001)])
    vector = world.rng.normal(size=DIMENSION).astype(np.float32)
    words = ["word30", "word77"]
    found = world.index.search(Query(vector=vector, terms=[term_hash(w) for w in words]))
    seqs = set(found.seq.tolist())
    assert len(seqs) < 600
    expected = bm25(world, words, 6000, 48_000)
    assert set(sorted(expected, key=lambda s: -expected[s])[:20]) <= seqs
    exact = {e.seq: float(e.vector @ vector) for e in world.visible()}
    assert set(sorted(exact, key=lambda s: -exact[s])[:100]) <= seqs


@pytest.mark.parametrize("size", [300, 6000])
def test_filters_let_through_exactly_what_they_name(world: World, size: int) -> None:
    world.take([world.entry(n) for n in range(1, size + 1)])
    vector = world.rng.normal(size=DIMENSION).astype(np.float32)
    rare = [term_hash(field_term("tag", "rare"))]
    found = world.index.search(Query(vector=vector, terms=[], required=[rare]))
    assert all(world.entries[s].tags == ["rare"] for s in found.seq.tolist())
    assert len(found.seq) == size // 50
    window = Query(vector=vector, terms=[], since=100_000, until=110_000)
    assert sorted(world.index.search(window).seq) == list(range(100, 110))


def test_changed_rows_replace_their_old_selves(world: World) -> None:
    world.take([world.entry(n) for n in range(1, 501)])
    changed = [
        replace(world.entries[n], words=["fresh", "word2"], tags=["new"]) for n in (3, 77, 500)
    ]
    world.take(changed)
    world.take([replace(world.entries[4], forgotten=True)])
    world.erase([5, 6])
    fresh = world.index.search(Query(vector=None, terms=[term_hash("fresh")]))
    scored = {int(s) for s, x in zip(fresh.seq, fresh.lexical, strict=True) if x}
    assert scored == {3, 77, 500}
    assert sorted(fresh.seq) == sorted(e.seq for e in world.visible())
    assert len(world.index) == len(world.visible())


def test_taking_the_same_rows_twice_changes_nothing(world: World) -> None:
    entries = [world.entry(n) for n in range(1, 200)]
    world.take(entries)
    world.take(entries)
    assert len(world.index) == 199


def test_what_has_ended_is_found_as_of_its_time_only(world: World) -> None:
    world.take([replace(world.entry(1), valid_to=500), world.entry(2)])
    before = world.index.search(Query(vector=None, terms=[], as_of=499))
    after = world.index.search(Query(vector=None, terms=[], as_of=500))
    assert sorted(before.seq) == [1, 2]
    assert sorted(after.seq) == [2]


def test_an_archive_over_several_segments_is_one_archive(world: World) -> None:
    size = CAPACITY + 5000
    vectors = world.rng.normal(size=(size, DIMENSION)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    special = {10: "needle", CAPACITY + 4000: "needle"}
    for start in range(0, size, 8192):
        world.index.take(
            [
                row_of(Entry(n + 1, [WORDS[n % 300], special.get(n, "hay")], vectors[n], []))
                for n in range(start, min(size, start + 8192))
            ]
        )
    assert len(world.index) == size
    query = Query(vector=vectors[CAPACITY + 17], terms=[term_hash("needle")])
    found = world.index.search(query)
    by_words = found.seq[np.argsort(-found.lexical)[:2]]
    assert sorted(by_words.tolist()) == [11, CAPACITY + 4001]
    assert found.seq[int(np.argmax(found.dense))] == CAPACITY + 18
