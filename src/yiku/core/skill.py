"""The nouns of memory skills: a skill and its versions, what one wrote or found, how it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from yiku.core.ids import (
    AgentId,
    ArchiveId,
    ChangelogId,
    EncodingId,
    FeedbackId,
    LookupId,
    MessageId,
    OrganizationId,
    PassageId,
    RunId,
    SkillId,
    UserId,
)
from yiku.core.language import Language
from yiku.core.memory import Json


class SkillType(StrEnum):
    ENCODING = "encoding"
    """How a memory is written."""
    RETRIEVAL = "retrieval"
    """How one is looked up."""


class SkillStatus(StrEnum):
    ACTIVE = "active"
    CANARY = "canary"
    """On trial: takes no part in production routing."""
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillDraft:
    """What a person or a file says of a skill; `template.check` says whether it can be used."""

    name: str
    skill_type: SkillType
    description: Mapping[Language, str]
    intent_keywords: tuple[str, ...]
    prompt_template: str
    """Jinja2, rendered in a sandbox. Encoding: `content`, `known`, `language`, `now`; retrieval:
    `query`, `language`, `now`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySkill:
    """One version of a skill. At most one version of a name is active, at most one a canary."""

    seq: int
    id: SkillId
    organization_id: OrganizationId
    name: str
    """Which skill it is a version of."""
    version: int
    """Counts the versions of a name, from 1."""
    skill_type: SkillType
    status: SkillStatus
    description: Mapping[Language, str]
    intent_keywords: tuple[str, ...]
    prompt_template: str
    is_base: bool
    """Made from a file that comes with Yiku or lies in the user's folder; else by the Designer or
    over the API."""
    positive_count: int
    negative_count: int
    parent_id: SkillId | None
    """The version it was made from."""
    created_at: datetime
    created_by: UserId

    @property
    def judged(self) -> int:
        return self.positive_count + self.negative_count

    @property
    def negative_rate(self) -> float:
        """0..1; 0 where nothing was judged."""
        return self.negative_count / self.judged if self.judged else 0.0


class ChangelogStatus(StrEnum):
    CANARY = "canary"
    """Waits for an administrator."""
    APPROVED = "approved"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillChangelog:
    """One change of a skill's prompt: proposed, decided, why and by whom."""

    seq: int
    id: ChangelogId
    organization_id: OrganizationId
    skill_id: SkillId
    """The version with the new prompt."""
    old_skill_id: SkillId | None
    """The version it replaces; None: the first."""
    name: str
    old_prompt: str
    new_prompt: str
    reason: str
    """The Designer's report; or who edited, rolled back and why."""
    status: ChangelogStatus
    report: Mapping[str, Json]
    """What the canary's trial showed: verdict, counts, statistic. Quotes no memory: the pairs are
    rows of their own, which go when a memory is deleted."""
    created_at: datetime
    created_by: UserId
    decided_at: datetime | None
    decided_by: UserId | None


class Op(StrEnum):
    """What a model makes of a text, against what is known."""

    ADD = "add"
    SUPERSEDE = "supersede"
    DELETE = "delete"
    """No longer true or no longer wanted: forgotten, which can be undone."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    op: Op
    text: str = ""
    """Of ADD and SUPERSEDE: the memory, in the language of the input."""
    target: PassageId | None = None
    """Of SUPERSEDE and DELETE: which known memory; of NOTHING: the one that says it already."""


class EncodingStatus(StrEnum):
    PENDING = "pending"
    """Stored as it came, marked raw; no model has seen it yet."""
    ENCODED = "encoded"
    KEPT = "kept"
    """A model has seen it, and it stays as it came: what was made of it was refused."""
    REVERTED = "reverted"
    """What a bad version wrote of it was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """One text on its way through an encoding skill; the original is kept here."""

    seq: int
    id: EncodingId
    organization_id: OrganizationId
    archive_id: ArchiveId
    skill_id: SkillId
    """The version that is to encode it, or has."""
    status: EncodingStatus
    content: str
    """The original input (secrets masked where settings say so)."""
    language: str
    raw_id: PassageId | None
    """The passage that holds it as it came."""
    agent_id: AgentId | None
    run_id: RunId | None
    message_id: MessageId | None
    """The message of the conversation it was said in."""
    tries: int
    problem: str | None
    """Why it is still pending, or was kept as it came."""
    operations: tuple[Operation, ...]
    """As they were carried out."""
    model: str | None
    prompt_tokens: int
    completion_tokens: int
    created_at: datetime
    encoded_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """One query of a `query_memory`, and what it put before the model."""

    seq: int
    id: LookupId
    organization_id: OrganizationId
    skill_id: SkillId
    """The retrieval skill's version."""
    query: str
    refined: tuple[str, ...]
    """What the skill made of it; empty: nothing else was asked."""
    agent_id: AgentId | None
    run_id: RunId | None
    call_id: str | None
    passage_ids: tuple[PassageId, ...]
    """What was found, best first."""
    created_at: datetime
    judged_at: datetime | None
    """When it was seen what became of it; None: not yet."""


class FeedbackKind(StrEnum):
    USED = "used"
    """What was said after it drew on the memory."""
    CITED = "cited"
    FORGOTTEN = "forgotten"
    CORRECTED = "corrected"
    CONTRADICTED = "contradicted"
    MISSED = "missed"
    """A question found nothing that helped, though the memory had been told."""

    @property
    def positive(self) -> bool:
        return self in (FeedbackKind.USED, FeedbackKind.CITED)


class RootCause(StrEnum):
    STORAGE = "storage"
    """What was asked for is in no memory: encoding lost it."""
    RETRIEVAL = "retrieval"
    """It is there and wasn't found."""
    QUALITY = "quality"
    """It was found and was wrong, or of no use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """One judgement on a skill version, with what shows it."""

    seq: int
    id: FeedbackId
    organization_id: OrganizationId
    skill_id: SkillId
    kind: FeedbackKind
    passage_id: PassageId | None
    encoding_id: EncodingId | None
    lookup_id: LookupId | None
    query: str | None
    evidence: Mapping[str, Json]
    """The words that show it, the overlap, the threshold."""
    key: str
    """Counted once: the same judgement has the same key."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One original input of a canary's trial: what the old prompt and the new made of it."""

    encoding_id: EncodingId | None
    lookup_id: LookupId | None
    failed_before: bool
    """It stands for a failure; else for a success."""
    old: Mapping[str, Json]
    """Operations or queries, the checks, the probe's score."""
    new: Mapping[str, Json]
    old_score: float
    """0..1."""
    new_score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillEvent:
    """Something happened to a skill: what a dashboard shows at once."""

    seq: int
    kind: str
    """`skill.added`, `skill.edited`, `canary.proposed`, `canary.approved`, `canary.rejected`,
    `skill.rolled_back`, `version.reverted`, `evolution.finished`."""
    facts: Mapping[str, Json]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What must follow a commit: a row of that commit, carried out at least once."""

    seq: int
    organization_id: OrganizationId
    kind: str
    """`encode`, `judge`, `compact`, `evolve` …: names its handler."""
    key: str
    """What it is about; jobs of one kind and key are one job."""
    payload: Mapping[str, Json] = field(default_factory=dict[str, Json])
    turn: int = 1
    """Counts how often it was asked for: a job asked for again while it is done is done again."""
    tries: int = 0
    due_at: datetime
    problem: str | None = None
    """Why its last try failed."""


@dataclass(frozen=True, slots=True)
class Again:
    """What a job's handler returns where the job is to be carried out again."""

    at: datetime
