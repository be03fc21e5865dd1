"""Timing, memory and disk, as every engine's side takes them."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number; its title and unit stand in `targets.toml`."""

    engine: str
    size: int
    name: str
    value: float
    """The median, where it was measured several times."""
    p95: float | None = None
    count: int = 1

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose figures are taken, at which size."""

    engine: str
    size: int

    def one(self, name: str, value: float, count: int = 1) -> Figure:
        return Figure(
            engine=self.engine, size=self.size, name=name, value=float(value), count=count
        )

    def many(self, name: str, seconds: Sequence[float]) -> Figure:
        """Milliseconds: the median and the 95th percentile."""
        p50, p95 = np.percentile(np.array(seconds) * 1000, [50, 95]).tolist()
        return Figure(
            engine=self.engine, size=self.size, name=name, value=p50, p95=p95, count=len(seconds)
        )


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


async def awaited(work: Awaitable[object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    await work
    return time.perf_counter() - start


def turns(kinds: Sequence[str], rounds: int) -> Iterator[tuple[int, str]]:
    """Every kind in every round, so that a slow moment of the machine meets all alike."""
    for i in range(rounds):
        for kind in kinds:
            yield i, kind


def memory_mb() -> dict[str, float]:
    """This process's memory now (`rss`), its own part of that (`rss_own`; the rest are mapped
    files), and the most it had (`rss_peak`)."""
    names = {"VmRSS": "rss", "RssAnon": "rss_own", "VmHWM": "rss_peak"}
    found: dict[str, float] = {}
    for line in Path(f"/proc/{os.getpid()}/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in names:
            found[names[name]] = int(rest.split()[0]) * 1024 / 1e6
    return found


def disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def recall(found: Sequence[Sequence[int]], exact: Sequence[Sequence[int]]) -> float:
    """The mean share of the exact nearest that were found."""
    shares = [len(set(f) & set(e)) / len(e) for f, e in zip(found, exact, strict=True)]
    return float(np.mean(shares))
