"""Who is told of what goes on: every sink there is, of everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Protocol

from yiku.core.telemetry import Fact, Kind

Outcome = Literal["ok", "error", "cancelled"]


@dataclass(slots=True)
class Deed:
    """Something that goes on, or has ended."""

    kind: Kind
    name: str
    facts: dict[str, Fact]
    sinks: Sequence[Sink]
    began_ns: int = 0
    """Of the monotonic clock."""
    took_s: float | None = None
    """None: it goes on, or took no time of its own."""
    error: BaseException | None = None
    marks: dict[int, Any] = field(default_factory=dict[int, Any])
    """What sinks need at its end, by their `id`."""

    @property
    def outcome(self) -> Outcome:
        if self.error is None:
            return "ok" if self.facts.get("ok", True) else "error"
        ended = isinstance(self.error, asyncio.CancelledError | GeneratorExit)
        return "cancelled" if ended else "error"

    def note(self, **facts: Fact | None) -> None:
        self.facts.update((name, one) for name, one in facts.items() if one is not None)

    def __enter__(self) -> Deed:
        self.began_ns = time.monotonic_ns()
        for sink in self.sinks:
            sink.begun(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.error = error
        self.took_s = (time.monotonic_ns() - self.began_ns) / 1e9
        for sink in self.sinks:
            sink.ended(self)


class Sink(Protocol):
    """Metrics, or traces. It never raises: telling must not break what is told of."""

    def begun(self, deed: Deed) -> None: ...

    def ended(self, deed: Deed) -> None: ...

    def done(self, deed: Deed) -> None:
        """It took no time of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Watch:
    """Tells its sinks."""

    sinks: Sequence[Sink]

    def doing(self, kind: Kind, name: str, **facts: Fact | None) -> Deed:
        return Deed(kind, name, known(facts), self.sinks)

    def done(self, kind: Kind, name: str, **facts: Fact | None) -> None:
        deed = Deed(kind, name, known(facts), self.sinks)
        for sink in self.sinks:
            sink.done(deed)


def known(facts: dict[str, Fact | None]) -> dict[str, Fact]:
    return {name: one for name, one in facts.items() if one is not None}
