"""What goes over the wire about roles; the core checks values, and says what is allowed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from yiku.server.wire import Home, MembershipOut, MoveOut, Out, Wire

MAX_ROLES = 2_000


def example(**values: Any) -> ConfigDict:
    """A request's configuration, with an example for the description of the API."""
    return ConfigDict(extra="forbid", frozen=True, json_schema_extra={"examples": [values]})


class RoleIn(Wire):
    """A role as somebody describes it; what is left out has the core's default."""

    role_id: str = Field(description="Letters, digits, `_`, `-` and `.`; unique in its archive.")
    role_type: str = Field(
        default="custom", description="personal, professional, technical, creative or custom."
    )
    role_name: str = Field(default="", description="For people; empty: the `role_id`.")
    role_description: str = Field(description="What the role is about; a line for each language.")
    keywords: list[str] = Field(default=[], description="Words of its field, in any language.")
    examples: list[str] = Field(
        default=[], description="Texts that belong to the role, as people say them."
    )
    activation_threshold: float = Field(
        default=0.4, description="Score, 0..1, from which a context activates the role."
    )
    max_memory_size: int = Field(
        default=100, description="Memories it keeps; more go back to the general memory."
    )
    memory_retention_strategy: str = Field(
        default="semantic", description="semantic, recency, importance or usage."
    )


class RolesIn(Home):
    """Roles to make, all or none: described, from templates, from a set of templates."""

    model_config = example(
        user="ann",
        roles=[
            {
                "role_id": "data_scientist",
                "role_type": "technical",
                "role_name": "数据科学家",
                "role_description": "专注于数据分析、机器学习、统计建模和数据可视化的专业角色",
                "keywords": ["数据", "分析", "机器学习", "统计", "模型"],
            }
        ],
        templates=["personal_assistant"],
    )

    roles: list[RoleIn] = Field(default=[], max_length=MAX_ROLES)
    templates: list[str] = Field(default=[], description="Names of templates.")
    template_set: str | None = Field(default=None, description="A set of templates, such as `all`.")
    language: str = Field(default="en", description="Which language templates name their roles in.")


class RoleEditIn(Home):
    """Fields of a role to change; what is left out stays."""

    model_config = example(user="ann", activation_threshold=0.5, reason="it spoke too often")

    role_type: str | None = None
    role_name: str | None = None
    role_description: str | None = None
    keywords: list[str] | None = None
    examples: list[str] | None = None
    activation_threshold: float | None = None
    max_memory_size: int | None = None
    memory_retention_strategy: str | None = None
    reason: str | None = Field(default=None, max_length=2000)


class RoleRestoreIn(Home):
    version: int = Field(description="A version of the role's history.")


class RoleConfigOut(Out):
    """A role's configuration."""

    role_id: str
    role_type: str
    role_name: str
    role_description: str
    keywords: list[str]
    examples: list[str]
    activation_threshold: float
    max_memory_size: int
    memory_retention_strategy: str


class RoleOut(RoleConfigOut):
    """A role of an archive."""

    archive_id: str
    version: int = Field(description="Counts its configurations, from 1.")
    created_at: datetime
    updated_at: datetime


class RolesOut(Out):
    roles: list[RoleOut] = Field(description="The oldest first.")


class RoleVersionOut(Out):
    version: int
    config: RoleConfigOut
    at: datetime
    by: str
    reason: str | None


class RoleHistoryOut(Out):
    versions: list[RoleVersionOut] = Field(description="The newest first.")


class RoleRemovedOut(Out):
    role_id: str
    memories: int = Field(description="How many it had; they stay.")


class RoleTemplatesOut(Out):
    templates: list[str] = Field(description="The user's own first.")
    sets: dict[str, list[str]] = Field(description="By name of the set, the templates in it.")


class RoleStatsOut(Out):
    """One role in figures."""

    role_id: str
    role_name: str
    memories: int
    max_memory_size: int
    last_routed: datetime | None = Field(description="When its newest memory came.")
    mean_margin: float | None = Field(
        description="How far its memories' scores are over the routing threshold, on average."
    )
    considered: int = Field(description="Gatings it was compared in.")
    gated: int = Field(description="Those that chose it.")
    last_gated: datetime | None
    activation_threshold: float
    learned_from: int = Field(description="Accepted memories its expert learned from.")
    drift: float = Field(description="How far they moved its centroid: 1 - cosine, 0..2.")


class RoleSummaryOut(Out):
    """All roles of an archive in figures."""

    roles: list[RoleStatsOut]
    memories: int = Field(description="All of the archive's, in roles or not.")
    general: int = Field(description="Those of no role.")
    routing_threshold: float


class RouteIn(Home):
    """A text, and how strictly its roles are chosen."""

    model_config = example(user="ann", text="周五交付季度模型")

    text: str
    threshold: float = Field(default=0.3, description="Score, 0..1, from which a role is chosen.")
    routing: str = Field(default="experts", description="experts, or cosine: the baseline.")


class GateIn(Home):
    """A context, and how many roles may speak in it."""

    model_config = example(user="ann", context="How is the quarterly model doing?", max_roles=2)

    context: str = Field(description="Of more than 2,000 characters the end decides.")
    max_roles: int = 3
    threshold: float | None = Field(
        default=None, description="In place of each role's own `activation_threshold`."
    )
    routing: str = Field(default="experts", description="experts, or cosine: the baseline.")
    conversation: str | None = None


class RoleScoreOut(Out):
    """How one role took a text."""

    role_id: str
    role_name: str
    score: float = Field(description="Calibrated, 0..1.")
    raw: float = Field(description="Before calibration.")
    threshold: float
    chosen: bool
    reason: str = Field(description="Why it was chosen, or why not.")
    parts: dict[str, float] = Field(
        description="What description, keywords, examples, learned, words and competition added"
        " to `raw`; empty for `cosine`."
    )
    nearest: str | None = Field(description="The role's own phrase that is nearest to the text.")


class DecisionOut(Out):
    """Which roles were chosen for a text, and why."""

    id: str | None = Field(
        description="To ask for it again; null: it was only asked for, and isn't kept."
    )
    kind: Literal["route", "gate"]
    routing: str
    at: datetime
    model: str = Field(description="The embedding model it rests on.")
    passage_id: str | None
    conversation: str | None
    chosen: list[str] = Field(description="Best first; empty: the general memory.")
    margin: float = Field(description="Score of the best role less its threshold.")
    scores: list[RoleScoreOut] = Field(
        description="Best first; of more than 32 roles, a kept decision has 32."
    )
    roles: int = Field(description="How many roles were compared.")


class DecisionsOut(Out):
    decisions: list[DecisionOut] = Field(description="The newest first.")


class RerouteIn(Home):
    """A rerouting to begin, or to go on with."""

    model_config = example(user="ann", roles=["data_scientist"])

    job: str | None = Field(default=None, description="One that is going on; null: begin one.")
    roles: list[str] = Field(default=[], description="To begin with: only these; empty: all.")
    threshold: float = Field(default=0.3, description="Score, 0..1, from which a role claims.")
    routing: str = Field(default="experts", description="experts, or cosine: the baseline.")


class RerouteOut(Out):
    """How far a rerouting has come, and what this step did."""

    job: str
    roles: list[str] = Field(description="Those it is about; empty: all.")
    state: Literal["running", "done", "undone"]
    position: int = Field(description="Memories looked at so far.")
    total: int = Field(description="Memories there were when it began.")
    looked_at: int = Field(description="In this step.")
    joined: int = Field(description="Came to roles in this step.")
    left: int = Field(description="Left roles in this step.")


class RerouteUndoneOut(Out):
    job: str
    moved: int = Field(description="Moves that were taken back.")


class CorrectIn(Wire):
    """Where a memory belongs, and where it doesn't."""

    model_config = example(to=["data_scientist"], out_of=["personal_assistant"])

    to: list[str] = Field(default=[], description="Roles it belongs to.")
    out_of: list[str] = Field(default=[], description="Roles it doesn't belong to.")


class MembershipsOut(Out):
    roles: list[MembershipOut] = Field(description="The best score first.")


class PassageRolesOut(MembershipsOut):
    """A memory's roles, and how it came to them and left others."""

    moves: list[MoveOut] = Field(description="The oldest first.")


class CompileIn(Home):
    """Roles whose memories are to be rendered for a prompt, or a context that activates some."""

    model_config = example(user="ann", context="How is the quarterly model doing?", budget=800)

    roles: list[str] | None = Field(
        default=None, description="Default: those that `context` activates."
    )
    context: str | None = Field(default=None, description="What the memories are to matter to.")
    budget: int = Field(default=2_000, description="Tokens, estimated.")
    max_roles: int = Field(default=3, description="Roles a context activates at most.")
    conversation: str | None = Field(
        default=None,
        description="Whose context the text goes into: echoes of it there are not stored as new.",
    )


class CompileOut(Out):
    text: str
    tokens: int = Field(description="Estimated; at most the budget.")
    roles: list[str]
    shown: list[str] = Field(description="Ids of the passages in it, in order.")
    left_out: int = Field(description="Memories that were considered and had no room.")
    decision: str | None = Field(description="Of the gating; null: the roles were given.")
