"""Where a role memory works: an app that is open already, or one opened when it is first needed."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from yiku.app import App, build
from yiku.core.errors import Invalid
from yiku.settings import Settings, load


class Source(Protocol):
    """Gives an open app, and takes it back."""

    @property
    def settings(self) -> Settings: ...

    async def app(self) -> App: ...

    async def close(self) -> None: ...


class Given:
    """An app that its owner opened, and closes."""

    def __init__(self, app: App) -> None:
        self._app = app

    @property
    def settings(self) -> Settings:
        return self._app.settings

    async def app(self) -> App:
        return self._app

    async def close(self) -> None:
        """Not ours to close."""


class Shared:
    """One app of an event loop, used by all sources with the same settings; the last closes it."""

    def __init__(self, settings: Settings) -> None:
        self.users: set[Lazy] = set()
        self._settings = settings
        self._lock = asyncio.Lock()
        self._context: AbstractAsyncContextManager[App] | None = None
        self._app: App | None = None

    async def opened(self) -> App:
        """Raises: as `build`."""
        async with self._lock:
            if self._app is None:
                context = build(self._settings)
                self._app = await context.__aenter__()
                self._context = context
            return self._app

    async def close(self) -> None:
        async with self._lock:
            context, self._context, self._app = self._context, None, None
            if context is not None:
                await context.__aexit__(None, None, None)


_open: dict[tuple[asyncio.AbstractEventLoop, Settings], Shared] = {}
"""What nobody closes, its event loop closes at its end, as it does all generators."""


class Lazy:
    """An app of these settings, opened when it is first asked for."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def settings(self) -> Settings:
        return self._settings

    async def app(self) -> App:
        """Raises: as `build`."""
        loop = asyncio.get_running_loop()
        shared = _open.get((loop, self._settings))
        if shared is None:
            for old in [key for key in _open if key[0].is_closed()]:
                del _open[old]
            shared = _open.setdefault((loop, self._settings), Shared(self._settings))
        shared.users.add(self)
        return await shared.opened()

    async def close(self) -> None:
        """Close the app, unless others use it. Asked again, this opens another."""
        key = (asyncio.get_running_loop(), self._settings)
        shared = _open.get(key)
        if shared is None or self not in shared.users:
            return
        shared.users.discard(self)
        if not shared.users:
            del _open[key]
            await shared.close()


def source_of(
    app: App | None, url: str | None, home: Path | str | None, embedding: dict[str, Any]
) -> Source:
    """Raises: Invalid, SettingInvalid."""
    if app is not None:
        if url is not None or home is not None:
            raise Invalid("An open `app` has its own database: leave `url` and `home` out.")
        return Given(app)
    given: dict[str, Any] = dict(embedding)
    if home is not None:
        given["home"] = home
    if url is not None:
        given |= database_of(url)
    return Lazy(load(**given))


def database_of(url: str) -> dict[str, str]:
    """Raises: Invalid."""
    parts = urlsplit(url)
    if parts.scheme in ("sqlite", "postgresql", "postgresql+psycopg"):
        return {"database_url": url}
    if parts.scheme != "yiku" or parts.netloc:
        raise Invalid(
            "Role memory opens a database itself: `url` is yiku:///path/to.db, sqlite:///… or"
            f" postgresql://…, not {url!r}. For a server there is yiku.connect()."
        )
    if not parts.path:
        return {}
    return {"database_url": f"sqlite:///{Path(unquote(parts.path)).absolute()}"}
