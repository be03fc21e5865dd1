"""An agent out to a file and in again: seconds, and the memory that it takes beside the server's.

python -m bench.transfer fill|out|in FOLDER COUNT runs one step; each is a process of its own, so
that the most memory one had is its own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.measure import memory_mb
from bench.place import say
from yiku.app import App, build
from yiku.client.memory import MemoryClient
from yiku.client.transport import InProcessTransport
from yiku.core.agent import AgentConfig, AgentDraft
from yiku.core.ids import MessageId, new_ids
from yiku.core.message import Message, MessageRole, Text, ToolCall, ToolReturn
from yiku.core.tenant import LOCAL_ACTOR
from yiku.server.http import build_asgi
from yiku.settings import load
from yiku.store import agents, messages
from yiku.store.database import Tx, now_utc

AT_ONCE = 500
SIZES = {"full": (1_000, 100_000), "quick": (1_000, 10_000)}
FLAT_MB = 60.0
"""What the larger size may take more than the smaller one."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One figure, and the most it should be."""

    name: str
    count: int
    value: float
    unit: str
    at_most: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def verdict(self) -> str:
        if self.at_most is None:
            return ""
        return "met" if self.value <= self.at_most else f"MISSED: at most {self.at_most:g}"


@asynccontextmanager
async def opened(folder: Path, home: str) -> AsyncGenerator[tuple[App, MemoryClient]]:
    import httpx

    settings = load(home=folder / home, model="yiku/offline", worker=False)
    async with build(settings) as app:
        transport = InProcessTransport(build_asgi(app))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://localhost", timeout=None
        ) as http:
            yield app, MemoryClient(http)


def turn(agent_id: Any, n: int, ids: list[str]) -> list[Message]:
    """What a user says, a call, its return, and what the agent says."""
    call = ToolCall(id=f"call-{n}", name="archival_memory_search", arguments='{"query": "茶"}')
    answer = ToolReturn(call_id=call.id, name=call.name, ok=True, text=f"found {n}")
    said: list[tuple[MessageRole, Any]] = [
        (MessageRole.USER, Text(f"第 {n} 个问题：小明喜欢喝什么茶？ And what else does he like?")),
        (MessageRole.ASSISTANT, call),
        (MessageRole.TOOL, answer),
        (MessageRole.ASSISTANT, Text(f"他喜欢乌龙茶，这是第 {n} 次回答。" * 4)),
    ]
    return [
        Message(
            id=MessageId(own),
            organization_id=LOCAL_ACTOR.organization_id,
            agent_id=agent_id,
            role=role,
            parts=(part,),
            created_at=now_utc(),
            created_by=LOCAL_ACTOR.user_id,
            is_archived=True,
        )
        for (role, part), own in zip(said, ids, strict=True)
    ]


async def fill(folder: Path, count: int) -> dict[str, Any]:
    async with opened(folder, f"old-{count}") as (app, _):
        draft = AgentDraft(config=AgentConfig(name="long"))
        one = await app.database.write(LOCAL_ACTOR, lambda tx: agents.add(tx, draft))

        def unit(tx: Tx, first: int) -> None:
            for n in range(first, min(first + AT_ONCE // 4, count // 4)):
                messages.add(tx, turn(one.id, n, new_ids("message", 4)))

        for first in range(0, count // 4, AT_ONCE // 4):
            await app.database.write(LOCAL_ACTOR, lambda tx, f=first: unit(tx, f))
        return {"agent": one.id}


async def out(folder: Path, count: int) -> dict[str, Any]:
    async with opened(folder, f"old-{count}") as (_, memory):
        [one] = await memory.agents.list(limit=1)
        before, start = memory_mb()["rss"], time.perf_counter()
        with (folder / f"{count}.af").open("wb") as file:
            async for piece in memory.transfer.export_agent(one.id):
                file.write(piece)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "mb": memory_mb()["rss_peak"] - before}


async def back(folder: Path, count: int) -> dict[str, Any]:
    async with opened(folder, f"new-{count}") as (app, memory):
        before, start = memory_mb()["rss"], time.perf_counter()
        with (folder / f"{count}.af").open("rb") as file:
            done = await memory.transfer.import_agents(file)
        seconds = time.perf_counter() - start
        agent_id: Any = done.agent_ids[0]
        kept = await app.database.read(LOCAL_ACTOR, lambda tx: messages.count(tx, agent_id))
        if kept != count + 1:  # and its compiled instructions
            raise SystemExit(f"{count:,} messages went out, and {kept - 1:,} came in")
        return {"seconds": seconds, "mb": memory_mb()["rss_peak"] - before}


STEPS: Mapping[str, Callable[[Path, int], Coroutine[Any, Any, dict[str, Any]]]] = {
    "fill": fill,
    "out": out,
    "in": back,
}


def step(name: str, folder: Path, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.transfer", name, str(folder), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(under: Path | None, *, quick: bool) -> list[Judged]:
    found: list[Judged] = []
    taken: dict[tuple[str, int], float] = {}
    few, many = SIZES["quick" if quick else "full"]
    with tempfile.TemporaryDirectory(prefix="yiku-bench-", dir=under) as name:
        for count in (few, many):
            say(f"{count:,} messages out and in")
            step("fill", Path(name), count)
            for way in ("out", "in"):
                got = step(way, Path(name), count)
                taken[way, count] = got["mb"]
                found.append(Judged(f"{way}: time", count, got["seconds"], "s"))
                found.append(Judged(f"{way}: memory beside the server's", count, got["mb"], "MB"))
    for way in ("out", "in"):
        more = taken[way, many] - taken[way, few]
        found.append(Judged(f"{way}: memory more than for {few:,}", many, more, "MB", FLAT_MB))
    return found


def table(judged: list[Judged]) -> str:
    return "\n".join(
        f"{one.count:>9,}  {one.name:<36} {one.value:>9.1f} {one.unit:<3} {one.verdict}".rstrip()
        for one in judged
    )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(STEPS[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3])))))
