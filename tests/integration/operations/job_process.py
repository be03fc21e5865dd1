"""A worker in a process of its own; each job it carries out is a line of a file: its key.

`job_process.py <file>`, until it is told to end.
"""

import asyncio
import signal
import sys
from pathlib import Path

from yiku.app import build
from yiku.core.skill import Job
from yiku.core.tenant import Actor
from yiku.settings import load
from yiku.worker import Worker

file = Path(sys.argv[1])


async def note(actor: Actor, job: Job) -> None:
    await asyncio.sleep(0.002)
    append(job.key)


def append(key: str) -> None:
    with file.open("a") as out:
        out.write(f"{key}\n")


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with build(load()) as app:
        worker = Worker(app, {"note": note}, schedules={})
        worker.open()
        print("open", flush=True)
        await stop.wait()
        await worker.close()


asyncio.run(main())
