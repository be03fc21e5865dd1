"""When cron expressions come next, over changes of clocks, too."""

from datetime import UTC, datetime

import pytest

from yiku.agents import cron
from yiku.core.errors import Invalid


def times(expression: str, timezone: str, since: str, count: int) -> list[str]:
    """As UTC: month, day, hour, minute."""
    found, at = [], datetime.fromisoformat(since).replace(tzinfo=UTC)
    for _ in range(count):
        later = cron.next_after(expression, timezone, at)
        assert later is not None
        assert later > at
        assert later.tzinfo is UTC
        found.append(f"{later:%m-%d %H:%M}")
        at = later
    return found


@pytest.mark.parametrize(
    ("expression", "timezone", "since", "expected"),
    [
        ("0 9 * * *", "UTC", "2026-05-07 09:00", ["05-08 09:00"]),
        ("0 9 * * *", "Asia/Shanghai", "2026-05-07 00:59", ["05-07 01:00", "05-08 01:00"]),
        ("30 8 * * 1", "UTC", "2026-05-07", ["05-11 08:30", "05-18 08:30"]),  # Mondays
        ("0 0 1 * *", "UTC", "2026-01-31", ["02-01 00:00", "03-01 00:00"]),
        ("0 0 L * *", "UTC", "2026-02-01", ["02-28 00:00", "03-31 00:00"]),
        ("0 12 13 * 5", "UTC", "2026-02-10", ["02-13 12:00", "02-20 12:00"]),  # a 13th or a Friday
        ("*/20 * * * *", "UTC", "2026-05-07 23:30", ["05-07 23:40", "05-08 00:00"]),
        # Berlin goes from 2:00 to 3:00 on March 29th: 2:30 isn't there, and comes right after.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", ["03-29 01:00", "03-30 00:30"]),
        # It goes from 3:00 back to 2:00 on October 25th: 2:30 is there twice, and comes once.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", ["10-25 00:30", "10-26 01:30"]),
        # Each half hour is one that passes, whatever the clocks show.
        ("*/30 * * * *", "Europe/Berlin", "2026-10-25 00:15",
         ["10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"]),
        ("0 9 * * *", "America/New_York", "2026-03-07 13:00",
         ["03-07 14:00", "03-08 13:00"]),  # nine is nine, an hour earlier in UTC
        ("0 9 * * *", "Australia/Lord_Howe", "2026-04-03 23:00",
         ["04-04 22:30", "04-05 22:30"]),  # half an hour of summer time, from April 5th on none
    ],
)  # fmt: skip
def test_the_next_times(expression: str, timezone: str, since: str, expected: list[str]) -> None:
    assert times(expression, timezone, since, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("", "it has 0 fields"),
        ("@daily", "it has 1 field."),
        ("* * * * * *", "it has 6 fields"),
        ("60 * * * *", "Bad minute"),
        ("0 24 * * *", "Bad hour"),
        ("0 9 * * MOO", "Bad day-of-week"),
        ("0 9 30 2 *", "Bad day-of-month"),
        ("0,0,0 " * 90, "it is too long"),
    ],
)
def test_what_is_no_expression_is_refused_with_what_would_be_one(expression: str, why: str) -> None:
    with pytest.raises(Invalid, match="Monday to Friday") as refused:
        cron.check(expression)
    assert why in refused.value.message
