"""Why a memory failed: lost when it was written, not found, or no good. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from yiku.core.skill import FeedbackKind, RootCause
from yiku.memory.skills.details import kept, telling
from yiku.memory.text import tokens

LOST = 0.5
"""Of what was wanted, memories that have less have lost it."""


def root_cause(
    kind: FeedbackKind,
    *,
    original: str,
    made: Sequence[str],
    wanted: str = "",
    found: bool = True,
) -> RootCause:
    """`original`: what was said; `made`: the memories that were written of it; `wanted`: what
    somebody then asked for or put right; `found`: whether a lookup had brought one of `made`.

    What the original had, was wanted, and is in no memory was lost when it was stored. What is in
    a memory that no lookup brought is a matter of finding. The rest was found and was no good.
    """
    if lost(original, made, wanted):
        return RootCause.STORAGE
    if kind == FeedbackKind.MISSED or not found:
        return RootCause.RETRIEVAL
    return RootCause.QUALITY


def lost(original: str, made: Sequence[str], wanted: str = "") -> bool:
    """Whether little is kept of what the original tells; of what was `wanted`, where known."""
    if not original:
        return False
    told = telling(original)
    if wanted:
        asked = set(tokens(wanted))
        had = {term: weight for term, weight in told.items() if term in asked}
        if sum(had.values()) >= 1.0:
            there = {term for text in made for term in tokens(text)}
            has = sum(weight for term, weight in had.items() if term in there)
            return has < LOST * sum(had.values())
    return kept(original, made) < LOST
