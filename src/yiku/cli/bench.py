"""`yiku bench locomo | qa | routing | skills`: is the evidence found by the memory as it is
configured?"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import click

from yiku.cli import output
from yiku.cli.bench_routing import bench_routing
from yiku.cli.bench_skills import bench_skills
from yiku.cli.export import whole_file
from yiku.cli.options import Asked, Group, NewFile
from yiku.cli.pools import ADVERSARIAL, Pool, locomo, qa
from yiku.cli.progress import Bar
from yiku.cli.running import home_of, local_settings
from yiku.cli.scores import Answered, by_category, summary
from yiku.client.connect import connect

CHUNK = 256
LIMIT = 20
existing = click.Path(exists=True, dir_okay=False, path_type=Path)
misses_option = click.option(
    "--misses",
    type=NewFile(),
    help="Write questions whose evidence isn't all in the first ten to this file.",
)


@dataclass(slots=True)
class Measured:
    """What came out, and how long it took."""

    answered: list[Answered] = field(default_factory=list[Answered])
    pools: int = 0
    passages: int = 0
    adding_s: float = 0.0
    searches_ms: list[float] = field(default_factory=list[float])


@click.group(cls=Group)
def bench() -> None:
    """Measure the quality of retrieval and routing, and what memory skills cost, in new databases,
    by the settings in effect."""


bench.add_command(bench_routing)
bench.add_command(bench_skills)


class Range(click.ParamType[list[int]]):
    """`0-4`, `3` or `0-4,7`."""

    name = "range"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> list[int]:
        found: list[int] = []
        for piece in str(value).split(","):
            first, _, last = piece.strip().partition("-")
            if not first.isdecimal() or (last and not last.isdecimal()):
                self.fail(f"{value!r} is no range like 0-4 or 0-4,7", param, ctx)
            found += range(int(first), int(last or first) + 1)
        return found


@bench.command("locomo")
@click.argument("path", type=existing)
@click.option("--conversations", type=Range(), help="Of the file, from 0; default: all.")
@misses_option
@click.pass_obj
def bench_locomo(
    asked: Asked, path: Path, conversations: list[int] | None, misses: Path | None
) -> None:
    """LoCoMo's layout: conversations of many sessions. Adversarial questions are told apart."""
    show(asked, path, measure(asked, list(locomo(path, conversations))), misses)


@bench.command("qa")
@click.argument("path", type=existing)
@misses_option
@click.pass_obj
def bench_qa(asked: Asked, path: Path, misses: Path | None) -> None:
    """JSON Lines: a pool of passages a line, and questions with the ids of their evidence."""
    show(asked, path, measure(asked, list(qa(path))), misses)


def measure(asked: Asked, pools: Sequence[Pool]) -> Measured:
    measured = Measured()
    total = sum(len(pool.passages) + len(pool.questions) for pool in pools)

    async def run(bar: Bar) -> None:
        done = 0
        for pool in pools:
            bar.title(pool.name)
            with tempfile.TemporaryDirectory(prefix="yiku-bench-") as folder:
                await measure_pool(asked, pool, Path(folder), measured)
            done += len(pool.passages) + len(pool.questions)
            bar.update(done, total)

    with Bar("measuring", asked, unit="passages") as bar:
        asyncio.run(run(bar))
    return measured


async def measure_pool(asked: Asked, pool: Pool, folder: Path, measured: Measured) -> None:
    """Passages through the whole way in, each question through the whole way out.

    `duplicates="keep"`: an id of the data set is a passage of its own.
    """
    database = f"yiku://{folder.as_posix()}/pool.db"
    async with connect(database, duplicates="keep", echo_guard_hours=0, **home_of(asked)) as memory:
        started = time.perf_counter()
        for start in range(0, len(pool.passages), CHUNK):
            await memory.add_many(pool.passages[start : start + CHUNK])
        measured.adding_s += time.perf_counter() - started
        for question in pool.questions:
            started = time.perf_counter()
            hits = await memory.search(question.text, limit=LIMIT)
            measured.searches_ms.append(1000 * (time.perf_counter() - started))
            found = tuple(str(hit.passage.metadata["id"]) for hit in hits)
            measured.answered.append(
                Answered(question.text, question.category, question.evidence, found)
            )
    measured.pools += 1
    measured.passages += len(pool.passages)


def show(asked: Asked, path: Path, measured: Measured, misses: Path | None) -> None:
    if not measured.answered:
        raise click.ClickException(f"{path} has no question with evidence")
    told = [a for a in measured.answered if a.category != ADVERSARIAL]
    categories = by_category(measured.answered)
    headline = summary(told or measured.answered)
    if misses is not None:
        write_misses(misses, measured.answered)
    took = {
        "add_per_s": round(measured.passages / max(measured.adding_s, 1e-9), 1),
        "search_ms": round(median(measured.searches_ms), 2),
    }
    if asked.as_json:
        settings = local_settings(asked)
        output.print_json(
            {
                "data": path.name,
                "embedding": settings.embedding,
                "variant": settings.embedding_variant,
                "pools": measured.pools,
                "passages": measured.passages,
                "headline": headline,
                "categories": categories,
                **took,
            }
        )
        return
    apart = " without adversarial ones" if len(told) < len(measured.answered) and told else ""
    rows = [*categories.items(), (f"all{apart}", headline)]
    output.print_table(
        ["questions of kind", *headline],
        (
            [name, *(f"{v:,}" if k == "questions" else f"{v:.1f}" for k, v in row.items())]
            for name, row in rows
        ),
    )
    output.note(
        f"{measured.passages:,} passages in {measured.pools} pools, {took['add_per_s']:,.0f} added"
        f" a second, a search {took['search_ms']:.1f} ms (median)"
    )


def write_misses(path: Path, answered: Sequence[Answered]) -> None:
    with whole_file(path, replace=True) as file:
        for one in answered:
            if not set(one.evidence) <= set(one.found[:10]):
                row = {name: getattr(one, name) for name in Answered.__slots__}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
