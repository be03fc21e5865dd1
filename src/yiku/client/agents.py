"""Agents' part of the Python API, over the v1 wire."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
from pydantic import RootModel

from yiku.client.calls import NOT_UNDERSTOOD, Calls, asked_for, part, raise_for
from yiku.client.events import Call, Edited, Ended, Event, EventReader, Failed, Returned, text_of
from yiku.client.sent import Sent, answers, body_of
from yiku.core import errors
from yiku.server import wire_history
from yiku.server.v1 import wire, wire_agents, wire_messages, wire_runs, wire_tools

PATIENCE = httpx.Timeout(60, read=None)
"""An answer takes as long as its model and its tools do."""
WHOLE = 1_000
"""As many blocks or tools as an agent may be listed with."""

# Spelled out here: inside the class, `list` is its method.
Agents = list[wire_agents.AgentOut]
Blocks = list[wire.BlockOut]
Messages = list[wire_messages.AnyMessageOut]
History = list[wire_history.HistoryMessageOut]
Runs = list[wire_runs.RunOut]
Steps = list[wire_runs.StepOut]


class MessageList(RootModel[Messages]):
    """A page of messages, of all their kinds."""


class Fields(RootModel[dict[str, Any]]):
    """An object whose names are the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an agent said and did until its run ended."""

    messages: tuple[wire_messages.AnyMessageOut, ...]
    stop_reason: str
    usage: wire_messages.UsageOut

    @property
    def text(self) -> str:
        """What it said to its user."""
        said = (one for one in self.messages if isinstance(one, wire_messages.AssistantMessageOut))
        return "\n".join(text_of(one.content) for one in said)

    @property
    def steps(self) -> tuple[tuple[wire_messages.AnyMessageOut, ...], ...]:
        """The messages of each step, in order."""
        found: dict[str | None, list[wire_messages.AnyMessageOut]] = {}
        for one in self.messages:
            found.setdefault(one.step_id, []).append(one)
        return tuple(map(tuple, found.values()))

    @property
    def waiting(self) -> tuple[Call, ...]:
        """Calls that wait for somebody's approval."""
        return tuple(
            Call(id=call.tool_call_id, name=call.name, arguments=call.arguments)
            for one in self.messages
            if isinstance(one, wire_messages.ApprovalRequestMessageOut)
            for call in one.tool_calls
        )

    @property
    def run_id(self) -> str | None:
        return next(iter(self.usage.run_ids), None)


def reply_of(found: wire_messages.AnswerOut) -> Reply:
    return Reply(
        messages=tuple(found.messages),
        stop_reason=found.stop_reason.stop_reason,
        usage=found.usage,
    )


@dataclass(slots=True)
class Watch:
    """The agent's blocks as they were seen last."""

    blocks: dict[str, wire.BlockOut] = field(default_factory=dict[str, wire.BlockOut])

    def edits(self, found: Sequence[wire.BlockOut]) -> list[Edited]:
        """What has changed since."""
        now = {one.id: one for one in found}
        both = {**now, **self.blocks}
        made = [
            Edited(label=both[block_id].label, block_id=block_id, before=before, after=after)
            for block_id in [*self.blocks, *(one for one in now if one not in self.blocks)]
            if (before := value_of(self.blocks, block_id)) != (after := value_of(now, block_id))
        ]
        self.blocks = now
        return made


def value_of(blocks: Mapping[str, wire.BlockOut], block_id: str) -> str | None:
    return blocks[block_id].value if block_id in blocks else None


class AgentClient(Calls):
    """The agents of this process's memory, or of a server's.

    Every method raises the errors of `yiku.core.errors`.
    """

    async def create(
        self,
        name: str | None = None,
        *,
        model: str | None = None,
        blocks: Mapping[str, str] | Sequence[Mapping[str, Any]] = (),
        tools: Sequence[str] = (),
        kind: str | None = None,
        **fields: Any,
    ) -> wire_agents.AgentOut:
        """Make an agent.

        `blocks` are values by label, or whole blocks; `tools` are names; `fields` are v1's:
        `system`, `tags`, `role_memory`, `context_window_limit` …
        """
        memory = (
            [{"label": label, "value": value} for label, value in blocks.items()]
            if isinstance(blocks, Mapping)
            else [*blocks]
        )
        body = {"name": name, "model": model, "agent_type": kind, **fields}
        body |= {"memory_blocks": memory or None, "tools": [*tools] or None}
        return await self._call(wire_agents.AgentOut, "POST", "/v1/agents/", json=asked_for(body))

    async def get(self, agent_id: str) -> wire_agents.AgentOut:
        return await self._call(wire_agents.AgentOut, "GET", path_of(agent_id))

    async def list(
        self,
        *,
        name: str | None = None,
        tags: Sequence[str] | None = None,
        limit: int = 50,
        after: str | None = None,
        include: Sequence[str] | None = None,
    ) -> Agents:
        """Agents, the newest first; `include` says with which of their relations, None: all."""
        return await self._list(
            wire_agents.AgentOut,
            "/v1/agents/",
            name=name,
            tags=tags,
            limit=limit,
            after=after,
            include=include,
        )

    async def update(self, agent_id: str, **changes: Any) -> wire_agents.AgentOut:
        """Change fields of an agent, as v1 names them."""
        return await self._call(wire_agents.AgentOut, "PATCH", path_of(agent_id), json=changes)

    async def delete(self, agent_id: str) -> None:
        """Erase an agent for good, with its messages and what was made with it."""
        await self._done("DELETE", path_of(agent_id))

    async def send(self, agent_id: str, message: Sent, **how: Any) -> Reply:
        """Send a message and wait for the whole answer.

        `how`: `max_steps`, `override_model`, `override_system`, `client_tools` … of v1.

        Raises: AgentBusy, ApprovalPending, NothingToApprove and what else the run can't begin for;
        ProviderError where it failed.
        """
        found = await self._call(
            wire_messages.AnswerOut,
            "POST",
            f"{path_of(agent_id)}/messages",
            json={**body_of(message), **how},
            timeout=PATIENCE,
        )
        return reply_of(found)

    async def stream(
        self, agent_id: str, message: Sent, *, edits: bool = True, **how: Any
    ) -> AsyncGenerator[Event]:
        """Send a message, and be told of the run as it goes on; the last event is `Ended`.

        `edits`: also of changes of the agent's blocks. Leaving early doesn't end the run: `cancel`
        does. A stream that is left should be closed: `contextlib.aclosing`.
        """
        watch = Watch()
        if edits:
            watch.edits(await self.blocks(agent_id))
        async with aclosing(self._events(agent_id, {**body_of(message), **how})) as events:
            async for event in events:
                yield event
                if edits and isinstance(event, Returned):
                    for edit in watch.edits(await self.blocks(agent_id)):
                        yield edit

    async def _events(self, agent_id: str, body: dict[str, Any]) -> AsyncGenerator[Event]:
        """Raises: ProviderUnavailable where the stream breaks off before its end, and hasn't said
        why; where it has, that was the end."""
        path, reader = f"{path_of(agent_id)}/messages/stream", EventReader()
        last: Event | None = None
        asked = {
            "stream_tokens": True,
            "include_pings": True,  # a long tool is no silence
            "include_compaction_messages": True,
            **body,
        }
        with self._reached():
            async with self._http.stream("POST", path, json=asked) as response:
                if response.is_error:
                    await response.aread()
                    raise_for(response)
                async for line in response.aiter_lines():
                    for event in read(reader, line):
                        last = event
                        yield event
        if isinstance(last, Failed):
            yield Ended(stop_reason="error")
        elif not isinstance(last, Ended):
            raise errors.ProviderUnavailable(
                "The stream broke off; the run may go on, and its messages are kept."
            )

    async def approve(self, agent_id: str, *call_ids: str, **how: Any) -> Reply:
        """Allow calls that wait; none named: all of them."""
        return await self.send(agent_id, answers(call_ids, True, None), **how)

    async def deny(
        self, agent_id: str, *call_ids: str, reason: str | None = None, **how: Any
    ) -> Reply:
        """Refuse calls that wait; none named: all of them. The agent is told the reason."""
        return await self.send(agent_id, answers(call_ids, False, reason), **how)

    async def messages(
        self,
        agent_id: str,
        *,
        limit: int = 100,
        after: str | None = None,
        before: str | None = None,
        order: Literal["asc", "desc"] = "desc",
    ) -> Messages:
        """A page of its conversation; `desc`: the newest first."""
        query = asked_for({"limit": limit, "after": after, "before": before, "order": order})
        path = f"{path_of(agent_id)}/messages"
        return (await self._call(MessageList, "GET", path, params=query)).root

    async def get_history_with_summary(
        self, agent_id: str, conversation_id: str | None = None
    ) -> History:
        """Its conversation as it is shown it: where older messages were summarised, first a system
        message headed `[PREVIOUS SUMMARY]`; then those that weren't, the oldest first."""
        query = asked_for({"conversation_id": conversation_id})
        path = f"/memory/agents/{part(agent_id)}/history"
        found = await self._call(wire_history.ConversationOut, "GET", path, params=query)
        return found.messages

    async def reset(self, agent_id: str) -> wire_agents.AgentOut:
        """Erase its messages for good; its blocks and memories stay."""
        path = f"{path_of(agent_id)}/reset-messages"
        body = {"add_default_initial_messages": False}
        return await self._call(wire_agents.AgentOut, "PATCH", path, json=body)

    async def context(self, agent_id: str) -> dict[str, Any]:
        """What fills its context window."""
        return (await self._call(Fields, "GET", f"{path_of(agent_id)}/context")).root

    async def blocks(self, agent_id: str) -> Blocks:
        """In the agent's order: as its model is shown them."""
        path = f"{path_of(agent_id)}/core-memory"
        return (await self._call(wire_agents.MemoryOut, "GET", path)).blocks

    async def block(self, agent_id: str, label: str) -> wire.BlockOut:
        path = f"{path_of(agent_id)}/core-memory/blocks/{part(label)}"
        return await self._call(wire.BlockOut, "GET", path)

    async def edit_block(self, agent_id: str, label: str, **changes: Any) -> wire.BlockOut:
        """Change a block of an agent: `value`, `limit`, `description`, `read_only` …"""
        path = f"{path_of(agent_id)}/core-memory/blocks/{part(label)}"
        return await self._call(wire.BlockOut, "PATCH", path, json=changes)

    async def undo_edit(self, edit: Edited) -> wire.BlockOut:
        """Give a block the value it had before; the history keeps both.

        Raises: StaleBlock where it has changed since, NothingToUndo where it was made or erased.
        """
        if edit.before is None or edit.after is None:
            raise errors.NothingToUndo(f"The block {edit.label!r} was made or erased, not edited.")
        path = f"/v1/blocks/{part(edit.block_id)}"
        with self._reached():
            seen = await self._http.get(path)
        if seen.is_error:
            raise_for(seen)
        if seen.json()["value"] != edit.after:
            raise errors.StaleBlock(f"The block {edit.label!r} has changed since.")
        headers = {"If-Match": seen.headers["ETag"]}
        body = {"value": edit.before}
        return await self._call(wire.BlockOut, "PATCH", path, json=body, headers=headers)

    async def add_block(self, agent_id: str, label: str, value: str, **fields: Any) -> str:
        """Make a block and attach it to the agent; returns its id."""
        body = {"label": label, "value": value, **fields}
        made = await self._call(wire.BlockOut, "POST", "/v1/blocks/", json=body)
        path = f"{path_of(agent_id)}/core-memory/blocks/attach/{part(made.id)}"
        try:
            await self._done("PATCH", path)
        except errors.YikuError:  # nobody would find it again
            await self._done("DELETE", f"/v1/blocks/{part(made.id)}")
            raise
        return made.id

    async def add_tool(self, agent_id: str, name: str) -> None:
        """Attach the tool of this name. Raises: ToolNotFound."""
        path = f"{path_of(agent_id)}/tools/attach/{part(await self._tool_id(name))}"
        await self._done("PATCH", path)

    async def remove_tool(self, agent_id: str, name: str) -> None:
        """Raises: ToolNotFound."""
        path = f"{path_of(agent_id)}/tools/detach/{part(await self._tool_id(name))}"
        await self._done("PATCH", path)

    async def ask_before(self, agent_id: str, name: str, ask: bool = True) -> None:
        """Whether calls of this tool of the agent wait for somebody's approval."""
        path = f"{path_of(agent_id)}/tools/approval/{part(name)}"
        await self._done("PATCH", path, json={"requires_approval": ask})

    async def _tool_id(self, name: str) -> str:
        found = await self._list(wire_tools.ToolOut, "/v1/tools/", name=name, limit=1)
        if not found:
            raise errors.ToolNotFound(f"There is no tool {name!r}; `yiku tool list` shows them.")
        return found[0].id

    async def cancel(self, agent_id: str, *run_ids: str) -> dict[str, Any]:
        """End runs of the agent, where none is named all that go on; says what became of each."""
        path = f"{path_of(agent_id)}/messages/cancel"
        body = {"run_ids": [*run_ids] or None}
        return (await self._call(Fields, "POST", path, json=body)).root

    async def runs(
        self, agent_id: str | None = None, *, limit: int = 50, after: str | None = None
    ) -> Runs:
        """Runs of an agent, or of all, the newest first."""
        query = {"agent_id": agent_id, "limit": limit, "after": after}
        return await self._list(wire_runs.RunOut, "/v1/runs/", **query)

    async def get_run(self, run_id: str) -> wire_runs.RunOut:
        return await self._call(wire_runs.RunOut, "GET", f"/v1/runs/{part(run_id)}")

    async def steps(self, run_id: str) -> Steps:
        """The steps of a run, in order."""
        path = f"/v1/runs/{part(run_id)}/steps"
        return await self._list(wire_runs.StepOut, path, limit=WHOLE, order="asc")


def path_of(agent_id: str) -> str:
    return f"/v1/agents/{part(agent_id)}"


def read(reader: EventReader, line: str) -> Iterator[Event]:
    """Raises: YikuError where it is no such stream."""
    try:
        yield from reader.line(line)
    except (ValueError, KeyError, TypeError) as error:
        raise errors.YikuError(NOT_UNDERSTOOD) from error
