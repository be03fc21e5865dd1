"""Where an agent's own memories go."""

from __future__ import annotations

from yiku.core.ids import AgentId, ArchiveId
from yiku.store import agents, archives
from yiku.store.database import Tx


def ensure(tx: Tx, agent_id: AgentId) -> ArchiveId:
    """The first of the agent's archives; where it has none, one is made, which goes with it.

    Raises: AgentNotFound.
    """
    found = agents.state(tx, agent_id)
    if found.archives:
        return found.archives[0]
    name = found.agent.name[:80]
    about = f"What the agent {name} remembers."
    if archives.find(tx, "", name) is not None:
        name = f"{name} {agent_id}"
    made = archives.create(tx, "", name, about)
    agents.attach_archive(tx, agent_id, made.id, owned=True)
    return made.id
