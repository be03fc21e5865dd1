"""What a process that serves tells of itself: its log, its bugs, its metrics and traces."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING

from yiku.telemetry import logs
from yiku.telemetry.open import Watching, watching

if TYPE_CHECKING:
    from yiku.settings import Settings


@contextmanager
def reporting(settings: Settings) -> Generator[None]:
    """The log, and Sentry where there is one, for all of this process. Raises: SettingInvalid."""
    logs.begin(settings.log_level, settings.log_format)
    if settings.sentry_dsn is None:
        yield
        return
    from yiku.telemetry import sentry

    flush = sentry.begin(settings.sentry_dsn.get_secret_value())
    try:
        yield
    finally:
        flush()


def watched(settings: Settings) -> AbstractAsyncContextManager[Watching]:
    """Raises: SettingInvalid."""
    return watching(metrics=settings.metrics, traces=settings.traces)
