"""What the use cases of files share."""

from __future__ import annotations

from dataclasses import dataclass

from yiku.memory.archival import ArchivalMemory
from yiku.store.database import Database

JOB = "file"
"""A job of the outbox: read a file and make its chunks; its key is the file's id."""
ERASE = "file_erase"
"""A job of the outbox: erase what is left of a file; its key is the file's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What is done with files, and within which limits."""

    memory: ArchivalMemory
    max_bytes: int
    """Of one file."""
    parse_timeout_s: float
    parse_memory_mb: int
    """For the process that reads one."""

    @property
    def database(self) -> Database:
        return self.memory.database
