"""What answers say besides what was asked: of the models behind this server, and to whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.responses import Response

from yiku.agents.shared import Agents
from yiku.app import App
from yiku.core.agent import Agent, AgentState
from yiku.core.errors import ProviderUnavailable, SecretUnreadable
from yiku.core.ids import MessageId
from yiku.core.message import Message
from yiku.core.tenant import Actor, Scope
from yiku.server.memory import answer
from yiku.server.v1.translate_agents import View, agent_out, names_alone
from yiku.server.v1.translate_models import embedding_out
from yiku.server.v1.versions import tagged
from yiku.server.v1.wire_models import EmbeddingConfigOut
from yiku.store import messages
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
    ids, pending = await app.database.read(actor, lambda tx: around(tx, state))
    found = agent_out(state, view_of(app.agents, actor, relations), ids, pending)
    return tagged(answer(found), state.agent.version)
