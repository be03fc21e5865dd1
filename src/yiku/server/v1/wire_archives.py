"""Archives and passages on the v1 wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from yiku.server.v1.wire import In, NewestFirst, Out
from yiku.server.v1.wire_models import EmbeddingConfig, EmbeddingConfigOut


def aware(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


Aware = Annotated[datetime, AfterValidator(aware)]
"""A moment; without a time zone it is UTC, as v1 has it."""


def storable(at: datetime) -> datetime:
    day = timedelta(days=1)
    if not datetime.min.replace(tzinfo=UTC) + day <= at <= datetime.max.replace(tzinfo=UTC) - day:
        raise ValueError("years 1 to 9999 can be kept")
    return at


Said = Annotated[Aware, AfterValidator(storable)]


class ArchiveIn(In):
    """An archive to make."""

    name: str
    description: str | None = None
    embedding: str | None = Field(
        default=None, description="A handle; the server's own model makes the vectors."
    )
    embedding_config: EmbeddingConfig | None = None


class ArchivePatch(In):
    """Fields to change; what is left out, or null, stays."""

    name: str | None = None
    description: str | None = None


class ArchiveOut(Out):
    id: str
    name: str
    description: str | None
    created_at: datetime
    created_by_id: str | None
    updated_at: datetime | None
    last_updated_by_id: str | None
    metadata: dict[str, Any] | None
    embedding_config: EmbeddingConfigOut
    vector_db_provider: Literal["native"]


class ArchiveQuery(NewestFirst):
    name: str | None = None
    agent_id: str | None = None


class PassageIn(In):
    """A text to remember."""

    text: str
    created_at: Said | None = Field(default=None, description="When it was said; null: now.")
    tags: list[str] | None = None


class ArchivePassageIn(PassageIn):
    metadata: dict[str, Any] | None = None


class PassagesIn(In):
    """Texts to remember, in order; all of them or none."""

    passages: list[ArchivePassageIn] = Field(max_length=1000)


class PassageOut(Out):
    id: str
    text: str
    archive_id: str
    tags: list[str]
    metadata: dict[str, Any]
    created_at: datetime
    created_by_id: str
    updated_at: datetime | None
    last_updated_by_id: str | None
    is_deleted: bool
    embedding: None
    embedding_config: EmbeddingConfigOut
    file_id: str | None
    file_name: str | None
    source_id: str | None


class PassageQuery(In):
    """Which passages of an agent are listed."""

    limit: int = Field(default=100, ge=1, le=10_000)
    after: str | None = Field(default=None, description="Only what comes after this one.")
    before: str | None = Field(default=None, description="Only what comes before this one.")
    search: str | None = Field(default=None, description="Part of the text.")
    ascending: bool = Field(default=True, description="The oldest first.")


class Tagged(In):
    tags: list[str] | None = None
    tag_match_mode: Literal["any", "all"] = "any"


class RecallQuery(Tagged):
    """What an agent's archival memory is asked."""

    query: str
    top_k: int | None = Field(default=None, ge=1, le=200)
    start_datetime: Aware | None = None
    end_datetime: Aware | None = None


class RecalledOut(Out):
    id: str
    content: str
    timestamp: str
    tags: list[str]


class RecallOut(Out):
    results: list[RecalledOut]
    count: int


class PassageSearchIn(Tagged):
    """Which passages are looked for; without a query, the newest of them."""

    query: str | None = None
    agent_id: str | None = None
    archive_id: str | None = None
    limit: int = Field(default=50, ge=1, le=200)
    start_date: Aware | None = None
    end_date: Aware | None = None


class PassageHitOut(Out):
    passage: PassageOut
    score: float
    metadata: dict[str, Any]
