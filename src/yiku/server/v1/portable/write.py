"""An agent as a file, written piece by piece: little of it is in memory at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from yiku.agents.transfer import give
from yiku.agents.transfer.give import Outline
from yiku.core.message import Message
from yiku.server.v1.portable import agents as forms
from yiku.server.v1.portable import legacy, messages, passages
from yiku.server.v1.portable.folders import READ, file_to_file, folder_to_file
from yiku.server.v1.portable.groups import group_to_file
from yiku.server.v1.portable.lines import Json, dumped, fields, indented
from yiku.server.v1.portable.outgoing import AGENT, Export
from yiku.server.v1.portable.servers import server_to_file
from yiku.server.v1.portable.skills import skill_to_file
from yiku.server.v1.portable.threads import Numbers, conversations
from yiku.store.database import now_utc


async def written(export: Export) -> AsyncIterator[bytes]:
    """The newer form."""
    of = export.outline
    state = of.state
    blocks = {one.id: f"block-{n}" for n, one in enumerate(state.blocks)}
    tools = {one.id: f"tool-{n}" for n, one in enumerate(state.tools)}
    homes = {one.id: f"archive-{n}" for n, one in enumerate(of.archives)}
    agent = forms.agent_to_file(state, export.view, AGENT)
    folders = {one.id: f"source-{n}" for n, one in enumerate(of.folders)}
    agent |= {"tool_ids": [*tools.values()], "source_ids": [*folders.values()], "folder_ids": None}
    agent |= {"block_ids": [*blocks.values()], "archive_ids": [*homes.values()]}
    yield b'{\n  "agents": [\n    {\n'
    for piece in fields(agent, 3):
        yield piece
    async for piece in conversations(export):
        yield piece
    yield b"\n    }\n  ],\n"
    for piece in fields(small_lists(of, blocks, tools, folders), 1):
        yield piece
    async for piece in file_list(export, folders):
        yield piece
    async for piece in archive_list(export, homes):
        yield piece
    about = {"metadata": {"revision_id": "yiku-1"}, "created_at": now_utc().isoformat()}
    yield f'  "metadata": {indented(about["metadata"], 1)},\n'.encode()
    yield f'  "created_at": {dumped(about["created_at"])}\n}}\n'.encode()


def small_lists(
    of: Outline, blocks: Mapping[Any, str], tools: Mapping[Any, str], folders: Mapping[Any, str]
) -> Json:
    """What is short of what the agent has, with its keys."""
    keys = {of.state.agent.id: AGENT}
    return {
        "groups": [
            group_to_file(one, f"group-{n}", keys, blocks) for n, one in enumerate(of.groups)
        ],
        "mcp_servers": [server_to_file(one, f"mcp_server-{n}") for n, one in enumerate(of.servers)],
        "skills": [],
        "blocks": [forms.block_to_file(one, blocks[one.id]) for one in of.state.blocks],
        "tools": [forms.tool_to_file(one, tools[one.id]) for one in of.state.tools],
        "sources": [folder_to_file(one, folders[one.id]) for one in of.folders],
        "memory_skills": [skill_to_file(one) for one in of.skills],
    }


async def file_list(export: Export, folders: Mapping[Any, str]) -> AsyncIterator[bytes]:
    """Each with its text in pieces, where all of that is there."""
    agents, actor, count = export.agents, export.actor, 0
    yield b'  "files": ['
    for folder_id, key in folders.items():
        async for page in give.file_pages(agents, actor, folder_id):
            for one in page:
                yield b",\n    {\n" if count else b"\n    {\n"
                for piece in fields(file_to_file(one, f"file-{count}", key), 3):
                    yield piece
                yield b'      "pieces": ['
                count, comma = count + 1, ""
                if one.status in READ:
                    async for found in give.text_pages(agents, actor, one.id):
                        rows = [f"\n        {dumped(each.text)}" for each in found]
                        yield f"{comma}{','.join(rows)}".encode("utf-8", "replace")
                        comma = ","
                yield b"\n      ]\n    }" if comma else b"]\n    }"
    yield b"\n  ],\n" if count else b"],\n"


async def archive_list(export: Export, homes: Mapping[Any, str]) -> AsyncIterator[bytes]:
    yield b'  "archives": ['
    for n, one in enumerate(export.outline.archives):
        head: Json = {"id": homes[one.id], "name": one.name, "description": one.description}
        head["embedding_model"] = one.embedding_model
        head["roles"] = [role.config.as_json() for role in export.outline.roles[one.id]]
        comma = "," if n else ""
        yield f"{comma}\n    {indented(head, 2).removesuffix('}').rstrip()},\n".encode()
        yield b'      "passages": ['
        count = 0
        async for page in give.passage_pages(export.agents, export.actor, one.id):
            rows: list[str] = []
            for kept in page:
                form = passages.to_file(kept.passage, kept.roles, f"passage-{count}")
                rows.append(f"{',' if count else ''}\n        {dumped(form)}")
                count += 1
            yield "".join(rows).encode("utf-8", "replace")
        yield b"\n      ]\n    }" if count else b"]\n    }"
    yield b"\n  ],\n" if export.outline.archives else b"],\n"


async def written_old(export: Export) -> AsyncIterator[bytes]:
    """The older form: one agent, and nothing that it can't say."""
    of = export.outline
    agent = forms.agent_to_file(of.state, export.view, AGENT)
    agent |= {"created_at": of.state.agent.created_at.isoformat()}
    agent |= {"updated_at": of.state.agent.updated_at.isoformat()}
    blocks = [forms.block_to_file(one, "") for one in of.state.blocks]
    tools = [forms.tool_to_file(one, "") for one in of.state.tools]
    yield b"{\n"
    for piece in fields(legacy.as_old(agent, blocks, tools), 1):
        yield piece
    numbers = Numbers(of.thread)
    yield b'  "messages": ['
    if export.with_messages:
        async for page in give.message_pages(export.agents, export.actor, of.thread):
            yield "".join(old_lines(page, numbers)).encode("utf-8", "replace")
    yield b"\n  ],\n" if numbers.count else b"],\n"
    places = [int(one.rpartition("-")[2]) for one in numbers.shown]
    yield f'  "in_context_message_indices": {dumped(places)}\n}}\n'.encode()


def old_lines(page: Sequence[Message], numbers: Numbers) -> Iterator[str]:
    kept = ("role", "content", "name", "model", "group_id", "tool_call_id", "tool_calls",
            "tool_returns", "created_at", "approvals", "approve", "yiku")  # fmt: skip
    for one in page:
        comma = "," if numbers.count else ""
        form = messages.to_file(one, numbers.of(one), AGENT)
        old = {name: form[name] for name in kept if name in form}
        old |= {"tool_calls": form["tool_calls"] or [], "updated_at": form["created_at"]}
        yield f"{comma}\n    {dumped(old)}"
