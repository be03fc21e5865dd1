"""`yiku worker`."""

from __future__ import annotations

import asyncio
import os
import signal

import click

from yiku.app import build
from yiku.cli import output
from yiku.cli.options import Asked, Command
from yiku.cli.reporting import reporting, watched
from yiku.cli.running import local_settings
from yiku.server.v1.callbacks import handlers
from yiku.settings import Settings
from yiku.store.database import redacted
from yiku.worker.work import working


@click.command(cls=Command)
@click.pass_obj
def worker(asked: Asked) -> None:
    """Carry out background jobs of this database, until Ctrl+C or SIGTERM.

    Every `yiku serve` does so by itself, unless it is told `--no-worker`. Any number of workers may
    share a database; each job is one worker's at a time.
    """
    settings = local_settings(asked)
    with reporting(settings):
        asyncio.run(run(settings, asked))


async def run(settings: Settings, asked: Asked) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    if os.name == "posix":
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
    async with (
        watched(settings) as watching,
        build(settings, watching) as app,
        working(app, handlers(app)),
    ):
        where = redacted(app.database.url)
        if asked.as_json:
            output.print_json({"database": where, "pid": os.getpid()})
        else:
            click.echo(f"Yiku carries out the background jobs of {where}  (Ctrl+C ends)")
        await stop.wait()
