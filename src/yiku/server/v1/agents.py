"""/v1/agents: making, finding, changing and deleting agents."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.agents import make, talk
from yiku.core.agent import AgentFilter, AgentState
from yiku.core.errors import AgentNotFound
from yiku.core.ids import AgentId, new_id
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_agents as wire
from yiku.server.v1.about import around, told, view_of, with_whose
from yiku.server.v1.agent_pages import Answers, agent_page
from yiku.server.v1.listing import or_anew
from yiku.server.v1.routing import Routes
from yiku.server.v1.templates import made_of
from yiku.server.v1.translate_agents import (
    agent_filter,
    agent_out,
    changes_of,
    context_out,
    filling_of,
    new_agent,
    part_of,
    relations_of,
)
from yiku.server.v1.versions import IfMatch, tagged, version_in
from yiku.store import agents as store
from yiku.store.agent_lists import page_seqs
from yiku.store.database import Tx

router = Routes("agents")


@router.post("/v1/agents/", response_model=wire.AgentOut)
async def create(body: wire.AgentIn, app: Here, actor: Asks) -> Response:
    """Create an agent; `from_template`: the first of a template's, with what is said here."""
    if body.from_template is None:
        made = await make.create(app.agents, actor, new_agent(body))
    else:
        filling = filling_of(body)
        [made, *_] = await made_of(app, actor, body.from_template, filling, new_id("deployment"))
    app.models.warm_soon(made.agent.config.model)
    return await told(app, actor, made)


@router.get("/v1/agents/", response_model=list[wire.AgentOut])
async def list_agents(
    query: Annotated[wire.AgentQuery, Query()], app: Here, actor: Asks, kept: Answers
) -> Response:
    """The agents there are, a page of them."""
    wanted, part = agent_filter(query), part_of(query)
    relations = relations_of(query)
    return await or_anew(
        lambda p: agent_page(app, actor, kept, lambda tx: page_seqs(tx, wanted, p), relations),
        part,
        AgentNotFound,
    )


@router.get("/v1/agents/count", response_model=int)
async def count(app: Here, actor: Asks) -> int:
    """How many agents there are."""
    return await app.database.read(actor, lambda tx: store.count(tx, AgentFilter()))


@router.get("/v1/agents/{agent_id}", response_model=wire.AgentOut)
async def retrieve(
    agent_id: str, query: Annotated[wire.Included, Query()], app: Here, actor: Asks
) -> Response:
    """One agent."""

    view = view_of(app.agents, actor, relations_of(query))

    def unit(tx: Tx) -> tuple[AgentState, wire.AgentOut]:
        state = store.state(tx, AgentId(agent_id))
        return state, agent_out(state, with_whose(tx, view, [state]), *around(tx, state))

    state, found = await app.database.read(actor, unit)
    app.models.warm_soon(state.agent.config.model)
    return tagged(answer(found), state.agent.version)


@router.patch("/v1/agents/{agent_id}", response_model=wire.AgentOut)
async def update(
    agent_id: str, body: wire.AgentPatch, app: Here, actor: Asks, if_match: IfMatch = None
) -> Response:
    """Change an agent, and what it has."""
    changes, attach = changes_of(body)
    merged = changes.pop("merged_settings", None)
    changed = await make.update(
        app.agents,
        actor,
        AgentId(agent_id),
        changes,
        attach,
        merged_settings=merged,
        seen_version=version_in(if_match),
    )
    return await told(app, actor, changed)


@router.delete("/v1/agents/{agent_id}", response_model=None)
async def delete(agent_id: str, app: Here, actor: Asks) -> Response:
    """Erase an agent for good, with its messages and what was made with it."""
    await make.delete(app.agents, actor, AgentId(agent_id))
    return Response(b"null", media_type="application/json")


@router.post("/v1/agents/{agent_id}/recompile", response_model=str)
async def recompile(
    agent_id: str, query: Annotated[wire.RecompileQuery, Query()], app: Here, actor: Asks
) -> str:
    """The agent's instructions as its model is shown them, compiled anew."""
    return await talk.recompile(app.agents, actor, AgentId(agent_id), dry_run=query.dry_run)


@router.get("/v1/agents/{agent_id}/context", response_model=wire.ContextOut)
async def context(agent_id: str, app: Here, actor: Asks) -> Response:
    """What fills the agent's context window."""
    return answer(context_out(await talk.overview(app.agents, actor, AgentId(agent_id))))
