"""Folders and files on the v1 wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from yiku.server.v1.wire import In, NewestFirst, Out, Page
from yiku.server.v1.wire_models import EmbeddingConfig, EmbeddingConfigOut

Status = Literal["pending", "parsing", "embedding", "completed", "error"]


class FolderIn(In):
    """A folder to make."""

    name: str
    description: str | None = None
    instructions: str | None = Field(default=None, description="What agents are told about it.")
    metadata: dict[str, Any] | None = None
    embedding: str | None = Field(
        default=None, description="A handle; the server's own model makes the vectors."
    )
    embedding_chunk_size: int | None = Field(default=None, ge=1, le=1_000_000)
    embedding_config: EmbeddingConfig | None = None


class FolderPatch(In):
    """Fields to change; what is left out, or null, stays."""

    name: str | None = None
    description: str | None = None
    instructions: str | None = None
    metadata: dict[str, Any] | None = None
    embedding_config: EmbeddingConfig | None = None


class FolderOut(Out):
    id: str
    name: str
    description: str | None
    instructions: str | None
    metadata: dict[str, Any]
    embedding_config: EmbeddingConfigOut
    vector_db_provider: Literal["native"]
    created_at: datetime
    created_by_id: str
    updated_at: datetime
    last_updated_by_id: str


class FolderQuery(Page):
    name: str | None = None


class FileQuery(NewestFirst):
    include_content: bool = Field(default=False, description="With the files' texts.")


class FileDetails(In):
    include_content: bool = Field(default=False, description="With the file's text.")


class UploadQuery(In):
    name: str | None = Field(default=None, description="What it is to be called.")
    duplicate_handling: Literal["skip", "error", "suffix", "replace"] = Field(
        default="suffix", description="What becomes of it where the folder has one of this name."
    )


class FileOut(Out):
    id: str
    source_id: str
    folder_id: str
    organization_id: str
    file_name: str = Field(description="With its folder's name before it.")
    original_file_name: str
    file_path: str | None
    file_type: str
    file_size: int
    file_creation_date: str | None
    file_last_modified_date: str | None
    processing_status: Status
    error_message: str | None
    total_chunks: int
    chunks_embedded: int
    total_lines: int
    content: str | None
    created_at: datetime
    updated_at: datetime


class AgentFileQuery(NewestFirst):
    cursor: str | None = Field(default=None, description="As `after`, of older clients.")
    is_open: bool | None = None


class AgentFileOut(Out):
    id: str
    file_id: str
    file_name: str
    folder_id: str
    folder_name: str
    is_open: bool
    start_line: int | None
    end_line: int | None
    last_accessed_at: datetime
    visible_content: str | None


class AgentFilesOut(Out):
    files: list[AgentFileOut]
    next_cursor: str | None
    has_more: bool
