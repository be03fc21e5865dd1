"""A process that reads files in the background, and is killed in the middle of it.

python -m tests.servers.reading HOME DATABASE_URL

It stores few chunks at a time: there are many moments between the first and the last.
"""

import asyncio
import sys
from pathlib import Path

from yiku.app import build
from yiku.memory.files import job
from yiku.settings import load
from yiku.worker.work import working


async def main(home: str, database_url: str) -> None:
    job.AT_ONCE = 16
    async with build(load(home=Path(home), database_url=database_url)) as app, working(app):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
