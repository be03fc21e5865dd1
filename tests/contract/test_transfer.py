"""Imports below and at our own door: chats and memories of other programs, progress, going on."""

import io
import json
import zipfile
from typing import Any

import httpx
import pytest

from yiku.app import App
from yiku.client.agents import AgentClient
from yiku.client.transfer import TransferClient
from yiku.core.audit import AuditEvent, AuditFilter, AuditPage
from yiku.core.conversation import ConversationFilter, ConversationPage
from yiku.core.errors import AgentNotFound, Invalid, InvalidImport
from yiku.core.ids import AgentId
from yiku.core.message import MessageFilter, MessagePage
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import recall
from yiku.store import agents, audit, conversations, messages, passages
from yiku.store.database import Tx

FIRST, LAST = 1_714_000_000.5, 1_714_000_400.0


def node(
    name: str, parent: str | None, role: str | None = None, *said: Any, **more: Any
) -> dict[str, Any]:
    children = more.pop("children", [])
    message = None
    if role is not None:
        content = more.pop("content", {"content_type": "text", "parts": [*said]})
        message = {"id": f"m-{name}", "author": {"role": role}, "content": content, **more}
    return {"id": name, "parent": parent, "children": children, "message": message}


def chatgpt_chat(number: int = 1) -> dict[str, Any]:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "x"}
    nodes = [
        node("root", None, children=["a"]),
        node("s", "root", "system", "hidden"),
        node("a", "s", "user", "小明喜欢喝什么茶？", picture, create_time=FIRST),
        node("old", "a", "assistant", "红茶。"),
        node("t", "a", "assistant", "search()", recipient="browser"),
        node("r", "t", "tool", "found"),
        node("b", "r", "assistant", "他喜欢乌龙茶。", create_time=LAST,
             metadata={"model_slug": "gpt-4o"}),
    ]  # fmt: skip
    mapping = {one["id"]: one for one in nodes}
    for one in mapping.values():
        if one["message"]:
            one["message"]["id"] += f"-{number}"
    return {
        "id": f"chat-{number}",
        "title": "茶",
        "create_time": FIRST,
        "mapping": mapping,
        "current_node": "b",
    }


CLAUDE = {
    "uuid": "c-1",
    "name": "Keys",
    "created_at": "2026-01-02T03:04:05Z",
    "chat_messages": [
        {"uuid": "h1", "sender": "human", "text": "", "created_at": "2026-01-02T03:04:06Z",
         "content": [{"type": "text", "text": "Rotate the deploy key."}],
         "attachments": [{"file_name": "a.txt", "extracted_content": "key-7"}]},
        {"uuid": "h1b", "sender": "human", "text": "Left.", "parent_message_uuid": "none"},
        {"uuid": "a1", "sender": "assistant", "text": "Done.", "parent_message_uuid": "h1",
         "content": [{"type": "tool_use", "name": "x"}], "created_at": "2026-01-02T03:05:00Z"},
    ],
}  # fmt: skip
MEM0 = {
    "results": [
        {"id": "m1", "memory": "小明对花生过敏", "user_id": "xm", "categories": ["health"],
         "created_at": "2025-05-01T08:00:00-07:00", "updated_at": None, "metadata": {"k": 1}},
        {"id": "m2", "memory": "Arjun prefers morning meetings", "created_at": "2025-06-01"},
        {"id": "m3", "memory": "gone", "is_deleted": True},
        {"id": "m4", "memory": "likes tea", "created_at": "last spring", "metadata": "x"},
    ]
}  # fmt: skip


def file_of(value: Any) -> io.BytesIO:
    return io.BytesIO(json.dumps(value, ensure_ascii=False).encode())


def zipped(**files: Any) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, value in files.items():
            archive.writestr(f"export/{name}.json", json.dumps(value))
    return made


@pytest.fixture
def transfer(reached: httpx.AsyncClient) -> TransferClient:
    return TransferClient(reached)


@pytest.fixture
async def ann(reached: httpx.AsyncClient) -> str:
    return (await AgentClient(reached).create("ann")).id


async def said(app: App, agent_id: str) -> list[tuple[str, str, str]]:
    wanted = MessageFilter(agent_id=AgentId(agent_id), all_conversations=True)
    part = MessagePage(limit=1000, newest_first=False)
    found = await app.database.read(LOCAL_ACTOR, lambda tx: messages.page(tx, wanted, part))
    return [
        (one.role.value, one.text, one.created_at.isoformat())
        for one in found
        if one.role.value != "system"
    ]


async def test_a_chatgpt_export_is_found_by_recall_once(
    talking: App, transfer: TransferClient, reached: httpx.AsyncClient, ann: str
) -> None:
    seen: list[tuple[int, int]] = []
    would = await transfer.import_into(ann, "chatgpt", file_of([chatgpt_chat()]), dry_run=True)
    assert await said(talking, ann) == []
    file = zipped(**{"conversations-000": [chatgpt_chat()], "user": {"id": 1}})
    done = await transfer.import_into(
        ann, "chatgpt", file, watch=lambda done, of: seen.append((done, of))
    )
    assert would.model_copy(update={"dry_run": False}) == done
    assert (done.new_conversations, done.new_messages, done.messages) == (1, 2, 2)
    assert done.left_out == {
        "calls of tools": 1,
        "messages of branches that were left": 1,
        "pictures and sound": 1,
        "what tools returned": 1,
    }
    assert seen[-1] == (2, 2)
    assert await said(talking, ann) == [
        ("user", "小明喜欢喝什么茶？", "2024-04-24T23:06:40.500000+00:00"),
        ("assistant", "他喜欢乌龙茶。", "2024-04-24T23:13:20+00:00"),
    ]
    listed = await reached.get("/v1/conversations/", params={"agent_id": ann})
    assert [one["last_message_at"] for one in listed.json()] == ["2024-04-24T23:13:20Z"]
    newer = [chatgpt_chat(), chatgpt_chat(2)]
    again = await transfer.import_into(ann, "chatgpt", file_of(newer))
    assert (again.new_conversations, again.new_messages, again.messages) == (1, 2, 4)
    assert len(await said(talking, ann)) == 4
    hits = await recall.search(talking.memory, LOCAL_ACTOR, AgentId(ann), "乌龙茶", limit=1)
    assert hits[0].message.text == "他喜欢乌龙茶。"
    assert hits[0].message.model == "openai/gpt-4o"
    shared = {"source": "chatgpt", "memories": 0}
    assert await on_record(talking) == [
        ("memories.import", ann, shared | {"conversations": 1, "messages": 2}),
        ("memories.import", ann, shared | {"conversations": 2, "messages": 4}),
    ]


async def test_claudes_and_mem0s_exports_are_taken(
    talking: App, transfer: TransferClient, ann: str
) -> None:
    memories = {"account_uuid": "u", "conversations_memory": "Likes tea.\n\nLives in Shanghai."}
    done = await transfer.import_into(
        ann, "claude", zipped(conversations=[CLAUDE], memories=[memories])
    )
    assert (done.new_messages, done.new_passages) == (2, 2)
    assert [text for _, text, _ in await said(talking, ann)] == [
        "Rotate the deploy key.\n\n[a.txt]\nkey-7",
        "Done.",
    ]
    for new in (2, 0):  # that she likes tea is known from Claude
        done = await transfer.import_into(ann, "mem0", file_of(MEM0))
        assert (done.passages, done.new_passages, done.repeated) == (3, new, new == 0)
        assert done.left_out == {
            "deleted memories": 1,
            "dates that can't be read": 1,
            "metadata that are no object": 1,
        }
    [home] = await talking.database.read(
        LOCAL_ACTOR, lambda tx: agents.archives_of(tx, AgentId(ann))
    )
    kept = await talking.database.read(
        LOCAL_ACTOR, lambda tx: passages.page(tx, home, after=0, limit=10)
    )
    one = kept[2]
    assert (one.text, one.language, one.tags) == ("小明对花生过敏", "zh", ("health",))
    assert one.at.isoformat() == "2025-05-01T15:00:00+00:00"
    assert one.metadata == {"k": 1, "user_id": "xm", "source": "mem0"}
    assert len(kept) == 4
    noted = [facts["source"] for _, _, facts in await on_record(talking)]
    assert noted == ["claude", "mem0", "mem0"], "one that brings nothing new is on record, too"


async def test_what_cannot_be_read_is_refused_before_anything_is_stored(
    talking: App, transfer: TransferClient, ann: str
) -> None:
    circle = {"a": node("a", "b", "user", "x"), "b": node("b", "a", "user", "y")}
    for source, file, words in (
        ("chatgpt", io.BytesIO(b""), "is empty"),
        ("chatgpt", io.BytesIO(b'[{"id": "x", "mapping"'), "no JSON any more"),
        ("chatgpt", io.BytesIO(b"["), "its first 1 bytes: parse error: premature EOF$"),
        ("chatgpt", file_of([chatgpt_chat(), {"id": "y"}]), "[1].mapping: an object .* not null$"),
        ("chatgpt", zipped(conversations=[CLAUDE]), "an export of claude, not of chatgpt; import"),
        ("chatgpt", file_of({"agents": [], "blocks": []}), "`yiku agent import` takes those"),
        ("claude", file_of([chatgpt_chat()]), "[0]: this looks like an export of chatgpt"),
        ("mem0", file_of([CLAUDE]), "[0]: this looks like an export of claude"),
        ("chatgpt", file_of([{"id": "x", "current_node": "a", "mapping": circle}]), "ancestor"),
        ("claude", file_of([{"uuid": 3}]), "[0]: a conversation of Claude's"),
        ("claude", zipped(users=[]), "holds no export of claude"),
        ("mem0", file_of([{"id": 1, "note": "x"}]), "[0]: a memory of mem0 has its text"),
    ):
        with pytest.raises(InvalidImport, match=words.replace("[", r"\[")):
            await transfer.import_into(ann, source, file)  # type: ignore[arg-type] # of the table
    with pytest.raises(AgentNotFound):
        await transfer.import_into("agent-x", "mem0", file_of(MEM0))
    assert await said(talking, ann) == []
    assert await on_record(talking) == []


async def test_an_agent_file_is_imported_once_and_gone_on_with(
    talking: App, transfer: TransferClient
) -> None:
    talk = [{"id": f"message-{n}", "role": "user", "content": f"number {n}"} for n in range(600)]
    agent = {"id": "agent-0", "name": "long", "messages": talk, "in_context_message_ids": []}
    file = {"agents": [agent]}
    would = await transfer.import_agents(file_of(file), dry_run=True)
    assert (would.agents, would.messages, would.agent_ids) == (["long"], 600, [])

    def stop(done: int, _: int) -> None:
        if done >= 250:
            raise KeyError("stopped")

    with pytest.raises(KeyError):
        await transfer.import_agents(file_of(file), watch=stop)
    begun = len(await all_messages(talking))
    assert begun > 0
    seen: list[int] = []
    done = await transfer.import_agents(file_of(file), watch=lambda n, _: seen.append(n))
    assert seen[-1] == 600
    texts = await all_messages(talking)
    assert texts == [f"number {n}" for n in range(600)]
    again = await transfer.import_agents(file_of(file))
    assert (again.repeated, again.agent_ids) == (True, done.agent_ids)
    other = await transfer.import_agents(file_of(file), again=True, name="other")
    assert other.agent_ids != done.agent_ids
    assert other.agents == ["other"]
    [one], [two] = done.agent_ids, other.agent_ids
    noted = [(act, target, facts.get("how")) for act, target, facts in await on_record(talking)]
    assert noted == [
        ("agent.import", one, None),
        ("agent.import", one, "went on"),
        ("agent.import", one, "nothing new"),
        ("agent.import", two, None),
    ]


async def test_a_model_that_is_named_for_an_import_is_taken_or_refused(
    talking: App, transfer: TransferClient
) -> None:
    file = {"agents": [{"id": "agent-0", "name": "a", "model": "strange/model"}]}
    for model, words in (("gpt-4", "`<provider>/<model>`"), ("foo/gpt-4", "no provider `foo`")):
        with pytest.raises(Invalid, match=words):
            await transfer.import_agents(file_of(file), model=model)
    done = await transfer.import_agents(file_of(file))
    assert "nobody has described the provider of 'strange/model'" in done.notes[0]


async def on_record(app: App) -> list[tuple[str, str | None, dict[str, Any]]]:
    """Imports in the audit log, the oldest first."""

    def unit(tx: Tx) -> list[AuditEvent]:
        return audit.page(tx, AuditFilter(), AuditPage())

    found = reversed(await app.database.read(LOCAL_ACTOR, unit))
    return [(one.action, one.target, {**one.facts}) for one in found if "import" in one.action]


async def test_conversations_of_an_agent_file_come_once_and_are_gone_on_with(
    talking: App, transfer: TransferClient
) -> None:
    talks = [
        {"id": f"conversation-{n}", "summary": f"talk {n}",
         "messages": [{"role": "user", "content": f"number {10 * n + m}"} for m in range(10)]}
        for n in range(60)
    ]  # fmt: skip
    file = {"agents": [{"id": "agent-0", "name": "many", "conversations": talks}]}
    would = await transfer.import_agents(file_of(file), dry_run=True)
    assert (would.conversations, would.new_conversations, would.messages) == (60, 60, 600)
    assert await all_messages(talking) == []

    def stop(done: int, _: int) -> None:
        if done >= 250:
            raise KeyError("stopped")

    with pytest.raises(KeyError):
        await transfer.import_agents(file_of(file), watch=stop)
    seen: list[int] = []
    done = await transfer.import_agents(file_of(file), watch=lambda n, _: seen.append(n))
    assert seen[-1] == 600
    assert await all_messages(talking) == [f"number {n}" for n in range(600)]
    found = await talking.database.read(
        LOCAL_ACTOR,
        lambda tx: conversations.page(tx, ConversationFilter(), ConversationPage(limit=100)),
    )
    assert [one.settings.summary for one in found[::-1]] == [f"talk {n}" for n in range(60)]
    again = await transfer.import_agents(file_of(file))
    assert (again.repeated, again.new_conversations) == (True, 0)
    assert again.agent_ids == done.agent_ids


async def all_messages(app: App) -> list[str]:
    wanted = MessageFilter(all_conversations=True)
    part = MessagePage(limit=5_000, newest_first=False)
    found = await app.database.read(LOCAL_ACTOR, lambda tx: messages.page(tx, wanted, part))
    return [one.text for one in found if one.role.value == "user"]
