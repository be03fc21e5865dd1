"""A worker in a process of its own; each job it carries out is a line of a file: its key.

`job_process.py <file> <other>`, until it is told to end. It waits for the other worker's file
before its first jobs are done, so that none has done all of them before the other begins.
"""

import asyncio
import signal
import sys
from pathlib import Path

from yiku.app import build
from yiku.core.skill import Job
from yiku.core.tenant import Actor
from yiku.settings import load
from yiku.worker.work import Worker

file, other = map(Path, sys.argv[1:])


async def note(actor: Actor, job: Job) -> None:
    await asyncio.sleep(0.002)
    append(job.key)
    while not other.exists():  # noqa: ASYNC110 - another process rings no bell
        await asyncio.sleep(0.01)


def append(key: str) -> None:
    with file.open("a") as out:
        out.write(f"{key}\n")


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with build(load()) as app:
        worker = Worker(app, {"note": note}, schedules={}, poll_s=0.1)
        worker.open()
        print("open", flush=True)
        await stop.wait()
        await worker.close()


asyncio.run(main())
