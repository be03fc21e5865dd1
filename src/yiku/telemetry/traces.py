"""OpenTelemetry traces: what goes on, as spans, sent by OTLP over HTTP.

Where they go, under which name and how many of them, the standard `OTEL_*` variables say; the SDK
reads them. The provider is our own: a program that has one of its own keeps it.
"""

from __future__ import annotations

from contextvars import Token
from dataclasses import dataclass
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from yiku.core.telemetry import Kind, here
from yiku.telemetry.watch import Deed

KINDS = {
    Kind.REQUEST: SpanKind.SERVER,
    Kind.MODEL: SpanKind.CLIENT,
    Kind.TRANSACTION: SpanKind.CLIENT,
    Kind.JOB: SpanKind.CONSUMER,
}
LEAVES = frozenset({Kind.MODEL, Kind.EMBEDDING, Kind.TRANSACTION})
"""Nothing goes on in them, so they are nobody's parent: what streams pieces is left and entered
again by others, and must not leave its context with them."""
NAMES = {
    (Kind.REQUEST, "route"): "http.route",
    (Kind.REQUEST, "status"): "http.response.status_code",
    (Kind.MODEL, "prompt_tokens"): "gen_ai.usage.input_tokens",
    (Kind.MODEL, "completion_tokens"): "gen_ai.usage.output_tokens",
    (Kind.TRANSACTION, "unit"): "code.function.name",
}
"""Facts under the names that OpenTelemetry's conventions give them; others begin with `yiku.`."""
OF_NAMES = {
    Kind.REQUEST: "http.request.method",
    Kind.MODEL: "gen_ai.request.model",
    Kind.EMBEDDING: "gen_ai.request.model",
    Kind.TOOL: "gen_ai.tool.name",
    Kind.TRANSACTION: "db.operation.name",
}
PARENT = "traceparent"
UNNAMED = "unknown_service"
"""What the SDK calls a program of which nobody says what it is."""


@dataclass(slots=True)
class Mark:
    """A span that is open, and how to leave its context; None: nobody entered it."""

    span: Span
    token: Token[Context] | None


class Traces:
    """Makes spans of what it is told, and sends them in the background."""

    def __init__(self) -> None:
        found = Resource.create()
        if str(found.attributes.get(SERVICE_NAME, "")).startswith(UNNAMED):
            found = found.merge(Resource({SERVICE_NAME: "yiku"}))
        self._provider = TracerProvider(
            resource=found.merge(Resource({SERVICE_VERSION: version("yiku")})),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("yiku", version("yiku"))
        self._carried = TraceContextTextMapPropagator()

    def begun(self, deed: Deed) -> None:
        above = deed.facts.pop(PARENT, None)
        span = self._tracer.start_span(
            f"{deed.kind.value} {deed.name}",
            context=None if above is None else self._carried.extract({PARENT: str(above)}),
            kind=KINDS.get(deed.kind, SpanKind.INTERNAL),
        )
        entered = None if deed.kind in LEAVES else attach(trace.set_span_in_context(span))
        deed.marks[id(self)] = Mark(span, entered)

    def ended(self, deed: Deed) -> None:
        mark: Mark = deed.marks[id(self)]
        if mark.token is not None:
            detach(mark.token)
        describe(mark.span, deed)
        mark.span.end()

    def done(self, deed: Deed) -> None:
        """A point in time, within what goes on."""
        above = trace.get_current_span()
        if above.is_recording():
            span = self._tracer.start_span(f"{deed.kind.value} {deed.name}")
            describe(span, deed)
            span.end()

    def close(self) -> None:
        """Send what is left. A collector that doesn't answer is waited for, as long as
        `OTEL_EXPORTER_OTLP_TIMEOUT` says."""
        self._provider.shutdown()


def describe(span: Span, deed: Deed) -> None:
    """All that is told of it; of an error no more than its kind: its words may be a memory's."""
    route = deed.facts.get("route")
    if deed.kind is Kind.REQUEST and route is not None:
        span.update_name(f"{deed.name} {route}")
    if deed.kind in OF_NAMES:
        span.set_attribute(OF_NAMES[deed.kind], deed.name)
    for name, fact in deed.facts.items():
        span.set_attribute(NAMES.get((deed.kind, name), f"yiku.{name}"), fact)
    for name, one in here().items():
        span.set_attribute(f"yiku.{name}.id", one)
    if deed.error is not None:
        span.set_attribute("error.type", type(deed.error).__name__)
    if deed.outcome == "error":
        span.set_status(Status(StatusCode.ERROR))
