"""Looking up by a skill, and forgetting. What was looked up is kept, so that it can be judged."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from yiku.core.errors import Invalid, PassageNotFound, ProviderError
from yiku.core.ids import AgentId, ArchiveId, PassageId, RunId
from yiku.core.language import language_of
from yiku.core.memory import Filter, Hit, Passage
from yiku.core.skill import FeedbackKind, Lookup, MemorySkill, Op, SkillType
from yiku.core.tenant import Actor
from yiku.memory import changes, search
from yiku.memory.archival import Place
from yiku.memory.skills import executor, registry
from yiku.memory.skills.controller import Why
from yiku.memory.skills.encode import model_of
from yiku.memory.skills.executor import Refined
from yiku.memory.skills.secrets import guard
from yiku.memory.skills.shapes import literals
from yiku.memory.skills.shared import Skills
from yiku.memory.text import fold
from yiku.store import encodings, feedback, lookups, passages
from yiku.store.database import Tx, now_utc

logger = logging.getLogger(__name__)

EXACT = "exact_match"
"""The skill that puts what holds a literal first."""
EXTRA = 5
"""Hits beyond `limit` that a skill may add: nothing of the query's own hits makes room for them."""
WIDER = 20
"""Places beyond `limit` in which a literal is looked for."""
WEAK = 0.4
"""A best hit below this score doesn't convince: other words may find more."""
FEW = 3
"""Candidates that `forget_memory` names."""
PASSAGE = re.compile(r"\W*(passage-[0-9a-f-]{36})\W*")

Refine = Literal["auto", "always", "never"]
"""Whether a model words the query otherwise. `auto`: where the query itself finds nothing that
convinces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    hits: tuple[Hit, ...]
    """Best first: `limit` of the query itself at most, and `EXTRA` that the skill added."""
    skill: MemorySkill
    why: Why
    literals: tuple[str, ...] = ()
    """What was looked for letter by letter."""
    refined: tuple[str, ...] = ()
    """What else was asked."""
    lookup: asyncio.Task[Lookup | None]
    """Being noted; None: it couldn't be. Nobody need wait for it."""


def storable(query: str) -> str:
    """What is searched for may hold what no database takes: a NUL, half a character."""
    return query.encode("utf-8", "replace").decode().replace("\0", " ")


async def query_memory(
    skills: Skills,
    actor: Actor,
    places: Sequence[Place | ArchiveId],
    query: str,
    limit: int = 10,
    *,
    filter: Filter | None = None,
    refine: Refine = "auto",
    agent_id: AgentId | None = None,
    run_id: RunId | None = None,
    call_id: str | None = None,
) -> Found:
    """The memories that answer a query, by the skill that fits it.

    A skill adds to what the query itself finds, and takes nothing away: a bad refinement costs a
    few places at the end. A model that fails is gone without.

    Raises: as `search.search`; Invalid where no skill looks up.
    """
    search.check_query(query, limit)
    made = await looked_up(skills, actor, Asked(places, query, limit, filter, refine))
    asked = "mask" if skills.policy.secrets == "refuse" else skills.policy.secrets
    kept = storable(guard(query, asked).text)
    at = now_utc()  # it may be noted later than its answer comes

    def unit(tx: Tx) -> Lookup:
        if run_id is not None and call_id is not None:
            before = [one for one in lookups.of_run(tx, run_id) if one.call_id == call_id]
            if before:
                return before[0]
        return lookups.add(
            tx,
            skill_id=made.skill.id,
            query=kept,
            passage_ids=[hit.passage.id for hit in made.hits],
            refined=made.refined,
            agent_id=agent_id,
            run_id=run_id,
            call_id=call_id,
            at=at,
        )

    lookup = skills.looking.note(actor, unit)
    return Found(
        hits=made.hits,
        skill=made.skill,
        why=made.why,
        literals=made.literals,
        refined=made.refined,
        lookup=lookup,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    places: Sequence[Place | ArchiveId]
    query: str
    limit: int
    filter: Filter | None
    refine: Refine


@dataclass(frozen=True, slots=True)
class Made:
    """As `Found`, and not noted yet."""

    hits: tuple[Hit, ...]
    skill: MemorySkill
    why: Why
    literals: tuple[str, ...]
    refined: tuple[str, ...]


async def looked_up(skills: Skills, actor: Actor, asked: Asked) -> Made:
    active = await registry.active(skills, actor)
    controller = skills.controllers.of(active)
    if skills.policy.choose_with_model:
        controller = controller.with_model(model_of(skills, actor))
    chosen = await controller.select_skill(SkillType.RETRIEVAL, asked.query)
    if chosen is None:
        raise Invalid("No memory skill that looks up is active; nothing can be found by one.")
    exact = tuple(literals(asked.query)) if chosen.skill.name == EXACT else ()
    hits = await found_by(skills, actor, asked, exact)
    refined = await refined_by(skills, actor, chosen.skill, asked, hits)
    more = [] if refined is None else await added_by(skills, actor, asked, refined)
    own = hits.own if not exact else with_literals(hits, exact)
    return Made(
        hits=tuple(joined(own, more)),
        skill=chosen.skill,
        why=chosen.why,
        literals=exact,
        refined=() if refined is None else (*refined.queries, *refined.exact),
    )


@dataclass(frozen=True, slots=True)
class Hits:
    own: Sequence[Hit]
    """What the query itself finds, best first."""
    beyond: Sequence[Hit] = ()
    """What comes after that, among which a literal may be."""


async def found_by(skills: Skills, actor: Actor, asked: Asked, exact: Sequence[str]) -> Hits:
    limit = min(asked.limit + WIDER, search.MAX_LIMIT) if exact else asked.limit
    found = await searched(skills, actor, asked, asked.query, limit)
    own, beyond = found[: asked.limit], found[asked.limit :]
    if exact and not any(held(hit.passage.text, exact) for hit in found):
        # Many other words of the query may have been louder.
        alone = await searched(skills, actor, asked, " ".join(exact), asked.limit)
        beyond = [*beyond, *alone]
    return Hits(own, beyond)


async def searched(skills: Skills, actor: Actor, asked: Asked, query: str, limit: int) -> list[Hit]:
    return await search.search(
        skills.memory, actor, asked.places, query, filter=asked.filter, limit=limit
    )


def with_literals(hits: Hits, exact: Sequence[str]) -> list[Hit]:
    """Those that hold a literal first, with the best of those beyond; none is lost."""
    ids = {hit.passage.id for hit in hits.own}
    others = [hit for hit in hits.beyond if hit.passage.id not in ids]
    beyond = [hit for hit in others if held(hit.passage.text, exact)][:EXTRA]
    return sorted([*hits.own, *beyond], key=lambda hit: held(hit.passage.text, exact), reverse=True)


def held(text: str, exact: Iterable[str]) -> int:
    """How many of the literals the text holds: letters in any case, numbers in any spacing."""
    folded = fold(text)
    return sum(map(within(folded), exact))


def within(folded: str) -> Callable[[str], bool]:
    def stands(literal: str) -> bool:
        one = fold(literal)
        if re.search(rf"(?<![a-z0-9]){re.escape(one)}(?![a-z0-9])", folded):
            return True
        digits = SEPARATOR.sub("", one)
        if not digits.lstrip("+").isdigit() or len(digits) < 7:
            return False
        return re.search(rf"(?<!\d){re.escape(digits)}(?!\d)", JOIN.sub("", folded)) is not None

    return stands


SEPARATOR = re.compile(r"[ ().-]")
JOIN = re.compile(r"(?<=[\d)])[ ().-]{1,2}(?=[\d(])|\((?=\d)")
"""Between the groups of a number."""


async def refined_by(
    skills: Skills, actor: Actor, skill: MemorySkill, asked: Asked, hits: Hits
) -> Refined | None:
    """What a model makes of the query; None: it isn't asked, or fails."""
    if asked.refine == "never" or (asked.refine == "auto" and convinces(hits.own)):
        return None
    model = model_of(skills, actor)
    if model is None:
        return None
    policy = skills.policy.secrets
    query = guard(asked.query, "mask" if policy == "refuse" else policy).text
    try:
        return await executor.refine(
            model, skill, query, language=language_of([query]), now=now_utc()
        )
    except ProviderError as error:
        logger.warning(
            "a query was not refined", extra={"action": "not_refined", "why": type(error).__name__}
        )
        return None


def convinces(hits: Sequence[Hit]) -> bool:
    return bool(hits) and hits[0].score >= WEAK


async def added_by(skills: Skills, actor: Actor, asked: Asked, refined: Refined) -> list[Hit]:
    """What the refined queries find, the best of each before the second best of any."""
    lists = [await searched(skills, actor, asked, one, asked.limit) for one in refined.queries] + [
        [
            hit
            for hit in await searched(skills, actor, asked, one, asked.limit)
            if held(hit.passage.text, (one,))
        ]
        for one in refined.exact
    ]
    longest = max(map(len, lists), default=0)
    return [found[place] for place in range(longest) for found in lists if place < len(found)]


def joined(own: Sequence[Hit], more: Sequence[Hit]) -> list[Hit]:
    """The query's own hits, then at most `EXTRA` others."""
    ids = {hit.passage.id for hit in own}
    added: dict[PassageId, Hit] = {}
    for hit in more:
        if hit.passage.id not in ids and len(added) < EXTRA:
            added.setdefault(hit.passage.id, hit)
    return [*own, *added.values()]


async def forget_memory(
    skills: Skills,
    actor: Actor,
    places: Sequence[Place | ArchiveId],
    memory: str,
    *,
    reason: str | None = None,
    agent_id: AgentId | None = None,
) -> Passage:
    """Forget a memory of these archives, named by its id or its words; it counts against the skills
    that wrote it and found it. Forgetting twice changes nothing, and `undo` brings it back.

    Raises: PassageNotFound; Invalid where the words fit several, or none well.
    """
    named = PASSAGE.fullmatch(memory)
    wanted = (
        await by_id(skills, actor, places, PassageId(named[1]))
        if named
        else await by_words(skills, actor, places, memory)
    )

    def against(tx: Tx, gone: Passage) -> None:
        judge_forgotten(tx, gone, reason, agent_id)

    return await changes.forget(skills.memory, actor, wanted.id, reason=reason, also=against)


async def by_id(
    skills: Skills, actor: Actor, places: Sequence[Place | ArchiveId], id: PassageId
) -> Passage:
    """Raises: PassageNotFound."""

    def unit(tx: Tx) -> Passage:
        found = passages.get(tx, id)
        archives = [search.archive_at(tx, place) for place in places]
        if found.archive_id not in {one.id for one in archives if one is not None}:
            raise PassageNotFound(
                f"There is no passage {id} among these memories: name whose they are, as when they"
                " were stored.",
                passage_id=id,
            )
        return found

    return await skills.database.read(actor, unit)


async def by_words(
    skills: Skills, actor: Actor, places: Sequence[Place | ArchiveId], words: str
) -> Passage:
    """The one memory that says this, word for word or with more around it. Raises: Invalid."""
    hits = await search.search(skills.memory, actor, places, words)
    said = fold(words).strip()
    same = [hit.passage for hit in hits if fold(hit.passage.text).strip() == said]
    around = [hit.passage for hit in hits if said in fold(hit.passage.text)]
    for fitting in (same, around):
        if len(fitting) == 1:
            return fitting[0]
    there = [f"{one.id}: {one.text[:120]}" for one in (around or [h.passage for h in hits])[:FEW]]
    raise Invalid(
        "Nothing was forgotten: "
        + ("these words fit several memories. " if around else "no memory has these words. ")
        + ("Name one by its id:\n" + "\n".join(there) if there else "There is none like it.")
    )


def judge_forgotten(tx: Tx, gone: Passage, reason: str | None, agent_id: AgentId | None) -> None:
    """Against the version that wrote it, and the one whose lookup found it last."""
    evidence = {"by": "forget_memory", "reason": reason, "agent_id": agent_id}
    for encoding, op in encodings.of_passage(tx, gone.id):
        if op in (Op.ADD, Op.SUPERSEDE):
            feedback.add(
                tx,
                skill_id=encoding.skill_id,
                kind=FeedbackKind.FORGOTTEN,
                key=f"forgotten:{gone.id}:{encoding.skill_id}",
                evidence=evidence,
                passage_id=gone.id,
                encoding_id=encoding.id,
            )
    last = lookups.last_with(tx, gone.id, agent_id)
    if last is not None:
        feedback.add(
            tx,
            skill_id=last.skill_id,
            kind=FeedbackKind.FORGOTTEN,
            key=f"forgotten:{gone.id}:{last.skill_id}",
            evidence=evidence,
            passage_id=gone.id,
            lookup_id=last.id,
            query=last.query,
        )
