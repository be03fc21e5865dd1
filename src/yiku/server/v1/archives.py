"""/v1/archives, and which of them agents have."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.core.errors import PassageNotFound, checked
from yiku.core.ids import AgentId, ArchiveId, PassageId
from yiku.core.memory import Archive
from yiku.memory import erase, ingest
from yiku.memory.draft import check_characters, check_name
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_archives as wire
from yiku.server.v1.about import vectors_of
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_archives import archive_out, archive_part, draft_of, passage_out
from yiku.store import agents, archive_lists, archives, passages
from yiku.store.archive_lists import ArchiveFilter
from yiku.store.database import Tx

router = Routes("archives")
NULL = b"null"


def check(name: str | None, description: str | None) -> None:
    """Raises: Invalid, InvalidText."""
    checked("name", lambda: check_name("The archive's name", name))
    checked("description", lambda: check_characters("The description", description or ""))


@router.post("/v1/archives/", response_model=wire.ArchiveOut)
async def create(body: wire.ArchiveIn, app: Here, actor: Asks) -> Response:
    """Create an archive."""
    check(body.name, body.description)
    made = await app.database.write(
        actor, lambda tx: archives.create(tx, "", body.name, body.description or "")
    )
    return answer(archive_out(made, vectors_of(app.agents)))


@router.get("/v1/archives/", response_model=list[wire.ArchiveOut])
async def list_archives(
    query: Annotated[wire.ArchiveQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The archives there are, a page of them."""
    check_characters("The filter", query.name or "")
    agent_id = None if query.agent_id is None else AgentId(query.agent_id)
    wanted = ArchiveFilter(name=query.name, agent_id=agent_id)

    def unit(tx: Tx) -> list[Archive]:
        if agent_id is not None:
            agents.get(tx, agent_id)
        return archive_lists.archives_page(tx, wanted, archive_part(query))

    vectors = vectors_of(app.agents)
    return answers(archive_out(one, vectors) for one in await app.database.read(actor, unit))


@router.get("/v1/archives/{archive_id}", response_model=wire.ArchiveOut)
async def retrieve(archive_id: str, app: Here, actor: Asks) -> Response:
    """One archive."""
    found = await app.database.read(actor, lambda tx: archives.get(tx, ArchiveId(archive_id)))
    return answer(archive_out(found, vectors_of(app.agents)))


@router.patch("/v1/archives/{archive_id}", response_model=wire.ArchiveOut)
async def update(archive_id: str, body: wire.ArchivePatch, app: Here, actor: Asks) -> Response:
    """Rename an archive, or describe it."""
    check(body.name, body.description)

    def unit(tx: Tx) -> Archive:
        seen = archives.get(tx, ArchiveId(archive_id))
        return archives.rename(tx, seen.id, body.name or seen.name, body.description)

    changed = await app.database.write(actor, unit)
    return answer(archive_out(changed, vectors_of(app.agents)))


@router.delete("/v1/archives/{archive_id}", response_model=None)
async def delete(archive_id: str, app: Here, actor: Asks) -> Response:
    """Erase an archive and all its passages for good."""
    await erase.delete_archive(app.memory, actor, ArchiveId(archive_id))
    return Response(NULL, media_type="application/json")


@router.post("/v1/archives/{archive_id}/passages", response_model=wire.PassageOut)
async def add(archive_id: str, body: wire.ArchivePassageIn, app: Here, actor: Asks) -> Response:
    """Remember a text."""
    [added] = await ingest.add(app.memory, actor, ArchiveId(archive_id), [draft_of(body)])
    return answer(passage_out(added.passage, vectors_of(app.agents)))


@router.post("/v1/archives/{archive_id}/passages/batch", response_model=list[wire.PassageOut])
async def add_many(archive_id: str, body: wire.PassagesIn, app: Here, actor: Asks) -> Response:
    """Remember texts, in order; all of them or none."""
    home, drafts = ArchiveId(archive_id), [draft_of(one) for one in body.passages]
    if not drafts:
        await app.database.read(actor, lambda tx: archives.get(tx, home))
    added = await ingest.add(app.memory, actor, home, drafts)
    vectors = vectors_of(app.agents)
    return answers(passage_out(one.passage, vectors) for one in added)


@router.delete("/v1/archives/{archive_id}/passages/{passage_id}", response_model=None)
async def delete_passage(archive_id: str, passage_id: str, app: Here, actor: Asks) -> Response:
    """Erase a passage for good."""

    def unit(tx: Tx) -> None:
        home = archives.get(tx, ArchiveId(archive_id))
        if passages.get(tx, PassageId(passage_id)).archive_id != home.id:
            raise PassageNotFound(f"There is no passage {passage_id} in archive {home.id}.")

    await app.database.read(actor, unit)
    await erase.delete(app.memory, actor, [PassageId(passage_id)])
    return Response(NULL, media_type="application/json")


@router.patch("/v1/agents/{agent_id}/archives/attach/{archive_id}", response_model=None)
async def attach(agent_id: str, archive_id: str, app: Here, actor: Asks) -> Response:
    """Give an agent an archive; several may have it."""
    one, home = AgentId(agent_id), ArchiveId(archive_id)
    await app.database.write(actor, lambda tx: agents.attach_archive(tx, one, home))
    return Response(NULL, media_type="application/json")


@router.patch("/v1/agents/{agent_id}/archives/detach/{archive_id}", response_model=None)
async def detach(agent_id: str, archive_id: str, app: Here, actor: Asks) -> Response:
    """Take an archive from an agent; the archive stays."""
    one, home = AgentId(agent_id), ArchiveId(archive_id)
    await app.database.write(actor, lambda tx: agents.detach_archive(tx, one, home))
    return Response(NULL, media_type="application/json")
