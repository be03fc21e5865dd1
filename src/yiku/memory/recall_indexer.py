"""Indexes what agents said while nobody speaks to them, so that searches find little left to do."""

from __future__ import annotations

import asyncio
import logging

from yiku.core.ids import AgentId
from yiku.core.tenant import Actor
from yiku.memory import recall
from yiku.memory.archival import ArchivalMemory

logger = logging.getLogger(__name__)

INTERVAL_S = 2.0


class RecallIndexer:
    """One task of this process. Nothing depends on it: what it leaves, the next search does."""

    def __init__(self, memory: ArchivalMemory, *, interval_s: float = INTERVAL_S) -> None:
        """`interval_s`: how long it must have been quiet."""
        self._memory = memory
        self._interval_s = interval_s
        self._waiting: dict[AgentId, Actor] = {}
        self._noted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def note(self, actor: Actor, agent_id: AgentId) -> None:
        """The agent has new messages; and it isn't quiet now. Costs nothing."""
        self._waiting[agent_id] = actor
        self._noted.set()

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="yiku-recall")

    async def stop(self) -> None:
        """What it is at is given up; the next search does it."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            await asyncio.sleep(self._interval_s)
            while self._waiting and not self._noted.is_set():
                await self._next()

    async def _next(self) -> None:
        """A batch of one agent's messages."""
        agent_id, actor = self._waiting.popitem()
        try:
            done = await recall.catch_up(self._memory, actor, agent_id, batches=1)
        # A background task has nobody to tell, and one agent's trouble is not the others'.
        except Exception:
            logger.exception("messages were not indexed", extra={"agent": agent_id})
            return
        if not done:
            self._waiting.setdefault(agent_id, actor)
