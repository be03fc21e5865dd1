"""A shadow test: the old prompt beside a new one, on original inputs. Nothing of it is stored.

Both are run through the executor as in production. Each pair is scored for structure, and by the
questions that were asked of the memory since (`scoring`); what the scores show is told by a paired
test with its sample size (`stats`). Few pairs are "not enough evidence", whatever they show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from yiku.core.errors import InvalidSkill, YikuError
from yiku.core.ids import PassageId
from yiku.core.memory import Filter, Json
from yiku.core.model import Usage
from yiku.core.ports import LanguageModel
from yiku.core.skill import MemorySkill, SkillType, Trial
from yiku.core.tenant import Actor
from yiku.memory import search
from yiku.memory.skills import executor, query, scoring, stats
from yiku.memory.skills.details import answers
from yiku.memory.skills.executor import Refined
from yiku.memory.skills.samples import Sample
from yiku.memory.skills.scoring import Made, Probe
from yiku.memory.skills.shapes import literals
from yiku.memory.skills.shared import Skills
from yiku.memory.skills.stats import Statistic, Verdict

AT_A_TIME = 4
"""Calls of the model."""
LIMIT = 10
"""Hits of a lookup's own query."""
BESIDE = 10
"""Other memories that a question's answer is ranked among."""
BY_WORDS = 0.4
"""Weight of the words in that ranking; the rest is the cosine's."""


UNREFINED = Refined(queries=(), exact=(), problems=(), usage=Usage(), model="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one prompt made of one input."""

    made: Made | None = None
    """Of an encoding skill."""
    refined: Refined = UNREFINED
    """Of a retrieval skill."""
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialReport:
    pairs: tuple[Trial, ...]
    statistic: Statistic
    held_out: Statistic
    """Of the pairs that the Designer had not seen."""
    verdict: Verdict
    model: str
    usage: Usage
    """Of the new prompt's calls, and of the old one's where they were made for this trial."""

    def facts(self) -> dict[str, Json]:
        """For the changelog; quotes nothing."""
        return {
            "verdict": self.verdict.value,
            **facts_of(self.statistic),
            "held_out": facts_of(self.held_out),
            "min_pairs": stats.MIN_PAIRS,
            "alpha": stats.ALPHA,
            "model": self.model,
            "prompt_tokens": self.usage.prompt_tokens,
            "completion_tokens": self.usage.completion_tokens,
        }


def facts_of(found: Statistic) -> dict[str, Json]:
    return {
        "pairs": found.pairs,
        "wins": found.wins,
        "losses": found.losses,
        "ties": found.ties,
        "mean": round(found.mean, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "p_better": round(found.p_better, 6),
        "p_worse": round(found.p_worse, 6),
    }


async def trial(
    skills: Skills,
    actor: Actor,
    old: MemorySkill,
    new_template: str,
    samples: Sequence[Sample],
    *,
    model: LanguageModel,
    before: Sequence[Outcome] | None = None,
) -> TrialReport:
    """`before`: what the old prompt made of the samples, where that is known already.

    Raises: ProviderError; then nothing is known.
    """
    then = before if before is not None else await outcomes(model, old, samples)
    now = await outcomes(model, replace(old, prompt_template=new_template), samples)
    if old.skill_type is SkillType.ENCODING:
        ground = await grounds(skills, actor, samples)
        pairs = await encoded_pairs(skills, samples, ground, (then, now))
    else:
        pairs = await looked_up_pairs(skills, actor, old, samples, (then, now))
    scores = [(one.old_score, one.new_score) for one in pairs]
    unseen = [pair for pair, one in zip(scores, samples, strict=True) if not one.shown]
    found = stats.compared(scores)
    spent = [*now, *([] if before is not None else then)]
    return TrialReport(
        pairs=tuple(pairs),
        statistic=found,
        held_out=stats.compared(unseen),
        verdict=stats.verdict(found),
        model=model.model,
        usage=sum((one.usage for one in spent), Usage()),
    )


async def outcomes(
    model: LanguageModel, skill: MemorySkill, samples: Sequence[Sample]
) -> list[Outcome]:
    """What a prompt makes of each sample, in their order. Raises: ProviderError."""
    act = encoded if skill.skill_type is SkillType.ENCODING else refined
    free = asyncio.Semaphore(AT_A_TIME)

    async def one_of(sample: Sample) -> Outcome:
        async with free:
            return await act(model, skill, sample)

    tasks = [asyncio.create_task(one_of(sample)) for sample in samples]
    try:
        return list(await asyncio.gather(*tasks))
    finally:  # the first failure ends it, and no call is left behind
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def encoded(model: LanguageModel, skill: MemorySkill, one: Sample) -> Outcome:
    if one.encoding is None:
        raise AssertionError("An encoding skill is tried on encodings.")
    try:
        made = await executor.encode(
            model,
            skill,
            one.encoding.content,
            known=one.known,
            language=one.language,
            now=one.encoding.created_at,
        )
    except InvalidSkill as error:
        return Outcome(made=Made(operations=(), problems=(error.message,), texts=()))
    known = {each.id: each.text for each in one.known}
    return Outcome(
        made=Made(
            operations=made.operations,
            problems=made.problems,
            texts=scoring.texts_of(made.operations, known),
        ),
        usage=made.usage,
    )


async def refined(model: LanguageModel, skill: MemorySkill, one: Sample) -> Outcome:
    if one.lookup is None:
        raise AssertionError("A retrieval skill is tried on lookups.")
    try:
        made = await executor.refine(
            model, skill, one.lookup.query, language=one.language, now=one.lookup.created_at
        )
    except InvalidSkill as error:
        return Outcome(refined=replace(UNREFINED, problems=(error.message,)))
    return Outcome(refined=made, usage=made.usage)


async def grounds(
    skills: Skills, actor: Actor, samples: Sequence[Sample]
) -> list[dict[str, tuple[str, ...]]]:
    """Per sample and question: other memories that are found by it."""
    found: list[dict[str, tuple[str, ...]]] = []
    for one in samples:
        beside: dict[str, tuple[str, ...]] = {}
        for question in one.wanted.questions:
            ids = await hits_of(skills, actor, one, question, BESIDE + len(one.own))
            others = [text for passage_id, text in ids if passage_id not in one.own]
            beside[question] = tuple(others[:BESIDE])
        found.append(beside)
    return found


async def hits_of(
    skills: Skills, actor: Actor, one: Sample, question: str, limit: int
) -> list[tuple[PassageId, str]]:
    try:
        hits = await search.search(
            skills.memory,
            actor,
            list(one.archives),
            question,
            limit=min(limit, search.MAX_LIMIT),
        )
    except YikuError:  # the archive has gone since, or has another embedding model
        return []
    return [(hit.passage.id, hit.passage.text) for hit in hits]


async def encoded_pairs(
    skills: Skills,
    samples: Sequence[Sample],
    ground: Sequence[dict[str, tuple[str, ...]]],
    sides: tuple[Sequence[Outcome], Sequence[Outcome]],
) -> list[Trial]:
    pairs: list[Trial] = []
    for one, beside, *made in zip(samples, ground, *sides, strict=True):
        facts: list[dict[str, Json]] = []
        scores: list[float] = []
        for side in made:
            outcome = side.made or Made(operations=(), problems=(), texts=())
            probes = [
                await probe(skills, one, question, outcome.texts, others)
                for question, others in beside.items()
            ]
            sources = [each.text for each in one.known]
            score = scoring.encoding_score(one.wanted, outcome, probes, sources)
            scores.append(score)
            facts.append(scoring.encoding_facts(outcome, probes, score))
        pairs.append(pair(one, facts, scores))
    return pairs


async def probe(
    skills: Skills, one: Sample, question: str, texts: Sequence[str], others: Sequence[str]
) -> Probe:
    """Would the question find what was made, among the memories it finds today?"""
    kept = scoring.answer_kept(one.wanted, question, texts)
    if not texts:
        return Probe(question=question, place=None, kept=kept)
    memory = skills.memory
    asked = [memory.embeddable(text, ()) for text in (question, *texts, *others)]
    vectors = await memory.embedder.embed(asked, purpose="document")
    near = vectors[1:] @ vectors[0]
    worth = [
        (1 - BY_WORDS) * float(cosine) + BY_WORDS * answers(question, text)
        for cosine, text in zip(near, (*texts, *others), strict=True)
    ]
    best = max(worth[: len(texts)])
    place = 1 + sum(other > best for other in worth[len(texts) :])
    return Probe(question=question, place=place, kept=kept)


async def looked_up_pairs(
    skills: Skills,
    actor: Actor,
    old: MemorySkill,
    samples: Sequence[Sample],
    sides: tuple[Sequence[Outcome], Sequence[Outcome]],
) -> list[Trial]:
    pairs: list[Trial] = []
    for one, *made in zip(samples, *sides, strict=True):
        facts: list[dict[str, Json]] = []
        scores: list[float] = []
        for side in made:
            found = await found_with(skills, actor, old, one, side.refined)
            places = [found.index(p) + 1 if p in found else None for p in one.helped]
            score = scoring.lookup_score(places, side.refined.problems)
            scores.append(score)
            facts.append(
                {
                    "queries": list(side.refined.queries),
                    "exact": list(side.refined.exact),
                    "problems": list(side.refined.problems),
                    "places": list(places),
                    "score": round(score, 3),
                }
            )
        pairs.append(pair(one, facts, scores))
    return pairs


async def found_with(
    skills: Skills, actor: Actor, old: MemorySkill, one: Sample, made: Refined
) -> list[PassageId]:
    """What `query_memory` would put before a model, best first."""
    if one.lookup is None:
        return []
    asked = query.Asked(
        list(one.archives), one.lookup.query, LIMIT, Filter(as_of=one.lookup.created_at), "always"
    )
    exact = tuple(literals(asked.query)) if old.name == query.EXACT else ()
    try:
        hits = await query.found_by(skills, actor, asked, exact)
        more = await query.added_by(skills, actor, asked, made)
    except YikuError:  # an archive has gone since, or has another embedding model
        return []
    own = query.with_literals(hits, exact) if exact else hits.own
    return [hit.passage.id for hit in query.joined(own, more)]


def pair(one: Sample, facts: Sequence[dict[str, Json]], scores: Sequence[float]) -> Trial:
    old, new = facts
    return Trial(
        encoding_id=None if one.encoding is None else one.encoding.id,
        lookup_id=None if one.lookup is None else one.lookup.id,
        failed_before=one.failed,
        old=old,
        new={**new, "shown_to_designer": one.shown},
        old_score=scores[0],
        new_score=scores[1],
    )
