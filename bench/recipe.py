"""Measures the default recipe on public questions, without store or server, and what each of its
signals is worth.

    python bench/recipe.py FOLDER [--model FOLDER] [--home FOLDER] [--ablations]

FOLDER has locomo_dev.json, memorybank_zh_dev.jsonl and cmrc_zh_dev.jsonl. Vectors are kept in
`--home`, so a second run takes seconds. LoCoMo's headline leaves out its adversarial questions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.memory.gloss import Gloss
from yiku.memory.names import named_speaker, strip_names
from yiku.memory.rank import Candidates, QueryFacts, Weights, rank
from yiku.memory.text import language, tokens
from yiku.memory.when import has_time_words, is_when_question, spans
from yiku.providers.minilm import load_encoder
from yiku.providers.presets import local_preset

Floats = NDArray[np.float32]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
K1, B = 0.9, 0.6
CUTS = (1, 5, 10, 20)
CATEGORIES: Sequence[str] = (
    "",
    "multi-hop",
    "temporal",
    "open-domain",
    "single-hop",
    "adversarial",
)


@dataclass(frozen=True, slots=True)
class Passage:
    text: str
    speaker: str
    at: datetime
    conversation: str


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    evidence: list[int]
    category: str


@dataclass(frozen=True, slots=True)
class Pool:
    """One archive and the questions put to it."""

    dataset: str
    name: str
    passages: list[Passage]
    questions: list[Question]


def locomo(path: Path) -> Iterator[Pool]:
    for one in json.loads(path.read_text("utf-8")):
        talk = one["conversation"]
        passages: list[Passage] = []
        place: dict[str, int] = {}
        for number in sorted(int(k[8:]) for k in talk if re.fullmatch(r"session_\d+", k)):
            said = datetime.strptime(
                talk[f"session_{number}_date_time"], "%I:%M %p on %d %B, %Y"
            ).replace(tzinfo=UTC)
            for turn in talk[f"session_{number}"]:
                picture = turn.get("blip_caption")
                text = turn["text"] + (f" [shares {picture}]" if picture else "")
                place[turn["dia_id"]] = len(passages)
                passages.append(Passage(text, turn["speaker"], said, str(number)))
        questions = [
            Question(q["question"], found, CATEGORIES[int(q["category"])])
            for q in one["qa"]
            if (found := evidence_places(q.get("evidence") or [], place))
        ]
        yield Pool("locomo", one["sample_id"], passages, questions)


def evidence_places(evidence: list[str], place: dict[str, int]) -> list[int]:
    """Some ids are malformed: "D8:6; D9:17", "D:11:26", "D30:05"."""
    ids = [f"D{int(a)}:{int(b)}" for e in evidence for a, b in re.findall(r"D:?(\d+):(\d+)", e)]
    return list(dict.fromkeys(place[i] for i in ids if i in place))


def lines(path: Path, dataset: str) -> Iterator[Pool]:
    for line in path.read_text("utf-8").splitlines():
        one = json.loads(line)
        place = {p["id"]: i for i, p in enumerate(one["passages"])}
        passages = [
            Passage(
                p["text"],
                p.get("speaker") or "",
                datetime.fromisoformat(p.get("date") or "2020-01-01").replace(tzinfo=UTC),
                "" if p.get("session") is None else str(p["session"]),
            )
            for p in one["passages"]
        ]
        questions = [
            Question(q["q"], [place[e] for e in q["evidence"]], q.get("category") or "all")
            for q in one["questions"]
        ]
        yield Pool(dataset, one["pool"], passages, questions)


class Vectors:
    """Embeddings, kept in a file by the hash of their text."""

    def __init__(self, model: Path, home: Path) -> None:
        self._path = home / "recipe-vectors.npz"
        self._encoder = load_encoder(local_preset("all-minilm-l6-v2"), home, model, "int8")
        self._known: dict[str, Floats] = {}
        if self._path.exists():
            saved = np.load(self._path)
            self._known = dict(zip(saved["keys"].tolist(), saved["vectors"], strict=True))

    def of(self, texts: Sequence[str]) -> Floats:
        """(n, d), unit length."""
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        missing = {k: t for k, t in zip(keys, texts, strict=True) if k not in self._known}
        with ThreadPoolExecutor(2) as pool:
            made = list(pool.map(self._encoder.encode, missing.values()))
        self._known.update(zip(missing, made, strict=True))
        return np.stack([self._known[k] for k in keys])

    def save(self) -> None:
        keys = np.array(list(self._known))
        np.savez(self._path, keys=keys, vectors=np.stack(list(self._known.values())))


class Bm25:
    """One lexical arm over all passages of a pool."""

    def __init__(self, texts: Sequence[Counter[str]]) -> None:
        n = len(texts)
        lengths = np.array([sum(c.values()) for c in texts], np.float32)
        norms = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1e-9))
        rows: dict[str, list[tuple[int, int]]] = {}
        for i, counts in enumerate(texts):
            for term, count in counts.items():
                rows.setdefault(term, []).append((i, count))
        self._n = n
        self._postings: dict[str, tuple[NDArray[np.intp], Floats]] = {}
        for term, pairs in rows.items():
            where = np.array([i for i, _ in pairs])
            f = np.array([count for _, count in pairs], np.float32)
            weight = np.float32(self._idf(len(pairs)) * (K1 + 1))
            values = (weight * f / (f + norms[where])).astype(np.float32)
            self._postings[term] = where, values

    def _idf(self, holding: int) -> float:
        return math.log(1 + (self._n - holding + 0.5) / (holding + 0.5))

    def attainable(self, terms: Sequence[str]) -> float:
        """Of a passage of mean length that holds each term once."""
        places = [self._postings.get(term) for term in set(terms)]
        return sum(self._idf(0 if found is None else len(found[0])) for found in places)

    def scores(self, terms: Sequence[str]) -> Floats:
        total = np.zeros(self._n, np.float32)
        for term in dict.fromkeys(terms):
            if term in self._postings:
                where, values = self._postings[term]
                total[where] += values
        return total


@dataclass(frozen=True, slots=True)
class Asked:
    question: Question
    facts: QueryFacts
    candidates: Candidates


def micros(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)


def prepare(pool: Pool, vectors: Vectors, gloss: Gloss) -> list[Asked]:
    """Every question with all passages of its pool as candidates."""
    passages = pool.passages
    names = sorted({p.speaker for p in passages if p.speaker})
    chats = sorted({p.conversation for p in passages if p.conversation})
    before = [
        passages[i - 1] if i and p.conversation and passages[i - 1].conversation == p.conversation
        else None
        for i, p in enumerate(passages)
    ]  # fmt: skip

    def read(text: str) -> str:
        return gloss(strip_names(text, names)) or text

    both = [f"{b.text}\n{p.text}" if b else p.text for b, p in zip(before, passages, strict=True)]
    documents = (vectors.of([read(p.text) for p in passages]) + vectors.of([*map(read, both)])) / 2
    queries = vectors.of([read(q.text) for q in pool.questions])
    counts = [Counter(tokens(p.text)) for p in passages]
    lexical = Bm25(
        [c + Counter(tokens(b.text)) if b else c for b, c in zip(before, counts, strict=True)]
    )
    columns = Candidates(
        lexical=np.zeros(len(passages), np.float32),
        dense=np.zeros(len(passages), np.float32),
        speaker=np.array([names.index(p.speaker) if p.speaker else -1 for p in passages], np.int32),
        conversation=np.array(
            [chats.index(p.conversation) if p.conversation else -1 for p in passages], np.int32
        ),
        at=np.array([micros(p.at) for p in passages], np.int64),
        length=np.array([sum(c.values()) for c in counts], np.int64),
        question=np.array([p.text.rstrip().endswith(("?", "？")) for p in passages]),
        time_words=np.array([has_time_words(p.text) for p in passages]),
    )
    found: list[Asked] = []
    for q, vector in zip(pool.questions, queries, strict=True):
        speaker = named_speaker(q.text, names)
        terms = tokens(strip_names(q.text, names))
        facts = QueryFacts(
            attainable=lexical.attainable(terms),
            speaker=None if speaker is None else names.index(speaker),
            spans=[(micros(s.start), micros(s.end)) for s in spans(q.text, NOW)],
            is_when=is_when_question(q.text),
            glossed=language(q.text) == "zh",
        )
        scores = lexical.scores(terms)
        found.append(Asked(q, facts, replace(columns, lexical=scores, dense=documents @ vector)))
    return found


def measures(order: Sequence[int], evidence: list[int]) -> dict[str, float]:
    places = {row: i for i, row in enumerate(order)}
    ranks = sorted(places[e] for e in evidence)
    found: dict[str, float] = {f"R@{k}": sum(r < k for r in ranks) / len(ranks) for k in CUTS}
    found["MRR"] = 1 / (ranks[0] + 1)
    ideal = sum(1 / math.log2(i + 2) for i in range(min(10, len(ranks))))
    found["nDCG@10"] = sum(1 / math.log2(r + 2) for r in ranks if r < 10) / ideal
    return found


def evaluate(asked: Sequence[Asked], weights: Weights) -> list[dict[str, float]]:
    return [
        measures(rank(a.facts, a.candidates, weights, len(a.candidates.at)).rows.tolist(),
                 a.question.evidence)
        for a in asked
    ]  # fmt: skip


def row(name: str, found: Sequence[dict[str, float]]) -> str:
    cells = " ".join(f"{100 * sum(m[k] for m in found) / len(found):7.1f}" for k in found[0])
    return f"{name:38s} {len(found):5d} {cells}"


def headline(asked: Sequence[Asked]) -> list[Asked]:
    return [a for a in asked if a.question.category != "adversarial"]


def ablations() -> Iterator[tuple[str, Weights]]:
    default = Weights()
    for field in fields(Weights):
        value = getattr(default, field.name)
        if field.name == "glossed":
            yield "glossed = 1", replace(default, glossed=1.0)
            continue
        yield f"without {field.name}", replace(default, **{field.name: 0.0})
        yield f"{field.name} × 2", replace(default, **{field.name: value * 2})


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--model", type=Path, required=True)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--ablations", action="store_true")
    given = options.parse_args()
    given.home.mkdir(parents=True, exist_ok=True)
    vectors = Vectors(given.model, given.home)
    gloss = Gloss(given.home / "gloss.tsv")
    readers: dict[str, Callable[[], Iterator[Pool]]] = {
        "locomo": lambda: locomo(given.folder / "locomo_dev.json"),
        "memorybank-zh": lambda: lines(given.folder / "memorybank_zh_dev.jsonl", "memorybank-zh"),
        "cmrc-zh": lambda: lines(given.folder / "cmrc_zh_dev.jsonl", "cmrc-zh"),
    }
    sets: dict[str, list[list[Asked]]] = {
        name: [prepare(pool, vectors, gloss) for pool in read()] for name, read in readers.items()
    }
    vectors.save()
    print(f"{'':38s} {'n':>5s} " + " ".join(f"{k:>7s}" for k in measures([0], [0])))
    for name, pools in sets.items():
        everything = [a for pool in pools for a in pool]
        print(row(name, evaluate(headline(everything), Weights())))
        if name == "locomo":
            for i, pool in enumerate(pools):
                print(row(f"  conversation {i}", evaluate(headline(pool), Weights())))
        by_category: dict[str, list[Asked]] = {}
        for a in everything:
            by_category.setdefault(a.question.category, []).append(a)
        for category, some in sorted(by_category.items()):
            print(row(f"  {category}", evaluate(some, Weights())))
    if given.ablations:
        report_ablations(sets)


def report_ablations(sets: dict[str, list[list[Asked]]]) -> None:
    def short(found: list[dict[str, float]], keys: Sequence[str]) -> str:
        return " ".join(f"{100 * sum(m[k] for m in found) / len(found):5.1f}" for k in keys)

    print("\nablation: LoCoMo R@10 MRR | adversarial R@1 | MemoryBank R@10 MRR | CMRC R@1")
    every: list[tuple[str, Any]] = [("the default", Weights()), *ablations()]
    for name, weights in every:
        all_of = {n: [a for pool in pools for a in pool] for n, pools in sets.items()}
        wrong = [a for a in all_of["locomo"] if a.question.category == "adversarial"]
        cells = [
            short(evaluate(headline(all_of["locomo"]), weights), ("R@10", "MRR")),
            short(evaluate(wrong, weights), ("R@1",)),
            short(evaluate(all_of["memorybank-zh"], weights), ("R@10", "MRR")),
            short(evaluate(all_of["cmrc-zh"], weights), ("R@1",)),
        ]
        print(f"{name:30s} " + " | ".join(cells))


if __name__ == "__main__":
    main()
