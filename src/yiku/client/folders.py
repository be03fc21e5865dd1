"""Folders' and files' part of the Python API, over the v1 wire."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Literal

import httpx
from pydantic import RootModel

from yiku.client.calls import Calls, asked_for, part
from yiku.server.v1 import wire_agents, wire_files

PATIENCE = httpx.Timeout(60, read=None, write=None)
"""A file takes as long as it is large."""
POLL_S = 0.2
WHOLE = 10_000
"""As many files as are listed at once."""

Duplicates = Literal["skip", "error", "suffix", "replace"]
Progress = Callable[[int, int], None]
"""Told what is done, and of how much."""

# Spelled out here: inside the class, `list` is its method.
Folders = list[wire_files.FolderOut]
Files = list[wire_files.FileOut]
Names = list[str]


class Paths(RootModel[Names]):
    """The names of files, each with its folder's before it."""


class Told:
    """A file that tells how far it was read."""

    def __init__(self, file: BinaryIO, size: int, progress: Progress) -> None:
        self._file, self._size, self._progress = file, size, progress

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self._progress(self._file.tell(), self._size)
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()


class FolderClient(Calls):
    """The folders of this process's memory, or of a server's.

    Every method raises the errors of `yiku.core.errors`.
    """

    async def create(
        self,
        name: str,
        *,
        description: str | None = None,
        instructions: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> wire_files.FolderOut:
        """Make a folder; `instructions` say to agents what it is for."""
        body = {
            "name": name,
            "description": description,
            "instructions": instructions,
            "metadata": metadata,
        }
        return await self._call(wire_files.FolderOut, "POST", "/v1/folders/", json=asked_for(body))

    async def get(self, folder_id: str) -> wire_files.FolderOut:
        return await self._call(wire_files.FolderOut, "GET", f"/v1/folders/{part(folder_id)}")

    async def list(self, *, name: str | None = None, limit: int = 50) -> Folders:
        """The oldest first."""
        return await self._list(wire_files.FolderOut, "/v1/folders/", name=name, limit=limit)

    async def update(self, folder_id: str, **fields: Any) -> wire_files.FolderOut:
        """`fields`: name, description, instructions, metadata."""
        path = f"/v1/folders/{part(folder_id)}"
        return await self._call(wire_files.FolderOut, "PATCH", path, json=fields)

    async def delete(self, folder_id: str) -> None:
        """Erase a folder for good, with its files."""
        await self._done("DELETE", f"/v1/folders/{part(folder_id)}")

    async def upload(
        self,
        folder_id: str,
        file: str | os.PathLike[str] | bytes,
        *,
        name: str | None = None,
        duplicates: Duplicates = "suffix",
        progress: Progress | None = None,
    ) -> wire_files.FileOut:
        """Put a file of this machine into a folder, or bytes, which need a `name`.

        On return it is kept, and is read in the background; `wait` waits for that. `duplicates`:
        what becomes of it where the folder has one of its name. `progress`: of bytes.
        """
        query = asked_for({"name": name, "duplicate_handling": duplicates})
        with ExitStack() as opened:
            if isinstance(file, bytes):
                size, source, called = len(file), BytesIO(file), name or ""
            else:
                path = Path(file)
                size, called = path.stat().st_size, path.name
                source = opened.enter_context(await asyncio.to_thread(path.open, "rb"))
            sent = source if progress is None else Told(source, size, progress)
            return await self._call(
                wire_files.FileOut,
                "POST",
                f"/v1/folders/{part(folder_id)}/upload",
                params=query,
                files={"file": (called, sent, "application/octet-stream")},
                timeout=PATIENCE,
            )

    async def wait(
        self, folder_id: str, file_id: str, *, progress: Progress | None = None
    ) -> wire_files.FileOut:
        """The file when it has been read: its status is `completed` or `error` then.

        It is read by a worker: that of a server, or of this process. `progress`: of chunks.
        """
        while True:
            found = await self.file(folder_id, file_id)
            if progress is not None and found.total_chunks:
                progress(found.chunks_embedded, found.total_chunks)
            if found.processing_status in ("completed", "error"):
                return found
            await asyncio.sleep(POLL_S)

    async def files(self, folder_id: str) -> Files:
        """The oldest first."""
        path = f"/v1/folders/{part(folder_id)}/files"
        return await self._list(wire_files.FileOut, path, order="asc", limit=WHOLE)

    async def file(
        self, folder_id: str, file_id: str, *, content: bool = False
    ) -> wire_files.FileOut:
        """One file, and how far it has come; with its text, if `content`."""
        path = f"/v1/folders/{part(folder_id)}/files/{part(file_id)}"
        query = {"include_content": content}
        return await self._call(wire_files.FileOut, "GET", path, params=query)

    async def delete_file(self, folder_id: str, file_id: str) -> None:
        """Erase a file for good, with its chunks."""
        await self._done("DELETE", f"/v1/folders/{part(folder_id)}/{part(file_id)}")

    async def attach(self, folder_id: str, agent_id: str) -> wire_agents.AgentOut:
        """Give an agent a folder, and the tools to read it."""
        path = f"/v1/agents/{part(agent_id)}/folders/attach/{part(folder_id)}"
        return await self._call(wire_agents.AgentOut, "PATCH", path)

    async def detach(self, folder_id: str, agent_id: str) -> wire_agents.AgentOut:
        """Take a folder from an agent; the folder stays."""
        path = f"/v1/agents/{part(agent_id)}/folders/detach/{part(folder_id)}"
        return await self._call(wire_agents.AgentOut, "PATCH", path)

    async def open(self, agent_id: str, file_id: str) -> Names:
        """Show an agent a file; returns the names of those that were closed for it."""
        path = f"/v1/agents/{part(agent_id)}/files/{part(file_id)}/open"
        return (await self._call(Paths, "PATCH", path)).root

    async def close(self, agent_id: str, file_id: str) -> None:
        """Show an agent a file no longer."""
        await self._done("PATCH", f"/v1/agents/{part(agent_id)}/files/{part(file_id)}/close")
