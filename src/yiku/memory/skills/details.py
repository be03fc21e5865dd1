"""What a text tells that can't be guessed, and how much of it another text keeps. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from yiku.memory.skills.overlap import FRAME
from yiku.memory.text import HAN, tokens

DIGITS = re.compile(r"\d")
CHINESE = re.compile(f"[{HAN}]")
NAME = re.compile(r"(?<=[a-z0-9,;'’)] )[A-Z][\w'’-]*|\b[A-Z]{2,}[\w-]*|\b\w+[A-Z]\w*")
"""Capitalised inside a sentence, or throughout, or somewhere in the middle."""
LATIN = re.compile(r"[A-Za-z][\w.+-]*")
QUOTED = re.compile(r"[“\"《「『']([^”\"》」』']{1,80})[”\"》」』']")
DATE = re.compile(
    r"\b(?:19|20)\d\d(?:-\d\d?-\d\d?)?\b|\d{1,4}年(?:\d{1,2}月)?(?:\d{1,2}[日号])?|\d{1,2}月\d{1,2}[日号]"
    r"|\b\d{1,2}:\d\d\b|\bT\d\d:\d\d\S*"
)
"""A date may be worked out from "tomorrow": it isn't invented."""
TIME_WORDS = frozenset(
    tokens(
        "today tomorrow yesterday tonight now next last week month year ago"
        " 今天 明天 昨天 后天 前天 去年 明年 今年"
    )
)
"""What dates take the place of."""
GRAMMAR = frozenset("的是了在我你您他她它们有就也都和与把被给对从到说想要会能吗呢吧啊呀这那个")
"""A pair of characters with one of these says how the words go together, not what they are."""
ASKING = re.compile(
    r"\bhow (?:much|many|long|often|far|old|big|tall|late)\b|\bdo you (?:know|remember)\b"
    r"|\b(?:tell|remind|show) me\b|\bwhat kind of\b|\bagain\b"
    r"|多少|几(?=[个点岁月号次天路])|哪[儿里个天位]?|什么时候|什么|是谁|[吗呢]|来着|告诉我|请问|你知道|还记得",
    re.IGNORECASE,
)
"""What makes a question of it, and no answer has."""


def telling(text: str) -> dict[str, float]:
    """Terms of a text, and how much each tells: numbers, addresses and names the most."""
    names = {word.lower() for found in names_in(text) for word in tokens(found)}
    return {
        term: 3.0 if DIGITS.search(term) or "@" in term else 2.5 if term in names else plain(term)
        for term in {*tokens(text)} - FRAME - TIME_WORDS
    }


def plain(term: str) -> float:
    if CHINESE.match(term):
        return 0.5 if len(term) > 1 and GRAMMAR.isdisjoint(term) else 0.0
    return 1.0


def names_in(text: str) -> list[str]:
    found = [*NAME.findall(text), *QUOTED.findall(text)]
    if CHINESE.search(text):
        found += LATIN.findall(text)
    return found


def kept(original: str, made: Sequence[str]) -> float:
    """0..1: how much of what `original` tells these texts together tell."""
    told = telling(original)
    everything = sum(told.values())
    if not everything:
        return 1.0 if made else 0.0
    there = {term for text in made for term in tokens(text)}
    return sum(weight for term, weight in told.items() if term in there) / everything


def invented(made: Sequence[str], sources: Iterable[str]) -> tuple[str, ...]:
    """Numbers and addresses in `made` that no source has; dates may have been worked out."""
    there = {term for text in sources for term in tokens(text)}
    return tuple(
        sorted(
            {
                term
                for text in made
                for term in tokens(DATE.sub(" ", text))
                if (DIGITS.search(term) or "@" in term) and term not in there
            }
        )
    )


def answers(question: str, text: str) -> float:
    """0..1: how much of what a question names a text has."""
    asked = telling(ASKING.sub(" ", question))
    if not asked:
        return 0.0
    there = set(tokens(text))
    return sum(w for term, w in asked.items() if term in there) / (sum(asked.values()) or 1.0)
