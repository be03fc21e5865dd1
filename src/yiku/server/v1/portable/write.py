"""An agent as a file, written piece by piece: little of it is in memory at a time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from yiku.agents.shared import Agents
from yiku.agents.transfer import give
from yiku.agents.transfer.give import Outline
from yiku.core.message import Message
from yiku.core.tenant import Actor
from yiku.server.v1.portable import agents as forms
from yiku.server.v1.portable import legacy, messages, passages
from yiku.server.v1.translate_agents import View
from yiku.store.database import now_utc

Json = dict[str, Any]
AGENT = "agent-0"
DEPTH = 2
"""Spaces of one level, as v1 has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What is to be written, and for whom."""

    agents: Agents
    actor: Actor
    outline: Outline
    view: View
    with_messages: bool = True


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def indented(value: Any, level: int) -> str:
    pad = " " * (DEPTH * level)
    return json.dumps(value, ensure_ascii=False, indent=DEPTH).replace("\n", f"\n{pad}")


async def written(export: Export) -> AsyncIterator[bytes]:
    """The newer form."""
    of = export.outline
    state = of.state
    blocks = {one.id: f"block-{n}" for n, one in enumerate(state.blocks)}
    tools = {one.id: f"tool-{n}" for n, one in enumerate(state.tools)}
    homes = {one.id: f"archive-{n}" for n, one in enumerate(of.archives)}
    agent = forms.agent_to_file(state, export.view, AGENT)
    agent |= {"tool_ids": [*tools.values()], "source_ids": [], "folder_ids": None}
    agent |= {"block_ids": [*blocks.values()], "archive_ids": [*homes.values()]}
    yield b'{\n  "agents": [\n    {\n'
    for name, value in agent.items():
        yield f'      "{name}": {indented(value, 3)},\n'.encode()
    keys = Numbers(of)
    async for piece in message_list(export, keys):
        yield piece
    shown = keys.shown if export.with_messages else []
    yield f',\n      "in_context_message_ids": {indented(shown, 3)}'.encode()
    if export.with_messages and (told := keys.summary(of)) is not None:
        yield f',\n      "summary": {indented(told, 3)}'.encode()
    yield b"\n    }\n  ],\n"
    for name in ("groups", "files", "sources", "mcp_servers", "skills"):
        yield f'  "{name}": [],\n'.encode()
    told_blocks = [forms.block_to_file(one, blocks[one.id]) for one in state.blocks]
    told_tools = [forms.tool_to_file(one, tools[one.id]) for one in state.tools]
    yield f'  "blocks": {indented(told_blocks, 1)},\n'.encode()
    yield f'  "tools": {indented(told_tools, 1)},\n'.encode()
    async for piece in archive_list(export, homes):
        yield piece
    about = {"metadata": {"revision_id": "yiku-1"}, "created_at": now_utc().isoformat()}
    yield f'  "metadata": {indented(about["metadata"], 1)},\n'.encode()
    yield f'  "created_at": {dumped(about["created_at"])}\n}}\n'.encode()


class Numbers:
    """The messages' ids in the file: numbers, in their order."""

    def __init__(self, of: Outline) -> None:
        self._in_context = set(of.shown)
        self._said = of.summary
        self._ends: dict[str, str] = {}
        self.shown: list[str] = []
        self.count = 0

    def of(self, one: Message) -> str:
        key = f"message-{self.count}"
        self.count += 1
        if one.id in self._in_context:
            self.shown.append(key)
        if self._said is not None and self._said.first_seq <= one.seq <= self._said.last_seq:
            self._ends.setdefault("first_message_id", key)
            self._ends["last_message_id"] = key
        return key

    def summary(self, of: Outline) -> Json | None:
        said = of.summary
        if said is None or not self._ends:
            return None
        return {
            "text": said.text,
            **self._ends,
            "count": said.count,
            "created_at": said.created_at.isoformat(),
            "model": said.model,
        }


async def message_list(export: Export, keys: Numbers) -> AsyncIterator[bytes]:
    yield b'      "messages": ['
    if export.with_messages:
        async for page in give.message_pages(export.agents, export.actor, export.outline):
            yield "".join(lines(page, keys, 8)).encode("utf-8", "replace")
    yield b"\n      ]" if keys.count else b"]"


def lines(page: Any, keys: Numbers, pad: int) -> Iterator[str]:
    for one in page:
        comma = "," if keys.count else ""
        form = messages.to_file(one, keys.of(one), AGENT)
        yield f"{comma}\n{' ' * pad}{dumped(form)}"


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
    for name, value in legacy.as_old(agent, blocks, tools).items():
        yield f'  "{name}": {indented(value, 1)},\n'.encode()
    keys = Numbers(of)
    yield b'  "messages": ['
    if export.with_messages:
        async for page in give.message_pages(export.agents, export.actor, of):
            yield "".join(old_lines(page, keys)).encode("utf-8", "replace")
    yield b"\n  ],\n" if keys.count else b"],\n"
    places = [int(one.rpartition("-")[2]) for one in keys.shown]
    yield f'  "in_context_message_indices": {dumped(places)}\n}}\n'.encode()


def old_lines(page: Any, keys: Numbers) -> Iterator[str]:
    kept = ("role", "content", "name", "model", "group_id", "tool_call_id", "tool_calls",
            "tool_returns", "created_at", "approvals", "approve", "yiku")  # fmt: skip
    for one in page:
        comma = "," if keys.count else ""
        form = messages.to_file(one, keys.of(one), AGENT)
        old = {name: form[name] for name in kept if name in form}
        old |= {"tool_calls": form["tool_calls"] or [], "updated_at": form["created_at"]}
        yield f"{comma}\n    {dumped(old)}"
