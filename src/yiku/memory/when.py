"""Times that a text speaks of, in English and Chinese. Pure: the present comes in as `now`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from yiku.memory.text import simplify

YEARS_BACK = 10
"""A month or day without a year is taken of the year after `now` and so many before it."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From `start` up to, not including, `end`; in the time zone of the `now` it was read at."""

    start: datetime
    end: datetime

    @property
    def days(self) -> float:
        return (self.end - self.start).total_seconds() / 86_400


MONTH_NAMES = (
    "january february march april may june july august september october november december"
)
SHORT_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
WEEKDAY_NAMES = "monday tuesday wednesday thursday friday saturday sunday"
NUMBER_NAMES = "zero one two three four five six seven eight nine ten"

MONTHS = {
    **{name: n for n, name in enumerate(SHORT_MONTHS.split(), start=1)},
    **{name: n for n, name in enumerate(MONTH_NAMES.split(), start=1)},
    "sept": 9,
}
WEEKDAYS = {name: n for n, name in enumerate(WEEKDAY_NAMES.split())}
NUMBERS = {
    **{name: n for n, name in enumerate(NUMBER_NAMES.split())},
    "a": 1,
    "an": 1,
    "a couple of": 2,
    "a few": 3,
    "several": 4,
}
SEASONS = {
    "spring": 3,
    "summer": 6,
    "autumn": 9,
    "fall": 9,
    "winter": 12,
    "春": 3,
    "夏": 6,
    "秋": 9,
    "冬": 12,
}

FULL = MONTH_NAMES.replace(" ", "|")
ANY = "|".join(sorted(MONTHS, key=len, reverse=True))
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
YEAR = r"(?P<year>(?:19|20)\d\d)"
BEFORE_MONTH = "in|on|of|since|by|until|till|during|this|last|next|early|mid|late|from|before|after"

ISO = re.compile(r"(?<!\d)(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)")
SLASHED = re.compile(r"(?<![\d/])(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<year>\d{4})(?![\d/])")
DAY_MONTH = re.compile(rf"\b{DAY}(?: of)? (?P<month>{ANY})\b\.?(?:,? {YEAR})?", re.I)
MONTH_DAY = re.compile(rf"\b(?P<month>{ANY})\b\.? {DAY}(?![\d:])(?:,? {YEAR})?", re.I)
MONTH_YEAR = re.compile(rf"\b(?P<month>{ANY})\b\.?(?:,| of)? {YEAR}", re.I)
MONTH = re.compile(rf"\b(?P<before>{BEFORE_MONTH})?[ -]?\b(?P<month>{FULL})\b", re.I)
BARE_YEAR = re.compile(r"(?<![\d$€£.,-])(?P<year>(?:19|20)\d\d)(?![\d%.-]|年)")
SEASON = re.compile(
    r"\b(?:(?P<which>last|this|next) |in (?:the )?)?(?P<season>spring|summer|autumn|fall|winter)"
    rf"(?: of)?(?: {YEAR})?\b",
    re.I,
)
RELATIVE_DAY = re.compile(
    r"\b(?:the day before yesterday|yesterday|today|tonight|this morning|tomorrow|last night)\b",
    re.I,
)
UNITS = f"week(?:end)?|month|year|{'|'.join(WEEKDAYS)}"
RELATIVE = re.compile(rf"\b(?P<which>last|this|next|past) (?P<unit>{UNITS})\b", re.I)
AGO = re.compile(
    rf"\b(?P<n>\d{{1,3}}|{'|'.join(NUMBERS)}) (?P<unit>day|week|month|year)s? ago\b", re.I
)

DIGITS = "零〇一二三四五六七八九"
NUMERAL = "[0-9零〇一二两三四五六七八九十]"
WRITTEN_YEAR = r"(?:19|20)\d\d|[一二][零〇九][零〇一二三四五六七八九]{2}"
ZH_YEAR = rf"(?:(?P<year>{WRITTEN_YEAR})年|(?P<which>去年|今年|前年|明年))的?"
ZH_DATE = re.compile(
    rf"(?:{ZH_YEAR})?(?<!{NUMERAL})(?P<month>{NUMERAL}{{1,3}})月份?"
    rf"(?:(?P<day>{NUMERAL}{{1,3}})[日号])?"
)
ZH_YEAR_ALONE = re.compile(rf"{ZH_YEAR}(?!{NUMERAL}{{1,3}}月)(?:(?P<season>[春夏秋冬])[天季])?")
ZH_DAY = re.compile("大前天|前天|昨天|昨晚|昨日|今天|今早|今晚|今日|明天|明日|后天")
ZH_WEEK = re.compile("(?P<which>上上|上|这|本|下)个?(?:周|星期|礼拜)(?P<day>[一二三四五六日天末])?")
ZH_MONTH = re.compile("(?P<which>上上|上|这|本|下)个?月")
ZH_AGO = re.compile(
    rf"(?P<n>{NUMERAL}{{1,3}}|几)(?P<unit>天|个?星期|周|个?礼拜|个?月|年)(?:之|以)?前"
)

ZH_DAYS = {
    "大前天": -3,
    "前天": -2,
    "昨天": -1,
    "昨晚": -1,
    "昨日": -1,
    "明天": 1,
    "明日": 1,
    "后天": 2,
}
ZH_STEPS = {"上上": -2, "上": -1, "这": 0, "本": 0, "下": 1}
ZH_YEARS = {"前年": -2, "去年": -1, "今年": 0, "明年": 1}
EN_STEPS = {"last": -1, "past": -1, "this": 0, "next": 1}
EN_DAYS = {"the day before yesterday": -2, "yesterday": -1, "last night": -1, "tomorrow": 1}


def spans(text: str, now: datetime) -> list[Span]:
    """The times a text names, in order of time, without repeats.

    A month or day without a year stands for that of every year from `YEARS_BACK` years ago to
    next year. Periods are whole days, weeks (from Monday), months, seasons (of the northern half
    of the earth) or years.
    """
    found: set[Span] = set()
    for reader in (english_dates, english_relative):
        text, some = reader(text, now)
        found.update(some)
    if not text.isascii():
        found.update(chinese(simplify(text), now))
    return sorted(found)


def english_dates(text: str, now: datetime) -> tuple[str, list[Span]]:
    """Dates by the calendar; and the text without them."""
    found: list[Span] = []

    def take(match: re.Match[str]) -> str:
        parts = match.groupdict()
        month = parts.get("month") or ""
        number = int(month) if month.isdigit() else MONTHS.get(month.lower(), 0)
        found.extend(dates(now, parts.get("year"), number, parts.get("day")))
        return " "

    def take_slashed(match: re.Match[str]) -> str:
        a, b = int(match["a"]), int(match["b"])
        for month, day in {(a, b), (b, a)}:
            found.extend(dates(now, match["year"], month, str(day)))
        return " "

    def take_season(match: re.Match[str]) -> str:
        if not (match["which"] or match["year"]) and not match[0].lower().startswith("in "):
            return match[0]
        step = EN_STEPS.get((match["which"] or "").lower())
        year = str(now.year + step) if step is not None else match["year"]
        found.extend(seasons(now, year, SEASONS[match["season"].lower()]))
        return " "

    def take_month(match: re.Match[str]) -> str:
        # "you may", "they march": these two are months only after a word like "in".
        if match["month"].lower() in {"may", "march"} and not match["before"]:
            return match[0]
        step = EN_STEPS.get((match["before"] or "").lower())
        year = None if step is None else last_or_next(now, MONTHS[match["month"].lower()], step)
        found.extend(dates(now, year, MONTHS[match["month"].lower()], None))
        return " "

    text = ISO.sub(take, text)
    text = SLASHED.sub(take_slashed, text)
    for pattern in (DAY_MONTH, MONTH_DAY, MONTH_YEAR):
        text = pattern.sub(take, text)
    text = SEASON.sub(take_season, text)
    text = MONTH.sub(take_month, text)
    return BARE_YEAR.sub(take, text), found


def last_or_next(now: datetime, month: int, step: int) -> str:
    """The year of "last May", "this May", "next May"."""
    if (step < 0 and month < now.month) or (step > 0 and month > now.month):
        step = 0
    return str(now.year + step)


def english_relative(text: str, now: datetime) -> tuple[str, list[Span]]:
    found = [days(now, EN_DAYS.get(m[0].lower(), 0)) for m in RELATIVE_DAY.finditer(text)]
    for m in RELATIVE.finditer(text):
        step, unit = EN_STEPS[m["which"].lower()], m["unit"].lower()
        if unit in WEEKDAYS:
            ahead = (WEEKDAYS[unit] - now.weekday()) % 7
            found.append(days(now, ahead if step >= 0 else (ahead or 7) - 7))
        else:
            found.append(period(now, unit, step))
    for m in AGO.finditer(text):
        n = int(m["n"]) if m["n"].isdigit() else NUMBERS[m["n"].lower()]
        found.append(period(now, m["unit"].lower(), -n))
    return text, found


def chinese(text: str, now: datetime) -> Iterator[Span]:
    """`text` in simplified characters."""
    for m in ZH_DATE.finditer(text):
        month, day = numeral(m["month"]), numeral(m["day"]) if m["day"] else None
        yield from dates(now, chinese_year(m, now), month, None if day is None else str(day))
    for m in ZH_YEAR_ALONE.finditer(text):
        year = chinese_year(m, now)
        if m["season"]:
            yield from seasons(now, year, SEASONS[m["season"]])
        else:
            yield from dates(now, year, 0, None)
    for m in ZH_DAY.finditer(text):
        yield days(now, ZH_DAYS.get(m[0], 0))
    for m in ZH_WEEK.finditer(text):
        week = period(now, "week", ZH_STEPS[m["which"]])
        if m["day"] == "末":
            yield Span(week.start + timedelta(days=5), week.end)
        elif m["day"]:
            start = week.start + timedelta(days=6 if m["day"] in "日天" else numeral(m["day"]) - 1)
            yield Span(start, start + timedelta(days=1))
        else:
            yield week
    for m in ZH_MONTH.finditer(text):
        yield period(now, "month", ZH_STEPS[m["which"]])
    for m in ZH_AGO.finditer(text):
        unit = m["unit"].removeprefix("个")
        name = {"天": "day", "月": "month", "年": "year"}.get(unit, "week")
        yield period(now, name, -(3 if m["n"] == "几" else numeral(m["n"])))


def chinese_year(match: re.Match[str], now: datetime) -> str | None:
    if match["which"]:
        return str(now.year + ZH_YEARS[match["which"]])
    year: str | None = match["year"]
    if year is None or year.isdecimal():
        return year
    return "".join(str(max(DIGITS.index(c) - 1, 0)) for c in year)


def numeral(text: str) -> int:
    """0..999 from 7, 七, 十二, 三十一 …; 0 for what is no number."""
    if text.isdecimal():
        return int(text)
    tens, ten, ones = text.replace("两", "二").rpartition("十")
    if len(tens) > 1 or len(ones) > 1:
        return 0
    try:
        high = max(DIGITS.index(tens) - 1, 0) if tens else 1
        low = max(DIGITS.index(ones) - 1, 0) if ones else 0
    except ValueError:
        return 0
    return high * 10 + low if ten else low


def dates(now: datetime, year: str | None, month: int, day: str | None) -> Iterator[Span]:
    """A day, month (no `day`) or year (`month` 0); of each likely year where `year` is None.
    Nothing for a date that isn't one."""
    if year is not None:
        years = [int(year)]
    else:
        years = list(range(now.year - YEARS_BACK, now.year + 2)) if month else []
    for one in years:
        try:
            start = midnight(now).replace(year=one, month=month or 1, day=int(day or 1))
            if day:
                yield Span(start, start + timedelta(days=1))
            elif month:
                yield Span(start, add_months(start, 1))
            else:
                yield Span(start, add_months(start, 12))
        except (ValueError, OverflowError):
            continue


def seasons(now: datetime, year: str | None, month: int) -> Iterator[Span]:
    for span in dates(now, year, month, None):
        yield Span(span.start, add_months(span.start, 3))


def days(now: datetime, offset: int) -> Span:
    start = midnight(now) + timedelta(days=offset)
    return Span(start, start + timedelta(days=1))


def period(now: datetime, unit: str, step: int) -> Span:
    """The day, week, weekend, month or year that is `step` of them from the present one."""
    try:
        if unit == "day":
            return days(now, step)
        if unit.startswith("week"):
            start = midnight(now) + timedelta(days=7 * step - now.weekday())
            first = start + timedelta(days=5) if unit == "weekend" else start
            return Span(first, start + timedelta(days=7))
        if unit == "month":
            start = add_months(midnight(now).replace(day=1), step)
            return Span(start, add_months(start, 1))
        start = midnight(now).replace(month=1, day=1)
        return Span(add_months(start, 12 * step), add_months(start, 12 * step + 12))
    except (ValueError, OverflowError):
        return days(now, 0)


def midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def add_months(start: datetime, n: int) -> datetime:
    months = start.year * 12 + start.month - 1 + n
    return start.replace(year=months // 12, month=months % 12 + 1)


WHEN = re.compile(
    r"^\W*(?:(?:and|so|but|do you (?:know|remember)|can you tell me|tell me|remind me),? )?"
    r"(?:(?:since|until|by) )?"
    r"(?:when|how (?:long|recently)|(?:on |in )?(?:what|which) (?:exact )?"
    r"(?:date|day|week|month|season|year|time)s?)\b"
    r"|什么时候|何时|啥时候|哪一?[天年周]|哪个?(?:月|星期|季节)|几[月号点]|多久|日期|什么时间",
    re.I,
)
TIME_WORDS = frozenset(
    (
        f"{MONTH_NAMES} {WEEKDAY_NAMES} yesterday today tonight tomorrow last next ago week weeks"
        " weekend weekends month months year years recently soon since morning afternoon evening"
        " night just"
    ).split()
) - {"may", "march"}
SAID_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
TIME_PATTERN = re.compile(
    r"\b(?:19|20)\d\d\b|[昨今明后前]天|[昨今明]晚|[今去明前]年|[上下]个?周|[这本]周|周[一二三四五六日末]"
    r"|星期|[上下这]个?月|月份|[\d一二三四五六七八九十]月|\d[号日]|[天周月年]前"
    r"|最近|刚|早上|上午|中午|下午|晚上"
)
WORD = re.compile("[a-z]+")


def is_when_question(text: str) -> bool:
    """Whether it asks for a time or a duration."""
    return WHEN.search(text if text.isascii() else simplify(text)) is not None


def has_time_words(text: str) -> bool:
    """Whether it says when: "yesterday", "next month", "in 2019", 上周, 5月 …"""
    if not TIME_WORDS.isdisjoint(WORD.findall(text.lower())):
        return True
    if text.isascii():
        return ("19" in text or "20" in text) and SAID_YEAR.search(text) is not None
    return TIME_PATTERN.search(simplify(text)) is not None
