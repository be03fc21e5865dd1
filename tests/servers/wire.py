"""What lies between a program and its Postgres, and can be cut.

async with Wire(url) as wire:
    ...                        # the database is at wire.url, too
    await wire.cut()           # connections are lost, and no new one is taken
    await wire.mend()
    wire.loses_commits = True  # they reach the database, and are done; that isn't told
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

COMMIT = b"COMMIT\0"
SOCKET = ".s.PGSQL.5432"
PIECE = 1 << 16


class Wire:
    """`url`: of a Postgres at a Unix socket."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        [folder] = parse_qs(parts.query)["host"]
        self._socket = f"{folder}/{SOCKET}"
        self._database = parts.path
        self._port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.loses_commits = False

    @property
    def url(self) -> str:
        return f"postgresql://postgres:@127.0.0.1:{self._port}{self._database}"

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        await self.cut()

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for one in self._open:
            one.transport.abort()
        await self._server.wait_closed()

    async def _carry(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, there = await asyncio.open_unix_connection(self._socket)
        ends = {back, there}
        self._open |= ends
        committing = False

        async def forward() -> None:
            nonlocal committing
            async for said in pieces(near):
                committing = self.loses_commits and COMMIT in said
                there.write(said)
            there.close()

        async def backward() -> None:
            async for said in pieces(far):
                if committing:
                    break
                back.write(said)
            back.close()

        await asyncio.gather(forward(), backward())
        self._open -= ends


async def pieces(of: asyncio.StreamReader) -> AsyncIterator[bytes]:
    with suppress(ConnectionError):  # it was cut
        while said := await of.read(PIECE):
            yield said
