"""A run that another process runs, or that ended long ago, told from what is stored."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from yiku.agents.active import ActiveRun
from yiku.core.errors import NotFound, YikuError
from yiku.core.ids import MessageId
from yiku.core.message import Message, MessageFilter, MessagePage
from yiku.core.run import Ended, Run, RunStatus, StopReason, Stored
from yiku.core.tenant import Actor
from yiku.store import messages, runs
from yiku.store.database import Database, Tx, Unit

logger = logging.getLogger(__name__)

POLL_S = 0.5
PAGE = 500


async def follow(database: Database, actor: Actor, active: ActiveRun) -> None:
    """Tell a run's messages as they appear, those after the last that was told, and its end.

    Where it can't be read any more, that is the end: its agent was deleted, or the database failed.
    """
    try:
        await tell_all(database, actor, active)
    except NotFound:
        active.tell(Ended(gone(active.run)))
    except YikuError:
        logger.exception("a run can't be followed", extra={"run": active.run.id})
        active.tell(Ended(active.run))


async def tell_all(database: Database, actor: Actor, active: ActiveRun) -> None:
    """Raises: RunNotFound, MessageNotFound, StoreError."""
    while True:
        run, said = await database.read(actor, look(active.run, active.last))
        for one in said:
            active.tell(Stored(one))
        if len(said) == PAGE:
            continue
        if run.status.ended:
            active.tell(Ended(run))
            return
        await asyncio.sleep(POLL_S)


def gone(run: Run) -> Run:
    """A run that was deleted before it ended."""
    if run.status.ended:
        return run
    return replace(run, status=RunStatus.CANCELLED, stop_reason=StopReason.CANCELLED)


def look(run: Run, last: MessageId | None) -> Unit[tuple[Run, list[Message]]]:
    wanted = MessageFilter(agent_id=run.agent_id, all_conversations=True, run_id=run.id)
    page = MessagePage(limit=PAGE, after=last, newest_first=False)

    def unit(tx: Tx) -> tuple[Run, list[Message]]:
        return runs.get(tx, run.id), messages.page(tx, wanted, page)

    return unit
