"""What answers say besides what was asked: of the models behind this server, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from starlette.responses import Response

from yiku.agents.shared import Agents
from yiku.app import App
from yiku.core.agent import Agent, AgentState
from yiku.core.errors import ProviderUnavailable, SecretUnreadable
from yiku.core.ids import IdentityId, MessageId
from yiku.core.message import Message
from yiku.core.tenant import Actor, Scope
from yiku.server.memory import answer
from yiku.server.v1.translate_agents import View, agent_out, names_alone
from yiku.server.v1.translate_groups import group_out
from yiku.server.v1.translate_identities import identity_out
from yiku.server.v1.translate_models import embedding_out
from yiku.server.v1.versions import tagged
from yiku.server.v1.wire_agents import AgentOut
from yiku.server.v1.wire_models import EmbeddingConfigOut
from yiku.store import groups, identities, messages
from yiku.store.database import Tx

UNKNOWN = 0
"""The dimension of an endpoint's model that has embedded nothing yet."""


def dimension_of(agents: Agents) -> int:
    try:
        return agents.memory.embedder.dimension
    except ProviderUnavailable:
        return UNKNOWN


def vectors_of(agents: Agents) -> EmbeddingConfigOut:
    return embedding_out(agents.default_embedding, dimension_of(agents))


def view_of(agents: Agents, actor: Actor, relations: frozenset[str] | None = None) -> View:
    """Secrets are told to keys that could set them."""
    return View(
        model=agents.default_model,
        embedding=agents.default_embedding,
        dimension=dimension_of(agents),
        relations=relations,
        secrets=readable(agents) if actor.may(Scope.WRITE) else names_alone,
    )


def with_whose(tx: Tx, view: View, states: Sequence[AgentState]) -> View:
    """And for whom these agents are, and which groups they manage."""
    ids = {IdentityId(each) for one in states for each in one.agent.config.identity_ids}
    if ids and view.tells("identities"):
        found = identities.states(tx, identities.by_id(tx, sorted(ids)))
        view = replace(view, identities={one.identity.id: identity_out(one) for one in found})
    if view.tells("managed_group"):
        managed = groups.managed_by(tx, [one.agent.id for one in states])
        view = replace(view, groups={one: group_out(each) for one, each in managed.items()})
    return view


def readable(agents: Agents) -> Callable[[Agent], Mapping[str, str]]:
    """The values of secrets, where this server has the key to them."""

    def told(agent: Agent) -> Mapping[str, str]:
        if not agent.config.secrets:
            return {}
        try:
            return agents.opened(agent)
        except SecretUnreadable:
            return names_alone(agent)

    return told


def around(tx: Tx, state: AgentState) -> tuple[list[MessageId], Message | None]:
    """Of an agent's own conversation: what is in the context, and what waits for an answer."""
    agent_id = state.agent.id
    return messages.ids_in_context(tx, agent_id), messages.pending(tx, agent_id, None)


async def told(
    app: App, actor: Actor, state: AgentState, relations: frozenset[str] | None = None
) -> Response:
    """One agent, with the version that `If-Match` is compared with."""
    view = view_of(app.agents, actor, relations)

    def unit(tx: Tx) -> AgentOut:
        return agent_out(state, with_whose(tx, view, [state]), *around(tx, state))

    return tagged(answer(await app.database.read(actor, unit)), state.agent.version)
