"""A long file, from its upload to the last chunk: how fast, and with how much memory.

python -m bench --parts files --quick

The server is `yiku serve` in a process of its own, on SQLite and an empty home, with the local
embedding model; its memory is read from outside while it works.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from letta_client import Letta
from letta_client.types.folders import FileRetrieveResponse

from bench.agent_server import YikuProcess
from bench.measure import Desk, Figure
from bench.place import say

PAGE = 3_000
"""Characters."""
WORDS = (
    "the parcel of tea left harbour seven at dawn and reached the depot near Hangzhou after a"
    " delay caused by fog so its owner wrote to the office asking who pays for storage"
).split()
MARKED = "zeppelin"
"""A word that one line in the middle has."""
EVERY_S = 0.25
NOBODY = "http://127.0.0.1:9"
"""No model is asked."""


@dataclass(frozen=True, slots=True)
class FilePlan:
    pages: int


FULL = FilePlan(pages=10_000)
QUICK = FilePlan(pages=300)


@dataclass(slots=True)
class Watch:
    """Memory (MB) by how many chunks were embedded."""

    samples: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def note(self, done: float, memory_mb: float) -> None:
        self.samples.append((done, memory_mb))

    @property
    def growth(self) -> float:
        """From a tenth of the work to its end; the most then against the most before."""
        last = max(done for done, _ in self.samples)
        before = [memory for done, memory in self.samples if done <= last / 10]
        after = [memory for done, memory in self.samples if done > last / 10]
        return max(after) - max(before)

    @property
    def peak(self) -> float:
        return max(memory for _, memory in self.samples)


def pages(plan: FilePlan) -> Iterator[str]:
    """Always the same text: prose in lines of some eighty characters."""
    random = Random(7)
    for n in range(plan.pages):
        lines: list[str] = [f"Page {n + 1}"]
        while sum(map(len, lines)) < PAGE:
            lines.append(" ".join(random.choices(WORDS, k=15)) + ".")
        if n == plan.pages // 2:
            lines.append(f"One {MARKED} landed.")
        yield "\n".join(lines) + "\n\n"


def measure(plan: FilePlan, under: Path | None) -> list[Figure]:
    with TemporaryDirectory(prefix="yiku-bench-", dir=under) as name:
        source, home = Path(name) / "long.txt", Path(name) / "home"
        home.mkdir()
        source.write_text("".join(pages(plan)), "utf-8")
        with YikuProcess(home, NOBODY) as server, Letta(base_url=server.url) as client:
            return measured(plan, server, client, source)


def measured(plan: FilePlan, server: YikuProcess, client: Letta, source: Path) -> list[Figure]:
    desk, watch, size = Desk("yiku", plan.pages), Watch(), source.stat().st_size
    folder = client.folders.create(name="bench")
    began = time.perf_counter()
    with source.open("rb") as opened:
        file = client.folders.files.upload(folder.id, file=(source.name, opened))
    upload_s = time.perf_counter() - began
    say(f"files: {plan.pages:,} pages, {size / 1e6:.1f} MB, uploaded in {upload_s:.2f} s")
    parsed = done = time.perf_counter()
    while (now := looked(client, folder.id, file.id)).processing_status != "completed":
        if now.processing_status == "error":
            raise RuntimeError(now.error_message)
        if now.processing_status != "embedding":
            parsed = time.perf_counter()
        else:
            watch.note(now.chunks_embedded or 0, server.memory_mb())
        time.sleep(EVERY_S)
    done = time.perf_counter()
    chunks = now.total_chunks or 0
    say(f"files: {chunks:,} chunks in {done - parsed:.1f} s")
    return [
        desk.one("files_upload", size / 1e6 / upload_s),
        desk.one("files_parse", plan.pages / (parsed - began - upload_s)),
        desk.one("files_embed", chunks / (done - parsed)),
        desk.one("files_memory_growth", watch.growth),
        desk.one("files_memory_peak", watch.peak),
        *read_again(desk, client, folder.id, file.id),
    ]


def looked(client: Letta, folder_id: str, file_id: str) -> FileRetrieveResponse:
    return client.folders.files.retrieve(file_id, folder_id=folder_id)


def read_again(desk: Desk, client: Letta, folder_id: str, file_id: str) -> Iterator[Figure]:
    """As an agent reads it."""
    agent = client.agents.create(folder_ids=[folder_id], model="openai/scripted")
    began = time.perf_counter()
    found = client.agents.tools.run("grep_files", agent_id=agent.id, args={"pattern": MARKED})
    assert found.status == "success", found
    yield desk.one("files_grep", time.perf_counter() - began)
    offset = client.folders.files.retrieve(file_id, folder_id=folder_id)
    middle = (offset.model_extra or {})["total_lines"] // 2
    window = {"file_name": "bench/long.txt", "offset": middle, "length": 100}
    args = {"file_requests": [window]}
    took: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        client.agents.tools.run("open_files", agent_id=agent.id, args=args)
        client.agents.recompile(agent.id, dry_run=True)
        took.append(time.perf_counter() - began)
    yield desk.many("files_open", took)
