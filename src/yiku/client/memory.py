"""The Python API: one client, whatever stands behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, TypedDict, Unpack

from yiku.client.admin import AdminClient
from yiku.client.agents import AgentClient
from yiku.client.calls import key_header, part, raise_for, sendable, understood
from yiku.client.conversations import ConversationClient
from yiku.client.filters import Filters
from yiku.client.folders import FolderClient
from yiku.client.roles import RoleCalls
from yiku.client.schedules import ScheduleClient
from yiku.client.skills import SkillClient
from yiku.client.tools import BlockClient, McpClient, ToolClient
from yiku.client.transfer import TransferClient
from yiku.core import errors
from yiku.server import wire


class Said(TypedDict, total=False):
    """What is known of a text besides its words."""

    at: datetime | str | None
    speaker: str | None
    conversation: str | None
    message: str | None
    language: str | None
    tags: Sequence[str]
    metadata: Mapping[str, Any]
    valid_from: datetime | str | None
    valid_to: datetime | str | None
    skill_id: str | None
    roles: Sequence[str] | None


class MemoryClient(RoleCalls):
    """A memory: this process's own, or a server's.

    `user` says whose memory; empty, the organization's own. `archive` is a name in it. Every method
    raises the errors of `yiku.core.errors`.
    """

    @cached_property
    def agents(self) -> AgentClient:
        """The agents that live there."""
        return AgentClient(self._http)

    @cached_property
    def conversations(self) -> ConversationClient:
        """Agents' conversations beside their own."""
        return ConversationClient(self._http)

    @cached_property
    def folders(self) -> FolderClient:
        """Folders, and the files in them that agents read."""
        return FolderClient(self._http)

    @cached_property
    def schedules(self) -> ScheduleClient:
        """What its agents are sent later."""
        return ScheduleClient(self._http)

    @cached_property
    def tools(self) -> ToolClient:
        """The tools that agents may be given."""
        return ToolClient(self._http)

    @cached_property
    def mcp_servers(self) -> McpClient:
        """Servers that lend tools to agents."""
        return McpClient(self._http)

    @cached_property
    def blocks(self) -> BlockClient:
        """Core memory's blocks, of all agents and of none."""
        return BlockClient(self._http)

    @cached_property
    def admin(self) -> AdminClient:
        """Organizations, users, keys, projects, limits, and who did what."""
        return AdminClient(self._http)

    @cached_property
    def transfer(self) -> TransferClient:
        """Agents and memories as files, in and out."""
        return TransferClient(self._http)

    @cached_property
    def skills(self) -> SkillClient:
        """The memory skills: how memories are written and looked up."""
        return SkillClient(self._http)

    async def add(
        self,
        text: str,
        *,
        user: str = "",
        archive: str = "default",
        idempotency_key: str | None = None,
        **said: Unpack[Said],
    ) -> wire.AddOut:
        """Remember a text. What is known already is linked, not stored twice: see `outcome`."""
        body = {"text": text, "user": user, "archive": archive, **sendable(said)}
        headers = key_header(idempotency_key)
        return await self._call(wire.AddOut, "POST", "/memory/passages", json=body, headers=headers)

    async def add_many(
        self,
        passages: Sequence[str | Mapping[str, Any]],
        *,
        user: str = "",
        archive: str = "default",
        idempotency_key: str | None = None,
        job: str | None = None,
        position: int | None = None,
        seen_position: int | None = None,
    ) -> list[wire.AddOut]:
        """Remember up to 1,000 texts, in order; all of them or none.

        With `job`, `position` is kept in the same transaction, for `job_position`;
        `seen_position`: refuse if the job isn't there any more, because another run goes on with
        it (`JobConflict`).
        """
        body = {
            "passages": [{"text": p} if isinstance(p, str) else sendable(p) for p in passages],
            "user": user,
            "archive": archive,
            "job": job,
            "position": position,
        }
        if seen_position is not None:  # a server that is older doesn't know it
            body["seen_position"] = seen_position
        headers = key_header(idempotency_key)
        path = "/memory/passages/batch"
        return (await self._call(wire.BatchOut, "POST", path, json=body, headers=headers)).results

    async def job_position(self, job: str) -> int:
        """How far an import has come; 0 where it never began."""
        return (await self._call(wire.JobOut, "GET", f"/memory/jobs/{part(job)}")).position

    async def search(
        self,
        query: str,
        *,
        user: str = "",
        archives: Sequence[str] = (),
        archive_ids: Sequence[str] = (),
        limit: int = 10,
        inject_into: str | None = None,
        **filters: Unpack[Filters],
    ) -> list[wire.HitOut]:
        """Passages that answer `query`, best first.

        `inject_into`: the conversation whose context the hits go into; their echo there is not
        stored as new.
        """
        body = {
            "query": query,
            "user": user,
            "archives": list(archives),
            "archive_ids": list(archive_ids),
            "limit": limit,
            "inject_into": inject_into,
            **sendable(filters),
        }
        return (await self._call(wire.SearchOut, "POST", "/memory/search", json=body)).hits

    async def get(self, passage_id: str) -> wire.PassageOut:
        return await self._call(wire.PassageOut, "GET", f"/memory/passages/{part(passage_id)}")

    async def history(self, passage_id: str) -> wire.HistoryOut:
        """The passage, its changes, its repetitions, and its roles."""
        return await self._call(
            wire.HistoryOut, "GET", f"/memory/passages/{part(passage_id)}/history"
        )

    async def edit(
        self,
        passage_id: str,
        *,
        reason: str | None = None,
        version: int | None = None,
        **fields: Any,
    ) -> wire.PassageOut:
        """Change fields; `version`: refuse if the passage has changed since it was read."""
        body = {**sendable(fields), "reason": reason, "version": version}
        return await self._call(
            wire.PassageOut, "PATCH", f"/memory/passages/{part(passage_id)}", json=body
        )

    async def supersede(
        self,
        passage_id: str,
        text: str,
        *,
        reason: str | None = None,
        idempotency_key: str | None = None,
        **said: Unpack[Said],
    ) -> wire.SupersedeOut:
        """Put a newer text in the passage's place; the old one is kept for `as_of`.

        A passage that says the same already takes the place: see `outcome`.
        """
        body = {"text": text, "reason": reason, **sendable(said)}
        path = f"/memory/passages/{part(passage_id)}/supersede"
        headers = key_header(idempotency_key)
        return await self._call(wire.SupersedeOut, "POST", path, json=body, headers=headers)

    async def forget(self, passage_id: str, *, reason: str | None = None) -> wire.PassageOut:
        """Hide the passage from every search; `undo` brings it back."""
        path = f"/memory/passages/{part(passage_id)}/forget"
        return await self._call(wire.PassageOut, "POST", path, json={"reason": reason})

    async def undo(self, passage_id: str, *, reason: str | None = None) -> list[wire.PassageOut]:
        """Take back the passage's last change; returns all it touched."""
        path = f"/memory/passages/{part(passage_id)}/undo"
        found = await self._call(wire.PassagesOut, "POST", path, json={"reason": reason})
        return found.passages

    async def delete(self, *passage_ids: str) -> wire.DeleteOut:
        """Erase passages for good, with vectors, tokens and history; all of them or none."""
        path = "/memory/passages/delete"
        body = {"ids": list(passage_ids)}
        return await self._call(wire.DeleteOut, "POST", path, json=body)

    async def passages(
        self,
        *,
        user: str = "",
        archive: str = "default",
        after: str | None = None,
        limit: int = 100,
        forgotten: bool = False,
    ) -> wire.PassagesOut:
        """A page of passages in the order they were stored; `next` is the next page's `after`."""
        query = {"user": user, "archive": archive, "limit": limit, "forgotten": forgotten}
        if after is not None:
            query["after"] = after
        return await self._call(wire.PassagesOut, "GET", "/memory/passages", params=query)

    async def export(
        self, *, user: str = "", archive: str = "default", forgotten: bool = False
    ) -> AsyncIterator[wire.PassageOut]:
        """All passages of an archive, as they come."""
        query = {"user": user, "archive": archive, "forgotten": forgotten}
        with self._reached():
            async with self._http.stream("GET", "/memory/export", params=query) as response:
                if response.is_error:
                    await response.aread()
                    raise_for(response)
                rest = b""
                # Not `aiter_lines`: that also ends lines at U+2028 and U+0085, which JSON may hold.
                async for block in response.aiter_bytes():
                    *lines, rest = (rest + block).split(b"\n")
                    for line in lines:
                        yield understood(wire.PassageOut, line)
                if rest:
                    raise errors.YikuError("The export broke off before its end.")

    async def archives(self, user: str | None = None) -> list[wire.ArchiveOut]:
        query = {} if user is None else {"user": user}
        return (
            await self._call(wire.ArchivesOut, "GET", "/memory/archives", params=query)
        ).archives

    async def create_archive(
        self, name: str, *, user: str = "", description: str = ""
    ) -> wire.ArchiveOut:
        body = {"name": name, "user": user, "description": description}
        return await self._call(wire.ArchiveOut, "POST", "/memory/archives", json=body)

    async def rename_archive(
        self, archive_id: str, name: str, *, description: str | None = None
    ) -> wire.ArchiveOut:
        body = {"name": name, "description": description}
        path = f"/memory/archives/{part(archive_id)}"
        return await self._call(wire.ArchiveOut, "PATCH", path, json=body)

    async def delete_archive(self, archive_id: str) -> int:
        """Erase an archive and all it holds for good; returns how many passages."""
        path = f"/memory/archives/{part(archive_id)}"
        return (await self._call(wire.DeleteOut, "DELETE", path)).deleted

    async def health(self) -> wire.HealthOut:
        return await self._call(wire.HealthOut, "GET", "/memory/health")
