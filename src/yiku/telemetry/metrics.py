"""Metrics in Prometheus' form, in a registry of their own.

Labels are names and kinds, never ids; of those that users choose (models, tools) so many are told
apart as a dashboard can show, the rest together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from threading import Lock

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from yiku.core.telemetry import Kind
from yiku.telemetry.levels import Level
from yiku.telemetry.watch import Deed

FORM = CONTENT_TYPE_PLAIN_0_0_4
MOST_NAMES = 100
"""Of models, or of tools, that are told apart."""
REST = "other"

QUICK = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SLOW = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


@dataclass(frozen=True, slots=True)
class Form:
    """How long something took, by what."""

    name: str
    of: str
    labels: tuple[str, ...]
    buckets: Sequence[float] = SLOW


FORMS: dict[Kind, Form] = {
    Kind.REQUEST: Form(
        "yiku_http_request_seconds",
        "HTTP requests, from the first byte of the head to the last of the answer.",
        ("method", "route", "status"),
        QUICK,
    ),
    Kind.RUN: Form("yiku_run_seconds", "Runs of agents.", ("kind", "stop_reason")),
    Kind.STEP: Form("yiku_step_seconds", "Steps of runs.", ("outcome",)),
    Kind.MODEL: Form("yiku_model_call_seconds", "Calls of language models.", ("model", "outcome")),
    Kind.EMBEDDING: Form(
        "yiku_embedding_seconds", "Batches that were embedded.", ("model", "outcome"), QUICK
    ),
    Kind.TOOL: Form("yiku_tool_call_seconds", "Calls of tools that act.", ("tool", "outcome")),
    Kind.TRANSACTION: Form(
        "yiku_database_seconds",
        "Transactions, with the wait for their turn.",
        ("mode", "outcome"),
        QUICK,
    ),
    Kind.JOB: Form("yiku_job_seconds", "Jobs of the outbox.", ("kind", "outcome")),
}
TOKENS = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


class Metrics:
    """Counts what it is told."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self._registry)
        self._times = {
            kind: Histogram(
                form.name,
                form.of,
                form.labels,
                buckets=form.buckets,
                registry=self._registry,
            )
            for kind, form in FORMS.items()
        }
        self._tokens = self._counter(
            "yiku_model_tokens", "Tokens, as providers count.", "model", "of"
        )
        self._texts = self._counter("yiku_embedded_texts", "Texts that were embedded.", "model")
        self._calls = self._counter(
            "yiku_tool_calls", "Calls of tools, of those too that only edit.", "tool", "outcome"
        )
        self._waits = Histogram(
            "yiku_database_wait_seconds",
            "Waits of transactions for a connection, or for the writer.",
            ("mode",),
            buckets=QUICK,
            registry=self._registry,
        )
        self._going = Gauge(
            "yiku_going",
            "What goes on in this process just now.",
            ("what",),
            registry=self._registry,
        )
        self._levels: dict[str, Gauge] = {}
        self._names: dict[tuple[Kind, str], set[str]] = {}
        self._lock = Lock()
        self._page = Lock()

    def _counter(self, name: str, of: str, *labels: str) -> Counter:
        return Counter(name, of, labels, registry=self._registry)

    def begun(self, deed: Deed) -> None:
        self._going.labels(deed.kind.value).inc()

    def ended(self, deed: Deed) -> None:
        self._going.labels(deed.kind.value).dec()
        assert deed.took_s is not None, "it has ended"
        values = [self._label(deed, label) for label in FORMS[deed.kind].labels]
        self._times[deed.kind].labels(*values).observe(deed.took_s)
        self._count(deed)

    def done(self, deed: Deed) -> None:
        self._count(deed)

    def _count(self, deed: Deed) -> None:
        if deed.kind is Kind.TRANSACTION:
            if (wait_s := deed.facts.get("wait_s")) is not None:
                self._waits.labels(deed.name).observe(float(wait_s))
        elif deed.kind is Kind.TOOL:
            self._calls.labels(self._label(deed, "tool"), deed.outcome).inc()
        elif deed.kind is Kind.EMBEDDING:
            self._texts.labels(self._label(deed, "model")).inc(float(deed.facts.get("texts", 0)))
        elif deed.kind is Kind.MODEL:
            for name in TOKENS:
                if name in deed.facts:
                    of = name.removesuffix("_tokens")
                    labels = self._tokens.labels(self._label(deed, "model"), of)
                    labels.inc(float(deed.facts[name]))

    def _label(self, deed: Deed, label: str) -> str:
        match label:
            case "outcome":
                return deed.outcome
            case "status":
                return str(deed.facts.get("status", 499 if deed.outcome == "cancelled" else 500))
            case "stop_reason" | "route":
                return str(deed.facts.get(label, "none"))
            case "model" | "tool":
                return self._bounded(deed.kind, label, deed.name)
            case _:  # a name that we chose
                return deed.name

    def _bounded(self, kind: Kind, label: str, name: str) -> str:
        with self._lock:
            told = self._names.setdefault((kind, label), set())
            if name in told or len(told) < MOST_NAMES:
                told.add(name)
                return name
        return REST

    def page(self, levels: Iterable[Level]) -> bytes:
        """All there is to tell; `levels` as they are just now. What had a level and is not among
        them any more is told no longer."""
        with self._page:
            for gauge in self._levels.values():
                gauge.clear()
            for one in levels:
                gauge = self._levels.get(one.name)
                if gauge is None:
                    gauge = self._levels[one.name] = Gauge(
                        one.name, one.of, tuple(one.labels), registry=self._registry
                    )
                (gauge.labels(**one.labels) if one.labels else gauge).set(one.value)
            return generate_latest(self._registry)
