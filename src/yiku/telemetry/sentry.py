"""Bugs and failures, told to Sentry: where in the code, and for whom; no texts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

from yiku.core.errors import SettingInvalid
from yiku.core.telemetry import here

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

FLUSH_S = 2.0


def begin(dsn: str) -> Callable[[], None]:
    """What is logged as an error is sent from now on; what is returned sends the rest.

    Raises: SettingInvalid without the library, or where `dsn` is none.
    """
    try:
        import sentry_sdk
        from sentry_sdk.integrations.logging import LoggingIntegration
        from sentry_sdk.utils import BadDsn
    except ImportError as error:
        raise SettingInvalid(
            "YIKU_SENTRY_DSN is set, and its library isn't there: pip install 'yiku[sentry]'."
        ) from error
    try:
        sentry_sdk.init(
            dsn=dsn,
            release=f"yiku@{version('yiku')}",
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[LoggingIntegration(level=None, event_level=logging.ERROR)],
            include_local_variables=False,
            max_breadcrumbs=0,
            send_default_pii=False,
            server_name="",
            before_send=cleaned,
        )
    except BadDsn as error:
        raise SettingInvalid("YIKU_SENTRY_DSN is no address that Sentry gives.") from error
    return lambda: sentry_sdk.flush(FLUSH_S)


def cleaned(event: Event, hint: Hint) -> Event:
    """Without what exceptions say, and with the ids of this task's work."""
    for one in event.get("exception", {}).get("values", []):
        one["value"] = ""
    event.pop("extra", None)
    event["tags"] = {**event.get("tags", {}), **{name: str(one) for name, one in here().items()}}
    return event
