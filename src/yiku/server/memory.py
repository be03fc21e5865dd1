"""Our own API: passages, archives, search."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from yiku.app import App
from yiku.core.audit import Act
from yiku.core.ids import ArchiveId, PassageId
from yiku.core.memory import Archive
from yiku.core.tenant import LOCAL_ACTOR, Actor
from yiku.memory import changes, erase, search
from yiku.memory.archival import resolve
from yiku.memory.draft import check_name
from yiku.memory.skills import lineage
from yiku.server import wire
from yiku.server.auth import actor_of
from yiku.server.idempotent import Step, once, supersede_once
from yiku.server.routing import Refusing
from yiku.server.translate import (
    added_out,
    archive_out,
    change_out,
    cursor_of,
    draft_of,
    erased_out,
    filter_of,
    hit_out,
    origin_out,
    passage_out,
    place_of,
    places_of,
    seq_of,
    sighting_out,
    superseded_out,
)
from yiku.server.translate_roles import memberships_out, moves_out
from yiku.store import archives, audit, history, memberships, passages, requests, schema

router = Refusing(
    wire.ErrorOut, (401, 403, 404, 409, 413, 422, 429, 502, 503, 507), prefix="/memory"
)
Asks = Annotated[Actor, Depends(actor_of)]
IdempotencyKey = Annotated[str | None, Header(max_length=255)]
PAGE = 200


async def app_of(request: Request) -> App:
    """Asynchronous, or else FastAPI would go to a thread for it, at every request."""
    return request.app.state.app


Here = Annotated[App, Depends(app_of)]


def answer(body: BaseModel, status: int = 200) -> Response:
    """What we made needs no second check."""
    return Response(body.model_dump_json().encode(), status, media_type="application/json")


async def probe(app: App) -> None:
    """Raises: StoreError."""
    await app.database.read(LOCAL_ACTOR, lambda tx: schema.current(tx.connection))


@router.post("/passages", status_code=201, response_model=wire.AddOut, tags=["passages"])
async def add(
    body: wire.AddIn, app: Here, actor: Asks, idempotency_key: IdempotencyKey = None
) -> Response:
    """Remember a text."""
    drafts = [draft_of(body, body.user)]
    results = await once(app, actor, idempotency_key, body, place_of(body), drafts)
    return answer(added_out(results[0]), 201)


@router.post("/passages/batch", status_code=201, response_model=wire.BatchOut, tags=["passages"])
async def add_many(
    body: wire.BatchIn, app: Here, actor: Asks, idempotency_key: IdempotencyKey = None
) -> Response:
    """Remember texts, in order; all of them or none."""
    drafts = [draft_of(one, body.user) for one in body.passages]
    step = None
    if body.job is not None and body.position is not None:
        step = Step(body.job, body.position, body.seen_position)
    results = await once(app, actor, idempotency_key, body, place_of(body), drafts, step)
    return answer(wire.BatchOut(results=[added_out(one) for one in results]), 201)


@router.get("/jobs/{job_id:path}", response_model=wire.JobOut, tags=["passages"])
async def job(job_id: str, app: Here, actor: Asks) -> Response:
    """How far an import has come."""
    position = await app.database.read(actor, lambda tx: requests.job_position(tx, job_id))
    return answer(wire.JobOut(id=job_id, position=position))


@router.post("/search", response_model=wire.SearchOut, tags=["search"])
async def search_memory(body: wire.SearchIn, app: Here, actor: Asks) -> Response:
    """Find passages by meaning and by words."""
    hits = await search.search(
        app.memory,
        actor,
        places_of(body),
        body.query,
        filter=filter_of(body),
        limit=body.limit,
        inject_into=body.inject_into,
    )
    return answer(wire.SearchOut(hits=[hit_out(hit) for hit in hits]))


@router.get("/passages", response_model=wire.PassagesOut, tags=["passages"])
async def list_passages(
    app: Here,
    actor: Asks,
    home: Annotated[wire.Home, Depends()],
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    forgotten: bool = False,
) -> Response:
    """Passages in the order they were stored."""

    def unit(tx: passages.Tx) -> list[passages.Passage]:
        archive = resolve(tx, place_of(home))
        seq = seq_of(after) if after else 0
        if seq is None:
            seq = passages.get(tx, PassageId(after or "")).seq
        return passages.page(tx, archive.id, after=seq, limit=limit + 1, forgotten=forgotten)

    found = await app.database.read(actor, unit)
    more = len(found) > limit
    found = found[:limit]
    return answer(
        wire.PassagesOut(
            passages=[passage_out(one) for one in found],
            next=cursor_of(found[-1]) if more else None,
        )
    )


@router.get("/passages/{passage_id}", response_model=wire.PassageOut, tags=["passages"])
async def get(passage_id: str, app: Here, actor: Asks) -> Response:
    """One passage."""
    found = await app.database.read(actor, lambda tx: passages.get(tx, PassageId(passage_id)))
    return answer(passage_out(found))


@router.get("/passages/{passage_id}/history", response_model=wire.HistoryOut, tags=["changes"])
async def passage_history(passage_id: str, app: Here, actor: Asks) -> Response:
    """Everything that happened to a passage."""

    def unit(tx: passages.Tx) -> wire.HistoryOut:
        found = passages.get(tx, PassageId(passage_id))
        return wire.HistoryOut(
            passage=passage_out(found),
            changes=[change_out(one) for one in history.of_passage(tx, found)],
            sightings=[sighting_out(one) for one in history.sightings_of(tx, found)],
            roles=memberships_out(memberships.of_passages(tx, [found.seq]).get(found.seq, [])),
            moves=moves_out(memberships.moves_of(tx, found.seq)),
            origins=[origin_out(one) for one in lineage.of_passage(tx, found.id)],
        )

    return answer(await app.database.read(actor, unit))


@router.patch("/passages/{passage_id}", response_model=wire.PassageOut, tags=["changes"])
async def edit(passage_id: str, body: wire.EditIn, app: Here, actor: Asks) -> Response:
    """Change a passage; its history keeps what was."""
    fields = {
        name: getattr(body, name)
        for name in body.model_fields_set
        if name not in ("reason", "version")
    }
    changed = await changes.edit(
        app.memory,
        actor,
        PassageId(passage_id),
        fields,
        reason=body.reason,
        seen_version=body.version,
    )
    return answer(passage_out(changed))


@router.post(
    "/passages/{passage_id}/supersede",
    status_code=201,
    response_model=wire.SupersedeOut,
    tags=["changes"],
)
async def supersede(
    passage_id: str,
    body: wire.SupersedeIn,
    app: Here,
    actor: Asks,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Put a newer text in a passage's place; the old one is kept for `as_of`."""
    done = await supersede_once(app, actor, idempotency_key, PassageId(passage_id), body)
    return answer(superseded_out(done), 201)


@router.post("/passages/{passage_id}/forget", response_model=wire.PassageOut, tags=["changes"])
async def forget(
    passage_id: str, app: Here, actor: Asks, body: wire.ReasonIn | None = None
) -> Response:
    """Hide a passage from every search; `undo` brings it back."""
    reason = body.reason if body else None
    hidden = await changes.forget(app.memory, actor, PassageId(passage_id), reason=reason)
    return answer(passage_out(hidden))


@router.post("/passages/{passage_id}/undo", response_model=wire.PassagesOut, tags=["changes"])
async def undo(
    passage_id: str, app: Here, actor: Asks, body: wire.ReasonIn | None = None
) -> Response:
    """Take back a passage's last change; returns every passage that changed with it."""
    reason = body.reason if body else None
    touched = await changes.undo(app.memory, actor, PassageId(passage_id), reason=reason)
    return answer(wire.PassagesOut(passages=[passage_out(one) for one in touched]))


@router.delete("/passages/{passage_id}", response_model=wire.DeleteOut, tags=["changes"])
async def delete(passage_id: str, app: Here, actor: Asks) -> Response:
    """Erase a passage for good, with its vectors, tokens and history."""
    erased = await erase.delete(app.memory, actor, [PassageId(passage_id)])
    return answer(erased_out(erased))


@router.post("/passages/delete", response_model=wire.DeleteOut, tags=["changes"])
async def delete_many(body: wire.DeleteIn, app: Here, actor: Asks) -> Response:
    """Erase passages for good; all of them or none."""
    ids = [PassageId(one) for one in body.ids]
    return answer(erased_out(await erase.delete(app.memory, actor, ids)))


@router.get("/export", tags=["archives"], response_class=StreamingResponse)
async def export(
    app: Here, actor: Asks, home: Annotated[wire.Home, Depends()], forgotten: bool = False
) -> StreamingResponse:
    """All passages of an archive as JSON Lines, in the order they were stored."""

    def begun(tx: passages.Tx) -> Archive:
        found = resolve(tx, place_of(home))
        audit.note(tx, Act.ARCHIVE_EXPORT, found.id, name=found.name)
        return found

    archive = await app.database.write(actor.bookkeeper, begun)

    async def lines() -> AsyncIterator[bytes]:
        after = 0
        while found := await app.database.read(
            actor,
            lambda tx, seq=after: passages.page(
                tx, archive.id, after=seq, limit=PAGE, forgotten=forgotten
            ),
        ):
            yield b"".join(passage_out(p).model_dump_json().encode() + b"\n" for p in found)
            after = found[-1].seq

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@router.get("/archives", response_model=wire.ArchivesOut, tags=["archives"])
async def list_archives(app: Here, actor: Asks, user: str | None = None) -> Response:
    """The archives there are."""
    found = await app.database.read(actor, lambda tx: archives.list_all(tx, user))
    return answer(wire.ArchivesOut(archives=[archive_out(one, count) for one, count in found]))


@router.post("/archives", status_code=201, response_model=wire.ArchiveOut, tags=["archives"])
async def create_archive(body: wire.ArchiveIn, app: Here, actor: Asks) -> Response:
    """Make an archive; adding to one that isn't there makes it too."""
    check_name("The archive's name", body.name)
    check_name("The user", body.user or None)
    made = await app.database.write(
        actor, lambda tx: archives.create(tx, body.user, body.name, body.description)
    )
    return answer(archive_out(made, 0), 201)


@router.get("/archives/{archive_id}", response_model=wire.ArchiveOut, tags=["archives"])
async def get_archive(archive_id: str, app: Here, actor: Asks) -> Response:
    """One archive, with the number of its passages."""

    def unit(tx: passages.Tx) -> wire.ArchiveOut:
        found = archives.get(tx, ArchiveId(archive_id))
        return archive_out(found, passages.count(tx, found.id))

    return answer(await app.database.read(actor, unit))


@router.patch("/archives/{archive_id}", response_model=wire.ArchiveOut, tags=["archives"])
async def edit_archive(
    archive_id: str, body: wire.ArchiveEditIn, app: Here, actor: Asks
) -> Response:
    """Rename an archive."""
    check_name("The archive's name", body.name)
    changed = await app.database.write(
        actor,
        lambda tx: archives.rename(tx, ArchiveId(archive_id), body.name, body.description),
    )
    return answer(archive_out(changed, None))


@router.delete("/archives/{archive_id}", response_model=wire.DeleteOut, tags=["archives"])
async def delete_archive(archive_id: str, app: Here, actor: Asks) -> Response:
    """Erase an archive and all its passages for good."""
    deleted = await erase.delete_archive(app.memory, actor, ArchiveId(archive_id))
    return answer(wire.DeleteOut(deleted=deleted))
