"""The nouns of files: folders, files in them, and what an agent sees of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from yiku.core.ids import AgentId, ArchiveId, FileId, FolderId, OrganizationId, UserId
from yiku.core.memory import Json

DEFAULT_FILES_OPEN = 5
DEFAULT_VIEW_CHARS = 15_000


class FileStatus(StrEnum):
    """How far a file has come. Those between `PENDING` and `ERROR` are v1's names."""

    RECEIVING = "receiving"
    """Its pieces are still coming, or stopped coming; nobody sees it."""
    PENDING = "pending"
    PARSING = "parsing"
    EMBEDDING = "embedding"
    COMPLETED = "completed"
    ERROR = "error"
    DELETING = "deleting"
    """Its chunks are going; nobody sees it."""

    @property
    def shown(self) -> bool:
        return self not in (FileStatus.RECEIVING, FileStatus.DELETING)

    @property
    def ended(self) -> bool:
        return self in (FileStatus.COMPLETED, FileStatus.ERROR)


class Duplicates(StrEnum):
    """What becomes of a file whose name the folder has already."""

    SKIP = "skip"
    ERROR = "error"
    SUFFIX = "suffix"
    REPLACE = "replace"


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderContent:
    """What can be set of a folder."""

    name: str
    description: str | None = None
    instructions: str | None = None
    """What agents are told about it."""
    embedding: str | None = None
    """A handle, as somebody named it; the server's own model makes the vectors."""
    metadata: Mapping[str, Json] = field(default_factory=dict[str, Json])


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """A named collection of files. `(organization_id, name)` is unique."""

    seq: int
    id: FolderId
    organization_id: OrganizationId
    archive_id: ArchiveId
    """Where the chunks of its files are passages; nobody reads or writes it otherwise."""
    name: str
    description: str | None
    instructions: str | None
    embedding: str | None
    metadata: Mapping[str, Json]
    created_at: datetime
    created_by: UserId
    updated_at: datetime
    updated_by: UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file as its row holds it. `(folder_id, name)` is unique."""

    seq: int
    id: FileId
    organization_id: OrganizationId
    folder_id: FolderId
    name: str
    original_name: str
    """As it was called where it came from."""
    media_type: str
    size: int
    """In bytes."""
    hash: str
    """SHA-256 of its bytes, in hexadecimal."""
    status: FileStatus
    problem: str | None
    """Why it couldn't be read."""
    line_count: int
    chunk_count: int
    embedded_count: int
    created_at: datetime
    created_by: UserId
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A part of a file's text, of whole lines."""

    n: int
    """From 0."""
    first_line: int
    """From 1."""
    line_count: int
    text: str
    """Its lines, with a newline between two of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a file's text that is found by its meaning."""

    text: str
    first_line: int
    last_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Lines of a file, as many of them as there was room for."""

    lines: tuple[str, ...]
    first_line: int
    """From 1; where the file is empty, or has fewer lines, there are none."""
    line_count: int
    """Of the whole file."""
    wanted_last: int | None = None
    """The last line that was asked for; None: the file's last."""

    @property
    def last_line(self) -> int:
        return self.first_line + len(self.lines) - 1

    @property
    def is_cut(self) -> bool:
        """There was no room for all that was asked for."""
        wanted = self.line_count if self.wanted_last is None else self.wanted_last
        return bool(self.lines) and self.last_line < min(wanted, self.line_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFile:
    """A file of a folder that an agent has."""

    id: str
    agent_id: AgentId
    file: File
    folder: Folder
    is_open: bool
    first_line: int | None
    """Of the lines it was opened at; None: from the beginning."""
    last_line: int | None
    """None: to the end, as far as there is room."""
    accessed_at: datetime

    @property
    def path(self) -> str:
        """What agents call it."""
        return f"{self.folder.name}/{self.file.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFile:
    """A file as an agent's prompt shows it."""

    held: AgentFile
    window: Window | None
    """None: it is closed, or has no text yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A folder that an agent has, as its prompt shows it."""

    folder: Folder
    files: tuple[ShownFile, ...] = ()
    """Open ones first, then by name."""
    more_files: int = 0
    """Closed ones that aren't named, for lack of room."""
