"""Which agent is meant: its id, or its name."""

from __future__ import annotations

from difflib import get_close_matches

from yiku.cli import output
from yiku.client.agents import AgentClient
from yiku.core.errors import AgentNotFound, Conflict, Invalid
from yiku.server.v1.wire_agents import AgentOut

PREFIX = "agent-"
"""Of their ids."""
LIGHT = ["agent.tags"]
"""Of an agent's relations, the ones that cost nothing to fetch."""
LOOKED_AT = 1_000
"""As many agents are looked at for a name like the one that isn't there."""


async def find_agent(agents: AgentClient, name: str) -> AgentOut | None:
    """The agent of this id or name. Raises: AgentNotFound for an id, Invalid where several have
    the name."""
    if name.startswith(PREFIX):
        return await agents.get(name)
    found = await agents.list(name=name)
    if len(found) > 1:
        ids = ", ".join(f"{one.id} (made {output.moment(one.created_at)})" for one in found)
        raise Invalid(f"{len(found)} agents have the name {name!r}; say which by its id: {ids}")
    return found[0] if found else None


async def named_agent(agents: AgentClient, name: str) -> AgentOut:
    """Raises: AgentNotFound, Invalid."""
    found = await find_agent(agents, name)
    if found is not None:
        return found
    there = {name: agent_id for agent_id, name in (await names_of(agents)).items()}
    near = get_close_matches(name, there, 1)
    right = (
        f"is it {near[0]!r} ({there[near[0]]})?"
        if near
        else "`yiku agent list` shows those there are, `yiku agent create` makes one"
    )
    raise AgentNotFound(f"There is no agent {name!r}; {right}")


async def demand_free(agents: AgentClient, name: str) -> None:
    """Raises: Conflict where an agent has this name, Invalid where it reads as an id.

    The API lets agents share a name; a command that is given one would not know whom it means.
    """
    if name.startswith(PREFIX):
        raise Invalid(f"The name {name!r} would be taken for an id: those begin with {PREFIX!r}.")
    found = await agents.list(name=name, include=LIGHT)
    if found:
        ids = ", ".join(one.id for one in found)
        raise Conflict(
            f"There is an agent {name!r} already ({ids}). Choose another name; or give --again for"
            " one more of this name: commands will then want their ids."
        )


async def names_of(agents: AgentClient) -> dict[str, str]:
    """Of the newest agents, by id."""
    return {one.id: one.name for one in await agents.list(limit=LOOKED_AT, include=LIGHT)}
