"""/v1/agents/{agent_id}/export and /v1/agents/import: agents as files."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any, cast

from fastapi import Header, Query, Request
from pydantic import ValidationError
from starlette.datastructures import UploadFile
from starlette.responses import Response, StreamingResponse

from yiku.agents.transfer import give
from yiku.agents.transfer.carried import Wishes
from yiku.agents.transfer.take import take
from yiku.core.errors import Invalid, InvalidImport
from yiku.core.ids import AgentId
from yiku.core.tenant import Scope
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1.about import view_of
from yiku.server.v1.portable import wire
from yiku.server.v1.portable.file import AgentFile
from yiku.server.v1.portable.write import Export, written, written_old
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate_sent import conversation_in
from yiku.store.database import demand

router = Routes("agents")
COPY = "_copy"
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        **{
                            name: {"type": "boolean"}
                            if info.annotation is bool
                            else {"type": "string"}
                            for name, info in wire.ImportFields.model_fields.items()
                        },
                    },
                }
            }
        },
    }
}
"""The form is read here: its file may be longer than what a request's form is."""


@router.get("/v1/agents/{agent_id}/export", response_model=None, response_class=StreamingResponse)
async def export_file(
    agent_id: str, query: Annotated[wire.ExportQuery, Query()], app: Here, actor: Asks
) -> Response:
    """An agent with all it has, as a file that `import` takes here and elsewhere."""
    named = query.conversation_id
    conversation = None if named == agent_id else conversation_in(named)
    outline = await give.outline(app.agents, actor, AgentId(agent_id), conversation)
    export = Export(
        agents=app.agents,
        actor=actor,
        outline=outline,
        view=view_of(app.agents, actor),
        with_messages=not query.scrub_messages,
    )
    write = written_old if query.use_legacy_format else written
    return StreamingResponse(write(export), media_type="application/json")


@router.post("/v1/agents/import", response_model=wire.ImportedOut, openapi_extra=FORM)
async def import_file(
    request: Request,
    app: Here,
    actor: Asks,
    x_override_embedding_model: Annotated[str | None, Header()] = None,
) -> Response:
    """Make the agents of a file. One that was interrupted is gone on with by the same request."""
    demand(actor, Scope.WRITE)
    async with request.form(max_files=1, max_fields=50) as form:
        upload = form.get("file")
        if not isinstance(upload, UploadFile):
            raise Invalid("Send the agent file as the form's `file`.", field="file")
        fields = fields_of({name: one for name, one in form.items() if isinstance(one, str)})
        wishes = wishes_of(fields, x_override_embedding_model)
        source = await asyncio.to_thread(AgentFile, upload.file)
        try:
            taken = await take(app.agents, actor, source, wishes, again=True)
        finally:
            source.close()
    return answer(wire.ImportedOut(agent_ids=list(taken.agent_ids)))


def fields_of(given: dict[str, str]) -> wire.ImportFields:
    """Raises: Invalid. What a newer client sends beside is left aside, as v1 does."""
    known = {name: one for name, one in given.items() if name in wire.ImportFields.model_fields}
    try:
        return wire.ImportFields.model_validate(known)
    except ValidationError as error:
        first = error.errors()[0]
        raise Invalid(first["msg"], field=str(first["loc"][0])) from error


def wishes_of(fields: wire.ImportFields, embedding: str | None) -> Wishes:
    """Raises: InvalidImport."""
    name = fields.name or fields.override_name
    secrets = variables("env_vars_json", fields.env_vars_json)
    return Wishes(
        name=name or None,
        suffix=COPY if fields.append_copy_suffix else "",
        model=fields.model or fields.override_model_handle or None,
        embedding=fields.embedding or fields.override_embedding_handle or embedding or None,
        project_id=fields.project_id or None,
        secrets=secrets | variables("secrets", fields.secrets),
        without_messages=fields.strip_messages,
        replace_tools=fields.override_existing_tools,
    )


def variables(field: str, text: str | None) -> dict[str, str]:
    """Raises: InvalidImport."""
    if not text:
        return {}
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidImport(f"`{field}` is no JSON: {error}.", field=field) from error
    if not isinstance(found, dict) or not all(
        isinstance(one, str) for one in cast("dict[Any, Any]", found).values()
    ):
        words = f'`{field}` is a JSON object of texts, like {{"TOKEN": "…"}}.'
        raise InvalidImport(words, field=field)
    return cast("dict[str, str]", found)
