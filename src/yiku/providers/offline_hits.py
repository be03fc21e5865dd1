"""What searches returned, quoted for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from yiku.providers.offline_reading import is_question, subjects, tells_nothing
from yiku.providers.offline_words import HOW, WORDS, Words

MOST = 5
LONGEST = 300
SURE = 0.5
"""A hit of this score answers."""
CLOSE = 0.8
"""Of the best one's score, what another needs beside it."""
FLOOR = 0.25
"""One of less never does."""
COVERED = 0.5
"""Of what a question is about, what a hit of less has to name, too."""
NEAR = 0.6
"""Of the best one's score, what such a hit needs."""
OUTSTANDING = 0.3
"""The score of a hit that names nothing of it, and answers where it stands out."""
CONTRAST = 1.5
"""So many times better than the next one is what stands out."""
ALONE = 0.4
"""The score of one with which nothing can be compared."""
MOST_UNSURE = 3
"""So many hits of less than `SURE` are quoted."""
TEXTS = ("content", "text", "message")
DATES = ("timestamp", "created_at", "date", "time")
ENTRY = re.compile(r"\d+\. (?P<date>\d{4}-\d\d-\d\d) (?P<facts>[^\n]*)")
"""How the search tools begin a hit; its text follows, indented."""
INDENT = "   "
FACTS = " · "
SCORE = re.compile(r"\d\.\d+")
ROLES = {"user": "user", "assistant": "assistant", "用户": "user", "助手": "assistant"}


@dataclass(frozen=True, slots=True)
class Quoted:
    text: str
    date: str = ""
    role: str = ""
    score: float | None = None
    """How well it fits, from 0 to 1; None: the search doesn't say."""


def recalled(returns: Sequence[str], asked: str, words: Words) -> list[str]:
    """Lines for the hits of all searches that answer, best first, each text once."""
    hits = [one for text in returns for one in answering(quoted(text), asked)]
    return lines_of(sorted(hits, key=score_of, reverse=True), words)


def newest(returns: Sequence[str], asked: str, words: Words) -> list[str]:
    """Lines for what was found without a question, as it came."""
    found = (one for text in returns for one in quoted(text))
    return lines_of([one for one in found if is_memory(one, asked)], words)


def lines_of(hits: Iterable[Quoted], words: Words) -> list[str]:
    lines: list[str] = []
    seen: set[str] = set()
    for hit in hits:
        text = plain(hit)
        if text in seen:
            continue
        seen.add(text)
        short = text if len(text) <= LONGEST else text[:LONGEST] + "…"
        date = hit.date[:10]
        by = words.said_by.get(hit.role, "")
        when = f"{date} ({by})" if date and by else date or by
        lines.append(words.dated.format(date=when, text=short) if when else f"- “{short}”")
    return lines[:MOST]


def answering(found: Iterable[Quoted], asked: str) -> list[Quoted]:
    """The hits of one search that answer what was asked; none, where it found nothing of worth.

    A search always finds something. What fits well answers; what fits less does only where it names
    what the question is about, or stands out from what comes after it.
    """
    hits = sorted((one for one in found if is_memory(one, asked)), key=score_of, reverse=True)
    if not hits:
        return []
    best = score_of(hits[0])
    sure = [one for one in hits if score_of(one) >= max(SURE, CLOSE * best)]
    if sure:
        return sure
    about = subjects(asked)
    naming = [
        one
        for one in hits
        if score_of(one) >= max(FLOOR, NEAR * best)
        and about
        and len(about & subjects(one.text)) >= COVERED * len(about)
    ]
    return naming[:MOST_UNSURE] or standing_out(hits)


def standing_out(hits: Sequence[Quoted]) -> list[Quoted]:
    """`hits`: best first."""
    scores = [score_of(one) for one in hits]
    if len(hits) == 1:
        return [*hits] if scores[0] >= ALONE else []
    for kept in range(1, min(MOST_UNSURE, len(hits) - 1) + 1):
        if scores[kept - 1] >= max(OUTSTANDING, CONTRAST * scores[kept]):
            return [*hits[:kept]]
    return []


def score_of(one: Quoted) -> float:
    return 1.0 if one.score is None else one.score


def is_memory(one: Quoted, asked: str) -> bool:
    """Questions, courtesies, requests and what we say without a model are no memories."""
    text = plain(one)
    return bool(text) and not (
        text == asked or is_ours(text) or is_question(text) or tells_nothing(text)
    )


def plain(one: Quoted) -> str:
    return " ".join(one.text.split())


def is_ours(text: str) -> bool:
    """Whether the offline responder said it."""
    return HOW in text or any(words.reminder in text for words in WORDS.values())


def quoted(returned: str) -> Iterator[Quoted]:
    """A search's return: numbered entries, or JSON with entries anywhere in it; else none."""
    try:
        found: Any = json.loads(returned)
    except (ValueError, RecursionError):
        yield from numbered(returned)
        return
    yield from entries(found)


def numbered(returned: str) -> Iterator[Quoted]:
    head: re.Match[str] | None = None
    text: list[str] = []
    for line in [*returned.split("\n"), ""]:
        if head is not None and line.startswith(INDENT):
            text.append(line.removeprefix(INDENT))
            continue
        if head is not None:
            facts = head["facts"].split(FACTS)[1:]
            score = next((float(one) for one in facts[-1:] if SCORE.fullmatch(one)), None)
            role = next((ROLES[one] for one in facts if one in ROLES), "")
            yield Quoted("\n".join(text), head["date"], role, score)
        head, text = ENTRY.fullmatch(line), []


def entries(found: Any) -> Iterator[Quoted]:
    if isinstance(found, list):
        for one in cast("list[Any]", found):
            yield from entries(one)
    elif isinstance(found, dict):
        entry = cast("dict[str, Any]", found)
        lists = [cast("list[Any]", one) for one in entry.values() if isinstance(one, list)]
        text = first_text(entry, TEXTS)
        if text and not any(isinstance(one, dict) for value in lists for one in value):
            yield Quoted(text, first_text(entry, DATES), str(entry.get("role", "")))
            return
        for value in lists:
            yield from entries(value)


def first_text(entry: Mapping[str, Any], names: Sequence[str]) -> str:
    found = (entry.get(name) for name in names)
    return next((one for one in found if isinstance(one, str) and one), "")
