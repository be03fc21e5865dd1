"""What answers say besides what was asked: of the models behind this server, and to whom."""

from __future__ import annotations

from starlette.responses import Response

from yiku.agents.shared import Agents
from yiku.core.agent import AgentState
from yiku.core.errors import ProviderUnavailable
from yiku.core.tenant import Actor, Scope
from yiku.server.memory import answer
from yiku.server.v1.translate_agents import View, agent_out
from yiku.server.v1.translate_models import embedding_out
from yiku.server.v1.versions import tagged
from yiku.server.v1.wire_models import EmbeddingConfigOut

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
        secrets=actor.may(Scope.WRITE),
    )


def told(agents: Agents, actor: Actor, state: AgentState) -> Response:
    """One agent, with the version that `If-Match` is compared with."""
    return tagged(answer(agent_out(state, view_of(agents, actor))), state.agent.version)
