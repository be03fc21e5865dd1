"""When a cron expression comes next, in a time zone (pure).

As Debian's cron has it: what is due at a time that a change of clocks leaves out comes right after
it, and what is due at a time that there is twice comes once. Expressions of `*` in their minutes or
hours go by the time that passes.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from yiku.context.compile import zone_of
from yiku.core.errors import Invalid

FIELDS = 5
LONGEST = 200
"""Characters."""


def check(expression: str) -> None:
    """Raises: Invalid."""
    begun(expression, datetime.now(UTC))


def next_after(expression: str, timezone: str, moment: datetime) -> datetime | None:
    """The first time after `moment`; None: there is none in fifty years.

    Raises: Invalid.
    """
    found = next(begun(expression, moment.astimezone(zone_of(timezone))), None)
    return None if found is None else found.astimezone(UTC)


def begun(expression: str, moment: datetime) -> CronSim:
    """Raises: Invalid."""
    why = "it is too long" if len(expression) > LONGEST else None
    if why is None and len(expression.split()) != FIELDS:
        count = len(expression.split())
        why = f"it has {count} {'field' if count == 1 else 'fields'}"
    try:
        if why is None:
            return CronSim(expression, moment)
    except CronSimError as error:
        why = str(error)
    raise Invalid(
        f"The cron expression {expression!r:.80} can't be read: {why}. It has five fields, minute,"
        " hour, day of the month, month and day of the week: `0 9 * * 1-5` is 9:00 from Monday to"
        " Friday.",
        field="cron_expression",
    )
