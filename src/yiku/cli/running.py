"""Opening the memory a command works on, and running it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import click

from yiku.cli.options import Asked

if TYPE_CHECKING:
    from yiku.client.connect import Connection
    from yiku.client.memory import MemoryClient
    from yiku.settings import Settings
    from yiku.store.database import Database

T = TypeVar("T")


def connection(asked: Asked, **settings: Any) -> Connection:
    """To the memory that was asked for: a server's, or this machine's."""
    from yiku.client.connect import connect

    # What it logs there is raised here too, and told in one line.
    logging.getLogger("yiku.server.http").setLevel(logging.CRITICAL)
    if asked.api_key is not None and not (asked.api_key.isascii() and asked.api_key.isprintable()):
        raise click.UsageError("The API key has characters that no key has")
    if is_remote(asked):
        return connect(asked.url or "", api_key=asked.api_key)
    return connect(asked.url or "yiku://", **home_of(asked), **settings)


@asynccontextmanager
async def opened(asked: Asked, **settings: Any) -> AsyncGenerator[MemoryClient]:
    """The memory that was asked for, while it is open."""
    async with connection(asked, **settings) as memory:
        yield memory


def with_memory(asked: Asked, work: Callable[[MemoryClient], Awaitable[T]], **settings: Any) -> T:
    """Open the memory, do the work, close it."""

    async def run() -> T:
        async with opened(asked, **settings) as memory:
            return await work(memory)

    return asyncio.run(run())


def is_remote(asked: Asked) -> bool:
    return asked.url is not None and not asked.url.startswith("yiku:")


def home_of(asked: Asked) -> dict[str, Any]:
    return {} if asked.home is None else {"home": asked.home}


def local_settings(asked: Asked, **given: Any) -> Settings:
    """The settings of a command that works on the database itself.

    Raises: UsageError where a server was asked for; SettingInvalid.
    """
    from yiku.settings import load

    if is_remote(asked):
        raise click.UsageError(
            "This works on the database itself: run it on the server's machine, without a URL",
            click.get_current_context(),
        )
    path = urlsplit(asked.url).path if asked.url else ""
    database = {"database_url": f"sqlite:///{Path(unquote(path)).absolute()}"} if path else {}
    return load(**home_of(asked), **database, **given)


def with_database(asked: Asked, work: Callable[[Database], Awaitable[T]]) -> T:
    """Open the database of this machine, without the models; do the work, close it."""
    from yiku.store.database import open_database

    settings = local_settings(asked)

    async def run() -> T:
        database = await open_database(
            settings.database,
            busy_timeout_s=settings.busy_timeout_s,
            auto_migrate=settings.auto_migrate,
        )
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(run())
