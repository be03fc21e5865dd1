"""Moving agents and memories in and out: the client's part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, BinaryIO

import httpx

from yiku.client.agents import PATIENCE, path_of
from yiku.client.calls import Calls, asked_for, error_named, raise_for, understood
from yiku.core import errors
from yiku.server.wire_transfer import From, ImportOut, LineOut

BLOCK = 1 << 18
Watch = Callable[[int, int], None]
"""Told how many messages and passages are stored, of how many."""


class TransferClient(Calls):
    """Agent files, and other programs' exports."""

    async def export_agent(
        self,
        agent_id: str,
        *,
        scrub_messages: bool = False,
        legacy: bool = False,
        conversation_id: str | None = None,
    ) -> AsyncIterator[bytes]:
        """An agent with all it has, as a file, in pieces as they come; `conversation_id`: this one
        of its conversations in the place of its own, and no others."""
        query = asked_for({"conversation_id": conversation_id, "use_legacy_format": legacy})
        query |= {"scrub_messages": scrub_messages}
        path = f"{path_of(agent_id)}/export"
        with self._reached():
            async with self._http.stream("GET", path, params=query, timeout=PATIENCE) as response:
                if response.is_error:
                    await response.aread()
                    raise_for(response)
                async for block in response.aiter_bytes():
                    yield block

    async def import_agents(
        self,
        file: BinaryIO,
        *,
        dry_run: bool = False,
        again: bool = False,
        name: str | None = None,
        model: str | None = None,
        without_messages: bool = False,
        keep_tools: bool = False,
        watch: Watch | None = None,
    ) -> ImportOut:
        """Make the agents of a file: the retired server's, or ours.

        What was interrupted is gone on with by the same call. A file that was imported before is
        only told of, unless `again`.
        """
        wishes = {"again": again, "name": name, "model": model, "keep_tools": keep_tools}
        wishes |= {"without_messages": without_messages}
        return await self._import("agent-file", file, watch, dry_run=dry_run, **wishes)

    async def import_into(
        self,
        agent_id: str,
        source: From,
        file: BinaryIO,
        *,
        dry_run: bool = False,
        watch: Watch | None = None,
    ) -> ImportOut:
        """Give an agent what an export of ChatGPT, Claude or mem0 holds; nothing comes twice."""
        return await self._import(source, file, watch, dry_run=dry_run, agent_id=agent_id)

    async def _import(
        self, source: From, file: BinaryIO, watch: Watch | None, **wishes: Any
    ) -> ImportOut:
        query = asked_for({"from": source, **wishes})
        headers = {"Content-Type": "application/octet-stream"}
        request = self._http.build_request(
            "POST", "/memory/import", params=query, content=blocks(file), headers=headers,
            timeout=httpx.Timeout(60, read=None, write=None),
        )  # fmt: skip
        with self._reached():
            response = await self._http.send(request, stream=True)
            try:
                if response.is_error:
                    await response.aread()
                    raise_for(response)
                async for line in response.aiter_lines():
                    found = understood(LineOut, line.encode())
                    if found.progress is not None and watch is not None:
                        watch(found.progress.done, found.progress.total)
                    if found.error is not None:
                        raise error_named(found.error)(found.message or None)
                    if found.imported is not None:
                        return found.imported
            finally:
                await response.aclose()
        raise errors.YikuError("The import broke off before its end; import the file once more.")


async def blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    file.seek(0)
    while block := file.read(BLOCK):
        yield block
