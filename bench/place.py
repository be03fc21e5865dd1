"""The folder of one run: data, databases and the settings that all its processes share."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench.data import Corpus, Floats, Vocabulary
from bench.measure import Figure

ROOT = Path(__file__).parents[1]


def say(line: str) -> None:
    """Progress."""
    print(f"· {line}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """What holds for the whole run."""

    seed: int
    queries: int
    """Different queries at each size."""
    repeats: int
    """Single writes of a kind."""
    bulk_texts: int
    """Long texts embedded in bulk."""
    repeats_at_1m: int
    """Of queries, where each takes long."""


FULL = Plan(seed=7, queries=300, repeats=200, bulk_texts=400, repeats_at_1m=100)
QUICK = Plan(seed=7, queries=60, repeats=40, bulk_texts=100, repeats_at_1m=40)


class Place:
    """A run's folder, as a step at one size sees it."""

    def __init__(self, folder: Path, plan: Plan, size: int, engine: str = "yiku") -> None:
        self.folder = folder
        self.plan = plan
        self.size = size
        self.home = folder / "home"
        self.vocabulary = folder / "vocabulary.json"
        self.store = folder / f"{engine}-{size}"
        self.exact = folder / f"exact-{size}.npy"
        self.repeats = plan.repeats
        self.bulk_texts = plan.bulk_texts
        self.store.mkdir(exist_ok=True)

    @classmethod
    def load(cls, folder: str, size: int, engine: str = "yiku") -> Place:
        plan = Plan(**json.loads((Path(folder) / "plan.json").read_text()))
        return cls(Path(folder), plan, size, engine)

    def save(self) -> None:
        (self.folder / "plan.json").write_text(json.dumps(asdict(self.plan)))

    def corpus(self) -> Corpus:
        return Corpus(Vocabulary.load(self.vocabulary), self.plan.seed)

    @property
    def warm_up(self) -> list[str]:
        return [f"warm up {i} with tea and 花生" for i in range(20)]

    def make_queries(self) -> None:
        """Written down, so that a process measured for its memory needn't hold the corpus."""
        count = self.plan.queries if self.size < 1_000_000 else self.plan.repeats_at_1m
        corpus = self.corpus()
        texts, vectors = corpus.queries(self.size, count)
        made = {"texts": texts, "common": corpus.common_queries(count)}
        self._texts.write_text(json.dumps(made), "utf-8")
        np.save(self._vectors, vectors)

    def queries(self) -> tuple[list[str], Floats]:
        return json.loads(self._texts.read_text("utf-8"))["texts"], np.load(self._vectors)

    def common_queries(self) -> list[str]:
        return json.loads(self._texts.read_text("utf-8"))["common"]

    @property
    def _texts(self) -> Path:
        return self.folder / f"queries-{self.size}.json"

    @property
    def _vectors(self) -> Path:
        return self.folder / f"queries-{self.size}.npy"

    def report(self, figures: Sequence[Figure]) -> None:
        """The process's last line."""
        print(json.dumps([figure.as_json() for figure in figures]), flush=True)
