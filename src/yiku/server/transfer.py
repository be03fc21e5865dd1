"""/memory/import: agent files and other programs' exports, with progress."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack, aclosing, asynccontextmanager
from typing import Annotated, Any, BinaryIO, cast

from fastapi import Query, Request
from starlette.responses import StreamingResponse

from yiku.agents.transfer.carried import Taken, Wishes
from yiku.agents.transfer.export_file import ExportFile, Kind
from yiku.agents.transfer.going import Progress, ignored
from yiku.agents.transfer.take import take
from yiku.agents.transfer.take_chats import Found, take_chats
from yiku.app import App
from yiku.core.errors import Invalid, YikuError
from yiku.core.ids import AgentId
from yiku.core.tenant import Actor, Scope
from yiku.server import wire, wire_transfer
from yiku.server.memory import Asks, Here
from yiku.server.routing import Refusing
from yiku.server.v1.portable.file import AgentFile
from yiku.server.wire_transfer import ImportOut, ImportQuery, LineOut, ProgressOut
from yiku.store.database import demand

router = Refusing(wire.ErrorOut, (401, 403, 404, 409, 413, 422, 502, 503, 507), prefix="/memory")
SPOOLED = 8_000_000
"""Bytes of a file that stay in memory."""
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
Work = Callable[[Progress, bool], Awaitable[ImportOut]]
"""An import: who is told how far it has come, and whether it only tells what it would do."""


@router.post(
    "/import",
    tags=["transfer"],
    response_model=wire_transfer.LineOut,
    response_class=StreamingResponse,
    openapi_extra=BODY,
)
async def import_file(
    request: Request, query: Annotated[ImportQuery, Query()], app: Here, actor: Asks
) -> StreamingResponse:
    """Import a file, the request's body; JSON Lines tell how far it has come, and what was done.

    All of it is read and checked before the first line. An import that was interrupted is gone on
    with by the same request; nothing is stored twice.
    """
    demand(actor, Scope.WRITE)
    if (query.source == "agent-file") is (query.agent_id is not None):
        words = "brings its own agents" if query.agent_id else "goes into an agent's memory"
        raise Invalid(f"A file of {query.source} {words}: see `agent_id`.", field="agent_id")
    with ExitStack() as held:
        file = cast("BinaryIO", held.enter_context(tempfile.SpooledTemporaryFile(SPOOLED)))
        async for block in request.stream():
            await asyncio.to_thread(file.write, block)
        work = await import_of(app, actor, query, file)
        would_be = await work(ignored, True)
        held.pop_all()  # from here on it is `told` who closes it
    lines = told(would_be if query.dry_run else work, file)
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def import_of(app: App, actor: Actor, query: ImportQuery, file: BinaryIO) -> Work:
    if query.source == "agent-file":
        source = await asyncio.to_thread(AgentFile, file)
        wishes = wishes_of(query)

        async def agents(progress: Progress, dry_run: bool) -> ImportOut:
            taken = await take(
                app.agents,
                actor,
                source,
                wishes,
                dry_run=dry_run,
                again=query.again,
                progress=progress,
            )
            return taken_out(query, taken)

        return agents
    kind: Kind = query.source
    export = ExportFile(kind, file, most=app.settings.max_import_bytes)
    agent_id = AgentId(query.agent_id or "")

    async def chats(progress: Progress, dry_run: bool) -> ImportOut:
        found = await take_chats(
            app.agents, actor, agent_id, kind, export, dry_run=dry_run, progress=progress
        )
        return found_out(query, found)

    return chats


async def told(work: Work | ImportOut, file: BinaryIO) -> AsyncGenerator[bytes]:
    """The answer's lines; of a dry run, there is one."""
    with file:
        if isinstance(work, ImportOut):
            yield line_of(LineOut(imported=work))
            return
        async with aclosing(lines_of(work)) as lines:
            async for line in lines:
                yield line_of(line)


async def lines_of(work: Work) -> AsyncGenerator[LineOut]:
    lines: asyncio.Queue[LineOut | None] = asyncio.Queue()

    def progress(done: int, total: int) -> None:
        lines.put_nowait(LineOut(progress=ProgressOut(done=done, total=total)))

    async def run() -> None:
        try:
            lines.put_nowait(LineOut(imported=await work(progress, False)))
        except YikuError as error:
            lines.put_nowait(LineOut(error=type(error).__name__, message=error.message))
        finally:
            lines.put_nowait(None)

    async with running(run()):
        while (line := await lines.get()) is not None:
            yield line


def line_of(line: LineOut) -> bytes:
    return line.model_dump_json(exclude_none=True).encode() + b"\n"


@asynccontextmanager
async def running(work: Any) -> AsyncGenerator[None]:
    """A task that ends with who reads its answer: what it has stored stays."""
    task = asyncio.create_task(work, name="yiku-import")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
    task.result()


def wishes_of(query: ImportQuery) -> Wishes:
    return Wishes(
        name=query.name,
        model=query.model,
        without_messages=query.without_messages,
        replace_tools=not query.keep_tools,
    )


def taken_out(query: ImportQuery, taken: Taken) -> ImportOut:
    new = 0 if taken.repeated else taken.messages
    return ImportOut(
        source=query.source,
        dry_run=query.dry_run,
        agent_ids=list(taken.agent_ids),
        agents=list(taken.agents),
        blocks=taken.blocks,
        tools=taken.tools,
        archives=taken.archives,
        skills=taken.skills,
        groups=taken.groups,
        servers=taken.servers,
        folders=taken.folders,
        files=taken.files,
        conversations=taken.conversations,
        messages=taken.messages,
        passages=taken.passages,
        new_conversations=0 if taken.repeated else taken.conversations,
        new_messages=new,
        new_passages=0 if taken.repeated else taken.passages,
        repeated=taken.repeated,
        left_out={},
        notes=list(taken.notes),
    )


def found_out(query: ImportQuery, found: Found) -> ImportOut:
    return ImportOut(
        source=query.source,
        dry_run=query.dry_run,
        agent_ids=[query.agent_id or ""],
        agents=[],
        conversations=found.conversations,
        messages=found.messages,
        passages=found.memories,
        new_conversations=found.new_conversations,
        new_messages=found.new_messages,
        new_passages=found.new_memories,
        repeated=found.total > 0 and not (found.new_messages or found.new_memories),
        first=found.first,
        last=found.last,
        left_out=found.left_out,
        notes=[],
    )
