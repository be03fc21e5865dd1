"""The nouns of archival memory: archive, passage, hit, change, sighting."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from yiku.core.ids import (
    ArchiveId,
    ChangeId,
    DecisionId,
    OrganizationId,
    PassageId,
    SightingId,
    UserId,
)

HIDDEN = "yiku:"
"""Owners that begin so are Yiku itself: their archives are made from other rows, to search those.
Nobody lists them, or reads or writes them by name or by id."""
RECALL = f"{HIDDEN}recall"
"""Owner of the archives that messages are found in."""

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A named collection of passages. `(organization_id, owner, name)` is unique."""

    id: ArchiveId
    organization_id: OrganizationId
    owner: str
    """Whose memory this is, an end user's name; empty: the organization's own."""
    name: str
    description: str
    embedding_model: str | None
    """Which model made its vectors; None until the first passage is stored."""
    dimension: int | None
    version: int
    """Counts the changes of the archive; every changed passage carries the count of its change."""
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A passage on its way in: what the caller says about a text."""

    text: str
    at: datetime | None = None
    """When it was said; None: now."""
    speaker: str | None = None
    """Who said it."""
    conversation: str | None = None
    message: str | None = None
    """The message it was said in: an id of the caller's."""
    language: str | None = None
    """BCP 47 tag; None: recognised from the text."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    valid_from: datetime | None = None
    """From when it is true; None: from `at`."""
    valid_to: datetime | None = None
    skill_id: str | None = None
    roles: tuple[str, ...] | None = None
    """The roles it belongs to, empty: none; None: it is routed."""
    route_as: str | None = None
    """What it is routed by, where its own text means little alone; None: its text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """One stored text with all that is known of it: "a memory" to users."""

    id: PassageId
    seq: int
    """Order of storing inside one database; leaves the server in a page's cursor only."""
    organization_id: OrganizationId
    archive_id: ArchiveId
    version: int
    """The archive's version at this passage's last change."""
    text: str
    language: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Json]
    at: datetime
    created_at: datetime
    created_by: UserId
    speaker: str | None
    conversation: str | None
    message: str | None
    context_id: PassageId | None
    """The turn before it in the same conversation, which it is indexed with."""
    valid_from: datetime
    valid_to: datetime | None
    superseded_by: PassageId | None
    skill_id: str | None
    forgotten_at: datetime | None

    @property
    def forgotten(self) -> bool:
        return self.forgotten_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A passage that answered a query, and why."""

    passage: Passage
    score: float
    """Fused, 0..1; higher is better."""
    parts: Mapping[str, float]
    """What each signal added to the score: lexical, dense, speaker, conversation, date …"""
    ranks: Mapping[str, int]
    """Place, from 1, in the candidate list of each arm that found it (`lexical`, `dense`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which passages a search may find; fields are joined by and, values of one field by or."""

    tags: tuple[str, ...] = ()
    """All of these."""
    any_tags: tuple[str, ...] = ()
    """One of these at least."""
    speakers: tuple[str, ...] = ()
    conversations: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    """Equal values; a list allows any of its members."""
    since: datetime | None = None
    """Said at this moment or later."""
    until: datetime | None = None
    """Said before this moment."""
    as_of: datetime | None = None
    """True at this moment; None: now."""
    superseded: bool = False
    """Also what is no longer, or not yet, true."""
    roles: tuple[str, ...] | None = None
    """In any of these roles; none of them: the general memory alone."""


class Action(StrEnum):
    ADD = "add"
    EDIT = "edit"
    SUPERSEDE = "supersede"
    FORGET = "forget"
    UNDO = "undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of a passage's history."""

    id: ChangeId | None
    """None for the adding, which is the passage itself."""
    passage_id: PassageId
    action: Action
    at: datetime
    by: UserId
    reason: str | None
    undone: bool
    before: Mapping[str, Json] | None
    """The fields that changed, as they were."""
    after: Mapping[str, Json] | None


class SightingKind(StrEnum):
    DUPLICATE = "duplicate"
    ECHO = "echo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A text that was not stored as a passage of its own because the memory already held it."""

    id: SightingId
    passage_id: PassageId
    kind: SightingKind
    text: str
    at: datetime
    speaker: str | None
    conversation: str | None
    message: str | None


class Outcome(StrEnum):
    ADDED = "added"
    DUPLICATE = "duplicate"
    ECHO = "echo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a draft: the passage that holds it now."""

    outcome: Outcome
    passage: Passage
    roles: tuple[str, ...] = ()
    """The roles it came to."""
    full: tuple[str, ...] = ()
    """Those it should have come to, and which had no room for it."""
    decision: DecisionId | None = None
    """Why; None where there are no roles, or the caller named them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Superseded:
    """What became of a superseding: the older passage, and the one in its place."""

    outcome: Outcome
    """Whether the newer one was added, or is one that said the same already (duplicate)."""
    old: Passage
    new: Passage
