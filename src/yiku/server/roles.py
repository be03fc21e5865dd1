"""Our own API: roles, where texts go, which roles speak, and what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response

from yiku.app import App
from yiku.core.errors import Invalid
from yiku.core.ids import DecisionId, PassageId
from yiku.core.role import DecisionKind, EmbeddingRoleConfig, Routing, config_of, fraction, member
from yiku.memory.roles import compile, correct, manage, reroute, route, stats, templates
from yiku.server import wire, wire_roles
from yiku.server.memory import Asks, Here, answer
from yiku.server.routing import Refusing
from yiku.server.translate import place_of
from yiku.server.translate_roles import (
    changes_of,
    compiled_out,
    config_out,
    decision_out,
    memberships_out,
    moves_out,
    rerouted_out,
    role_out,
    roles_out,
    summary_out,
    version_out,
)
from yiku.store import passages
from yiku.store.role_jobs import State

router = Refusing(
    wire.ErrorOut, (401, 403, 404, 409, 413, 422, 429, 502, 503, 507), prefix="/memory"
)
Home = Annotated[wire.Home, Depends()]

OWN_TEMPLATES = "roles"
"""Folder of the user's own templates, in the data directory."""


def folder_of(app: App) -> Path:
    return app.settings.home_dir / OWN_TEMPLATES


@router.get("/roles", response_model=wire_roles.RolesOut, tags=["roles"])
async def list_roles(app: Here, actor: Asks, home: Home) -> Response:
    """The roles of an archive, the oldest first."""
    return answer(roles_out(await manage.listed(app.memory, actor, place_of(home))))


@router.post("/roles", status_code=201, response_model=wire_roles.RolesOut, tags=["roles"])
async def add_roles(body: wire_roles.RolesIn, app: Here, actor: Asks) -> Response:
    """Make roles, described or from templates; all of them or none."""
    configs = configs_of(body, folder_of(app))
    return answer(roles_out(await manage.add(app.memory, actor, place_of(body), configs)), 201)


def configs_of(body: wire_roles.RolesIn, folder: Path) -> list[EmbeddingRoleConfig]:
    """What is described, then the templates, then the set. `folder` has the user's own templates.

    Raises: Invalid, TemplateNotFound, InvalidFile.
    """
    made = [described(place, one) for place, one in enumerate(body.roles)]
    made += [
        templates.get_role_template(name, language=body.language, folder=folder)
        for name in body.templates
    ]
    if body.template_set is not None:
        made += templates.get_role_template_set(
            body.template_set, language=body.language, folder=folder
        )
    if not made:
        raise Invalid("Give `roles`, `templates` or a `template_set`; there is none of them.")
    return made


def described(place: int, one: wire_roles.RoleIn) -> EmbeddingRoleConfig:
    """Raises: Invalid, telling which of several it is."""
    try:
        return config_of(one.model_dump(exclude_unset=True))
    except Invalid as error:
        raise Invalid(f"roles.{place}: {error.message}", **error.facts) from error


@router.get("/roles/{role_id}", response_model=wire_roles.RoleOut, tags=["roles"])
async def get_role(role_id: str, app: Here, actor: Asks, home: Home) -> Response:
    """One role."""
    return answer(role_out(await manage.shown(app.memory, actor, place_of(home), role_id)))


@router.patch("/roles/{role_id}", response_model=wire_roles.RoleOut, tags=["roles"])
async def edit_role(role_id: str, body: wire_roles.RoleEditIn, app: Here, actor: Asks) -> Response:
    """Change a role; its history keeps what was."""
    changed = await manage.edit(
        app.memory, actor, place_of(body), role_id, changes_of(body), reason=body.reason
    )
    return answer(role_out(changed))


@router.delete("/roles/{role_id}", response_model=wire_roles.RoleRemovedOut, tags=["roles"])
async def remove_role(role_id: str, app: Here, actor: Asks, home: Home) -> Response:
    """Remove a role; its memories stay, in other roles or the general memory."""
    had = await manage.remove(app.memory, actor, place_of(home), role_id)
    return answer(wire_roles.RoleRemovedOut(role_id=role_id, memories=had))


@router.get("/roles/{role_id}/history", response_model=wire_roles.RoleHistoryOut, tags=["roles"])
async def role_history(role_id: str, app: Here, actor: Asks, home: Home) -> Response:
    """The configurations a role had."""
    found = await manage.history(app.memory, actor, place_of(home), role_id)
    return answer(wire_roles.RoleHistoryOut(versions=[version_out(one) for one in found]))


@router.post("/roles/{role_id}/restore", response_model=wire_roles.RoleOut, tags=["roles"])
async def restore_role(
    role_id: str, body: wire_roles.RoleRestoreIn, app: Here, actor: Asks
) -> Response:
    """Give a role a configuration it had before, as a new version."""
    return answer(
        role_out(await manage.restore(app.memory, actor, place_of(body), role_id, body.version))
    )


@router.get("/role-stats", response_model=wire_roles.RoleSummaryOut, tags=["roles"])
async def role_stats(app: Here, actor: Asks, home: Home) -> Response:
    """What each role has and does, in figures."""
    return answer(summary_out(await stats.summary(app.memory, actor, place_of(home))))


@router.get("/role-templates", response_model=wire_roles.RoleTemplatesOut, tags=["roles"])
async def list_templates(app: Here, _: Asks) -> Response:
    """The templates there are, and the sets of them."""
    folder = folder_of(app)
    return answer(
        wire_roles.RoleTemplatesOut(
            templates=templates.template_names(folder=folder),
            sets=templates.template_sets(folder),
        )
    )


@router.get("/role-templates/{name}", response_model=wire_roles.RoleConfigOut, tags=["roles"])
async def get_template(name: str, app: Here, _: Asks, language: str = "en") -> Response:
    """One template, as the role it makes."""
    found = templates.get_role_template(name, language=language, folder=folder_of(app))
    return answer(config_out(found))


@router.post("/route", response_model=wire_roles.DecisionOut, tags=["roles"])
async def route_text(body: wire_roles.RouteIn, app: Here, actor: Asks) -> Response:
    """Where a text would go, and why; nothing is stored."""
    made = await route.route(
        app.memory,
        actor,
        place_of(body),
        body.text,
        threshold=body.threshold,
        routing=member(Routing, "routing", body.routing),
    )
    return answer(decision_out(made, kept=False))


@router.post("/gate", response_model=wire_roles.DecisionOut, tags=["roles"])
async def gate_context(body: wire_roles.GateIn, app: Here, actor: Asks) -> Response:
    """The roles a context activates, and why."""
    made = await route.gate(
        app.memory,
        actor,
        place_of(body),
        body.context,
        max_roles=body.max_roles,
        threshold=body.threshold,
        routing=member(Routing, "routing", body.routing),
        conversation=body.conversation,
    )
    return answer(decision_out(made))


@router.get("/decisions", response_model=wire_roles.DecisionsOut, tags=["roles"])
async def list_decisions(
    app: Here,
    actor: Asks,
    home: Home,
    kind: str | None = None,
    passage_id: str | None = None,
    limit: int = 50,
) -> Response:
    """Gatings, and routings of stored memories, the newest first."""
    which = route.Which(
        kind=None if kind is None else member(DecisionKind, "kind", kind),
        passage_id=None if passage_id is None else PassageId(passage_id),
        limit=limit,
    )
    found = await route.decisions_made(app.memory, actor, place_of(home), which)
    return answer(wire_roles.DecisionsOut(decisions=[decision_out(one) for one in found]))


@router.get("/decisions/{decision_id}", response_model=wire_roles.DecisionOut, tags=["roles"])
async def get_decision(decision_id: str, app: Here, actor: Asks) -> Response:
    """One decision, as it was made."""
    return answer(decision_out(await route.decision(app.memory, actor, DecisionId(decision_id))))


@router.post("/reroute", response_model=wire_roles.RerouteOut, tags=["roles"])
async def reroute_step(body: wire_roles.RerouteIn, app: Here, actor: Asks) -> Response:
    """Look at the next memories again, after roles have changed; without a job, begin."""
    fraction("threshold", body.threshold)  # before a job is begun
    routing = member(Routing, "routing", body.routing)
    job_id = body.job
    if job_id is None:
        job_id = (await reroute.begin(app.memory, actor, place_of(body), body.roles)).id
    elif body.roles:
        raise Invalid("`roles` are chosen when a rerouting begins; leave them out with a `job`.")
    made = await reroute.step(app.memory, actor, job_id, threshold=body.threshold, routing=routing)
    job = made.job
    position = job.total
    if job.state is not State.DONE:
        position = await app.database.read(
            actor, lambda tx: passages.count(tx, job.archive_id, up_to=job.position)
        )
    return answer(rerouted_out(made, position))


@router.post("/reroute/{job_id}/undo", response_model=wire_roles.RerouteUndoneOut, tags=["roles"])
async def undo_reroute(job_id: str, app: Here, actor: Asks) -> Response:
    """Take back all that a rerouting moved, unless it has moved again since."""
    moved = await reroute.undo(app.memory, actor, job_id)
    return answer(wire_roles.RerouteUndoneOut(job=job_id, moved=moved))


@router.get(
    "/passages/{passage_id}/roles", response_model=wire_roles.PassageRolesOut, tags=["roles"]
)
async def passage_roles(passage_id: str, app: Here, actor: Asks) -> Response:
    """A memory's roles, and how it came to them and left others."""
    found, moves = await correct.memory_roles(app.memory, actor, PassageId(passage_id))
    return answer(wire_roles.PassageRolesOut(roles=memberships_out(found), moves=moves_out(moves)))


@router.post(
    "/passages/{passage_id}/roles", response_model=wire_roles.MembershipsOut, tags=["roles"]
)
async def correct_roles(
    passage_id: str, body: wire_roles.CorrectIn, app: Here, actor: Asks
) -> Response:
    """Say which roles a memory belongs to, or doesn't; their experts learn from it."""
    found = await correct.correct(
        app.memory, actor, PassageId(passage_id), to=body.to, out_of=body.out_of
    )
    return answer(wire_roles.MembershipsOut(roles=memberships_out(found)))


@router.post("/compile", response_model=wire_roles.CompileOut, tags=["roles"])
async def compile_memory(body: wire_roles.CompileIn, app: Here, actor: Asks) -> Response:
    """Roles' memories, rendered for a prompt; without roles, of those the context activates."""
    where = place_of(body)
    active, decision = body.roles, None
    if active is None:
        if body.context is None:
            raise Invalid("Say whose memory: `roles`, or a `context` that activates some.")
        decision = await route.gate(
            app.memory,
            actor,
            where,
            body.context,
            max_roles=body.max_roles,
            conversation=body.conversation,
        )
        active = decision.chosen
    made = await compile.compile_roles(
        app.memory,
        actor,
        where,
        active,
        context=body.context,
        budget=body.budget,
        conversation=body.conversation,
    )
    return answer(compiled_out(made, decision))
