"""connect(url): a memory in this process, or a server's."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx

from yiku.client.blocking import BlockingMemory
from yiku.client.memory import MemoryClient
from yiku.client.transport import InProcessTransport
from yiku.core.errors import Invalid


def connect(url: str = "yiku://", *, api_key: str | None = None, **settings: Any) -> Connection:
    """A memory to be opened with `async with`, or with plain `with` for its blocking face.

    `yiku:///path/to.db` runs the server in this process on that file, `yiku://` on the database of
    the settings; `http://…` and `https://…` speak to a server. `settings` win over the environment
    (in this process only): `connect("yiku://", duplicates="keep")`.

    Raises: Invalid for an address of another kind.
    """
    scheme = url.partition(":")[0]
    if scheme == "yiku":
        parts = urlsplit(url)
        if parts.netloc:
            raise Invalid(
                f"A local memory's address is yiku:///path/to.db, with three slashes; {url!r} names"
                f" a host. For a server: http://{parts.netloc}"
            )
        if parts.path:
            settings["database_url"] = f"sqlite:///{Path(unquote(parts.path)).absolute()}"
        return Connection(None, api_key, settings)
    if scheme in ("http", "https"):
        if settings:
            raise Invalid("Settings are the server's own; give them to `yiku serve`.")
        return Connection(url, api_key, {})
    raise Invalid(f"A memory's address starts with yiku://, http:// or https://, not {url!r}.")


class Connection:
    """Opens and closes a memory, asynchronously or blocking."""

    def __init__(self, url: str | None, api_key: str | None, settings: dict[str, Any]) -> None:
        self._url = url
        self._api_key = api_key
        self._settings = settings
        self._stack = AsyncExitStack()
        self._blocking: BlockingMemory | None = None

    async def __aenter__(self) -> MemoryClient:
        try:
            return await self._open()
        except BaseException:
            await self._stack.aclose()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def __enter__(self) -> BlockingMemory:
        self._blocking = BlockingMemory(self.__aenter__, self._stack.aclose)
        return self._blocking

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._blocking is not None:
            self._blocking.close()

    async def _open(self) -> MemoryClient:
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        if self._url is not None:
            try:
                http = httpx.AsyncClient(base_url=self._url, headers=headers, timeout=60)
            except httpx.InvalidURL as error:
                raise Invalid(f"{self._url!r} is no address: {error}.") from error
        else:
            http = httpx.AsyncClient(
                transport=InProcessTransport(await self._serve()),
                base_url="http://localhost",
                headers=headers,
                timeout=None,
            )
        return MemoryClient(await self._stack.enter_async_context(http))

    async def _serve(self) -> Any:
        # The server's parts are needed in this mode only.
        from yiku.app import build
        from yiku.server.http import build_asgi
        from yiku.server.v1.callbacks import handlers
        from yiku.settings import load
        from yiku.worker.work import POLL_S, working

        settings = load(**{"require_key": "never", **self._settings})
        app = await self._stack.enter_async_context(build(settings))
        if settings.worker:
            await self._stack.enter_async_context(working(app, handlers(app), after_s=POLL_S))
        return build_asgi(app)
