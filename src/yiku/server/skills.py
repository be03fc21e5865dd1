"""Our own API: memory skills, how they do, and what an administrator decides about them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.core.ids import ChangelogId, SkillId
from yiku.core.skill import FeedbackKind, SkillStatus, SkillType
from yiku.memory.skills import (
    audit,
    designer,
    encode,
    promote,
    query,
    registry,
    revert,
    schedule,
)
from yiku.server import wire
from yiku.server import wire_skills as forms
from yiku.server.memory import Asks, Here, IdempotencyKey, answer
from yiku.server.routing import Refusing
from yiku.server.translate import filter_of, passage_out, place_of
from yiku.server.translate import places_of as places_sought
from yiku.server.translate_skills import (
    before_of,
    caught_out,
    changes_of,
    changes_out,
    decided_out,
    draft_of,
    evolution_out,
    found_out,
    judgements_out,
    listed_out,
    places_of,
    preview_out,
    reverted_out,
    saved_out,
    shown_out,
    skill_out,
    stats_out,
    whole_out,
)

router = Refusing(
    wire.ErrorOut,
    (401, 403, 404, 409, 413, 422, 429, 502, 503, 507),
    prefix="/memory/skills",
    tags=["skills"],
)
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("", response_model=forms.SkillsOut)
async def list_skills(
    app: Here,
    actor: Asks,
    skill_type: SkillType | None = None,
    status: Annotated[
        list[SkillStatus] | None, Query(description="Default: active and canary.")
    ] = None,
) -> Response:
    """The memory skills there are, and files that can't be used."""
    statuses = (SkillStatus.ACTIVE, SkillStatus.CANARY) if status is None else tuple(status)
    found = await registry.listed(app.skills, actor, skill_type=skill_type, statuses=statuses)
    return answer(listed_out(found))


@router.post("", status_code=201, response_model=forms.SkillOut)
async def add_skill(body: forms.SkillIn, app: Here, actor: Asks) -> Response:
    """Add a skill, active at once. For administrators."""
    return answer(skill_out(await registry.add(app.skills, actor, draft_of(body))), 201)


@router.get("/stats", response_model=forms.SkillStatsOut)
async def skill_stats(app: Here, actor: Asks, skill: str | None = None) -> Response:
    """Each version in figures, what waits to be done, and files that can't be used."""
    return answer(stats_out(await registry.stats(app.skills, actor, skill)))


@router.get("/changelog", response_model=forms.SkillChangesOut)
async def list_changes(
    app: Here,
    actor: Asks,
    skill: str | None = None,
    before: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Limit = 50,
) -> Response:
    """How skills were changed, the newest first."""
    found = await registry.changelog(
        app.skills, actor, name=skill, before_seq=before_of(before), limit=limit + 1
    )
    return answer(changes_out(found, limit))


@router.get("/changelog/{change_id}", response_model=forms.SkillChangeWholeOut)
async def get_change(change_id: str, app: Here, actor: Asks) -> Response:
    """One change, with its report, the prompts' diff, and every pair of its trial."""
    return answer(whole_out(*await audit.entry(app.skills, actor, ChangelogId(change_id))))


@router.get("/changelog/{change_id}/preview", response_model=forms.SkillPreviewOut)
async def preview_change(change_id: str, app: Here, actor: Asks) -> Response:
    """What approving a change would do. For administrators.

    Here and in approving and rejecting, `change_id` may be a skill's name: its canary's change.
    """
    waiting = await promote.waiting_of(app.skills, actor, change_id)
    found = await promote.preview(app.skills, actor, waiting)
    return answer(preview_out(found, await audit.pairs(app.skills, actor, found.trials)))


@router.post("/changelog/{change_id}/approve", response_model=forms.SkillDecidedOut)
async def approve_change(
    change_id: str, app: Here, actor: Asks, body: forms.SkillReasonIn | None = None
) -> Response:
    """Make a canary its skill's active version. For administrators."""
    waiting = await promote.waiting_of(app.skills, actor, change_id)
    reason = body.reason if body else ""
    return answer(decided_out(await promote.approve(app.skills, actor, waiting, reason)))


@router.post("/changelog/{change_id}/reject", response_model=forms.SkillDecidedOut)
async def reject_change(
    change_id: str, app: Here, actor: Asks, body: forms.SkillReasonIn | None = None
) -> Response:
    """Deprecate a canary; what is active stays. For administrators."""
    waiting = await promote.waiting_of(app.skills, actor, change_id)
    reason = body.reason if body else ""
    return answer(decided_out(await promote.reject(app.skills, actor, waiting, reason)))


@router.post(
    "/evolve", response_model=forms.EvolutionOut, responses={202: {"model": forms.EvolveAskedOut}}
)
async def evolve(app: Here, actor: Asks, body: forms.EvolveIn | None = None) -> Response:
    """Run a cycle of the Designer, or have it run in the background. For administrators."""
    asked = body or forms.EvolveIn()
    if asked.background:
        key = await schedule.ask_later(app.skills, actor, asked.skill)
        return answer(forms.EvolveAskedOut(kind=schedule.EVOLVE, key=key), 202)
    made = await designer.run_evolution_cycle(app.skills, actor, name=asked.skill)
    return answer(evolution_out(made))


@router.post("/encode-pending", response_model=forms.EncodePendingOut)
async def encode_pending(
    app: Here, actor: Asks, body: forms.EncodePendingIn | None = None
) -> Response:
    """Encode texts that were stored while there was no model."""
    limit = (body or forms.EncodePendingIn()).limit
    return answer(caught_out(await encode.encode_pending(app.skills, actor, limit)))


@router.post("/save", status_code=201, response_model=forms.SkillSavedOut)
async def save(
    body: forms.SkillSaveIn, app: Here, actor: Asks, idempotency_key: IdempotencyKey = None
) -> Response:
    """Remember a text by a skill: it is stored as it came, and encoded after that."""
    saved = await encode.save(
        app.skills,
        actor,
        place_of(body),
        body.content,
        skill_name=body.skill,
        tags=body.tags,
        key=idempotency_key,
    )
    return answer(saved_out(saved), 201)


@router.post("/query", response_model=forms.SkillFoundOut)
async def query_memory(body: forms.SkillQueryIn, app: Here, actor: Asks) -> Response:
    """Find memories by the skill that fits the query."""
    found = await query.query_memory(
        app.skills,
        actor,
        places_sought(body),
        body.query,
        body.limit,
        filter=filter_of(body),
        refine=body.refine,
    )
    return answer(found_out(found))


@router.post("/forget", response_model=wire.PassageOut)
async def forget_memory(body: forms.SkillForgetIn, app: Here, actor: Asks) -> Response:
    """Forget a memory; it counts against the skills that wrote it and found it."""
    gone = await query.forget_memory(
        app.skills, actor, places_of(body), body.memory, reason=body.reason
    )
    return answer(passage_out(gone))


@router.get("/{skill}", response_model=forms.SkillShownOut)
async def get_skill(skill: str, app: Here, actor: Asks) -> Response:
    """A skill with its versions, by its name or the id of one of them."""
    return answer(shown_out(await registry.show(app.skills, actor, skill)))


@router.patch("/{skill}", response_model=forms.SkillOut)
async def edit_skill(skill: str, body: forms.SkillEditIn, app: Here, actor: Asks) -> Response:
    """Change a skill by its name: a new version, active at once. For administrators."""
    changes = changes_of(body, skill)
    edited = await registry.edit(app.skills, actor, skill, changes, body.reason)
    return answer(skill_out(edited))


@router.get("/{skill}/feedback", response_model=forms.SkillFeedbacksOut)
async def skill_feedback(
    skill: str,
    app: Here,
    actor: Asks,
    kind: Annotated[list[FeedbackKind] | None, Query(description="Default: all.")] = None,
    before: Annotated[str | None, Query(description="`next` of the page before.")] = None,
    limit: Limit = 50,
) -> Response:
    """Judgements on a version, each with what shows it. A name stands for the active version."""
    version, found = await audit.judgements(
        app.skills, actor, skill, kinds=kind, before_seq=before_of(before), limit=limit + 1
    )
    return answer(judgements_out(version, found, limit))


@router.post("/{skill}/rollback", response_model=forms.SkillDecidedOut)
async def rollback_skill(
    skill: str, app: Here, actor: Asks, body: forms.SkillReasonIn | None = None
) -> Response:
    """Make the version before the active one active again: one step. For administrators."""
    reason = body.reason if body else ""
    return answer(decided_out(await promote.rollback(app.skills, actor, skill, reason)))


@router.post("/{skill}/revert", response_model=forms.RevertedOut)
async def revert_version(
    skill: str, app: Here, actor: Asks, body: forms.RevertIn | None = None
) -> Response:
    """Take back what a version, named by its id, wrote. For administrators.

    Asked again, it goes on where it ended.
    """
    mode = (body or forms.RevertIn()).mode
    made = await revert.revert_version(app.skills, actor, SkillId(skill), mode)
    return answer(reverted_out(made))


@router.post("/{skill}/revert/undo", response_model=forms.RevertedOut)
async def undo_revert(skill: str, app: Here, actor: Asks) -> Response:
    """Take the reverting of a version back: what it wrote stands again. For administrators."""
    made = await revert.restore_version(app.skills, actor, SkillId(skill))
    return answer(reverted_out(made))
