"""Our own client of agents, over HTTP and in this process, on both kinds of database."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.servers.dialects import Call, Says
from tests.servers.scripted_chat import Fails, Script, ScriptedChat
from yiku.agents import session
from yiku.app import App
from yiku.client.agents import AgentClient
from yiku.client.events import Called, Edited, Ended, Event, Failed, Returned, Text, Waits
from yiku.client.sent import Decision
from yiku.core.errors import (
    AgentNotFound,
    ApprovalPending,
    BlockNotFound,
    Invalid,
    NothingToApprove,
    NothingToUndo,
    ProviderUnavailable,
    RunNotFound,
    StaleBlock,
    ToolNotFound,
)
from yiku.core.ids import AgentId
from yiku.core.tenant import LOCAL_ACTOR


def edit(old: str, new: str, call_id: str = "") -> Call:
    arguments = {"label": "human", "old_str": old, "new_str": new}
    return Call("memory_replace", arguments, **({"id": call_id} if call_id else {}))


@pytest.fixture
def agents(reached: httpx.AsyncClient) -> AgentClient:
    return AgentClient(reached)


async def told(agents: AgentClient, agent_id: str, message: str) -> list[Event]:
    return [event async for event in agents.stream(agent_id, message)]


async def test_a_reply_has_its_text_and_its_steps(agents: AgentClient, model: ScriptedChat) -> None:
    ann = await agents.create("ann", blocks={"human": "茶"}, tags=["home"])
    model.respond = Script(Says(calls=(edit("茶", "咖啡"),)), "记住了。")

    reply = await agents.send(ann.id, "我现在喝咖啡")

    assert (reply.text, reply.stop_reason) == ("记住了。", "end_turn")
    assert [[one.message_type for one in step] for step in reply.steps] == [
        ["tool_call_message", "tool_return_message"],
        ["assistant_message"],
    ]
    assert (await agents.block(ann.id, "human")).value == "咖啡"
    assert [one.id for one in await agents.runs(ann.id)] == [reply.run_id]
    assert len(await agents.steps(reply.run_id or "")) == 2
    newest = await agents.messages(ann.id, limit=1)
    assert newest[0].message_type == "assistant_message"
    assert [one.name for one in await agents.list(tags=["home"])] == ["ann"]


async def test_a_history_begins_with_the_summary_of_what_was_archived(
    agents: AgentClient, model: ScriptedChat, talking: App
) -> None:
    ann = await agents.create("ann", blocks={"human": "茶"})
    assert await agents.get_history_with_summary(ann.id) == []
    model.respond = Script(Says(calls=(edit("茶", "咖啡"),)), *["记住了。"] * 12)
    for n in range(12):
        await agents.send(ann.id, f"我现在喝咖啡，{n}")
    whole = await agents.get_history_with_summary(ann.id)
    assert [one.role for one in whole[:4]] == ["user", "assistant", "tool", "assistant"]
    assert [call.name for call in whole[1].tool_calls] == ["memory_replace"]
    assert (whole[2].name, whole[2].tool_call_id) == ("memory_replace", whole[1].tool_calls[0].id)

    model.respond = Script("用户改喝咖啡了。")
    await session.compact(talking.agents, LOCAL_ACTOR, AgentId(ann.id))
    first, *others = await agents.get_history_with_summary(ann.id)
    assert first.role == "system"
    assert first.content == "[PREVIOUS SUMMARY]\n用户改喝咖啡了。"
    assert others == whole[-5:]
    assert await agents.get_history_with_summary(ann.id, "conv-of-somebody-else") == []
    with pytest.raises(AgentNotFound):
        await agents.get_history_with_summary("agent-00000000-0000-4000-8000-000000000000")


async def test_a_stream_tells_pieces_calls_returns_and_edits(
    agents: AgentClient, model: ScriptedChat
) -> None:
    ann = await agents.create("ann", blocks={"human": "茶", "persona": "calm"})
    model.respond = Script(Says(calls=(edit("茶", "咖啡"),)), Says(text="记住了。", piece=1))

    events = await told(agents, ann.id, "我现在喝咖啡")

    [called] = [event for event in events if isinstance(event, Called)]
    [returned] = [event for event in events if isinstance(event, Returned)]
    [edited] = [event for event in events if isinstance(event, Edited)]
    assert called.call.name == returned.name == "memory_replace"
    assert returned.ok
    assert (edited.label, edited.before, edited.after) == ("human", "茶", "咖啡")
    assert [event.text for event in events if isinstance(event, Text)] == list("记住了。")
    order = [events.index(event) for event in (called, returned, edited)]
    assert order == sorted(order)
    ended = events[-1]
    assert isinstance(ended, Ended)
    assert (ended.stop_reason, ended.steps) == ("end_turn", 2)

    block = await agents.undo_edit(edited)
    assert block.value == "茶"
    with pytest.raises(StaleBlock):
        await agents.undo_edit(edited)
    with pytest.raises(NothingToUndo):
        await agents.undo_edit(Edited(label="human", block_id=block.id, before=None, after="x"))


async def test_calls_wait_and_are_answered_one_by_one(
    agents: AgentClient, model: ScriptedChat
) -> None:
    ann = await agents.create("ann", blocks={"human": "茶 水"})
    await agents.ask_before(ann.id, "memory_replace")
    both = Says(calls=(edit("茶", "酒", "call_a"), edit("水", "奶", "call_b")))
    model.respond = Script(both, "One of them.", both, "None.")

    waits = [event for event in await told(agents, ann.id, "x") if isinstance(event, Waits)]
    with pytest.raises(ApprovalPending):
        await agents.send(ann.id, "and?")
    [first, second] = waits[0].calls
    reply = await agents.send(
        ann.id,
        [
            Decision(
                call_id=first.id,
                approve=True,
                arguments={"label": "human", "old_str": "茶", "new_str": "汤"},
            ),
            Decision(call_id=second.id, approve=False, reason="water is fine"),
        ],
    )

    assert reply.text == "One of them."
    assert (await agents.block(ann.id, "human")).value == "汤 水"
    assert "water is fine" in str(model.prompt(-1))
    assert len((await agents.send(ann.id, "again")).waiting) == 2
    assert (await agents.deny(ann.id, reason="no")).text == "None."
    with pytest.raises(NothingToApprove):
        await agents.approve(ann.id)


async def test_a_run_is_cancelled_in_the_middle_of_its_answer(
    agents: AgentClient, model: ScriptedChat
) -> None:
    ann = await agents.create("ann")
    model.respond = Script(Says(text="la " * 400, piece=3, gap_s=0.05))

    events = list[Event]()
    async for event in agents.stream(ann.id, "sing"):
        events.append(event)
        if sum(isinstance(one, Text) for one in events) == 3 and isinstance(event, Text):
            await agents.cancel(ann.id)

    ended = events[-1]
    assert isinstance(ended, Ended)
    assert ended.stop_reason == "cancelled"
    assert (await agents.get_run(ended.run_id or "")).status == "cancelled"


async def test_a_failed_run_says_so_at_its_end(agents: AgentClient, model: ScriptedChat) -> None:
    ann = await agents.create("ann")
    model.respond = Fails(status=401, message="Incorrect API key")

    events = await told(agents, ann.id, "hi")

    [failed] = [event for event in events if isinstance(event, Failed)]
    assert failed.message
    assert isinstance(events[-1], Ended)


async def test_an_agent_is_changed_and_erased(agents: AgentClient) -> None:
    ann = await agents.create("ann", blocks=[{"label": "human", "value": "x", "limit": 50}])
    await agents.add_block(ann.id, "notes", "new", limit=70)
    await agents.add_tool(ann.id, "run_code")
    changed = await agents.update(ann.id, name="anna", role_memory=True)

    assert (changed.name, changed.role_memory) == ("anna", True)
    assert {one.label: one.limit for one in await agents.blocks(ann.id)} == {
        "human": 50,
        "notes": 70,
    }
    assert "run_code" in {one.name for one in changed.tools}
    await agents.remove_tool(ann.id, "run_code")
    assert "run_code" not in {one.name for one in (await agents.get(ann.id)).tools}
    await agents.delete(ann.id)
    assert await agents.list(name="anna") == []


async def test_blocks_come_in_the_agents_own_order(agents: AgentClient) -> None:
    other = await agents.create("other")
    older = await agents.add_block(other.id, "older", "made first, given last")
    ann = await agents.create("ann", blocks={"human": "", "persona": ""}, block_ids=[older])
    await agents.add_block(ann.id, "notes", "")

    labels = [one.label for one in (await agents.get(ann.id)).blocks]

    assert sorted(labels) == ["human", "notes", "older", "persona"]
    assert [one.label for one in await agents.blocks(ann.id)] == labels


async def test_what_is_not_there_is_told_as_what_it_is(agents: AgentClient) -> None:
    ann = await agents.create("ann")

    with pytest.raises(AgentNotFound):
        await agents.send("agent-x", "hi")
    with pytest.raises(AgentNotFound):
        await told(agents, "agent-x", "hi")
    with pytest.raises(BlockNotFound):
        await agents.block(ann.id, "gone")
    with pytest.raises(ToolNotFound, match="no tool 'gone'"):
        await agents.add_tool(ann.id, "gone")
    with pytest.raises(RunNotFound):
        await agents.get_run("run-x")
    with pytest.raises(Invalid, match="empty"):
        await agents.send(ann.id, "")
    with pytest.raises(Invalid, match="max_steps"):
        await agents.send(ann.id, "hi", max_steps=0)


@asynccontextmanager
async def that_breaks_off(*messages: dict[str, str]) -> AsyncIterator[AgentClient]:
    """Of a server that says these in a stream, and no more."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        lines = "".join(f"data: {json.dumps(one)}\n\n" for one in messages)
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + lines.encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        yield AgentClient(http)


HE = {"message_type": "assistant_message", "id": "m", "content": "He"}
BROKEN = {"message_type": "error_message", "error_type": "InternalError", "message": "See the log."}


async def test_a_stream_that_breaks_off_is_no_end() -> None:
    async with that_breaks_off(HE) as agents:
        stream = agents.stream("agent-x", "hi", edits=False)
        assert await anext(stream) == Text("He", "m")
        with pytest.raises(ProviderUnavailable, match="broke off"):
            await anext(stream)


async def test_a_stream_that_says_why_it_breaks_off_has_an_end() -> None:
    async with that_breaks_off(HE, BROKEN) as agents:
        found = [event async for event in agents.stream("agent-x", "hi", edits=False)]

    assert found == [
        Text("He", "m"),
        Failed("InternalError", "See the log."),
        Ended(stop_reason="error"),
    ]
