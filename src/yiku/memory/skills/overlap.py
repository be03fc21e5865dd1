"""Whether what was said drew on a memory that was shown before. Pure.

A memory that was shown and whose subject then comes up proves nothing: the question named it
already, or everybody knows it. So what counts is what the memory says beyond the question, by
words and, where vectors are given, by how much nearer to the memory the reply is than the question
was; less where the reply refuses, more where it is about the person.

Weights and threshold were fitted on one half of 236 rows, English and Chinese, written by hand for
this (tests/data/feedback_labelled.jsonl; the word patterns below were written with all of it in
view). On the other half, with the local model: precision 0.93, recall 0.72; by words alone 0.93 and
0.65. What it misses are uses that share no word with the memory (a vegetarian's recipe); what it
takes wrongly are replies from general knowledge that bring up the memory's subject by themselves. A
wrong "used" hides a bad skill, a missed one only costs a sample: the threshold leans to precision.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import exp

from yiku.memory.text import HAN, tokens

THRESHOLD = 0.73
"""From which score on a memory counts as used."""
CITED = 0.4
"""Where the reply says that it remembers, this is enough."""
ENOUGH = 3.0
"""Weight of words beyond which more prove nothing more."""
PIECES = 40
"""Clauses of a reply that are compared, the first ones."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Of a logistic sum."""

    bias: float
    share: float
    """Share of what the memory says beyond the question that the reply says too."""
    weight: float
    """Their weight, 0..1."""
    gain: float
    """Cosine of memory and reply (or one of its clauses) less that of memory and question."""
    refuses: float
    asks: float
    """The question is about who asks it."""
    speaks: float
    """The reply speaks to somebody."""


WITH_VECTORS = Weights(
    bias=-2.6, share=1.0, weight=3.3, gain=3.5, refuses=-1.8, asks=0.75, speaks=0.8
)
WORDS_ALONE = Weights(
    bias=-2.15, share=1.5, weight=4.0, gain=0.0, refuses=-2.1, asks=0.5, speaks=0.8
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A memory as it was put before the model."""

    text: str
    gain: float | None = None
    """As `Weights.gain` says; None: there are no vectors."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of a memory is in a reply, and by which words."""

    score: float
    """0..1."""
    words: tuple[str, ...]
    """What memory and reply say and the question doesn't, sorted."""
    used: bool
    cites: bool
    """Used, and the reply says so: "you told me …", "我记得…"."""


FRAME = frozenset(
    tokens(
        "user users like likes prefer prefers use uses have want wants live lives work works call"
        " called name is are 用户 我 你 的 了 是 有 在 叫 喜欢 住 用"
    )
)
"""Wording that memories have in common."""
DIGITS = re.compile(r"\d")
CHINESE = re.compile(f"[{HAN}]")
REFUSES = re.compile(
    r"\b(?:don'?t|do not|can'?t|cannot|couldn'?t|haven'?t|never|not)"
    r" (?:know|have|find|recall|remember|told|mentioned|sure|help|able)\b"
    r"|\bno (?:record|information|idea|memory)\b"
    r"|不知道|不清楚|没有.{0,8}(?:记录|信息|记忆|内容|名字|相关)|不记得|没提过|没有?告诉|查不到|找不到|没有找到"
    r"|无法(?:回答|确定)|帮不上|不太?确定",
    re.IGNORECASE,
)
CITES = re.compile(
    r"\byou(?:'ve| have)? (?:told|said|mentioned)\b|\bi (?:remember|recall)\b"
    r"|\b(?:according to|from) (?:my|your|what you)\b|\bas you (?:told|said|mentioned)\b"
    r"|你(?:之前|曾经?|以前)?(?:说|提到|告诉)过?|我记得|根据(?:我的|你的)|按你(?:之前|以前)?说的",
    re.IGNORECASE,
)
ASKS = re.compile(
    r"\b(?:i|i'm|i've|me|my|mine|we|us|our)\b|[我咱]|^.{0,3}[帮给写]|^推荐"
    r"|\b(?:please|plan|write|draft|find|book|set|order|suggest|fill|deploy|help)\b",
    re.IGNORECASE,
)
SPEAKS = re.compile(r"\b(?:you|you're|your|yours|you'd|you'll|you've)\b|[你您]", re.IGNORECASE)
CLAUSE = re.compile(r"(?<=[。！？\n；])|(?<=[.!?;])\s+|[，,:：]")


def used(
    question: str, reply: str, shown: Sequence[Shown], context: Iterable[str] = ()
) -> list[Overlap]:
    """What `reply` drew on of what was shown to answer `question`, in the order of `shown`.

    `context`: what else stood before the model; a word that is there shows nothing. A memory whose
    words in the reply are some of another one's is not what was drawn on.
    """
    asked, said = set(tokens(question)), set(tokens(reply))
    asked.update(*map(tokens, context))
    judged = [overlap(question, reply, one, asked, said) for one in shown]
    words = [frozenset(one.words) for one in judged]
    return [
        replace(one, used=False, cites=False) if any(mine < other for other in words) else one
        for one, mine in zip(judged, words, strict=True)
    ]


def overlap(question: str, reply: str, shown: Shown, asked: set[str], said: set[str]) -> Overlap:
    beyond = set(tokens(shown.text)) - FRAME - asked
    common = beyond & said
    weight = sum(map(worth, common))
    w = WORDS_ALONE if shown.gain is None else WITH_VECTORS
    total = (
        w.bias
        + w.share * weight / (sum(map(worth, beyond)) or 1.0)
        + w.weight * min(weight, ENOUGH) / ENOUGH
        + w.gain * ((shown.gain or 0.0) if beyond else 0.0)
        + w.refuses * refuses(reply)
        + w.asks * bool(ASKS.search(question))
        + w.speaks * bool(SPEAKS.search(reply))
    )
    score = 1 / (1 + exp(-total))
    cites = CITES.search(reply) is not None and score >= CITED and bool(common)
    return Overlap(score, tuple(sorted(common)), score >= THRESHOLD or cites, cites)


def worth(word: str) -> float:
    """What it tells that a reply has this word: numbers the most, a single character little."""
    if DIGITS.search(word):
        return 2.0
    return 0.35 if len(word) == 1 and CHINESE.match(word) else 1.0


def refuses(reply: str) -> bool:
    """Whether the reply says that it doesn't know."""
    return REFUSES.search(reply) is not None


def clauses(reply: str) -> list[str]:
    """What a memory is compared with: the reply, and its clauses."""
    parts = (part.strip() for part in CLAUSE.split(reply))
    return [reply, *(part for part in parts if part)][: PIECES + 1]
