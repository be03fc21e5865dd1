"""Organizations that were deleted: all that belongs to them goes, in the background.

A job goes through the tables, a few rows a transaction, so that nobody waits for it; where a
process dies, the next one goes on with what is left. What is outside of the rows goes before them:
indexes before their archives, sessions before their MCP servers.
"""

from __future__ import annotations

import logging
import time
from functools import partial

from yiku.agents.shared import Agents
from yiku.core.audit import Act
from yiku.core.ids import OrganizationId
from yiku.core.skill import Again, Job
from yiku.core.tenant import Actor
from yiku.memory.erase import forget_archives
from yiku.store import audit, organizations
from yiku.store.database import Tx, now_utc

logger = logging.getLogger(__name__)

LOOK_S = 20.0
"""How long one job works: others want its place, too."""


async def erase(agents: Agents, actor: Actor, job: Job) -> Again | None:
    """Carry out the job of a deleted organization, which is its key. `actor` is of the one that the
    server began with. Raises: StoreError."""
    gone, until = OrganizationId(job.key), time.monotonic() + LOOK_S
    if not await agents.database.read(actor, lambda tx: organizations.was_ended(tx, gone)):
        return None
    for server_id in await agents.database.read(
        actor, lambda tx: organizations.mcp_servers(tx, gone)
    ):
        agents.tools.mcp.pool.drop(server_id)
    for table in organizations.tables():
        cleared = clear_archives if table == organizations.ARCHIVE else clear
        if not await cleared(agents, actor, gone, table, until):
            return Again(now_utc())

    def last(tx: Tx) -> None:
        organizations.erase_last(tx, gone)
        audit.note(tx, Act.ORGANIZATION_ERASED, gone)

    await agents.database.write(actor, last)
    agents.memory.forget_cached()
    await agents.database.scrub()
    logger.info("an organization was erased", extra={"erased": gone})
    return None


async def clear(
    agents: Agents, actor: Actor, gone: OrganizationId, table: str, until: float
) -> bool:
    """False: the time is over."""
    most = organizations.at_once(table)
    while time.monotonic() < until:
        done = await agents.database.write(
            actor, lambda tx: organizations.delete_some(tx, table, gone)
        )
        if done < most:
            return True
    return False


async def clear_archives(
    agents: Agents, actor: Actor, gone: OrganizationId, table: str, until: float
) -> bool:
    """As `clear`; what is kept of them in memory and in files goes first."""
    while time.monotonic() < until:
        ids = await agents.database.read(actor, lambda tx: organizations.some_archives(tx, gone))
        if not ids:
            return True
        await forget_archives(agents.memory, ids)
        away = partial(organizations.delete_archives, archive_ids=ids)
        await agents.database.write(actor, away)
    return False
