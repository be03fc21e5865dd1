"""Folders and their files as agent files have them; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from yiku.agents.transfer.carried import CarriedFile
from yiku.core.errors import Invalid, InvalidImport
from yiku.core.file import File, FileStatus, Folder, FolderContent
from yiku.memory.files.check import check_folder
from yiku.memory.files.take import name_of
from yiku.server.v1 import wire_files as wire
from yiku.server.v1 import wire_models
from yiku.server.v1.portable.reading import Json, as_object, known_only, read
from yiku.server.v1.translate_files import folder_content
from yiku.store.folders import content_of

HASH = re.compile(r"[0-9a-f]{64}")
PLAIN = "text/plain"
READ = (FileStatus.COMPLETED, FileStatus.EMBEDDING)
"""All of the text is there."""


def folder_to_file(one: Folder, key: str) -> Json:
    content = content_of(one)
    said = {name: getattr(content, name) for name in ("name", "description", "instructions")}
    said |= {"metadata": dict(content.metadata), "embedding": content.embedding}
    return {"id": key, **said, "embedding_config": None, "embedding_chunk_size": None}


def file_to_file(one: File, key: str, folder_key: str) -> Json:
    """Without its text."""
    return {
        "id": key,
        "source_id": folder_key,
        "file_name": one.name,
        "original_file_name": one.original_name,
        "file_path": None,
        "file_type": one.media_type,
        "file_size": one.size,
        "file_creation_date": one.created_at.isoformat(),
        "processing_status": one.status.value,
        "error_message": one.problem,
        "total_chunks": one.chunk_count,
        "hash": one.hash,
    }


def folder_of(value: Any, place: str) -> FolderContent:
    """Raises: InvalidImport."""
    said = as_object(value, place)
    known = known_only(wire.FolderIn, said)
    if isinstance(config := known.get("embedding_config"), dict):
        known["embedding_config"] = known_only(wire_models.EmbeddingConfig, cast("Json", config))
    try:
        return check_folder(folder_content(read(wire.FolderIn, known, place)))
    except Invalid as error:
        if isinstance(error, InvalidImport):
            raise
        raise InvalidImport(f"{place}: {error.message}", place=place) from error


def file_of(value: Any, place: str, folders: Mapping[str, Any], key: str) -> CarriedFile:
    """Without what its text tells: how long that is, and its hash. Raises: InvalidImport."""
    said = as_object(value, place)
    home = str(said.get("source_id") or said.get("folder_id") or "")
    if home not in folders:
        raise InvalidImport(f"{place}.source_id: the file has no folder {home!r:.80}", place=place)
    given, came_as = said.get("file_name"), said.get("original_file_name")
    try:
        name = name_of(str(given or came_as or ""))
        original = name_of(str(came_as or given))
    except Invalid as error:
        raise InvalidImport(f"{place}.file_name: {error.message}", place=place) from error
    size, found, kind = said.get("file_size"), said.get("hash"), said.get("file_type")
    return CarriedFile(
        key=key,
        folder_key=home,
        name=name,
        original_name=original,
        media_type=kind[:255] if isinstance(kind, str) and kind.isprintable() else PLAIN,
        size=size if isinstance(size, int) and 0 <= size < 1 << 62 else 0,
        hash=found if isinstance(found, str) and HASH.fullmatch(found) else "",
    )


def files_of(values: Sequence[Any], folders: Mapping[str, Any]) -> tuple[CarriedFile, ...]:
    """Raises: InvalidImport."""
    found: list[CarriedFile] = []
    names: set[tuple[str, str]] = set()
    for n, value in enumerate(values):
        one = file_of(value, f"files[{n}]", folders, f"file-{n}")
        if (one.folder_key, one.name) in names:
            raise InvalidImport(f"files[{n}]: its folder has {one.name!r} twice")
        names.add((one.folder_key, one.name))
        found.append(one)
    return tuple(found)
