"""What goes over the wire of our own API; requests are checked here, and nowhere else believed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from yiku.server.storable import demand_json


def in_utc(value: Any) -> Any:
    """A date alone, or a moment without a zone, is UTC; whatever its zone, it is kept in UTC."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value  # pydantic says what is wrong
    if isinstance(value, datetime):
        try:
            return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
        except OverflowError as error:
            raise ValueError("years 1 to 9999 can be kept") from error
    return value


When = Annotated[datetime, BeforeValidator(in_utc)]


def storable(value: dict[str, Any]) -> dict[str, Any]:
    demand_json(value)
    return value


Metadata = Annotated[dict[str, Any], AfterValidator(storable)]


class Wire(BaseModel):
    """A request: what we don't know is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """An answer: a client may be older than its server."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Home(Wire):
    """Which archive: by id, or by whose it is and its name."""

    archive_id: str | None = Field(default=None, description="The archive's id; or:")
    user: str = Field(default="", description="Whose memory; empty: the organization's own.")
    archive: str = Field(default="default", description="The archive's name.")


class PassageIn(Wire):
    """A text to remember, and what is known of it."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "examples": [
                {
                    "text": "我对花生过敏",
                    "speaker": "ann",
                    "at": "2026-09-03T20:15:00+08:00",
                    "tags": ["health"],
                }
            ]
        },
    )

    text: str = Field(description="Stored as given.")
    at: When | None = Field(default=None, description="When it was said; default: now.")
    speaker: str | None = Field(default=None, description="Who said it; default: the user.")
    conversation: str | None = None
    message: str | None = Field(default=None, description="The message it was said in.")
    language: str | None = Field(default=None, description="BCP 47; default: recognised.")
    tags: list[str] = []
    metadata: Metadata = {}
    valid_from: When | None = Field(default=None, description="True from; default: `at`.")
    valid_to: When | None = None
    skill_id: str | None = None
    roles: list[str] | None = Field(
        default=None,
        description="The roles it belongs to; default: it is routed; []: the general memory.",
    )


class AddIn(Home, PassageIn):
    """One passage to add."""


class BatchIn(Home):
    """Passages to add, all or none."""

    passages: list[PassageIn] = Field(max_length=1000)
    job: str | None = Field(default=None, description="Name of a resumable import.", max_length=128)
    position: int | None = Field(default=None, ge=0, description="How far the import is with this.")
    seen_position: int | None = Field(
        default=None,
        ge=0,
        description="How far it was before: refuse this if another run has brought it elsewhere.",
    )


class PassageOut(Out):
    """A stored passage."""

    id: str
    archive_id: str
    version: int = Field(
        description="Send it back as `version` to refuse a change on top of others."
    )
    text: str
    language: str
    tags: list[str]
    metadata: dict[str, Any]
    at: datetime
    created_at: datetime
    speaker: str | None
    conversation: str | None
    message: str | None
    context_id: str | None
    valid_from: datetime
    valid_to: datetime | None
    superseded_by: str | None
    skill_id: str | None
    forgotten_at: datetime | None


class AddOut(Out):
    outcome: Literal["added", "duplicate", "echo"]
    passage: PassageOut = Field(description="The passage that holds the text now.")
    roles: list[str] = Field(default=[], description="The roles it is in, the best first.")
    full: list[str] = Field(
        default=[], description="Roles it should be in, and which had no room for it."
    )
    decision: str | None = Field(
        default=None, description="Why it is in them; null: it was not routed."
    )


class BatchOut(Out):
    results: list[AddOut]


class SoughtIn(Wire):
    """What is looked for, and where."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        json_schema_extra={"examples": [{"query": "能吃什么零食?", "user": "ann", "limit": 5}]},
    )

    query: str
    limit: int = Field(default=10, ge=1, le=200)
    archive_ids: list[str] = Field(default=[], max_length=32)
    user: str = ""
    archives: list[str] = Field(default=[], max_length=32, description="Default: `default`.")
    tags: list[str] = Field(default=[], description="All of these.")
    speakers: list[str] = Field(default=[], description="Any of these.")
    conversations: list[str] = []
    messages: list[str] = []
    languages: list[str] = []
    metadata: Metadata = Field(default={}, description="Equal values; a list: any of them.")
    roles: list[str] | None = Field(
        default=None, description="In any of these roles; []: in none; default: wherever."
    )
    since: When | None = Field(default=None, description="Said at this moment or later.")
    until: When | None = Field(default=None, description="Said before this moment.")
    as_of: When | None = Field(default=None, description="True at this moment; default: now.")
    superseded: bool = Field(default=False, description="Also what is no longer true.")


class SearchIn(SoughtIn):
    """What is looked for, where, and whose context it goes into."""

    inject_into: str | None = Field(
        default=None,
        description="The conversation whose context the hits go into: their echo there is not"
        " stored as new.",
    )


class HitOut(Out):
    passage: PassageOut
    score: float = Field(description="0..1; higher is better.")
    parts: dict[str, float] = Field(description="What each signal added to the score.")
    ranks: dict[str, int] = Field(description="Place in each arm's own list, from 1.")


class SearchOut(Out):
    hits: list[HitOut]


class EditIn(Wire):
    """Fields to change; what is left out stays."""

    text: str | None = None
    language: str | None = None
    tags: list[str] | None = None
    metadata: Metadata | None = None
    at: When | None = None
    speaker: str | None = None
    valid_from: When | None = None
    valid_to: When | None = None
    reason: str | None = Field(default=None, max_length=2000)
    version: int | None = Field(default=None, description="Refuse if it has changed since.")


class SupersedeIn(PassageIn):
    reason: str | None = Field(default=None, max_length=2000)


class SupersedeOut(Out):
    outcome: Literal["added", "duplicate"] = Field(
        default="added",
        description="`duplicate`: the memory held the text already, in `new`, which takes the"
        " place.",
    )
    old: PassageOut
    new: PassageOut


class ReasonIn(Wire):
    reason: str | None = Field(default=None, max_length=2000)


class PassagesOut(Out):
    passages: list[PassageOut]
    next: str | None = Field(
        default=None, description="`after` of the next page; holds when passages are deleted."
    )


class DeleteIn(Wire):
    ids: list[str] = Field(min_length=1, max_length=1000)


class DeleteOut(Out):
    deleted: int
    ended: list[str] = Field(
        default=[],
        description="Passages that were superseded by deleted ones: they stay ended, and `undo`"
        " takes the superseding back.",
    )


class ChangeOut(Out):
    id: str | None
    action: str
    at: datetime
    by: str
    reason: str | None
    undone: bool
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class SightingOut(Out):
    kind: Literal["duplicate", "echo"]
    text: str
    at: datetime
    speaker: str | None
    conversation: str | None
    message: str | None


class MembershipOut(Out):
    """A passage in a role."""

    role_id: str
    score: float = Field(description="0..1, as it was when the passage came.")
    why: str = Field(description="How it came: routed, given, corrected, rerouted or undone.")
    at: datetime


class MoveOut(Out):
    """A passage came to a role, or left it."""

    role_id: str
    joined: bool
    why: str = Field(description="routed, given, corrected, rerouted, capacity, removed or undone.")
    detail: str | None = Field(description="The retention strategy, or the rerouting undone.")
    at: datetime
    by: str


class OriginOut(Out):
    """What a memory skill had to do with a passage."""

    op: str = Field(
        description="What it did to it: `add`, `supersede`, `delete` …; `raw`: it is the text as it"
        " came."
    )
    skill: str = Field(description="The skill's name.")
    skill_id: str
    skill_version: int
    encoding_id: str
    status: Literal["pending", "encoded", "kept", "reverted"]
    content: str = Field(description="The original text.")
    agent_id: str | None
    run_id: str | None
    message_id: str | None = Field(description="The message it was said in.")
    model: str | None
    problem: str | None
    created_at: datetime
    encoded_at: datetime | None


class HistoryOut(Out):
    passage: PassageOut
    changes: list[ChangeOut] = Field(description="The oldest first.")
    sightings: list[SightingOut] = Field(description="Repetitions that were linked to it.")
    roles: list[MembershipOut] = Field(default=[], description="The best score first.")
    moves: list[MoveOut] = Field(
        default=[], description="How it came to roles and left them, the oldest first."
    )
    origins: list[OriginOut] = Field(
        default=[],
        description="Which memory skills made it, and of what; the oldest first. Gone once a memory"
        " that was made of the same text has been deleted for good.",
    )


class ArchiveIn(Wire):
    name: str
    user: str = ""
    description: str = ""


class ArchiveEditIn(Wire):
    name: str
    description: str | None = None


class ArchiveOut(Out):
    id: str
    user: str
    name: str
    description: str
    embedding_model: str | None
    dimension: int | None
    created_at: datetime
    passages: int | None = None


class ArchivesOut(Out):
    archives: list[ArchiveOut]


class JobOut(Out):
    id: str
    position: int = Field(description="How far the import is; 0: not begun.")


class HealthOut(Out):
    status: Literal["ok"]
    version: str
    embedding_model: str


class ErrorOut(Out):
    """Every error has this form."""

    model_config = ConfigDict(extra="allow", frozen=True)

    error: str = Field(description="The error's name.")
    message: str = Field(description="What is wrong, and what would be right.")
