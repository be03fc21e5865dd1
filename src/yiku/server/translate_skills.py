"""Between the wire's forms and the nouns of memory skills; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from yiku.core.errors import Invalid, InvalidSkill
from yiku.core.ids import ArchiveId
from yiku.core.skill import Encoding, Job, MemorySkill, SkillChangelog, SkillDraft, SkillEvent
from yiku.memory.archival import Place
from yiku.memory.skills import files
from yiku.memory.skills.audit import Judged, Pair
from yiku.memory.skills.designer import EvolutionReport
from yiku.memory.skills.encode import Caught, Saved
from yiku.memory.skills.promote import Decided, Preview, diff_of
from yiku.memory.skills.query import Found
from yiku.memory.skills.registry import CHANGEABLE, Counted, Listed, Shown, Stats
from yiku.memory.skills.revert import Reverted
from yiku.server import wire_skills as wire
from yiku.server.translate import CURSOR, hit_out, passage_out


def draft_of(body: wire.SkillIn) -> SkillDraft:
    """Raises: InvalidSkill, Invalid."""
    others = body.model_fields_set - {"file"}
    if body.file is not None:
        if others:
            raise Invalid(f"`file` is the whole skill; leave out `{min(others)}`.")
        return files.parse(body.file)
    needed = ("name", "skill_type", "description", "prompt_template")
    missing = [name for name in needed if getattr(body, name) is None]
    if missing or body.skill_type is None:
        raise InvalidSkill(f"A memory skill needs `{missing[0]}`; or give its `file`.")
    return SkillDraft(
        name=body.name or "",
        skill_type=body.skill_type,
        description=description_of(body.description),
        intent_keywords=tuple(body.intent_keywords),
        prompt_template=body.prompt_template or "",
    )


def description_of(value: Any) -> Any:
    """By language; one text is in the language it is written in. Raises: InvalidSkill."""
    return files.description_of(value, 1, "")


def changes_of(body: wire.SkillEditIn, name: str) -> dict[str, Any]:
    """Raises: InvalidSkill, Invalid."""
    given = {one: value for one in CHANGEABLE if (value := getattr(body, one)) is not None}
    if body.file is not None:
        if given:
            raise Invalid(f"`file` is the whole skill; leave out `{min(given)}`.")
        draft = files.parse(body.file)
        if draft.name != name:
            raise InvalidSkill(
                f"The file is of the skill {draft.name!r}, not of {name!r:.80}.", name=draft.name
            )
        return {one: getattr(draft, one) for one in CHANGEABLE}
    if "description" in given:
        given["description"] = description_of(given["description"])
    if "intent_keywords" in given:
        given["intent_keywords"] = tuple(given["intent_keywords"])
    return given


def before_of(cursor: str | None) -> int | None:
    """Raises: Invalid."""
    if cursor is None:
        return None
    found = CURSOR.fullmatch(cursor)
    if found is None:
        raise Invalid("`before` is the `next` of a page before.")
    return int(found[1])


def paged(found: Sequence[Any], limit: int) -> tuple[Sequence[Any], str | None]:
    """A page, of one row more than it has; and where the next one begins."""
    page = found[:limit]
    return page, f"{page[-1].id}~{page[-1].seq}" if len(found) > limit else None


def places_of(body: wire.SkillForgetIn) -> list[Place | ArchiveId]:
    places: list[Place | ArchiveId] = [ArchiveId(one) for one in body.archive_ids]
    places += [Place(body.user, name) for name in body.archives]
    return places or [Place(body.user)]


def fields_of(form: type[wire.Out], one: object, **others: Any) -> dict[str, Any]:
    """The form's fields, taken from what has the same names, or given."""
    taken = form.model_fields.keys() - others.keys()
    return {name: getattr(one, name) for name in taken} | others


def skill_out(one: MemorySkill) -> wire.SkillOut:
    return wire.SkillOut(
        **fields_of(
            wire.SkillOut,
            one,
            skill_type=one.skill_type.value,
            status=one.status.value,
            description=dict(one.description),
            intent_keywords=list(one.intent_keywords),
        )
    )


def skill_or_none(one: MemorySkill | None) -> wire.SkillOut | None:
    return None if one is None else skill_out(one)


def listed_out(found: Listed) -> wire.SkillsOut:
    return wire.SkillsOut(
        skills=[skill_out(one) for one in found.skills], problems=list(found.problems)
    )


def change_out(one: SkillChangelog) -> wire.SkillChangeOut:
    return wire.SkillChangeOut(**change_fields(one))


def change_fields(one: SkillChangelog) -> dict[str, Any]:
    return fields_of(wire.SkillChangeOut, one, status=one.status.value, report=dict(one.report))


def shown_out(found: Shown) -> wire.SkillShownOut:
    return wire.SkillShownOut(
        name=found.versions[0].name,
        active=skill_or_none(found.active),
        versions=[skill_out(one) for one in found.versions],
        waiting=None if found.waiting is None else change_out(found.waiting),
    )


def changes_out(found: Sequence[SkillChangelog], limit: int) -> wire.SkillChangesOut:
    page, following = paged(found, limit)
    return wire.SkillChangesOut(changes=[change_out(one) for one in page], next=following)


def pair_out(one: Pair) -> wire.SkillPairOut:
    trial = one.trial
    return wire.SkillPairOut(
        **fields_of(
            wire.SkillPairOut,
            trial,
            original=one.original,
            old=dict(trial.old),
            new=dict(trial.new),
        )
    )


def whole_out(entry: SkillChangelog, pairs: Sequence[Pair]) -> wire.SkillChangeWholeOut:
    return wire.SkillChangeWholeOut(
        **change_fields(entry), diff=diff_of(entry), pairs=[pair_out(one) for one in pairs]
    )


def preview_out(found: Preview, pairs: Sequence[Pair]) -> wire.SkillPreviewOut:
    return wire.SkillPreviewOut(
        change=whole_out(found.entry, pairs),
        old=skill_or_none(found.old),
        new=skill_out(found.new),
        obstacle=found.obstacle,
    )


def decided_out(one: Decided) -> wire.SkillDecidedOut:
    return wire.SkillDecidedOut(
        change=change_out(one.entry),
        active=skill_or_none(one.active),
        other=skill_out(one.other),
    )


def counted_out(one: Counted) -> wire.SkillCountsOut:
    return wire.SkillCountsOut(
        skill=skill_out(one.skill),
        feedback=by_value(one.feedback),
        encodings=by_value(one.encodings),
    )


def by_value(counts: Mapping[Any, int]) -> dict[str, int]:
    return {kind.value: number for kind, number in counts.items()}


def job_out(one: Job) -> wire.SkillJobOut:
    return wire.SkillJobOut(**fields_of(wire.SkillJobOut, one))


def stats_out(found: Stats) -> wire.SkillStatsOut:
    return wire.SkillStatsOut(
        versions=[counted_out(one) for one in found.versions],
        jobs=[job_out(one) for one in found.jobs],
        problems=list(found.problems),
    )


def judged_out(one: Judged) -> wire.SkillFeedbackOut:
    found = one.feedback
    return wire.SkillFeedbackOut(
        **fields_of(
            wire.SkillFeedbackOut,
            found,
            kind=found.kind.value,
            positive=found.kind.positive,
            memory=one.memory,
            original=one.original,
            evidence=dict(found.evidence),
        )
    )


def judgements_out(
    skill: MemorySkill, found: Sequence[Judged], limit: int
) -> wire.SkillFeedbacksOut:
    _, following = paged([one.feedback for one in found], limit)
    return wire.SkillFeedbacksOut(
        skill=skill_out(skill),
        feedback=[judged_out(one) for one in found[:limit]],
        next=following,
    )


def evolution_out(one: EvolutionReport) -> wire.EvolutionOut:
    return wire.EvolutionOut(
        examined=[
            wire.SkillExaminedOut(
                name=each.skill.name,
                skill_id=each.skill.id,
                version=each.skill.version,
                positive_count=each.skill.positive_count,
                negative_count=each.skill.negative_count,
                why_not=each.why_not,
            )
            for each in one.examined
        ],
        skill=skill_or_none(one.skill),
        tries=[
            wire.SkillTryOut(
                refused=each.refused, verdict=None if each.verdict is None else each.verdict.value
            )
            for each in one.tries
        ],
        change=None if one.entry is None else change_out(one.entry),
        proposed=skill_or_none(one.proposed),
        problem=one.problem,
        prompt_tokens=one.usage.prompt_tokens,
        completion_tokens=one.usage.completion_tokens,
    )


def reverted_out(one: Reverted) -> wire.RevertedOut:
    return wire.RevertedOut(
        skill=skill_out(one.skill),
        done=one.done,
        again=one.again,
        left=[wire.RevertLeftOut(encoding_id=each.encoding_id, why=each.why) for each in one.left],
    )


def caught_out(one: Caught) -> wire.EncodePendingOut:
    return wire.EncodePendingOut(**fields_of(wire.EncodePendingOut, one))


def encoding_out(one: Encoding) -> wire.EncodingOut:
    operations = [
        wire.SkillOperationOut(op=each.op.value, text=each.text, target=each.target)
        for each in one.operations
    ]
    return wire.EncodingOut(
        **fields_of(wire.EncodingOut, one, status=one.status.value, operations=operations)
    )


def saved_out(one: Saved) -> wire.SkillSavedOut:
    return wire.SkillSavedOut(
        outcome=one.outcome.value,
        passage=passage_out(one.passage),
        encoding=None if one.encoding is None else encoding_out(one.encoding),
        masked=[kind.value for kind in one.masked],
        may_supersede=[passage_out(each) for each in one.may_supersede],
    )


def found_out(one: Found) -> wire.SkillFoundOut:
    return wire.SkillFoundOut(
        hits=[hit_out(hit) for hit in one.hits],
        skill_id=one.skill.id,
        skill=one.skill.name,
        why=one.why,
        literals=list(one.literals),
        refined=list(one.refined),
    )


def event_out(one: SkillEvent) -> wire.SkillEventOut:
    return wire.SkillEventOut(id=one.seq, event=one.kind, facts=dict(one.facts), at=one.at)
