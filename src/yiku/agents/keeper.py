"""What shows that this process lives: leases are renewed, cancellations of others heard, and runs
that dead processes left are found."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping

from yiku.agents import lease
from yiku.agents.work import Work
from yiku.core.ids import RunId
from yiku.core.run import Run
from yiku.core.tenant import LOCAL_ACTOR, Actor
from yiku.store import leases, runs
from yiku.store.database import Database, Tx

logger = logging.getLogger(__name__)

LISTEN_S = 1.0
"""How often it is asked whether another process has cancelled a run of this one."""


class Keeper:
    """Looks after the runs of this process, and after those that nobody has."""

    def __init__(
        self,
        database: Database,
        lease_s: float,
        works: Mapping[RunId, Work],
        here: Collection[RunId],
        found: Callable[[Run, Actor], None],
    ) -> None:
        """`works`: the runs that go on here. `here`: those, and those that wait here. `found` is
        told of each that nobody has.
        """
        self._database = database
        self._works = works
        self._here = here
        self._found = found
        self._every_s = lease_s / 3
        self._opening: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """On return what was left before has its place in line. Raises: StoreError."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._begin())
        await asyncio.shield(self._opening)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _begin(self) -> None:
        try:
            await self._find()
        except BaseException:
            self._opening = None
            raise
        await asyncio.sleep(0)  # what was found begins to wait for its turn
        self._task = asyncio.create_task(self._keep(), name="yiku-keeper")

    async def _keep(self) -> None:
        due = time.monotonic() + self._every_s
        while True:
            try:
                await self._hear()
                if time.monotonic() >= due:
                    due = time.monotonic() + self._every_s
                    await self._renew()
                    await self._find()
            # Without its keeper each run of this process would be taken for dead: whatever is
            # wrong may be right the next time.
            except Exception:
                logger.exception("leases could not be kept")
            await asyncio.sleep(min(LISTEN_S, self._every_s))

    async def _hear(self) -> None:
        held = list(self._works)
        if not held:
            return
        asked = await self._database.read(
            LOCAL_ACTOR, lambda tx: runs.asked_to_end(tx.connection, held)
        )
        for run_id in asked:
            work = self._works.get(run_id)
            if work is not None:
                work.cancel()

    async def _renew(self) -> None:
        """In one transaction. A run whose lease is another's by now finds out at its next step."""
        held = list(self._works.values())

        def unit(tx: Tx) -> None:
            for work in held:
                leases.renew(Tx(tx.connection, work.actor, tx.now), work.lease(tx.now))

        if held:
            await self._database.write(LOCAL_ACTOR, unit)

    async def _find(self) -> None:
        for run, actor in await self._database.read(LOCAL_ACTOR, lease.orphans):
            if run.id not in self._here:
                self._found(run, actor)
