"""Between the wire's forms and the nouns of role memory; pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from yiku.core.role import (
    Decision,
    EmbeddingRoleConfig,
    Membership,
    Move,
    Role,
    RoleScore,
    RoleVersion,
)
from yiku.memory.roles.compile import Compiled
from yiku.memory.roles.reroute import Rerouted
from yiku.memory.roles.stats import RoleStats, Summary
from yiku.server import wire, wire_roles


def changes_of(body: wire_roles.RoleEditIn) -> dict[str, Any]:
    return {
        name: getattr(body, name)
        for name in body.model_fields_set - wire.Home.model_fields.keys() - {"reason"}
    }


def config_out(config: EmbeddingRoleConfig) -> wire_roles.RoleConfigOut:
    return wire_roles.RoleConfigOut.model_validate(config.as_json())


def role_out(one: Role) -> wire_roles.RoleOut:
    about = ("archive_id", "version", "created_at", "updated_at")
    values = one.config.as_json() | {name: getattr(one, name) for name in about}
    return wire_roles.RoleOut.model_validate(values)


def roles_out(found: Sequence[Role]) -> wire_roles.RolesOut:
    return wire_roles.RolesOut(roles=[role_out(one) for one in found])


def version_out(one: RoleVersion) -> wire_roles.RoleVersionOut:
    return wire_roles.RoleVersionOut(
        version=one.version,
        config=config_out(one.config),
        at=one.at,
        by=one.by,
        reason=one.reason,
    )


def stats_out(one: RoleStats) -> wire_roles.RoleStatsOut:
    fields = wire_roles.RoleStatsOut.model_fields
    return wire_roles.RoleStatsOut(**{name: getattr(one, name) for name in fields})


def summary_out(found: Summary) -> wire_roles.RoleSummaryOut:
    return wire_roles.RoleSummaryOut(
        roles=[stats_out(one) for one in found.roles],
        memories=found.memories,
        general=found.general,
        routing_threshold=found.routing_threshold,
    )


def score_out(one: RoleScore) -> wire_roles.RoleScoreOut:
    fields = wire_roles.RoleScoreOut.model_fields.keys() - {"parts"}
    return wire_roles.RoleScoreOut.model_construct(
        **{name: getattr(one, name) for name in fields}, parts=dict(one.parts)
    )


def decision_out(one: Decision, *, kept: bool = True) -> wire_roles.DecisionOut:
    """`kept`: whether it can be asked for again."""
    return wire_roles.DecisionOut.model_construct(
        id=one.id if kept else None,
        kind=one.kind.value,
        routing=one.routing.value,
        at=one.at,
        model=one.model,
        passage_id=one.passage_id,
        conversation=one.conversation,
        chosen=list(one.chosen),
        margin=one.margin,
        scores=[score_out(score) for score in one.scores],
        roles=one.roles,
    )


def rerouted_out(one: Rerouted, position: int) -> wire_roles.RerouteOut:
    """`position`: memories it has looked at so far; the job itself counts in rows."""
    return wire_roles.RerouteOut(
        job=one.job.id,
        roles=list(one.job.roles),
        state=one.job.state.value,
        position=position,
        total=one.job.total,
        looked_at=one.looked_at,
        joined=one.joined,
        left=one.left,
    )


def memberships_out(found: Sequence[Membership]) -> list[wire.MembershipOut]:
    return [
        wire.MembershipOut(role_id=one.role_id, score=one.score, why=one.why.value, at=one.at)
        for one in found
    ]


def moves_out(newest_first: Sequence[Move]) -> list[wire.MoveOut]:
    """The oldest first, as all of a passage's history is told."""
    return [
        wire.MoveOut(
            role_id=one.role_id,
            joined=one.joined,
            why=one.why.value,
            detail=one.detail,
            at=one.at,
            by=one.by,
        )
        for one in reversed(newest_first)
    ]


def compiled_out(made: Compiled, decision: Decision | None) -> wire_roles.CompileOut:
    return wire_roles.CompileOut(
        text=made.text,
        tokens=made.tokens,
        roles=list(made.roles),
        shown=list(made.shown),
        left_out=made.left_out,
        decision=None if decision is None else decision.id,
    )
