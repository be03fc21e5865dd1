"""/v1/folders: folders, the files in them, and who has them. `/v1/sources` is their older name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Query, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.responses import Response

from yiku.agents import folders as having
from yiku.core.errors import FolderNotFound, Invalid
from yiku.core.file import Duplicates, File, Folder
from yiku.core.ids import FolderId
from yiku.core.tenant import Scope
from yiku.memory.draft import check_characters
from yiku.memory.files import erase, take
from yiku.memory.files.check import check_folder
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire
from yiku.server.v1 import wire_files as forms
from yiku.server.v1.about import vectors_of
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_files import (
    file_out,
    folder_content,
    folder_out,
    part_of,
    with_changes,
)
from yiku.store import file_text, files, folders
from yiku.store.database import Tx, demand

router = Routes("folders")
NULL = b"null"
BLOCK = 262_144
MOST_TOLD = 100_000_000
"""Characters of an answer that lists files with their texts."""
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            }
        },
    }
}
"""The body isn't read before it is known who asks, so the description is by hand."""


@router.post("/v1/folders/", response_model=forms.FolderOut)
async def create(body: forms.FolderIn, app: Here, actor: Asks) -> Response:
    """Create a folder."""
    content = check_folder(folder_content(body))
    made = await app.database.write(actor, lambda tx: folders.add(tx, content))
    return answer(folder_out(made, vectors_of(app.agents)))


@router.get("/v1/folders/", response_model=list[forms.FolderOut])
async def list_folders(
    query: Annotated[forms.FolderQuery, Query()], app: Here, actor: Asks
) -> Response:
    """The folders there are, a page of them."""
    check_characters("The filter", query.name or "")
    part = part_of(query)
    found = await app.database.read(actor, lambda tx: folders.page(tx, part, query.name))
    vectors = vectors_of(app.agents)
    return answers(folder_out(one, vectors) for one in found)


@router.get("/v1/folders/count", response_model=int)
async def count(app: Here, actor: Asks) -> int:
    """How many folders there are."""
    return await app.database.read(actor, folders.count)


@router.get("/v1/folders/name/{folder_name}", response_model=str)
async def id_of(folder_name: str, app: Here, actor: Asks) -> str:
    """The id of the folder of this name."""
    found = await app.database.read(actor, lambda tx: folders.find(tx, folder_name))
    if found is None:
        raise FolderNotFound(f"There is no folder {folder_name!r:.200}.")
    return found.id


@router.get("/v1/folders/{folder_id}", response_model=forms.FolderOut)
async def retrieve(folder_id: str, app: Here, actor: Asks) -> Response:
    """One folder."""
    found = await app.database.read(actor, lambda tx: folders.get(tx, folder_id))
    return answer(folder_out(found, vectors_of(app.agents)))


@router.patch("/v1/folders/{folder_id}", response_model=forms.FolderOut)
async def update(folder_id: str, body: forms.FolderPatch, app: Here, actor: Asks) -> Response:
    """Rename a folder, or describe it."""

    def unit(tx: Tx) -> Folder:
        seen = folders.get(tx, folder_id, lock=True)
        now = check_folder(with_changes(folders.content_of(seen), body))
        return folders.change(tx, seen, now)

    changed = await app.database.write(actor, unit)
    return answer(folder_out(changed, vectors_of(app.agents)))


@router.delete("/v1/folders/{folder_id}", response_model=None)
async def delete(folder_id: str, app: Here, actor: Asks) -> Response:
    """Erase a folder for good, with its files."""
    await having.delete(app.agents, actor, folder_id)
    return Response(NULL, media_type="application/json")


@router.get("/v1/folders/{folder_id}/agents", response_model=list[str])
async def list_agents(
    folder_id: str, query: Annotated[wire.NewestFirst, Query()], app: Here, actor: Asks
) -> list[str]:
    """The ids of the agents that have a folder, a page of them."""
    part = part_of(query)
    found = await app.database.read(actor, lambda tx: folders.holders_page(tx, folder_id, part))
    return [str(one) for one in found]


@router.post("/v1/folders/{folder_id}/upload", response_model=forms.FileOut, openapi_extra=UPLOAD)
async def upload(
    folder_id: str,
    query: Annotated[forms.UploadQuery, Query()],
    request: Request,
    app: Here,
    actor: Asks,
) -> Response:
    """Put a file into a folder; it is read in the background."""
    demand(actor, Scope.WRITE)
    found = await app.database.read(actor, lambda tx: folders.get(tx, folder_id))
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise Invalid("Send the file as a form: `Content-Type: multipart/form-data`.")
    try:
        form = await request.form(max_files=1, max_fields=10)
    except (MultiPartException, HTTPException) as error:
        if getattr(error, "status_code", 400) == 413:
            raise
        words = getattr(error, "detail", None) or getattr(error, "message", "")
        raise Invalid(f"The form can't be read: {words}", field="file") from error
    try:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise Invalid("The form has no file: its field is called `file`.", field="file")
        taken = await take.take(
            app.files,
            actor,
            folder_id,
            blocks_of(file),
            original_name=file.filename,
            name=query.name,
            duplicates=Duplicates(query.duplicate_handling),
        )
    finally:
        await form.close()
    return answer(file_out(taken, found))


async def blocks_of(file: UploadFile) -> AsyncIterator[bytes]:
    while block := await file.read(BLOCK):
        yield block


@router.get("/v1/folders/{folder_id}/files", response_model=list[forms.FileOut])
async def list_files(
    folder_id: str, query: Annotated[forms.FileQuery, Query()], app: Here, actor: Asks
) -> Response:
    """A folder's files, a page of them."""
    part = part_of(query)

    def unit(tx: Tx) -> tuple[Folder, list[tuple[File, str | None]]]:
        folder = folders.get(tx, folder_id)
        found = files.page(tx, FolderId(folder_id), part)
        if query.include_content:
            demand_tellable(tx, found)
        return folder, [(one, content(tx, one, told=query.include_content)) for one in found]

    folder, found = await app.database.read(actor, unit)
    return answers(file_out(one, folder, text) for one, text in found)


def demand_tellable(tx: Tx, found: list[File]) -> None:
    """Raises: Invalid."""
    count = file_text.length(tx, [one.id for one in found])
    if count > MOST_TOLD:
        raise Invalid(
            f"These {len(found)} files have {count:,} characters; {MOST_TOLD:,} are told at once."
            " Ask for fewer (`limit`), or file by file.",
            field="include_content",
        )


def content(tx: Tx, one: File, *, told: bool) -> str | None:
    return file_text.content(tx, one.id) if told else None


@router.get("/v1/folders/{folder_id}/files/{file_id}", response_model=forms.FileOut)
async def retrieve_file(
    folder_id: str,
    file_id: str,
    query: Annotated[forms.FileDetails, Query()],
    app: Here,
    actor: Asks,
) -> Response:
    """One file, and how far it has come."""

    def unit(tx: Tx) -> tuple[File, Folder, str | None]:
        folder = folders.get(tx, folder_id)
        one = files.get(tx, file_id, folder_id)
        return one, folder, content(tx, one, told=query.include_content)

    return answer(file_out(*await app.database.read(actor, unit)))


@router.delete("/v1/folders/{folder_id}/{file_id}", status_code=204, response_model=None)
async def delete_file(folder_id: str, file_id: str, app: Here, actor: Asks) -> Response:
    """Erase a file for good, with its chunks."""
    await app.database.read(actor, lambda tx: folders.get(tx, folder_id))
    await erase.delete(app.files, actor, file_id, folder_id)
    return Response(status_code=204)


router.also("/v1/folders", "/v1/sources")
