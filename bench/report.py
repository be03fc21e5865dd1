"""Figures beside their targets and the peers': a table, a JSON file, a picture."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from bench.measure import Figure

HERE = Path(__file__).parent
PACKAGES = (
    "yiku numpy numkong onnxruntime sqlalchemy tokenizers chromadb lancedb pyarrow matplotlib"
    " fastapi pydantic pydantic-ai-slim uvicorn letta-client"
).split()
SIZES = {"1k": 1000, "10k": 10_000, "100k": 100_000, "1m": 1_000_000}
COLOURS = {"yiku": "#c0392b", "chromadb": "#2c7fb8", "lancedb": "#41ab5d"}


def size_name(size: int) -> str:
    return next((name for name, number in SIZES.items() if number == size), f"{size:,}")


@dataclass(frozen=True, slots=True)
class Measure:
    """What a figure is called, and what it should be."""

    name: str
    title: str
    unit: str
    at_most: float | dict[str, float] | None = None
    at_least: float | None = None
    per_passage: float = 0.0
    p95_of_p50: float | None = None
    ahead_at: tuple[str, ...] = ()

    @property
    def more_is_better(self) -> bool:
        return self.unit == "/s"

    def target(self, size: int) -> float | None:
        if self.at_least is not None:
            return self.at_least
        limit = self.at_most
        if isinstance(limit, dict):
            limit = limit.get(size_name(size))
        return None if limit is None else limit + self.per_passage * size

    def has_target(self, size: int) -> bool:
        aimed = self.p95_of_p50 is not None or size_name(size) in self.ahead_at
        return aimed or self.target(size) is not None

    def missed(self, figure: Figure, leads: dict[str, float]) -> list[str]:
        """What was to be, and isn't."""
        found: list[str] = []
        target = self.target(figure.size)
        if target is not None:
            low = self.at_least is not None
            if figure.value < target if low else figure.value > target:
                found.append(f"{'≥' if low else '≤'} {number(target)}")
        tail = self.p95_of_p50
        if tail is not None and figure.p95 is not None and figure.p95 > tail * figure.value:
            found.append(f"p95 ≤ {tail} p50")
        if size_name(figure.size) in self.ahead_at:
            found += [f"ahead of {peer}" for peer, times in leads.items() if times <= 1]
        return found


def measures() -> dict[str, Measure]:
    read = tomllib.loads((HERE / "targets.toml").read_text("utf-8"))
    return {
        name: Measure(name, **{**fields, "ahead_at": tuple(fields.get("ahead_at", ()))})
        for name, fields in read.items()
    }


def derived(figures: Iterable[Figure]) -> list[Figure]:
    """Yiku's figures that are ratios of two others."""
    by_size: dict[int, dict[str, float]] = {}
    for f in figures:
        if f.engine == "yiku":
            by_size.setdefault(f.size, {})[f.name] = f.value
    made: list[Figure] = []
    for size, value in by_size.items():
        filters = [v for name, v in value.items() if name.startswith("filter_")]
        ratios = {
            "filter_ratio": (max(filters, default=0), value.get("search")),
            "after_write_ratio": (value.get("after_embedded"), value.get("again_embedded")),
            "after_write_ratio_given": (value.get("search_after_write"), value.get("again")),
        }
        made += [
            Figure(engine="yiku", size=size, name=name, value=over / under)
            for name, (over, under) in ratios.items()
            if over and under
        ]
    return made


def lead(measure: Measure, yiku: Figure, peer: Figure) -> float:
    """How many times better Yiku is; below 1, how many times worse."""
    ratio = peer.value / yiku.value if yiku.value else 0.0
    return 1 / ratio if measure.more_is_better and ratio else ratio


@dataclass(frozen=True, slots=True)
class Judged:
    figure: Figure
    measure: Measure
    target: float | None
    missed: list[str] | None
    """None: there is no target."""
    leads: dict[str, float]
    """Over each peer."""

    def as_json(self) -> dict[str, Any]:
        f = self.figure
        return {
            **f.as_json(),
            "title": self.measure.title,
            "unit": self.measure.unit,
            "target": self.target,
            "of_target": f.value / self.target if self.target else None,
            "missed": self.missed,
            "times_better_than": self.leads,
        }


class Told(Protocol):
    """A judged figure of any part."""

    def as_json(self) -> dict[str, Any]: ...


def judge(figures: Sequence[Figure]) -> list[Judged]:
    """In the order of `targets.toml`; only Yiku has targets and leads."""
    found: list[Judged] = []
    for name, measure in measures().items():
        for figure in (f for f in figures if f.name == name):
            if figure.engine != "yiku":
                found.append(Judged(figure, measure, None, None, {}))
                continue
            leads = {
                peer.engine: lead(measure, figure, peer)
                for peer in figures
                if peer.engine != "yiku" and (peer.name, peer.size) == (name, figure.size)
            }
            aimed = measure.has_target(figure.size)
            missed = measure.missed(figure, leads) if aimed else None
            found.append(Judged(figure, measure, measure.target(figure.size), missed, leads))
    return found


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def cell(one: Judged) -> str:
    text = number(one.figure.value)
    if one.figure.p95 is not None:
        text += f" / {number(one.figure.p95)}"
    if one.missed is None:
        return text
    return f"{text} MISSED {', '.join(one.missed)}" if one.missed else f"{text} ok"


def rows_of(judged: Sequence[Judged], engine: str, sizes: Sequence[int]) -> list[list[str]]:
    rows: list[list[str]] = []
    for measure in dict.fromkeys(j.measure.name for j in judged):
        mine = [j for j in judged if j.measure.name == measure and j.figure.engine == engine]
        if mine:
            cells = {j.figure.size: j for j in mine}
            kind = mine[0].measure
            row = [f"{kind.title} {kind.unit}".strip()]
            for size in sizes:
                row.append(shown(cells[size], engine) if size in cells else "")
            rows.append(row)
    return rows


def shown(one: Judged, engine: str) -> str:
    return cell(one) if engine == "yiku" else number(one.figure.value)


def table(judged: Sequence[Judged]) -> str:
    """Medians, with the 95th percentile behind a stroke; then the peers, and Yiku's lead."""
    sizes = sorted({j.figure.size for j in judged})
    head = ["", *(size_name(size) for size in sizes)]
    parts = [aligned([["yiku  p50 / p95", *head[1:]], *rows_of(judged, "yiku", sizes)])]
    for peer in dict.fromkeys(j.figure.engine for j in judged if j.figure.engine != "yiku"):
        rows = rows_of(judged, peer, sizes)
        leads = {(j.measure.title, j.figure.size): j.leads[peer] for j in judged if peer in j.leads}
        for row in rows:
            title = next(j.measure.title for j in judged if row[0].startswith(j.measure.title))
            for place, size in enumerate(sizes, 1):
                if row[place] and (title, size) in leads:
                    row[place] += f"  yiku ×{number(leads[title, size])}"
        parts.append(aligned([[f"{peer}", *head[1:]], *rows]))
    return "\n\n".join(parts)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def git(*words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=HERE, capture_output=True, text=True, check=False, timeout=20
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def machine() -> dict[str, Any]:
    info = Path("/proc/cpuinfo")
    models = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    return {
        "cpu": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
    }


def versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def document(judged: Sequence[Told], **facts: Any) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": git("rev-parse", "--short", "HEAD") or "unknown",
        "uncommitted_changes": bool(git("status", "--porcelain")),
        **facts,
        "machine": machine(),
        "versions": versions(),
        "figures": [one.as_json() for one in judged],
    }


def save(results: dict[str, Any], folder: Path, suffix: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{results['date'][:10]}-{results['commit']}{suffix}.json"
    path.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", "utf-8")
    return path


DRAWN = (
    "add_short add_long add_vector bulk_vectors bulk_link bulk_long search_embedded search_common"
    " search search_hybrid filter_tag filter_time filter_speaker search_after_write cold_start"
    " cli_search rss disk"
).split()


def draw(judged: Sequence[Judged], path: Path) -> None:
    """How each figure grows, one small picture each; dashed: the target."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    kinds = [name for name in DRAWN if any(j.measure.name == name for j in judged)]
    across = 4
    down = -(-len(kinds) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(4 * across, 3 * down), squeeze=False, layout="constrained"
    )
    for axis, name in zip(axes.flat, kinds, strict=False):
        draw_one(axis, [j for j in judged if j.measure.name == name])
    for axis in axes.flat[len(kinds) :]:
        axis.set_visible(False)
    lines = {line.get_label(): line for a in axes.flat for line in a.get_lines()}
    figure.legend(
        lines.values(), lines.keys(), loc="outside lower center", ncols=len(lines), frameon=False
    )
    figure.suptitle("Yiku and its peers from 1k to 1M passages: medians, lines up to p95")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_one(axis: Any, judged: Sequence[Judged]) -> None:
    from matplotlib.ticker import LogLocator

    measure = judged[0].measure
    for engine in dict.fromkeys(j.figure.engine for j in judged):
        points = sorted(
            (j.figure for j in judged if j.figure.engine == engine), key=lambda f: f.size
        )
        axis.plot(
            [f.size for f in points],
            [f.value for f in points],
            marker="o",
            markersize=4,
            color=COLOURS.get(engine, "#777777"),
            label=engine,
        )
        for f in points:
            if f.p95 is not None:
                colour = COLOURS.get(engine, "#777777")
                axis.vlines(f.size, f.value, f.p95, color=colour, alpha=0.35, linewidth=3)
    aims = sorted((j.figure.size, j.target) for j in judged if j.target is not None)
    if aims:
        sizes, targets = zip(*aims, strict=True)
        axis.plot(sizes, targets, "k--", marker="_", linewidth=1, label="target")
    axis.set_xscale("log")
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    if high / low < 4:
        axis.set_ylim(low / 1.6, high * 1.6)
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,g}")
    axis.set_xticks(list(SIZES.values()), [name.replace("m", "M") for name in SIZES])
    axis.minorticks_off()
    axis.set_xlim(700, 1_400_000)
    axis.set_title(measure.title, fontsize=10)
    axis.set_xlabel("passages", fontsize=8)
    axis.set_ylabel({"/s": "per second", "B": "bytes"}.get(measure.unit, measure.unit), fontsize=8)
    axis.tick_params(labelsize=8)
    axis.grid(alpha=0.25)
