"""Loads an archive's index and saves it: index_process.py HOME URL WHAT.

WHAT: `search` prints the sum of the row numbers found, ten times, each time as a new process would;
`killed-writing` ends in the middle of the first file, `killed-before-list` after the last segment.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np

from yiku.app import build
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.archival import Place, resolve
from yiku.settings import load
from yiku.store.database import Tx
from yiku.store.index import container, files, pool, rows, segment
from yiku.store.index.query import Query


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_at(moment: str) -> None:
    replace = os.replace

    def replaced(draft: Path, path: Path) -> None:
        if moment == "killed-writing":
            os.truncate(draft, 1000)
            killed()
        if path.name == files.LIST:
            killed()
        replace(draft, path)

    container.os.replace = replaced


async def main() -> None:
    home, url, what = sys.argv[1:]
    pool.SAVE_FROM, pool.CHUNK, rows.CHUNK, segment.CAPACITY = 20, 10, 10, 40
    if what != "search":
        kill_at(what)

    def found(tx: Tx) -> int:
        index = app.memory.indexes.current(tx, resolve(tx, Place()))
        assert index is not None
        vector = np.ones(index.dimension, np.float32)
        return int(index.search(Query(vector=vector, terms=())).seq.sum())

    for _ in range(10 if what == "search" else 1):
        async with build(load(home=Path(home), database_url=url)) as app:
            print(await app.database.read(LOCAL_ACTOR, found))


asyncio.run(main())
