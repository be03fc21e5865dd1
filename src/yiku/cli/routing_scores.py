"""How well texts find their roles; pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

Figures = dict[str, float | None]
"""Percent, but for counts, `oos_auroc` (0..1) and `gate_open` (roles). None: nothing to judge."""


@dataclass(frozen=True, slots=True)
class Routed:
    """A labelled text, and what became of it."""

    lang: str
    roles: frozenset[str]
    """The true ones; none: out of scope."""
    best: str
    """The role with the best score."""
    score: float
    """Of the best role."""
    chosen: tuple[str, ...]
    """The roles it was routed to, best first."""
    gated: tuple[str, ...]
    """The roles it opened as a context."""


def figures(routed: Sequence[Routed]) -> Figures:
    single = [one for one in routed if len(one.roles) == 1]
    scoped = [one for one in routed if one.roles]
    outside = [one for one in routed if not one.roles]
    nowhere = [one for one in routed if not one.chosen]
    return {
        "n": len(routed),
        "single": len(single),
        "out_of_scope": len(outside),
        "accuracy@1": share(one.best in one.roles for one in single),
        "routed@1": share(one.chosen[:1] == (*one.roles,) for one in single),
        "macro_f1": macro_f1(single),
        "multi_f1": multi_f1(routed),
        "oos_precision": share(not one.roles for one in nowhere) if outside else None,
        "oos_recall": share(not one.chosen for one in outside),
        "oos_auroc": auroc([one.score for one in scoped], [one.score for one in outside]),
        "gate_true": percent([found(one.roles, one.gated) for one in scoped]),
        "gate_open": fmean(len(one.gated) for one in scoped) if scoped else None,
    }


def by_language(routed: Sequence[Routed]) -> dict[str, Figures]:
    """Each language's, and of `all`."""
    languages = list(dict.fromkeys(one.lang for one in routed))
    found = {lang: figures([one for one in routed if one.lang == lang]) for lang in languages}
    return {**found, "all": figures(routed)}


def mean_of(runs: Sequence[dict[str, Figures]]) -> dict[str, Figures]:
    """Of the same figures, taken several times."""
    return {
        lang: {name: mean([run[lang][name] for run in runs]) for name in runs[0][lang]}
        for lang in runs[0]
    }


def mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def share(hits: Iterable[bool]) -> float | None:
    return percent([float(hit) for hit in hits])


def percent(values: Sequence[float]) -> float | None:
    return 100 * fmean(values) if values else None


def found(true: Collection[str], given: Collection[str]) -> float:
    """Share of a text's roles that were found."""
    return len(set(true) & set(given)) / len(true)


def macro_f1(single: Sequence[Routed]) -> float | None:
    """Mean over the roles that occur: F1 of the best role as the answer, of texts with one role."""
    scores: list[float] = []
    for role in {role for one in single for role in one.roles}:
        said = [one for one in single if one.best == role]
        true = [one for one in single if role in one.roles]
        hits = sum(role in one.roles for one in said)
        scores.append(2 * hits / (len(said) + len(true)))
    return percent(scores)


def multi_f1(routed: Sequence[Routed]) -> float | None:
    """F1 over all pairs of text and role, those out of scope included."""
    hits = sum(len(one.roles & set(one.chosen)) for one in routed)
    told = sum(len(one.chosen) + len(one.roles) for one in routed)
    return 100 * 2 * hits / told if told else None


def auroc(inside: Sequence[float], outside: Sequence[float]) -> float | None:
    """How often a text of some role scores above one of none; a tie counts half.

    Source: Hanley, McNeil, Radiology 1982.
    """
    if not inside or not outside:
        return None
    more = np.subtract.outer(np.array(inside), np.array(outside))
    return float(((more > 0) + (more == 0) / 2).mean())
