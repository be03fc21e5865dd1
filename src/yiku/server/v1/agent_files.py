"""/v1/agents/{id}/folders and /files: what an agent has, and has open."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.agents import folders as having
from yiku.core.errors import FolderNotFound
from yiku.core.file import AgentFile, Window
from yiku.core.ids import AgentId
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire, wire_agents
from yiku.server.v1 import wire_files as forms
from yiku.server.v1.about import told, vectors_of
from yiku.server.v1.listing import answers, part
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_files import agent_file_out, folder_out, part_of
from yiku.store import agent_files, agents
from yiku.store.database import Tx

router = Routes("agents")
NULL = b"null"


@router.get("/v1/agents/{agent_id}/folders", response_model=list[forms.FolderOut])
async def list_folders(
    agent_id: str, query: Annotated[wire.NewestFirst, Query()], app: Here, actor: Asks
) -> Response:
    """The folders that an agent has, a page of them."""

    def unit(tx: Tx) -> list[forms.FolderOut]:
        one = agents.get(tx, AgentId(agent_id))
        found = sorted(
            (each.folder for each in agents.folders_of(tx, one)), key=lambda each: each.seq
        )
        vectors = vectors_of(app.agents)
        return [
            folder_out(each, vectors)
            for each in part(found, query, lambda each: each.id, FolderNotFound)
        ]

    return answers(await app.database.read(actor, unit))


@router.patch(
    "/v1/agents/{agent_id}/folders/attach/{folder_id}", response_model=wire_agents.AgentOut
)
async def attach(agent_id: str, folder_id: str, app: Here, actor: Asks) -> Response:
    """Give an agent a folder, and the tools to read it."""
    changed = await having.attach(app.agents, actor, AgentId(agent_id), folder_id)
    return await told(app, actor, changed)


@router.patch(
    "/v1/agents/{agent_id}/folders/detach/{folder_id}", response_model=wire_agents.AgentOut
)
async def detach(agent_id: str, folder_id: str, app: Here, actor: Asks) -> Response:
    """Take a folder from an agent; the folder stays."""
    changed = await having.detach(app.agents, actor, AgentId(agent_id), folder_id)
    return await told(app, actor, changed)


@router.get("/v1/agents/{agent_id}/files", response_model=forms.AgentFilesOut)
async def list_files(
    agent_id: str, query: Annotated[forms.AgentFileQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The files of an agent's folders, and which of them it has open; a page of them."""
    wanted = part_of(query, query.cursor)

    def unit(tx: Tx) -> list[tuple[AgentFile, Window | None]]:
        one = agents.get(tx, AgentId(agent_id))
        found = agent_files.page(tx, one.id, wanted, is_open=query.is_open)
        return [(each, agent_files.view(tx, one, each)) for each in found]

    found = [agent_file_out(*each) for each in await app.database.read(actor, unit)]
    full = len(found) == query.limit
    return answer(
        forms.AgentFilesOut.of(
            files=found, next_cursor=found[-1].id if full else None, has_more=full
        )
    )


@router.patch("/v1/agents/{agent_id}/files/close-all", response_model=list[str])
async def close_all(agent_id: str, app: Here, actor: Asks) -> list[str]:
    """Close all files of an agent; returns the names of those that were open."""
    closed = await having.close_all(app.agents, actor, AgentId(agent_id))
    return [one.path for one in closed]


@router.patch("/v1/agents/{agent_id}/files/{file_id}/open", response_model=list[str])
async def open_file(agent_id: str, file_id: str, app: Here, actor: Asks) -> list[str]:
    """Show an agent a file; returns the names of those that were closed for it."""
    closed = await having.open_file(app.agents, actor, AgentId(agent_id), file_id)
    return [one.path for one in closed]


@router.patch("/v1/agents/{agent_id}/files/{file_id}/close", response_model=None)
async def close_file(agent_id: str, file_id: str, app: Here, actor: Asks) -> Response:
    """Show an agent a file no longer."""
    await having.close_file(app.agents, actor, AgentId(agent_id), file_id)
    return Response(NULL, media_type="application/json")


router.also("/folders", "/sources")
