"""Opens what the settings name, and imports nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from yiku.core.errors import SettingInvalid
from yiku.core.telemetry import SILENT, Telemetry
from yiku.telemetry.watch import Sink, Watch

if TYPE_CHECKING:
    from yiku.telemetry.metrics import Metrics
    from yiku.telemetry.traces import Traces


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What a door needs: whom rooms tell, and the metrics, where there are any."""

    telemetry: Telemetry = SILENT
    metrics: Metrics | None = None


NOBODY = Watching()


@asynccontextmanager
async def watching(*, metrics: bool, traces: bool) -> AsyncGenerator[Watching]:
    """Raises: SettingInvalid where a library isn't there."""
    counted = made_metrics() if metrics else None
    sent = made_traces() if traces else None
    sinks: list[Sink] = [one for one in (counted, sent) if one is not None]
    try:
        yield Watching(telemetry=Watch(sinks) if sinks else SILENT, metrics=counted)
    finally:
        if sent is not None:
            await asyncio.to_thread(sent.close)


def made_metrics() -> Metrics:
    from yiku.telemetry.metrics import Metrics

    return Metrics()


def made_traces() -> Traces:
    try:
        from yiku.telemetry.traces import Traces
    except ImportError as error:
        raise SettingInvalid(
            "YIKU_TRACES is on, and OpenTelemetry isn't there: pip install 'yiku[otel]'."
        ) from error
    return Traces()
