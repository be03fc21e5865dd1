"""/v1/tools."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from yiku.agents import own
from yiku.core.ids import ToolId, new_id
from yiku.core.tool import SourceType, ToolDraft, ToolFilter
from yiku.server.memory import Asks, Here, answer
from yiku.server.v1 import wire_tools as wire
from yiku.server.v1.listing import answers
from yiku.server.v1.routing import Routes
from yiku.server.v1.translate import given
from yiku.server.v1.translate_tools import (
    count_filter,
    hit_out,
    requirements,
    result_out,
    source_type,
    tool_changes,
    tool_draft,
    tool_filter,
    tool_out,
    tool_page,
    types_of,
)
from yiku.tools.registry import reason, shown

router = Routes("tools")

SETTINGS = frozenset(
    {"tags", "pip_requirements", "npm_requirements", "return_char_limit"}
    | {"default_requires_approval", "enable_parallel_execution", "metadata"}
)


@router.post("/v1/tools/", response_model=wire.ToolOut)
async def create(body: wire.ToolIn, app: Here, actor: Asks) -> Response:
    """Create a tool."""
    return answer(tool_out(await app.tools.create(actor, tool_draft(body))))


@router.put("/v1/tools/", response_model=wire.ToolOut)
async def upsert(body: wire.ToolIn, app: Here, actor: Asks) -> Response:
    """Create a tool, or put it in the place of the one of its name; what isn't said of tags,
    approval, limits and requirements stays."""
    made = await app.tools.upsert(actor, tool_draft(body), unsaid=SETTINGS - given(body).keys())
    return answer(tool_out(made))


@router.get("/v1/tools/", response_model=list[wire.ToolOut])
async def list_tools(query: Annotated[wire.ToolQuery, Query()], app: Here, actor: Asks) -> Response:
    """The tools there are, a page of them."""
    wanted, page = tool_filter(query), tool_page(query)
    await own.see_to(app.database, actor)
    return answers(map(tool_out, await app.tools.listed(actor, wanted, page)))


@router.get("/v1/tools/count", response_model=int)
async def count(query: Annotated[wire.ToolCount, Query()], app: Here, actor: Asks) -> int:
    """How many tools there are."""
    wanted = count_filter(query)
    await own.see_to(app.database, actor)
    return await app.tools.count(actor, wanted)


@router.post("/v1/tools/search", response_model=list[wire.ToolHitOut])
async def search(body: wire.ToolSearchIn, app: Here, actor: Asks) -> Response:
    """Tools that have words of the query, best first."""
    types = None if body.tool_types is None else types_of("tool_types", body.tool_types)
    await own.see_to(app.database, actor)
    hits = await app.tools.search(
        actor,
        body.query or "",
        ToolFilter(types=types),
        tags=body.tags or (),
        limit=body.limit,
    )
    return answers(hit_out(hit, rank) for rank, hit in enumerate(hits, 1))


@router.post("/v1/tools/add-base-tools", response_model=list[wire.ToolOut])
async def add_base_tools(app: Here, actor: Asks) -> Response:
    """The tools that come with the server, as this version of it has them."""
    return answers(map(tool_out, await app.database.write(actor, own.renewed)))


@router.post("/v1/tools/run", response_model=wire.ToolReturnOut)
async def run(body: wire.ToolRunIn, app: Here, actor: Asks) -> Response:
    """Call code that isn't a tool yet, in the sandbox."""
    draft = ToolDraft(
        source_code=body.source_code,
        source_type=SourceType.PYTHON
        if body.source_type is None
        else source_type(body.source_type),
        json_schema=body.json_schema,
        args_json_schema=body.args_json_schema,
        pip_requirements=requirements(body.pip_requirements or ()),
        npm_requirements=requirements(body.npm_requirements or ()),
    )
    one, ran = await app.tools.try_out(actor, draft, body.args, body.env_vars)
    result = result_out(ran)
    return answer(
        wire.ToolReturnOut(
            id=new_id("message"),
            date=datetime.now(UTC).isoformat(),
            message_type="tool_return_message",
            name=body.name or one.name,
            status=result.status,
            tool_call_id=new_id("call"),
            tool_return=reason(ran) if (text := shown(one, ran)) is None else text,
            stdout=result.stdout,
            stderr=result.stderr,
        )
    )


@router.get("/v1/tools/{tool_id}", response_model=wire.ToolOut)
async def retrieve(tool_id: str, app: Here, actor: Asks) -> Response:
    """One tool."""
    return answer(tool_out(await app.tools.get(actor, ToolId(tool_id))))


@router.patch("/v1/tools/{tool_id}", response_model=wire.ToolOut)
async def update(tool_id: str, body: wire.ToolPatch, app: Here, actor: Asks) -> Response:
    """Change a tool; a new source is read anew."""
    changed = await app.tools.update(actor, ToolId(tool_id), tool_changes(body))
    return answer(tool_out(changed))


@router.delete("/v1/tools/{tool_id}", response_model=None)
async def delete(tool_id: str, app: Here, actor: Asks) -> Response:
    """Delete a tool; agents that have it lose it."""
    await app.tools.delete(actor, ToolId(tool_id))
    return Response(b"null", media_type="application/json")
