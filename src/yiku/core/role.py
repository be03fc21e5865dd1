"""The nouns of role memory: role, its configuration, and the decisions about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar, cast

from yiku.core.errors import Invalid
from yiku.core.ids import ArchiveId, DecisionId, OrganizationId, PassageId, RoleKey, UserId
from yiku.core.memory import Json

E = TypeVar("E", bound=StrEnum)

ROLE_ID = re.compile(r"[\w][\w.-]{0,63}")
MAX_DESCRIPTION = 4_000
MAX_PHRASES = 200
MAX_PHRASE = 500
MAX_MEMORIES = 1_000_000
MAKE_SOME = "`yiku role add --set personal_assistant_set` makes some."
"""What errors tell whose archive has no roles."""


class RoleType(StrEnum):
    """What kind of expert a role is: for people and for the prompt; it decides nothing."""

    PERSONAL = "personal"
    PROFESSIONAL = "professional"
    TECHNICAL = "technical"
    CREATIVE = "creative"
    CUSTOM = "custom"


class Retention(StrEnum):
    """Which memories leave a role that is full."""

    SEMANTIC = "semantic"
    """Those least related to the role, and most redundant among its own."""
    RECENCY = "recency"
    """Those said longest ago."""
    IMPORTANCE = "importance"
    """Those of the lowest `importance` in their metadata; without one, of the lowest score."""
    USAGE = "usage"
    """Those shown least."""


class Routing(StrEnum):
    """How a text is compared with roles."""

    EXPERTS = "experts"
    """Prototypes, words and what was accepted, calibrated: the default."""
    COSINE = "cosine"
    """The cosine of text and description: the definition, and the baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRoleConfig:
    """A role as somebody describes it.

    `role_description` may have several lines, one a language: each is compared on its own.

    Raises: Invalid, naming the field and what it may be.
    """

    role_id: str
    role_type: RoleType = RoleType.CUSTOM
    role_name: str = ""
    """For people; empty: the `role_id`."""
    role_description: str
    keywords: Sequence[str] = ()
    examples: Sequence[str] = ()
    """Texts that belong to the role, as people say them."""
    activation_threshold: float = 0.4
    """Calibrated score, 0..1, from which a context activates the role."""
    max_memory_size: int = 100
    """Memories it keeps; more go back to the general memory."""
    memory_retention_strategy: Retention = Retention.SEMANTIC

    def __post_init__(self) -> None:
        put = object.__setattr__  # the only way in a frozen class
        put(self, "role_id", text_of("role_id", self.role_id, 64))
        if not ROLE_ID.fullmatch(self.role_id):
            raise wrong("role_id", "letters, digits, `_`, `-` and `.`, 64 at most", self.role_id)
        put(self, "role_type", member(RoleType, "role_type", self.role_type))
        put(self, "role_name", text_of("role_name", self.role_name, 200) or self.role_id)
        description = text_of("role_description", self.role_description, MAX_DESCRIPTION)
        if not description:
            raise wrong("role_description", "a text that says what the role is about", "")
        put(self, "role_description", description)
        put(self, "keywords", phrases("keywords", self.keywords))
        put(self, "examples", phrases("examples", self.examples))
        put(
            self,
            "activation_threshold",
            fraction("activation_threshold", self.activation_threshold),
        )
        size: Any = self.max_memory_size
        if not isinstance(size, int) or isinstance(size, bool) or not 1 <= size <= MAX_MEMORIES:
            raise wrong("max_memory_size", f"a whole number from 1 to {MAX_MEMORIES:,}", size)
        strategy = member(Retention, "memory_retention_strategy", self.memory_retention_strategy)
        put(self, "memory_retention_strategy", strategy)

    def changed(self, changes: Mapping[str, Any]) -> EmbeddingRoleConfig:
        """Raises: Invalid."""
        unknown = changes.keys() - {f.name for f in fields(self)}
        if unknown:
            raise Invalid(f"A role has no {', '.join(sorted(unknown))}; it has {FIELDS}.")
        return replace(self, **changes)

    def as_json(self) -> dict[str, Json]:
        values: dict[str, Json] = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**values, "keywords": [*self.keywords], "examples": [*self.examples]}


FIELDS = ", ".join(f.name for f in fields(EmbeddingRoleConfig))


def config_of(values: Mapping[str, Any]) -> EmbeddingRoleConfig:
    """A configuration as a file or a row holds it. Raises: Invalid."""
    unknown = values.keys() - {f.name for f in fields(EmbeddingRoleConfig)}
    if unknown:
        raise Invalid(f"A role has no {', '.join(sorted(unknown))}; it has {FIELDS}.")
    missing = [name for name in ("role_id", "role_description") if name not in values]
    if missing:
        raise Invalid(f"A role needs {' and '.join(missing)}.")
    return EmbeddingRoleConfig(**values)


def wrong(name: str, allowed: str, got: object) -> Invalid:
    shown = f"{got!r:.80}" if got != "" else "nothing"
    return Invalid(f"`{name}` is {allowed}, not {shown}.", field=name)


def text_of(name: str, value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise wrong(name, "a text", value)
    value = value.strip()
    if len(value) > longest:
        raise Invalid(f"`{name}` is {len(value):,} characters long; {longest:,} are allowed.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"`{name}` holds half a character (a lone surrogate).", field=name) from error
    if "\0" in value:
        raise Invalid(f"`{name}` holds a NUL character.", field=name)
    return value


def phrases(name: str, values: Any) -> tuple[str, ...]:
    """Each once, in order."""
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise wrong(name, "a list of texts", values)
    given = cast("Sequence[Any]", values)
    if len(given) > MAX_PHRASES:
        raise Invalid(f"`{name}` has {len(given)} entries; {MAX_PHRASES} are allowed.", field=name)
    found = (text_of(name, one, MAX_PHRASE) for one in given)
    return tuple(dict.fromkeys(one for one in found if one))


def fraction(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise wrong(name, "a number from 0 to 1", value)
    return float(value)


def member(kind: type[E], name: str, value: Any) -> E:
    try:
        return kind(value)
    except ValueError as error:
        raise wrong(name, " or ".join(f'"{one}"' for one in kind), value) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of an archive, as it is stored. `(archive_id, role_id)` is unique."""

    key: RoleKey
    organization_id: OrganizationId
    archive_id: ArchiveId
    version: int
    """Counts its configurations, from 1."""
    config: EmbeddingRoleConfig
    created_at: datetime
    updated_at: datetime

    @property
    def role_id(self) -> str:
        return self.config.role_id


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleVersion:
    """One configuration a role had."""

    version: int
    config: EmbeddingRoleConfig
    at: datetime
    by: UserId
    reason: str | None


class Why(StrEnum):
    """How a memory came to a role, or left it."""

    ROUTED = "routed"
    """Its score reached the threshold when it was stored."""
    GIVEN = "given"
    """The caller named the role."""
    CORRECTED = "corrected"
    """Somebody said that it belongs there, or doesn't."""
    REROUTED = "rerouted"
    """Its score was looked at again, after the role had changed or come."""
    CAPACITY = "capacity"
    """The role was full."""
    REMOVED = "removed"
    """The role was removed."""
    UNDONE = "undone"
    """A rerouting was taken back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A memory in a role."""

    role_id: str
    passage_id: PassageId
    score: float
    why: Why
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A memory came to a role or left it."""

    role_id: str
    passage_id: PassageId
    joined: bool
    why: Why
    detail: str | None
    """The retention strategy, or whose decision it was."""
    at: datetime
    by: UserId


class DecisionKind(StrEnum):
    ROUTE = "route"
    GATE = "gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleUse:
    """How a run uses role memory, where it isn't as usual."""

    max_active: int
    """Roles that a message opens at most."""
    budget: int
    """Tokens for what they remember."""
    threshold: float
    """Calibrated score, 0..1, from which a memory belongs to a role."""
    routing: Routing


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleScore:
    """How one role took a text."""

    role_id: str
    role_name: str
    score: float
    """Calibrated, 0..1: means the same for every role, language and embedding model."""
    raw: float
    """Before calibration."""
    threshold: float
    chosen: bool
    reason: str
    """Why it was chosen, or why not."""
    parts: Mapping[str, float] = field(default_factory=dict[str, float])
    """What description, keywords, examples, learned, words and competition added to `raw`."""
    nearest: str | None = None
    """The role's own phrase that is nearest to the text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which roles were chosen for a text, and why."""

    id: DecisionId
    kind: DecisionKind
    routing: Routing
    at: datetime
    model: str
    """Of the embeddings it rests on."""
    passage_id: PassageId | None
    conversation: str | None
    chosen: tuple[str, ...]
    """Role ids, best first; empty: the general memory."""
    margin: float
    """Score of the best role less its threshold: negative where none was chosen."""
    scores: tuple[RoleScore, ...]
    """Best first: of a route that was only asked for, all roles; else the best 32 and those chosen,
    and once it is stored, the best 32. Parts are told of the best 32."""
    roles: int
    """How many roles were compared."""
