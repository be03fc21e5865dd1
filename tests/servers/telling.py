"""A process that carries out background jobs, those of the doors too, and is killed meanwhile.

python -m tests.servers.telling HOME DATABASE_URL [ROWS]

ROWS: so many of a deleted organization go with one transaction.
"""

import asyncio
import sys
from pathlib import Path

from yiku.app import build
from yiku.server.v1.callbacks import handlers
from yiku.settings import load
from yiku.store import organizations
from yiku.worker.work import working


async def main(home: str, database_url: str, rows: str = "1000") -> None:
    organizations.AT_ONCE = int(rows)
    settings = load(home=Path(home), database_url=database_url, fetch_private=True)
    async with build(settings) as app, working(app, handlers(app)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
