"""The Designer: a skill that fails too often gets a better prompt proposed, with evidence.

One cycle changes one skill's prompt at most, and nothing of it takes part in production: what is
saved is a canary, for an administrator to decide. All of it is saved in one transaction at the end,
so a cycle that dies leaves nothing behind, and can be run again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from yiku.core.errors import Conflict, InvalidSkill, SkillExists
from yiku.core.language import language_of
from yiku.core.memory import Json
from yiku.core.model import Usage
from yiku.core.ports import LanguageModel
from yiku.core.skill import ChangelogStatus, MemorySkill, SkillChangelog, SkillDraft, SkillStatus
from yiku.core.tenant import Actor, Scope
from yiku.memory.counted import CountedModel
from yiku.memory.skills import canary, proposal, registry, samples
from yiku.memory.skills.canary import Outcome, TrialReport
from yiku.memory.skills.designer_prompts import designer_prompt
from yiku.memory.skills.proposal import Proposal
from yiku.memory.skills.samples import Sample
from yiku.memory.skills.shared import Skills
from yiku.memory.skills.stats import Verdict
from yiku.providers.offline import HANDLE as OFFLINE
from yiku.store import changelogs, skill_events
from yiku.store import skills as rows
from yiku.store.database import Tx, demand

logger = logging.getLogger(__name__)

MIN_JUDGED = 10
"""Judgements without which nothing is said of a skill."""
NEGATIVE = 0.3
"""Share of negative ones above which it is to be mended."""
TRIES = 3
SHOWN_FAILURES = 8
SHOWN_SUCCESSES = 4
HELD_BACK = 6
"""From as many failures on, every other one is kept from the Designer, for the trial alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One active skill, and whether it is to be mended."""

    skill: MemorySkill
    why_not: str | None
    """None: it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One answer of the Designer's model, and why it isn't the one; None: it is."""

    refused: str | None
    verdict: Verdict | None = None
    """What its trial said; None: it never came to one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvolutionReport:
    """What one cycle did."""

    examined: tuple[Examined, ...]
    skill: MemorySkill | None = None
    """The one it worked on."""
    tries: tuple[Try, ...] = ()
    entry: SkillChangelog | None = None
    """A canary, or a change that was rejected because its trial says worse."""
    proposed: MemorySkill | None = None
    trial: TrialReport | None = None
    problem: str | None = None
    """Why nothing was proposed."""
    usage: Usage = field(default_factory=Usage)
    """Of the Designer's calls; the trial's are in its own report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What came of asking the Designer."""

    tries: tuple[Try, ...]
    draft: SkillDraft | None = None
    proposed: Proposal | None = None
    trial: TrialReport | None = None
    usage: Usage = field(default_factory=Usage)


async def run_evolution_cycle(
    skills: Skills, actor: Actor, *, name: str | None = None
) -> EvolutionReport:
    """Find the skill with the most failures, have a better prompt written, and try it.

    `name`: this skill only. Raises: NotAllowed, SkillNotFound, ProviderError; then nothing was
    saved.
    """
    demand(actor, Scope.ADMIN)
    examined = await examine(skills, actor, name)
    wanted = [one.skill for one in examined if one.why_not is None]
    if not wanted:
        return await finished(skills, actor, EvolutionReport(examined=examined, problem=NOTHING))
    skill = max(wanted, key=lambda one: (one.negative_count, one.negative_rate))
    report = EvolutionReport(examined=examined, skill=skill)
    thinks, works = (
        CountedModel(one, skills.database, actor)
        for one in (designer_model(skills), skills.models.get())
    )
    if OFFLINE in (thinks.model, works.model):
        return await finished(skills, actor, replace(report, problem=NO_MODEL))
    inputs = shown(await samples.gather(skills, actor, skill))
    if not any(one.failed for one in inputs):
        return await finished(skills, actor, replace(report, problem=NO_INPUTS))
    attempt = await attempted(skills, actor, skill, inputs, (thinks, works))
    report = replace(report, tries=attempt.tries, usage=attempt.usage, trial=attempt.trial)
    if attempt.draft is None:
        return await finished(skills, actor, replace(report, problem=REFUSED))
    return await saved(skills, actor, report, attempt, inputs)


NOTHING = "No skill has enough judgements, and too many negative ones."
NO_MODEL = "No language model is configured (YIKU_MODEL, DESIGNER_LLM_MODEL)."
NO_INPUTS = "None of the failures' inputs is there any more."
REFUSED = f"None of {TRIES} proposed prompts could be used."
CHANGED = "The skill was changed meanwhile; nothing was saved."


async def examine(skills: Skills, actor: Actor, name: str | None = None) -> tuple[Examined, ...]:
    """Every active skill, or the one that is named. Raises: SkillNotFound."""
    await registry.ready(skills, actor)

    def unit(tx: Tx) -> tuple[Examined, ...]:
        found = rows.all(tx) if name is None else [registry.demand_active(tx, name)]
        return tuple(Examined(skill=one, why_not=why_not(tx, one)) for one in found)

    return await skills.database.read(actor, unit)


def why_not(tx: Tx, one: MemorySkill) -> str | None:
    if one.judged < MIN_JUDGED:
        return f"judged {one.judged} times, {MIN_JUDGED} are needed"
    if one.negative_rate <= NEGATIVE:
        return f"{one.negative_rate:.0%} negative, not more than {NEGATIVE:.0%}"
    if changelogs.waiting(tx, one.name) is not None:
        return "has a canary that waits for a decision"
    return None


def designer_model(skills: Skills) -> LanguageModel:
    models = skills.designers or skills.models
    return models.get(skills.policy.designer_model)


def shown(inputs: Sequence[Sample]) -> list[Sample]:
    """Those that the Designer sees are marked."""
    failures = [n for n, one in enumerate(inputs) if one.failed]
    successes = [n for n, one in enumerate(inputs) if not one.failed]
    seen = {
        *(failures[::2] if len(failures) >= HELD_BACK else failures)[:SHOWN_FAILURES],
        *successes[::2][:SHOWN_SUCCESSES],
    }
    return [replace(one, shown=n in seen) for n, one in enumerate(inputs)]


async def attempted(
    skills: Skills,
    actor: Actor,
    skill: MemorySkill,
    inputs: Sequence[Sample],
    models: tuple[LanguageModel, LanguageModel],
) -> Attempt:
    """Ask until a prompt may be saved. `models`: what thinks, and what the skill works with.

    A prompt that can't be used, or does worse, is answered with the reason. Raises: ProviderError.
    """
    thinks, works = models
    language = language_of([one.case.input for one in inputs])
    failures = [one.case for one in inputs if one.shown and one.failed]
    successes = [one.case for one in inputs if one.shown and not one.failed]
    texts = [text for one in inputs for text in one.texts]
    refused: list[tuple[str, str]] = []
    tries: list[Try] = []
    before: Sequence[Outcome] | None = None
    attempt = Attempt(tries=())
    usage = Usage()
    while len(tries) < TRIES:
        asked = designer_prompt(skill, failures, successes, language, refused)
        answer = await thinks.complete(asked)
        usage += answer.usage
        try:
            proposed = proposal.read(answer.text)
            draft = proposal.check(skill, proposed, texts)
        except InvalidSkill as error:
            refused.append((answer.text, str(error.facts.get("plain", error.message))))
            tries.append(Try(refused=error.message))
            continue
        before = before or await canary.outcomes(works, skill, inputs)
        trial = await canary.trial(
            skills, actor, skill, draft.prompt_template, inputs, model=works, before=before
        )
        worse = trial.verdict is Verdict.WORSE
        why = told(trial) if worse else None
        tries.append(Try(refused=why, verdict=trial.verdict))
        attempt = Attempt(tries=(), draft=draft, proposed=proposed, trial=trial)
        if why is None:
            break
        refused.append((answer.text, why))
    return replace(attempt, tries=tuple(tries), usage=usage)


def told(trial: TrialReport) -> str:
    """Why a prompt is not the one, in figures alone."""
    found = trial.statistic
    return (
        f"On {found.pairs} real inputs it does {trial.verdict.value}: {found.wins} got better,"
        f" {found.losses} worse; the mean score changed by {found.mean:+.2f}."
    )


async def saved(
    skills: Skills,
    actor: Actor,
    report: EvolutionReport,
    attempt: Attempt,
    inputs: Sequence[Sample],
) -> EvolutionReport:
    """The version, its change, every pair, and the events, in one transaction."""
    old, draft, trial, proposed = report.skill, attempt.draft, attempt.trial, attempt.proposed
    if old is None or draft is None or trial is None or proposed is None:
        raise AssertionError("There is nothing to save.")
    rejected = trial.verdict is Verdict.WORSE
    texts = [text for one in inputs for text in one.texts]
    reason = reason_of(old, proposed, trial, texts)
    facts = trial.facts() | {"tries": len(attempt.tries), **tokens_of(attempt.usage)}

    def unit(tx: Tx) -> EvolutionReport:
        active = rows.active(tx, old.name)
        if active is None or active.id != old.id or changelogs.waiting(tx, old.name) is not None:
            raise Conflict(CHANGED)
        new = rows.add(
            tx,
            draft,
            status=SkillStatus.DEPRECATED if rejected else SkillStatus.CANARY,
            is_base=False,
            parent=old,
        )
        status = ChangelogStatus.REJECTED if rejected else ChangelogStatus.CANARY
        entry = changelogs.add(tx, new, old, reason=reason, status=status, report=facts)
        changelogs.add_trials(tx, entry, trial.pairs)
        done = replace(report, proposed=new, entry=entry)
        kind = "canary.rejected" if rejected else "canary.proposed"
        about = registry.facts_of(new) | {"changelog_id": entry.id, "old_skill_id": old.id}
        skill_events.add(tx, kind, about | {"verdict": trial.verdict.value})
        end(tx, done)
        return done

    try:
        return await skills.database.write(actor, unit)
    except (Conflict, SkillExists):
        return await finished(skills, actor, replace(report, problem=CHANGED))


def reason_of(
    old: MemorySkill, proposed: Proposal, trial: TrialReport, texts: Sequence[str]
) -> str:
    """The Designer's report. It outlives the memories it was made from: it may not quote them."""
    parts = [
        told(trial),
        proposal.unquoted(old.prompt_template, proposed.reason, texts),
        proposal.unquoted(old.prompt_template, proposed.analysis, texts),
    ]
    return "\n\n".join(parts)


async def finished(skills: Skills, actor: Actor, report: EvolutionReport) -> EvolutionReport:
    """A cycle that saved nothing leaves an event."""
    logger.info(
        "evolution cycle ended without a proposal",
        extra={"action": "evolution_finished"},
    )
    await skills.database.write(actor, lambda tx: end(tx, report))
    return report


def end(tx: Tx, report: EvolutionReport) -> None:
    facts: dict[str, Json] = {
        "examined": len(report.examined),
        "tries": len(report.tries),
        "problem": report.problem,
        **tokens_of(report.usage),
    }
    if report.skill is not None:
        facts |= registry.facts_of(report.skill)
    if report.entry is not None:
        facts |= {"changelog_id": report.entry.id, "status": report.entry.status.value}
    skill_events.add(tx, "evolution.finished", facts)


def tokens_of(usage: Usage) -> dict[str, Json]:
    """Of the Designer's own calls."""
    return {
        "designer_prompt_tokens": usage.prompt_tokens,
        "designer_completion_tokens": usage.completion_tokens,
    }
