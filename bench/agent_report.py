"""The figures of agents beside their limits and those of Letta V1."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.measure import Figure
from bench.report import aligned, number

AIMS = Path(__file__).with_name("agents.toml")


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure is called, what it should be, and what it was with Letta."""

    title: str
    unit: str
    at_most: float | None = None
    p95_at_most: float | None = None
    at_least: float | None = None
    letta: float | None = None

    @property
    def limit(self) -> float | None:
        return self.at_most if self.at_least is None else self.at_least


@dataclass(frozen=True, slots=True)
class AgentJudged:
    figure: Figure
    aim: Aim

    @property
    def missed(self) -> bool:
        f, aim = self.figure, self.aim
        return (
            (aim.at_most is not None and f.value > aim.at_most)
            or (aim.at_least is not None and f.value < aim.at_least)
            or (aim.p95_at_most is not None and (f.p95 or 0) > aim.p95_at_most)
        )

    @property
    def of_limit(self) -> float | None:
        return None if self.aim.limit is None else self.figure.value / self.aim.limit

    @property
    def times_better(self) -> float | None:
        """Than Letta."""
        if self.aim.letta is None:
            return None
        ratio = self.aim.letta / self.figure.value
        return ratio if self.aim.at_least is None else 1 / ratio

    def as_json(self) -> dict[str, Any]:
        aim = self.aim
        return {
            **self.figure.as_json(),
            "title": aim.title,
            "unit": aim.unit,
            "target": aim.limit,
            "p95_target": aim.p95_at_most,
            "of_target": self.of_limit,
            "missed": self.missed if aim.limit is not None else None,
            "letta_0.16.8": aim.letta,
            "times_better_than_letta": self.times_better,
        }


def judge(figures: Sequence[Figure], aims: Path = AIMS) -> list[AgentJudged]:
    """In the order of `aims`."""
    read = tomllib.loads(aims.read_text("utf-8"))
    by_name = {figure.name: figure for figure in figures}
    return [AgentJudged(by_name[n], Aim(**aim)) for n, aim in read.items() if n in by_name]


def table(judged: Sequence[AgentJudged], title: str = "agents") -> str:
    head = [title, "p50 / p95", "limit", "of it", "Letta 0.16.8", "better"]
    return aligned([head, *map(row, judged)])


def row(one: AgentJudged) -> list[str]:
    figure, aim = one.figure, one.aim
    value = number(figure.value) + ("" if figure.p95 is None else f" / {number(figure.p95)}")
    limit = ""
    if aim.limit is not None:
        limit = f"{'≤' if aim.at_least is None else '≥'} {number(aim.limit)}"
        limit += "" if aim.p95_at_most is None else f" / {number(aim.p95_at_most)}"
    of = "" if one.of_limit is None else f"{number(one.of_limit)}{' MISSED' if one.missed else ''}"
    letta = "" if aim.letta is None else number(aim.letta)
    better = "" if one.times_better is None else f"×{number(one.times_better)}"
    return [f"{aim.title} {aim.unit}".strip(), value, limit, of, letta, better]
