"""/v1/agents/{id}/archival-memory and /v1/passages/search."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.core.errors import PassageNotFound
from yiku.core.ids import AgentId, ArchiveId, PassageId
from yiku.core.memory import Passage
from yiku.memory import agent_archive, erase, ingest
from yiku.memory import search as searching
from yiku.memory.draft import check_characters
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_archives as wire
from yiku.server.v1.about import vectors_of
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_archives import (
    draft_of,
    hit_out,
    listed_out,
    listing_filter,
    passage_out,
    passage_part,
    recall_filter,
    recalled_out,
    search_filter,
)
from yiku.store import agents, archive_lists, archives, passages
from yiku.store.archive_lists import Part, PassageFilter
from yiku.store.database import Tx

router = Routes("passages")
TOP_K = 10


@router.post("/v1/agents/{agent_id}/archival-memory", response_model=list[wire.PassageOut])
async def create(agent_id: str, body: wire.PassageIn, app: Here, actor: Asks) -> Response:
    """Remember a text, in the agent's own archive where it has no other."""
    home = await app.database.write(actor, lambda tx: agent_archive.ensure(tx, AgentId(agent_id)))
    added = await ingest.add(app.memory, actor, home, [draft_of(body)])
    vectors = vectors_of(app.agents)
    return answers(passage_out(one.passage, vectors) for one in added)


@router.get("/v1/agents/{agent_id}/archival-memory", response_model=list[wire.PassageOut])
async def list_passages(
    agent_id: str, query: Annotated[wire.PassageQuery, Query()], app: Here, actor: Asks
) -> Response:
    """What an agent has in its archives, in the order it was stored; a page of it."""
    check_characters("`search`", query.search or "")

    def unit(tx: Tx) -> list[Passage]:
        ids = agents.archives_of(tx, AgentId(agent_id))
        wanted = PassageFilter(archive_ids=ids, text_has=query.search)
        return archive_lists.passages_page(tx, wanted, passage_part(query))

    vectors = vectors_of(app.agents)
    return answers(passage_out(one, vectors) for one in await app.database.read(actor, unit))


@router.get("/v1/agents/{agent_id}/archival-memory/search", response_model=wire.RecallOut)
async def recall(
    agent_id: str, query: Annotated[wire.RecallQuery, Query()], app: Here, actor: Asks
) -> Response:
    """What an agent's archives hold about something."""
    places = await app.database.read(actor, lambda tx: agents.archives_of(tx, AgentId(agent_id)))
    hits = await searching.search(
        app.memory,
        actor,
        places,
        query.query,
        filter=recall_filter(query),
        limit=query.top_k or TOP_K,
    )
    return answer(recalled_out(hits))


@router.delete("/v1/agents/{agent_id}/archival-memory/{passage_id}", response_model=None)
async def delete(agent_id: str, passage_id: str, app: Here, actor: Asks) -> Response:
    """Erase a passage of an agent's archives for good."""

    def unit(tx: Tx) -> None:
        places = agents.archives_of(tx, AgentId(agent_id))
        if passages.get(tx, PassageId(passage_id)).archive_id not in places:
            raise PassageNotFound(f"Agent {agent_id} has no passage {passage_id}.")

    await app.database.read(actor, unit)
    await erase.delete(app.memory, actor, [PassageId(passage_id)])
    return Response(b"null", media_type="application/json")


@router.post("/v1/passages/search", response_model=list[wire.PassageHitOut])
async def search(body: wire.PassageSearchIn, app: Here, actor: Asks) -> Response:
    """Passages of an agent, of an archive, or of all archives; best first, without a query the
    newest."""
    vectors = vectors_of(app.agents)
    for tag in body.tags or ():
        check_characters("A tag", tag)
    if body.query and body.query.strip():
        places = await app.database.read(actor, lambda tx: places_of(tx, body))
        hits = await searching.search(
            app.memory, actor, places, body.query, filter=search_filter(body), limit=body.limit
        )
        return answers(hit_out(hit, vectors) for hit in hits)

    def unit(tx: Tx) -> list[Passage]:
        wanted = listing_filter(body, places_of(tx, body))
        return archive_lists.passages_page(tx, wanted, Part(limit=body.limit))

    return answers(listed_out(one, vectors) for one in await app.database.read(actor, unit))


def places_of(tx: Tx, body: wire.PassageSearchIn) -> list[ArchiveId]:
    """Raises: AgentNotFound, ArchiveNotFound."""
    if body.agent_id is None and body.archive_id is None:
        return archives.of_organization(tx)
    found: list[ArchiveId] = []
    if body.agent_id is not None:
        found += agents.archives_of(tx, AgentId(body.agent_id))
    if body.archive_id is not None:
        there = archives.get(tx, ArchiveId(body.archive_id)).id
        found = [there] if body.agent_id is None or there in found else []
    return found
