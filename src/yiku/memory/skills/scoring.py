"""What a prompt's outcome on one original input is worth. Pure.

A score is 0..1. What is structurally wrong weighs first: nothing valid is worth 0. Then, for a
memory that was written: is it found by what was asked of it, and does it still tell what was said?
For a lookup: in which place is the memory that helped?
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from yiku.core.ids import PassageId
from yiku.core.memory import Json
from yiku.core.skill import Op, Operation
from yiku.memory.skills.details import answers, invented, kept, telling
from yiku.memory.text import tokens

FOUND_WITHIN = 3
"""Place among all trials' memories that counts as found."""
FLAW = 0.75
"""What a score is multiplied with where some operations were refused, or a number was invented."""
FOUND = 0.5
"""Of a lookup's score: that the memory is there at all; the rest is its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What became known of one text after it was stored."""

    content: str
    questions: tuple[str, ...] = ()
    """By which it was looked for."""
    words: str = ""
    """What was drawn on, or what it was put right with."""
    unwanted: str = ""
    """The memory of it that somebody had forgotten, and that had lost nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a prompt made of it."""

    operations: tuple[Operation, ...]
    problems: tuple[str, ...]
    texts: tuple[str, ...]
    """The memories that then tell of it: written, or known already."""

    @property
    def valid(self) -> bool:
        return bool(self.operations)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One question put to what was made."""

    question: str
    place: int | None
    """Of the best of its memories among all; None: there is none, or none that has a word."""
    kept: float
    """0..1: how much of the answer they tell."""

    @property
    def score(self) -> float:
        return self.kept if self.place is not None and self.place <= FOUND_WITHIN else 0.0


def texts_of(operations: Sequence[Operation], known: Mapping[PassageId, str]) -> tuple[str, ...]:
    """The memories that tell of a text once its operations are carried out."""
    made = [one.text for one in operations if one.op in (Op.ADD, Op.SUPERSEDE)]
    said = [
        known[one.target]
        for one in operations
        if one.op is Op.NOTHING and one.target is not None and one.target in known
    ]
    return tuple(made or said)


def answer_kept(wanted: Wanted, question: str, texts: Sequence[str]) -> float:
    """0..1: how much of what the text tells beyond the question is in the memories made of it; of
    the words that were drawn on, where those are known."""
    told = telling(wanted.content)
    asked = set(tokens(question))
    beyond = {term: weight for term, weight in told.items() if term not in asked}
    drawn = set(tokens(wanted.words))
    if sum(weight for term, weight in beyond.items() if term in drawn) >= 1:
        beyond = {term: weight for term, weight in beyond.items() if term in drawn}
    total = sum(beyond.values())
    if not total:
        return 1.0 if texts else 0.0
    there = {term for text in texts for term in tokens(text)}
    return sum(weight for term, weight in beyond.items() if term in there) / total


def encoding_score(
    wanted: Wanted, made: Made, probes: Sequence[Probe], sources: Sequence[str]
) -> float:
    """`sources`: what numbers may come from beside the text."""
    if not made.valid:
        return 0.0
    if wanted.unwanted:
        worth = 1.0 - resemblance(wanted.unwanted, made.texts)
    elif probes:
        worth = sum(one.score for one in probes) / len(probes)
    elif wanted.words:
        worth = answer_kept(wanted, "", made.texts)
    else:
        worth = kept(wanted.content, made.texts)
    flawed = bool(made.problems) or bool(invented(made.texts, (wanted.content, *sources)))
    return worth * (FLAW if flawed else 1.0)


def resemblance(memory: str, texts: Sequence[str]) -> float:
    """0..1: how much of a memory these texts tell again."""
    return max((answers(memory, text) for text in texts), default=0.0)


def lookup_score(places: Sequence[int | None], problems: Sequence[str]) -> float:
    """`places`: of the memories that helped, from 1."""
    best = min((place for place in places if place is not None), default=None)
    worth = 0.0 if best is None else FOUND + (1 - FOUND) / best
    return worth * (FLAW if problems else 1.0)


def encoding_facts(made: Made, probes: Sequence[Probe], score: float) -> dict[str, Json]:
    """What the report's pair shows of one side."""
    return {
        "operations": [
            {"op": one.op.value, "text": one.text, "target": one.target} for one in made.operations
        ],
        "problems": list(made.problems),
        "valid": made.valid,
        "probes": [
            {"question": one.question, "place": one.place, "kept": round(one.kept, 3)}
            for one in probes
        ],
        "score": round(score, 3),
    }
