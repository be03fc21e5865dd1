"""What searches returned, quoted for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from yiku.providers.offline_words import HOW, WORDS, Words, is_question

MOST = 5
LONGEST = 300
TEXTS = ("content", "text", "message")
DATES = ("timestamp", "created_at", "date", "time")
ENTRY = re.compile(r"\d+\. (?P<date>\d{4}-\d\d-\d\d) (?P<facts>[^\n]*)")
"""How the search tools begin a hit; its text follows, indented."""
INDENT = "   "
FACTS = " · "
SCORE = re.compile(r"\d\.\d+")
ROLES = ("user", "assistant")


@dataclass(frozen=True, slots=True)
class Quoted:
    text: str
    date: str = ""
    role: str = ""
    score: float = 0


def recalled(returns: Sequence[str], asked: str, words: Words) -> list[str]:
    """Lines for the hits of all searches, best first, each text once.

    Questions and what we say without a model are no memories.
    """
    lines: list[str] = []
    seen: set[str] = set()
    hits = [one for text in returns for one in quoted(text)]
    for hit in sorted(hits, key=lambda one: -one.score):
        text = " ".join(hit.text.split())
        if not text or text in seen or text == asked or is_ours(text) or is_question(text):
            continue
        seen.add(text)
        short = text if len(text) <= LONGEST else text[:LONGEST] + "…"
        date = hit.date[:10]
        by = words.said_by.get(hit.role, "")
        when = f"{date} ({by})" if date and by else date or by
        lines.append(words.dated.format(date=when, text=short) if when else f"- “{short}”")
    return lines[:MOST]


def is_ours(text: str) -> bool:
    """Whether the offline responder said it."""
    return HOW in text or any(words.reminder in text for words in WORDS.values())


def quoted(returned: str) -> Iterator[Quoted]:
    """A search's return: numbered entries, or JSON with entries anywhere in it; else none."""
    try:
        found: Any = json.loads(returned)
    except ValueError:
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
            score = next((float(one) for one in facts[-1:] if SCORE.fullmatch(one)), 0.0)
            role = next((one for one in facts if one in ROLES), "")
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
