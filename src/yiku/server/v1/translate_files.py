"""Between v1's forms of folders and files and ours; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from yiku.context.files import window_text
from yiku.core.file import AgentFile, File, Folder, FolderContent, ShownFile, Window
from yiku.server.v1 import wire_files as wire
from yiku.server.v1.translate_models import handle_of
from yiku.server.v1.wire import Page
from yiku.server.v1.wire_models import EmbeddingConfigOut
from yiku.store.archive_lists import Part


def part_of(query: Page, after: str | None = None) -> Part:
    return Part(
        limit=query.limit,
        after=query.after or after,
        before=query.before,
        newest_first=query.order == "desc",
    )


def folder_content(form: wire.FolderIn) -> FolderContent:
    embedding, config = form.embedding, form.embedding_config
    if embedding is None and config is not None:
        named = (config.embedding_endpoint_type, config.embedding_model, config.handle)
        embedding = handle_of(*named)
    return FolderContent(
        name=form.name,
        description=form.description,
        instructions=form.instructions,
        embedding=embedding,
        metadata=form.metadata or {},
    )


def with_changes(seen: FolderContent, form: wire.FolderPatch) -> FolderContent:
    names = ("name", "description", "instructions", "metadata")
    said = {name: getattr(form, name) for name in names}
    return replace(seen, **{name: value for name, value in said.items() if value is not None})


def folder_out(one: Folder, vectors: EmbeddingConfigOut) -> wire.FolderOut:
    return wire.FolderOut.of(
        id=one.id,
        name=one.name,
        description=one.description,
        instructions=one.instructions,
        metadata=dict(one.metadata),
        embedding_config=vectors,
        vector_db_provider="native",
        created_at=one.created_at,
        created_by_id=one.created_by,
        updated_at=one.updated_at,
        last_updated_by_id=one.updated_by,
    )


def file_out(one: File, folder: Folder, content: str | None = None) -> wire.FileOut:
    return wire.FileOut.of(
        id=one.id,
        source_id=folder.id,
        folder_id=folder.id,
        organization_id=one.organization_id,
        file_name=f"{folder.name}/{one.name}",
        original_file_name=one.original_name,
        file_path=None,
        file_type=one.media_type,
        file_size=one.size,
        file_creation_date=None,
        file_last_modified_date=None,
        processing_status=one.status.value,
        error_message=one.problem,
        total_chunks=one.chunk_count,
        chunks_embedded=one.embedded_count,
        total_lines=one.line_count,
        content=content,
        created_at=one.created_at,
        updated_at=one.updated_at,
    )


def agent_file_out(one: AgentFile, window: Window | None) -> wire.AgentFileOut:
    return wire.AgentFileOut.of(
        id=one.id,
        file_id=one.file.id,
        file_name=one.path,
        folder_id=one.folder.id,
        folder_name=one.folder.name,
        is_open=one.is_open,
        start_line=one.first_line,
        end_line=one.last_line,
        last_accessed_at=one.accessed_at,
        visible_content=None if window is None else window_text(window),
    )


def file_block_out(one: ShownFile, limit: int) -> dict[str, Any]:
    """A file as a block: so v1 tells of it with an agent's memory."""
    held = one.held
    return {
        "label": held.path,
        "value": "" if one.window is None else window_text(one.window),
        "limit": limit,
        "read_only": True,
        "file_id": held.file.id,
        "source_id": held.folder.id,
        "is_open": held.is_open,
        "last_accessed_at": held.accessed_at.isoformat(),
    }
