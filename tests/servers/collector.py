"""An OTLP collector over HTTP: keeps the spans that it is sent."""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.served import Asked, Reply, Served


@dataclass(frozen=True, kw_only=True)
class Span:
    name: str
    trace: bytes
    id: bytes
    parent: bytes
    """Empty: it begins its trace, or whoever asked did."""
    attributes: Mapping[str, Any]
    failed: bool
    service: str


@dataclass(frozen=True)
class Tree:
    """The spans of one trace."""

    spans: Sequence[Span] = field(default_factory=tuple)

    def path(self, span: Span) -> list[str]:
        """The names from the first span to this one."""
        by_id = {one.id: one for one in self.spans}
        above = by_id.get(span.parent)
        return [*(self.path(above) if above else []), span.name]

    def paths(self) -> list[list[str]]:
        return [self.path(one) for one in self.spans]


class Collector(Served):
    """`raw` is all that was sent, unpacked."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[Span] = []
        self.raw = b""

    def read(self, body: bytes, headers: dict[str, str]) -> bytes:
        packed = headers.get("content-encoding") == "gzip"
        return gzip.decompress(body) if packed else body

    def reply(self, asked: Asked) -> Reply:
        assert asked.path == "/v1/traces"
        self.raw += asked.body
        message = ExportTraceServiceRequest()
        message.ParseFromString(asked.body)
        self.spans += [
            Span(
                name=one.name,
                trace=one.trace_id,
                id=one.span_id,
                parent=one.parent_span_id,
                attributes={a.key: value_of(a.value) for a in one.attributes},
                failed=one.status.code == 2,
                service=next(
                    a.value.string_value for a in of.resource.attributes if a.key == "service.name"
                ),
            )
            for of in message.resource_spans
            for scope in of.scope_spans
            for one in scope.spans
        ]
        return Reply(headers={"Content-Type": "application/x-protobuf"})

    def trace(self, trace_id: bytes) -> Tree:
        return Tree([one for one in self.spans if one.trace == trace_id])


def value_of(value: Any) -> Any:
    return getattr(value, value.WhichOneof("value"))
