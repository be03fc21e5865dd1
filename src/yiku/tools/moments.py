"""Moments as models write and read them: in the agent's time zone (pure)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from yiku.core.errors import Invalid
from yiku.core.language import Language
from yiku.memory.draft import EARLIEST, LATEST
from yiku.tools.own_words import DAYS

MOMENT = timedelta(microseconds=1)


def zone(name: str) -> tzinfo:
    """The zone of this IANA name; UTC where this machine doesn't know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def told(moment: datetime, where: tzinfo, language: Language = "en") -> str:
    there = moment.astimezone(where)
    return f"{there:%Y-%m-%d %H:%M} ({DAYS[language][there.weekday()]})"


def first(field: str, text: str | None, where: tzinfo) -> datetime | None:
    """From when: a day begins at midnight. Raises: Invalid."""
    return None if text is None else read(field, text, where)[0]


def after(field: str, text: str | None, where: tzinfo) -> datetime | None:
    """The first moment that no longer belongs: what is named does, the whole day too.

    Raises: Invalid.
    """
    return None if text is None else read(field, text, where)[1]


def ago(minutes: int, now: datetime) -> datetime:
    """So many minutes before; the first moment there is, where that was before it."""
    try:
        return max(now - timedelta(minutes=minutes), EARLIEST)
    except OverflowError:
        return EARLIEST


def read(field: str, text: str, where: tzinfo) -> tuple[datetime, datetime]:
    """Where it begins and where it ends. Raises: Invalid."""
    text = text.strip()
    try:
        if len(text) <= len("2026-05-07"):
            day = date.fromisoformat(text)
            begins = datetime(day.year, day.month, day.day, tzinfo=where)
            ends = begins + timedelta(days=1)
        else:
            begins = datetime.fromisoformat(text)
            if begins.tzinfo is None:
                begins = begins.replace(tzinfo=where)
            ends = begins + MOMENT
        if not EARLIEST <= begins <= ends <= LATEST:
            raise ValueError("outside of what can be kept")
    except (ValueError, OverflowError) as error:
        raise Invalid(
            f"`{field}` is a day or a moment, like 2026-05-07 or 2026-05-07T14:30, not"
            f" {text!r:.60}.",
            zh=f"`{field}` 应为日期或时间，如 2026-05-07 或 2026-05-07T14:30，"
            f"而不是 {text!r:.60}。",
            field=field,
        ) from error
    return begins.astimezone(UTC), ends.astimezone(UTC)
