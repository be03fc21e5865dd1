"""Agents, as those who use them see them: a real server over HTTP, and a model that costs nothing.

python -m bench --parts agents --quick

The server is `yiku serve` in a process of its own, on SQLite and an empty home; the model is
another process (`agent_model`). Each call is the real letta-client's, and its time is what that
client's user waits: its building of the request and reading of the answer are in it. What the model
took is taken off, by stamps of one clock. Only where many messages go at once, or ten thousand in a
row, a plain client in a third process sends them (`agent_load`).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from letta_client import Letta

from bench import agent_profile
from bench.agent_load import Span, loaded, said
from bench.agent_model import INSERT, SLOWLY, Asked, ModelProcess
from bench.agent_server import MODEL, YikuProcess
from bench.measure import Desk, Figure, timed, turns
from bench.place import say

EMBEDDING = "local/all-minilm-l6-v2"
HUMAN = "The user is called Ann. She lives in Hangzhou, and drinks tea."
PERSONA = "I am a patient assistant with a long memory."
EPISODE = 25
"""Rounds that one agent is spoken to; then comes a new one. How a long talk grows is measured
apart."""
BURST = 5
"""Calls in a row of what is no message; how the first of them fares is told apart."""
CROWD = 16
LISTED = 1000
COMMIT_COUNT = 20
"""Messages whose transactions are counted in the log."""
MS = 1_000_000


@dataclass(frozen=True, slots=True)
class AgentPlan:
    rounds: int
    starts: int
    crowd_s: float
    talk: int
    """Messages of the long talk."""
    warm_up: int = 10


FULL = AgentPlan(rounds=200, starts=5, crowd_s=20.0, talk=10_000)
QUICK = AgentPlan(rounds=50, starts=2, crowd_s=5.0, talk=1000)


@dataclass(slots=True)
class Bench:
    """What is measured, and what was found so far."""

    plan: AgentPlan
    server: YikuProcess
    model: ModelProcess
    client: Letta
    profile: agent_profile.Profile
    desk: Desk = field(default_factory=lambda: Desk("yiku", 0))
    figures: list[Figure] = field(default_factory=list[Figure])

    def create(self) -> str:
        """A standard agent with the usual two blocks and tools; its id."""
        made = self.client.agents.create(
            model=MODEL,
            embedding=EMBEDDING,
            memory_blocks=[
                {"label": "human", "value": HUMAN},
                {"label": "persona", "value": PERSONA},
            ],
        )
        return made.id

    def send(self, agent: str, text: str) -> Span:
        sent = time.monotonic_ns()
        answer = self.client.agents.messages.create(
            agent, messages=[{"role": "user", "content": text}]
        )
        done = time.monotonic_ns()
        reason = answer.stop_reason.stop_reason
        assert reason == "end_turn", f"the message {text!r} ended with {reason}"
        return sent, done

    def stream(self, agent: str, text: str) -> Span:
        """Until the first token."""
        first: int | None = None
        sent = time.monotonic_ns()
        stream = self.client.agents.messages.create(
            agent,
            messages=[{"role": "user", "content": text}],
            streaming=True,
            stream_tokens=True,
        )
        for event in stream:  # to its end, or the run would go on beside what comes next
            if first is None and event.message_type == "assistant_message":
                first = time.monotonic_ns()
        assert first is not None, "the stream had no token"
        return sent, first


def own_s(span: Span, asked: Sequence[Asked]) -> float:
    """A span less what the model took within it."""
    sent, done = span
    return (done - sent - sum(one.took for one in asked if sent <= one.came <= done)) / 1e9


def rounds(bench: Bench) -> None:
    """Every kind of call in turns."""
    kinds = ["client", "create", "fetch", "block", "message", "message_tool", "stream"]
    seconds: dict[str, list[float]] = {kind: [] for kind in kinds}
    after: list[float] = []
    agent = bench.create()
    first_s = own_s(bench.send(agent, "Hello."), bench.model.asked())
    bench.figures.append(bench.desk.one("first_message", first_s))
    for number, kind in turns(kinds, bench.plan.warm_up + bench.plan.rounds):
        if number % EPISODE == 0 and kind == kinds[0]:
            agent = bench.create()
        if kind == "stream":
            sent, first = bench.stream(agent, f"{said(number)} {SLOWLY}")
            [asked] = bench.model.asked()
            after.append((first - asked.first) / 1e9)
            seconds[kind].append((first - sent - (asked.first - asked.came)) / 1e9)
        elif kind in ("message", "message_tool"):
            span = bench.send(agent, said(number) + (f" {INSERT}" if kind != "message" else ""))
            seconds[kind].append(own_s(span, bench.model.asked()))
        else:
            calls = range(number * BURST, (number + 1) * BURST)
            seconds[kind] += [timed(call(bench, kind, agent, one)) for one in calls]
    named = {**seconds, "first_token": after, "first_token_all": seconds["stream"]}
    named["fetch_first"] = named["fetch"][::BURST]
    del named["stream"]
    for name, took in named.items():
        calls_each = len(took) // (bench.plan.warm_up + bench.plan.rounds)
        bench.figures.append(bench.desk.many(name, took[bench.plan.warm_up * calls_each :]))


def call(bench: Bench, kind: str, agent: str, number: int) -> Callable[[], object]:
    client = bench.client
    match kind:
        case "client":
            return client.health
        case "create":
            return bench.create
        case "fetch":
            return lambda: client.agents.retrieve(agent)
        case _:
            value = f"{HUMAN} She was seen {number} times."
            return lambda: client.agents.blocks.update("human", agent_id=agent, value=value)


def commits(bench: Bench) -> None:
    """What a message costs the database, read from its log."""
    for name, mark in (("commits", ""), ("commits_tool", f" {INSERT}")):
        agent = bench.create()
        bench.send(agent, f"Hello.{mark}")
        while True:
            before = bench.server.log()
            for number in range(COMMIT_COUNT):
                bench.send(agent, f"{said(number)}{mark}")
            after = bench.server.log()
            if before.salt == after.salt:  # else the log was begun anew meanwhile
                break
        made = (after.commits - before.commits) / COMMIT_COUNT
        bench.figures.append(bench.desk.one(name, made, COMMIT_COUNT))
        if not mark:
            written = (after.written - before.written) / COMMIT_COUNT / 1000
            bench.figures.append(bench.desk.one("log", written, COMMIT_COUNT))
    bench.model.asked()


def crowd(bench: Bench) -> None:
    """Sixteen agents at once."""
    agents = [bench.create() for _ in range(CROWD)]
    spent = bench.server.processor_s()
    with bench.profile.of("crowd", bench.server) as counted:
        spans = loaded("crowd", bench.server.url, bench.plan.crowd_s, agents)
        counted.messages = len(spans)
    spent = bench.server.processor_s() - spent
    seconds = (max(done for _, done in spans) - spans[0][0]) / 1e9
    bench.figures += [
        bench.desk.one("throughput", len(spans) / seconds, len(spans)),
        bench.desk.one("processor_crowd", spent * 1000 / (len(spans) + CROWD), len(spans)),
    ]
    bench.model.asked()


def talk(bench: Bench) -> None:
    """One agent, from its first message to its last; older ones give way to summaries."""
    agent, count = bench.create(), bench.plan.talk
    spent = bench.server.processor_s()
    with bench.profile.of("talk", bench.server) as counted:
        spans = loaded("talk", bench.server.url, count, [agent])
        counted.messages = len(spans)
    spent = bench.server.processor_s() - spent
    seconds = owns(spans, bench.model.asked())
    tenth = count // 10
    first, last = (
        bench.desk.many(n, v)
        for n, v in (
            ("first_tenth", seconds[:tenth]),
            ("last_tenth", seconds[-tenth:]),
        )
    )
    bench.figures += [
        bench.desk.many("message_raw", seconds),
        first,
        last,
        bench.desk.one("growth", last.value / first.value, count),
        bench.desk.one("processor", spent * 1000 / (count + 1), count),
    ]
    for n in range(10):
        many = bench.desk.many(f"tenth_{n + 1}", seconds[n * tenth : (n + 1) * tenth])
        say(f"agents: messages to {(n + 1) * tenth:,}: {many.value:.2f} ms, p95 {many.p95:.2f}")


def listing(bench: Bench) -> None:
    """A thousand agents with their blocks, in one answer; by the client, which also reads them."""
    for _ in range(LISTED):
        bench.create()
    ask: dict[str, Any] = {"limit": LISTED, "include": ["agent.blocks"]}
    seconds: dict[str, list[float]] = {"list": [], "list_client": []}
    with httpx.Client(base_url=bench.server.url, timeout=60) as http:
        kinds: dict[str, Callable[[], int]] = {
            "list": lambda: len(http.get("/v1/agents/", params=ask).json()),
            "list_client": lambda: len(bench.client.agents.list(**ask).items),
        }
        first = timed(lambda: http.get("/v1/agents/", params=ask))
        assert [counted() for counted in kinds.values()] == [LISTED, LISTED]
        for _, kind in turns(list(kinds), bench.plan.rounds // 10):
            if kind == "list":  # until the last byte; what reads it is another's
                took = timed(lambda: http.get("/v1/agents/", params=ask))
            else:
                took = timed(kinds[kind])
            seconds[kind].append(took)
    bench.figures += [bench.desk.many(name, took) for name, took in seconds.items()]
    bench.figures.append(bench.desk.one("list_first", first * 1000))


def owns(spans: Sequence[Span], asked: Sequence[Asked]) -> list[float]:
    """As `own_s`, for messages one after the other."""
    rest = sorted(asked, key=lambda one: one.came)
    found: list[float] = []
    at = 0
    for sent, done in spans:
        took = 0
        while at < len(rest) and rest[at].came <= done:
            took += rest[at].took if rest[at].came >= sent else 0
            at += 1
        found.append((done - sent - took) / 1e9)
    return found


def starts(plan: AgentPlan, home: Path, model: ModelProcess) -> list[Figure]:
    """New servers on a home that is there, and on a disk that is warm."""
    seconds: list[float] = []
    idle: list[float] = []
    for _ in range(plan.starts + 1):
        with YikuProcess(home, model.url) as server:
            seconds.append(server.start_s)
            time.sleep(1.0)  # what it does after it answers belongs to it
            idle.append(server.memory_mb())
    desk = Desk("yiku", 0)
    return [
        desk.one("idle", statistics.median(idle[1:]), plan.starts),
        desk.one("healthy", statistics.median(seconds[1:]), plan.starts),
    ]


@contextmanager
def opened(plan: AgentPlan, folder: Path | None, profiled: bool) -> Iterator[Bench]:
    with TemporaryDirectory(prefix="yiku-bench-", dir=folder) as name, ModelProcess() as model:
        home = Path(name) / "home"
        home.mkdir()
        figures = [] if profiled else starts(plan, home, model)
        profile = agent_profile.Profile(on=profiled)
        with (
            YikuProcess(home, model.url) as server,
            Letta(base_url=server.url, timeout=120.0, max_retries=0) as client,
        ):
            yield Bench(plan, server, model, client, profile, figures=figures)


def measure(plan: AgentPlan, folder: Path | None = None, *, profiled: bool = False) -> list[Figure]:
    """Raises: ServerFailed, and what letta-client raises."""
    with opened(plan, folder, profiled) as bench:
        for part in (rounds, commits, crowd, talk, listing):
            say(f"agents: {part.__name__}")
            part(bench)
        bench.figures.append(bench.desk.one("busy", bench.server.memory_mb()))
    for name, hot in bench.profile.found.items():
        print(agent_profile.table(name, hot))
    return bench.figures
