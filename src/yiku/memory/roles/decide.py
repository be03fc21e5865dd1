"""Which roles a text belongs to, and why: decisions that explain themselves. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from yiku.core.ids import DecisionId, new_id
from yiku.core.role import Decision, DecisionKind, RoleScore, Routing
from yiku.memory.roles.calibrate import GATE_BIAS, calibrated, probability
from yiku.memory.roles.cohort import codes_of
from yiku.memory.roles.experts import Raw
from yiku.memory.roles.state import RoleState
from yiku.memory.text import tokens

Floats = NDArray[np.float32]

EXPLAINED = 32
"""Roles whose parts are told, the best; a kept decision tells no more roles."""
NEAREST_SHOWN = 200
"""Characters of a phrase that an explanation tells."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How roles are chosen."""

    kind: DecisionKind
    routing: Routing
    threshold: float | None
    """For all roles; None: each role's own `activation_threshold`."""
    most: int | None
    """Roles chosen at most; None: as many as reach the threshold."""
    told: int | None = EXPLAINED
    """Roles a decision tells, the best, and those it chose; None: all."""


@dataclass(frozen=True, slots=True)
class Compared:
    """n texts beside R roles."""

    scores: Floats
    """(n, R), 0..1"""
    raw: Floats
    """(n, R), before calibration."""
    experts: Raw | None
    """What the scores are made of; None: they are plain cosines."""


def compare(state: RoleState, texts: Sequence[str], vectors: Floats, rule: Rule) -> Compared:
    """`vectors`: (n, d) of the texts, as the embedder gave them."""
    if rule.routing is Routing.COSINE:
        cosines = vectors @ state.descriptions.T
        return Compared(np.maximum(cosines, 0), cosines, None)
    codes = codes_of(texts)
    centred = state.cohort.centred(vectors, codes)
    raw = state.experts.raw(centred, [tokens(text) for text in texts])
    strange = state.cohort.strangeness(centred, codes)
    log_odds = calibrated(raw.scores, state.usual, codes, strange)
    if rule.kind is DecisionKind.GATE:
        log_odds = log_odds + np.float32(GATE_BIAS)
    return Compared(probability(log_odds), raw.scores, raw)


def choose(state: RoleState, scores: Floats, rule: Rule) -> tuple[list[int], list[float]]:
    """Places of the chosen roles, best first, and every role's threshold."""
    if rule.threshold is None:
        thresholds = [one.config.activation_threshold for one in state.roles]
    else:
        thresholds = [rule.threshold] * len(state.roles)
    reached = [int(place) for place in ranking(scores) if scores[place] >= thresholds[place]]
    return reached[: rule.most], thresholds


def ranking(scores: Floats) -> NDArray[np.int64]:
    """Best first; of equals, the older role."""
    return np.argsort(-scores, kind="stable")


def decisions(
    state: RoleState, compared: Compared, rule: Rule, now: datetime, model: str
) -> list[Decision]:
    """One for each text, with its reasons."""
    made: list[Decision] = []
    for text in range(len(compared.scores)):
        scores = compared.scores[text]
        chosen, thresholds = choose(state, scores, rule)
        order = [int(place) for place in ranking(scores)]
        best = order[0]
        made.append(
            Decision(
                id=DecisionId(new_id("decision")),
                kind=rule.kind,
                routing=rule.routing,
                at=now,
                model=model,
                passage_id=None,
                conversation=None,
                chosen=tuple(state.roles[place].role_id for place in chosen),
                margin=float(scores[best]) - thresholds[best],
                scores=tuple(
                    score_of(
                        state,
                        compared,
                        text=text,
                        place=place,
                        threshold=thresholds[place],
                        chosen=chosen,
                        explained=rank < EXPLAINED,
                    )
                    for rank, place in enumerate(order)
                    if rule.told is None or rank < rule.told or place in chosen
                ),
                roles=len(state.roles),
            )
        )
    return made


def score_of(
    state: RoleState,
    compared: Compared,
    *,
    text: int,
    place: int,
    threshold: float,
    chosen: list[int],
    explained: bool,
) -> RoleScore:
    role = state.roles[place]
    score = float(compared.scores[text, place])
    parts: dict[str, float] = {}
    nearest = None
    if compared.experts is not None and explained:
        parts = state.experts.parts(compared.experts, text, place)
        found = state.texts[place][state.experts.nearest(compared.experts, text, place)]
        nearest = found[:NEAREST_SHOWN]
    return RoleScore(
        role_id=role.role_id,
        role_name=role.config.role_name,
        score=score,
        raw=float(compared.raw[text, place]),
        threshold=threshold,
        chosen=place in chosen,
        reason=reason_of(score, threshold, place in chosen, len(chosen)),
        parts=parts,
        nearest=nearest,
    )


def reason_of(score: float, threshold: float, chosen: bool, active: int) -> str:
    if chosen:
        return f"chosen: {score:.2f} reaches its threshold {threshold:.2f}"
    if score < threshold:
        return f"not chosen: {score:.2f} is below its threshold {threshold:.2f}"
    better = "one role is" if active == 1 else f"{active} roles are"
    return f"not chosen: {score:.2f} reaches {threshold:.2f}, but {better} better"
