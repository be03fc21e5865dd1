"""The archives of agents: where each writes."""

from __future__ import annotations

from yiku.core.ids import AgentId, ArchiveId
from yiku.core.tenant import Actor
from yiku.store import agents, archives
from yiku.store.database import Database, Tx


async def home_of(database: Database, actor: Actor, agent_id: AgentId) -> ArchiveId:
    """Where an agent writes: the first of its archives; where it has none, one of its own is made,
    which goes with it.

    Raises: AgentNotFound, NotAllowed, StoreError.
    """
    there = await database.read(actor, lambda tx: agents.archives_of(tx, agent_id))
    if there:
        return there[0]

    def unit(tx: Tx) -> ArchiveId:
        meanwhile = agents.archives_of(tx, agent_id)
        if meanwhile:
            return meanwhile[0]
        made = archives.ensure(tx, "", agent_id)
        agents.attach_archive(tx, agent_id, made.id, owned=True)
        return made.id

    return await database.write(actor, unit)
