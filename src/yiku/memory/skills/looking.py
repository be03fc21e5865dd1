"""Lookups are noted beside the work: looking something up is a read, and stays as fast."""

from __future__ import annotations

import asyncio
import logging

from yiku.core.errors import YikuError
from yiku.core.skill import Lookup
from yiku.core.tenant import Actor
from yiku.store.database import Database, Unit

logger = logging.getLogger(__name__)


class LookupLog:
    """Writes each lookup at once, while nobody waits for it. A crash may lose the last; the step of
    the run that asked is lost with it, and asks again."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writing: set[asyncio.Task[Lookup | None]] = set()

    def note(self, actor: Actor, unit: Unit[Lookup]) -> asyncio.Task[Lookup | None]:
        """Done when it is durable; None: it couldn't be written."""
        # A key that may only read may look up.
        task = asyncio.create_task(self._write(actor.bookkeeper, unit))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return task

    async def _write(self, actor: Actor, unit: Unit[Lookup]) -> Lookup | None:
        try:
            return await self._database.write(actor, unit)
        except YikuError:
            logger.warning("a lookup could not be written", exc_info=True)
            return None

    async def written(self) -> None:
        """Wait for those that are being written now, not for others that come meanwhile."""
        if self._writing:
            await asyncio.wait([*self._writing])

    async def flush(self) -> None:
        """Wait for those that are being written."""
        while self._writing:
            await asyncio.gather(*self._writing)

    async def close(self) -> None:
        await self.flush()
