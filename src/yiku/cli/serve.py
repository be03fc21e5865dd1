"""`yiku serve`."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import click
import uvicorn
from fastapi import FastAPI

from yiku.app import App, build
from yiku.cli import output
from yiku.cli.options import Asked, Command
from yiku.cli.reporting import reporting, watched
from yiku.cli.running import local_settings
from yiku.core.errors import NotAllowed
from yiku.core.tenant import LOCAL_ACTOR
from yiku.server.auth import is_loopback, keys_needed
from yiku.server.http import build_asgi
from yiku.server.v1.callbacks import handlers
from yiku.settings import Settings
from yiku.store import tenants
from yiku.store.database import now_utc
from yiku.worker.work import working

MORE_S = 5
"""What answers have to be sent in, after the runs they tell of have ended or were parked."""
BACKLOG = 2048
KEEP_ALIVE_S = 75
"""Longer than clients and proxies keep an idle connection: the one who sends closes it, so that
no request meets a server that closes it at that moment."""
GARBAGE = 10_000
"""Objects made since the last look, and not gone, at which it is looked for cycles."""


@click.command(cls=Command)
@click.option("--host", help="Address to listen on; default: YIKU_HOST, 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65_535), help="0: any free one.")
@click.option(
    "--no-worker", is_flag=True, help="Leave background jobs to `yiku worker` or another server."
)
@click.pass_obj
def serve(asked: Asked, host: str | None, port: int | None, no_worker: bool) -> None:
    """Serve memory and agents over HTTP, until Ctrl+C or SIGTERM.

    An address that others reach needs an API key (`yiku key create`), or
    YIKU_REQUIRE_KEY=never.
    """
    given: dict[str, Any] = {"host": host, "port": port, "worker": False if no_worker else None}
    settings = local_settings(asked, **{n: v for n, v in given.items() if v is not None})
    with reporting(settings), asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(run(settings, asked))


async def run(settings: Settings, asked: Asked) -> None:
    async with AsyncExitStack() as opened:
        watching = await opened.enter_async_context(watched(settings))
        app = await opened.enter_async_context(build(settings, watching))
        await check_reachable(app)
        asgi = build_asgi(app)
        config = uvicorn.Config(
            asgi,
            host=settings.host,
            port=settings.port,
            http=protocol(),
            log_config=None,
            access_log=False,  # ours tells no query: texts are in it
            timeout_graceful_shutdown=math.ceil(settings.shutdown_s) + MORE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            server_header=False,
        )
        with listening_on(settings.host, settings.port) as sock:
            await app.runner.open()
            ends = [app.runner.close]
            if settings.worker:
                asgi.state.worker = await opened.enter_async_context(working(app, handlers(app)))
                ends.append(asgi.state.worker.close)
            keep_what_stays()
            await Server(config, asked, asgi, ends).serve([sock])


def keep_what_stays() -> None:
    """Imports and routes live as long as the server: garbage collection needn't look through them
    again and again, and looks less often, since requests leave little that refers to itself."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)


async def check_reachable(app: App) -> None:
    """Raises: NotAllowed where the server would answer nobody, or everybody without being told."""
    settings = app.settings
    if is_loopback(settings.host) and not keys_needed(settings):
        return
    if not keys_needed(settings):
        output.note(
            f"anyone who reaches {settings.host}:{settings.port} can read and change this memory"
            " (YIKU_REQUIRE_KEY=never)"
        )
        return
    now = now_utc()
    keys = await app.database.read(LOCAL_ACTOR, tenants.list_keys)
    if any(k.revoked_at is None and (k.expires_at is None or k.expires_at > now) for k in keys):
        return
    raise NotAllowed(
        f"{settings.host} can be reached from elsewhere, so requests need an API key, and there is"
        " none. Make one with `yiku key create NAME`, listen on 127.0.0.1 only, or, where the"
        " network is yours alone, set YIKU_REQUIRE_KEY=never."
    )


def listening_on(host: str, port: int) -> socket.socket:
    """Raises: ClickException where the address is taken or not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise click.ClickException(f"{host}:{port} can't be listened on: {error}") from error


class Server(uvicorn.Server):
    """Says where it listens; a signal ends it in order, and the database after it."""

    def __init__(
        self,
        config: uvicorn.Config,
        asked: Asked,
        asgi: FastAPI,
        ends: Sequence[Callable[[], Awaitable[None]]] = (),
    ) -> None:
        """`ends`: what begins nothing any more once the server is told to end, and ends beside the
        answers that are still being sent: they tell of it."""
        super().__init__(config)
        self._asked = asked
        self._asgi = asgi
        self._ends = ends

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        # uvicorn's own raises the signal again at the end, before the database is closed.
        loop = asyncio.get_running_loop()
        if os.name != "posix":
            with super().capture_signals():
                yield
            return
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def shutdown(self, sockets: Any = None) -> None:
        self._asgi.state.ending = True
        await asyncio.gather(super().shutdown(sockets), *(end() for end in self._ends))

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            if self._asked.as_json:
                output.print_json({"url": url, "pid": os.getpid()})
            else:
                click.echo(f"Yiku serves {url}  (API: {url}/docs, Ctrl+C ends)")
                click.echo(
                    f'Agents: Letta(base_url="{url}") of letta-client, or yiku --url {url} chat'
                )


def protocol() -> Any:
    try:
        from yiku.server.heads import BoundedHeads
    except ImportError:  # no httptools: uvicorn's other protocol has bounds of its own
        return "h11"
    return BoundedHeads


def loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
