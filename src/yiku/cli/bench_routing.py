"""`yiku bench routing`: do texts find their roles, by the default and by the baseline?"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import click

from yiku.app import build
from yiku.cli import output
from yiku.cli.labelled import Labelled, demand_roles, labelled_texts, taught
from yiku.cli.options import Asked, Command
from yiku.cli.progress import Bar
from yiku.cli.role_files import roles_in
from yiku.cli.routing_scores import Figures, Routed, by_language, mean_of
from yiku.cli.running import home_of
from yiku.core.memory import Draft
from yiku.core.role import Decision, EmbeddingRoleConfig, Routing
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import ingest
from yiku.memory.archival import ArchivalMemory, Place
from yiku.memory.roles import manage, route
from yiku.memory.roles.assign import THRESHOLD
from yiku.memory.roles.templates import get_role_template_set
from yiku.settings import Settings, load

existing = click.Path(exists=True, dir_okay=False, path_type=Path)

RUNS = 5
"""Times that other texts are learned from; the figures are the mean."""
BATCH = 256
WARM_UP = "something to warm up with, 热身"
LABELS = {
    "n": "n",
    "accuracy@1": "accuracy@1",
    "routed@1": "routed@1",
    "macro_f1": "macro-F1",
    "multi_f1": "multi-F1",
    "oos_precision": "none: precision",
    "oos_recall": "none: recall",
    "oos_auroc": "AUROC",
    "gate_true": "gated",
    "gate_open": "open",
}
DIGITS = {"n": 0, "oos_auroc": 3, "gate_open": 2}
NAMES = {Routing.EXPERTS: "experts (default)", Routing.COSINE: "cosine (baseline)"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured."""

    texts: list[Labelled]
    roles: list[EmbeddingRoleConfig]
    learn: int
    seeds: tuple[int, ...]

    def learned_from(self, seed: int) -> list[Labelled]:
        return taught(self.texts, self.learn, seed) if self.learn else []


@dataclass(slots=True)
class Measured:
    """What came out."""

    runs: dict[Routing, list[dict[str, Figures]]] = field(
        default_factory=lambda: {routing: [] for routing in Routing}
    )
    took_ms: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Of the first call for each text of the first run, which embeds it."""


@click.command("routing", cls=Command)
@click.argument("path", type=existing)
@click.option("--roles", "roles_file", type=existing, help="A JSON or TOML list of roles.")
@click.option("--set", "set_name", help="A set of role templates; default: all.")
@click.option("--learn", type=click.IntRange(0), default=0, help="Texts a role learns from first.")
@click.option("--seed", type=int, default=7, show_default=True, help="Which texts those are.")
@click.pass_obj
def bench_routing(
    asked: Asked,
    path: Path,
    roles_file: Path | None,
    set_name: str | None,
    learn: int,
    seed: int,
) -> None:
    """JSON Lines: `{"text", "lang", "roles": [ids]}` each; no roles: out of scope."""
    if roles_file is not None and set_name is not None:
        raise click.UsageError("Give --roles or --set, not both", click.get_current_context())
    roles = role_set(asked, roles_file, set_name or "all")
    texts = labelled_texts(path)
    demand_roles(path, texts, [one.role_id for one in roles])
    seeds = tuple(range(seed, seed + RUNS)) if learn else (seed,)
    plan = Plan(texts, roles, learn, seeds)
    plan.learned_from(seed)  # says now what can't be done
    with tempfile.TemporaryDirectory(prefix="yiku-bench-") as folder:
        settings = load(
            **home_of(asked),
            database_url=f"sqlite:///{Path(folder).as_posix()}/roles.db",
            duplicates="keep",
            echo_guard_hours=0,
        )
        with Bar("measuring", asked, unit="passages") as bar:
            measured = asyncio.run(measure(settings, plan, bar))
    show(asked, path, settings, plan, measured)


def role_set(asked: Asked, file: Path | None, name: str) -> list[EmbeddingRoleConfig]:
    """Raises: InvalidFile, TemplateNotFound."""
    if file is not None:
        return roles_in(file, "en")
    return get_role_template_set(name, folder=load(**home_of(asked)).home_dir / "roles")


async def measure(settings: Settings, plan: Plan, bar: Bar) -> Measured:
    measured = Measured()
    async with build(settings) as app:
        for run, seed in enumerate(plan.seeds):
            bar.title(f"run {run + 1} of {len(plan.seeds)}" if plan.learn else "measuring")
            place = Place(name=f"run-{run}")
            known = plan.learned_from(seed)
            await prepare(app.memory, place, plan.roles, known)
            others = [one for one in plan.texts if one not in set(known)]
            found: dict[Routing, list[Routed]] = {routing: [] for routing in Routing}
            took = measured.took_ms if run == 0 else {}
            for number, one in enumerate(others):
                told = await judged(app.memory, place, one, number, took)
                for routing, routed in told.items():
                    found[routing].append(routed)
                bar.update(run * len(others) + number + 1, len(plan.seeds) * len(others))
            for routing, routed in found.items():
                measured.runs[routing].append(by_language(routed))
    return measured


async def prepare(
    memory: ArchivalMemory,
    place: Place,
    roles: Sequence[EmbeddingRoleConfig],
    known: Sequence[Labelled],
) -> None:
    """The roles, with what they learn from: memories that somebody put into them."""
    await manage.add(memory, LOCAL_ACTOR, place, roles)
    drafts = [Draft(text=one.text, roles=tuple(one.roles)) for one in known]
    for start in range(0, len(drafts), BATCH):
        await ingest.add(memory, LOCAL_ACTOR, place, drafts[start : start + BATCH])
    current = await route.roles_here(memory, LOCAL_ACTOR, place)
    await memory.roles.learn(LOCAL_ACTOR, current.archive)
    for routing in Routing:
        await routed_by(memory, place, WARM_UP, routing)
        await gated_by(memory, place, WARM_UP, routing)


async def judged(
    memory: ArchivalMemory,
    place: Place,
    one: Labelled,
    number: int,
    took: dict[str, list[float]],
) -> dict[Routing, Routed]:
    """What both routings say of a text. Who is asked first changes by `number`, for it embeds."""
    calls = [(ask, routing) for routing in Routing for ask in (routed_by, gated_by)]
    answers: dict[tuple[str, Routing], Decision] = {}
    for turn in range(len(calls)):
        ask, routing = calls[(number + turn) % len(calls)]
        start = time.perf_counter()
        made = await ask(memory, place, one.text, routing)
        answers[made.kind, routing] = made
        if turn == 0:
            times = took.setdefault(f"{routing}_{made.kind}", [])
            times.append(1000 * (time.perf_counter() - start))
    return {
        routing: outcome(one, answers["route", routing], answers["gate", routing])
        for routing in Routing
    }


async def routed_by(memory: ArchivalMemory, place: Place, text: str, routing: Routing) -> Decision:
    return await route.route(memory, LOCAL_ACTOR, place, text, routing=routing)


async def gated_by(memory: ArchivalMemory, place: Place, text: str, routing: Routing) -> Decision:
    """The default by each role's own threshold, the baseline by its one for all."""
    threshold = THRESHOLD if routing is Routing.COSINE else None
    return await route.gate(memory, LOCAL_ACTOR, place, text, routing=routing, threshold=threshold)


def outcome(one: Labelled, routed: Decision, gated: Decision) -> Routed:
    best = routed.scores[0]
    # Raw where it is a cosine: its score is cut off at 0, which would make ties.
    score = best.raw if routed.routing is Routing.COSINE else best.score
    return Routed(one.lang, one.roles, best.role_id, score, routed.chosen, gated.chosen)


def show(asked: Asked, path: Path, settings: Settings, plan: Plan, measured: Measured) -> None:
    means = {routing: mean_of(runs) for routing, runs in measured.runs.items()}
    took = {name: round(median(values), 2) for name, values in measured.took_ms.items()}
    if asked.as_json:
        output.print_json(
            {
                "data": path.name,
                "embedding": settings.embedding,
                "variant": settings.embedding_variant,
                "roles": [one.role_id for one in plan.roles],
                "texts": len(plan.texts),
                "learned": plan.learn,
                "seeds": plan.seeds,
                **{routing.value: rounded(found) for routing, found in means.items()},
                "median_ms": took,
                "times_baseline": times_baseline(took),
            }
        )
        return
    output.print_table(
        ["", "texts", *LABELS.values()],
        [
            [NAMES[routing], lang, *(cell(name, row[name]) for name in LABELS)]
            for routing, found in means.items()
            for lang, row in found.items()
        ],
    )
    output.note(closing(plan, took))


def closing(plan: Plan, took: Mapping[str, float]) -> str:
    lesson = "nothing learned yet"
    if plan.learn:
        lesson = f"{plan.learn} texts a role learned first, mean of {len(plan.seeds)} runs"
    times = ", ".join(
        f"{name.replace('_', ' ')} {value:.1f} ms" for name, value in sorted(took.items())
    )
    ratios = ", ".join(
        f"{name} × {value:.2f}" for name, value in sorted(times_baseline(took).items())
    )
    return f"{len(plan.roles)} roles, {lesson}; medians with the text's embedding: {times}" + (
        f"; default over baseline: {ratios}" if ratios else ""
    )


def times_baseline(took: Mapping[str, float]) -> dict[str, float]:
    """By what was asked: how many times as long the default takes."""
    return {
        kind: round(took[f"experts_{kind}"] / took[f"cosine_{kind}"], 2)
        for kind in ("route", "gate")
        if took.get(f"experts_{kind}") and took.get(f"cosine_{kind}")
    }


def rounded(found: Mapping[str, Figures]) -> dict[str, Figures]:
    return {
        lang: {name: None if value is None else round(value, 3) for name, value in row.items()}
        for lang, row in found.items()
    }


def cell(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.{DIGITS.get(name, 1)}f}"
