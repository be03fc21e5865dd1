"""A run that another process runs, or that ended long ago, told from what is stored."""

from __future__ import annotations

import asyncio

from yiku.agents.active import ActiveRun
from yiku.core.ids import MessageId
from yiku.core.message import Message, MessageFilter, MessagePage
from yiku.core.run import Ended, Run, Stored
from yiku.core.tenant import Actor
from yiku.store import messages, runs
from yiku.store.database import Database, Tx, Unit

POLL_S = 0.5
PAGE = 500


async def follow(database: Database, actor: Actor, active: ActiveRun) -> None:
    """Tell a run's messages as they appear, and its end. Raises: RunNotFound, StoreError."""
    last: MessageId | None = None
    while True:
        run, said = await database.read(actor, look(active.run, last))
        for one in said:
            active.tell(Stored(one))
            last = one.id
        if len(said) == PAGE:
            continue
        if run.status.ended:
            active.tell(Ended(run))
            return
        await asyncio.sleep(POLL_S)


def look(run: Run, last: MessageId | None) -> Unit[tuple[Run, list[Message]]]:
    wanted = MessageFilter(agent_id=run.agent_id, all_conversations=True, run_id=run.id)
    page = MessagePage(limit=PAGE, after=last, newest_first=False)

    def unit(tx: Tx) -> tuple[Run, list[Message]]:
        return runs.get(tx, run.id), messages.page(tx, wanted, page)

    return unit
