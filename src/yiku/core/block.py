"""The nouns of core memory: a block, and the versions it has had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from yiku.core.errors import BlockTooLong, Invalid
from yiku.core.ids import BlockId, OrganizationId, UserId
from yiku.core.language import Language
from yiku.core.memory import Json

DEFAULT_LIMIT = 100_000
MAX_LIMIT = 10_000_000

ARROW = "→"
NUMBERS_NOTES: Mapping[Language, str] = {
    "en": f"# NOTE: The numbers before each line (like '1{ARROW}') are not part of the text: they"
    " tell where to edit. Leave them out of what you give to memory tools.",
    "zh": f"# 注意：每行前的编号（如“1{ARROW}”）不属于正文，只用来指明编辑位置。"
    "调用记忆工具时不要写上编号。",
}
"""Stands above numbered values in the context."""


def numbered(value: str) -> str:
    """The value as an agent that edits by line sees it: `1→ first line`."""
    return "\n".join(f"{n}{ARROW} {line}" for n, line in enumerate(value.split("\n"), 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockContent:
    """What can be edited of a block: what its history keeps, whole, of each version.

    Raises: BlockTooLong where the value is longer than the limit.
    """

    label: str
    """What agents call it: `human`, `persona` …"""
    value: str
    """What an agent always sees."""
    limit: int = DEFAULT_LIMIT
    """Characters the value may have."""
    description: str | None = None
    """Tells an agent what belongs into the block."""
    read_only: bool = False
    """Agents may not edit it; people and programs may."""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])
    is_template: bool = False
    template_name: str | None = None
    template_id: str | None = None
    base_template_id: str | None = None
    deployment_id: str | None = None
    entity_id: str | None = None
    project_id: str | None = None
    preserve_on_migration: bool = False
    hidden: bool | None = None

    def __post_init__(self) -> None:
        if len(self.value) > self.limit:
            raise BlockTooLong(
                f"The value of block {self.label!r} would be {len(self.value):,} characters long;"
                f" its limit is {self.limit:,}. Shorten it by"
                f" {len(self.value) - self.limit:,}, or raise the limit.",
                zh=f"记忆块 {self.label!r} 的内容会有 {len(self.value):,} 个字符，上限是"
                f" {self.limit:,}。请缩短 {len(self.value) - self.limit:,} 个字符，或提高上限。",
                field="value",
                label=self.label,
                length=len(self.value),
                limit=self.limit,
            )

    def changed(self, changes: Mapping[str, Any]) -> BlockContent:
        """Raises: Invalid, BlockTooLong."""
        unknown = changes.keys() - set(EDITABLE)
        if unknown:
            raise Invalid(f"A block has no {', '.join(sorted(unknown))} that can be changed.")
        return replace(self, **changes)

    def as_json(self) -> dict[str, Json]:
        values: dict[str, Json] = {name: getattr(self, name) for name in EDITABLE}
        return {**values, "tags": [*self.tags], "metadata": dict(self.metadata)}


EDITABLE = tuple(f.name for f in fields(BlockContent))


def content_of(values: Mapping[str, Any]) -> BlockContent:
    """A content as a row holds it; it was checked when it came."""
    known: dict[str, Any] = {**values, "tags": tuple(values["tags"])}
    return BlockContent(**known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Labelled text of limited size that is always in the context of the agents that have it."""

    seq: int
    id: BlockId
    organization_id: OrganizationId
    version: int
    """Counts its contents, from 1."""
    content: BlockContent
    created_at: datetime
    created_by: UserId
    updated_at: datetime
    updated_by: UserId

    @property
    def label(self) -> str:
        return self.content.label

    @property
    def value(self) -> str:
        return self.content.value


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockVersion:
    """One content a block had, and how it came to have it."""

    version: int
    content: BlockContent
    at: datetime
    by: UserId
    reason: str | None
    step_id: str | None
    """The step of an agent that made it; None: a person or a program did."""
    restores: int | None
    """The earlier version whose content an undo brought back."""

    @property
    def origin(self) -> int:
        """The version that had this content first."""
        return self.version if self.restores is None else self.restores


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFilter:
    """Which blocks are listed; what isn't given doesn't matter."""

    label: str | None = None
    template_name: str | None = None
    project_id: str | None = None
    templates_only: bool = False
    tags: tuple[str, ...] = ()
    all_tags: bool = False
    """All of the tags, not any of them."""
    identity_id: str | None = None
    identifier_keys: tuple[str, ...] = ()
    """Of identities: any of them."""
    label_has: str | None = None
    """Part of the label, in upper or lower case; so the next two."""
    value_has: str | None = None
    description_has: str | None = None
    agents_at_least: int | None = None
    """How many agents have it; so the next two."""
    agents_at_most: int | None = None
    agents_exactly: tuple[int, ...] | None = None
    """Any of these numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPage:
    """Which part of a listing: as many as `limit`, next to a block, in the order asked for."""

    limit: int = 50
    after: BlockId | None = None
    before: BlockId | None = None
    newest_first: bool = False
