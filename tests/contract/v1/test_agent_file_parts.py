"""What agent files carry beside the agent itself: conversations, folders with files,
memory skills, MCP servers, groups."""

import io
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import letta_client
import pytest
from fastapi import FastAPI

from tests.fixtures.filed import STORY, carried_out
from tests.fixtures.letta import Driver, driver
from tests.fixtures.mcp import form, program, serving_tools
from tests.fixtures.talking import made
from tests.servers.scripted_chat import Call, Says, Script, ScriptedChat
from yiku.agents.transfer.carried import Wishes
from yiku.agents.transfer.take import take
from yiku.app import App
from yiku.client.transfer import TransferClient
from yiku.client.transport import InProcessTransport
from yiku.core.group import GroupState, ManagerType
from yiku.core.ids import AgentId
from yiku.core.skill import MemorySkill, SkillDraft, SkillStatus, SkillType
from yiku.core.tenant import LOCAL_ACTOR, Scope
from yiku.memory.skills import registry
from yiku.server.v1.portable.file import AgentFile
from yiku.store import file_text, files, groups, skills
from yiku.store.database import Tx


@pytest.fixture
async def here(talking_asgi: FastAPI, free_port: int) -> AsyncIterator[Driver]:
    """The client in one way, on both kinds of database."""
    async with driver("async in this process", talking_asgi, free_port) as found:
        yield found


@pytest.fixture
async def transfer(talking_asgi: FastAPI) -> AsyncIterator[TransferClient]:
    """Our own client, which is told what became of a file's parts."""
    transport = InProcessTransport(talking_asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        yield TransferClient(http)


async def exported(talk: Driver, agent_id: str, **more: Any) -> dict[str, Any]:
    return json.loads(await talk(lambda c: c.agents.export_file(agent_id, **more)))


async def imported(talk: Driver, file: Any, **more: Any) -> str:
    content = io.BytesIO(json.dumps(file).encode())
    answer = await talk(lambda c: c.agents.import_file(file=("agent.af", content), **more))
    return answer.agent_ids[0]


async def refused(talk: Driver, file: Any) -> str:
    content = io.BytesIO(json.dumps(file).encode())
    error = await talk.fails(
        letta_client.UnprocessableEntityError,
        lambda c: c.agents.import_file(file=("agent.af", content)),
    )
    detail = error.body["detail"]
    return detail if isinstance(detail, str) else detail[0]["msg"]


async def begun(talk: Driver, agent_id: str, **more: Any) -> str:
    one = await talk(lambda c: c.conversations.create(agent_id=agent_id, **more))
    return one.id


async def say(talk: Driver, conversation_id: str, text: str) -> None:
    await talk.stream(lambda c: c.conversations.messages.create(conversation_id, input=text))


async def conversations_of(talk: Driver, agent_id: str) -> list[Any]:
    return await talk(
        lambda c: c.conversations.list(agent_id=agent_id, order="asc", archive_status="all")
    )


async def words(talk: Driver, conversation_id: str) -> list[tuple[str, str, Any]]:
    found = await talk.all(lambda c: c.conversations.messages.list(conversation_id, order="asc"))
    told = [(one.message_type, one.content, one.date) for one in found]
    return [one for one in told if one[0] != "system_message"]


async def own_words(talk: Driver, agent_id: str) -> list[str]:
    found = await talk.all(lambda c: c.agents.messages.list(agent_id, order="asc"))
    return [one.content for one in found if one.message_type != "system_message"]


async def sent(talk: Driver, model: ScriptedChat, conversation_id: str) -> Any:
    """What the model is sent when somebody asks the next thing there."""
    model.respond = Script("好")
    await say(talk, conversation_id, "And then?")
    return model.asked[-1].body


SETTINGS = ("summary", "description", "model", "model_settings", "context_window_limit")
SAME = (*SETTINGS, "archived", "archived_at", "last_message_at", "created_at")


async def talker(talk: Driver, model: ScriptedChat) -> tuple[str, list[str]]:
    """An agent that has spoken in its own conversation, in two others, and in a fork of one."""
    model.respond = Script("Own.", "龙井。", "A walk.", "In the park.")
    agent_id = await made(talk)
    await talk(lambda c: c.agents.messages.create(agent_id, input="Hello"))
    temperature: Any = {"provider_type": "openai", "temperature": 0.1}
    tea = await begun(talk, agent_id, summary="茶", description="All of it")
    walk = await begun(
        talk, agent_id, model="openai/gpt-4o", model_settings=temperature,
        context_window_limit=9_000,
    )  # fmt: skip
    await say(talk, tea, "喝什么？")
    await say(talk, walk, "What shall we do?")
    fork = (await talk(lambda c: c.conversations.fork(walk))).id
    await say(talk, fork, "Where?")
    await talk(lambda c: c.conversations.update(tea, archived=True))
    return agent_id, [tea, walk, fork]


async def test_conversations_come_along_with_what_was_said_in_them(
    here: Driver, model: ScriptedChat
) -> None:
    agent_id, theirs = await talker(here, model)
    file = await exported(here, agent_id)
    copy = await imported(here, file)

    was, now = [await conversations_of(here, one) for one in (agent_id, copy)]
    assert [[getattr(one, name) for name in SAME] for one in now] == [
        [getattr(one, name) for name in SAME] for one in was
    ]
    assert [one.id for one in was] == theirs
    said = [await words(here, one.id) for one in now]
    assert said == [await words(here, one) for one in theirs]
    assert [len(one) for one in said] == [2, 2, 4]
    assert await own_words(here, copy) == ["Hello", "Own."]
    keys = [one["forked_from"] for one in file["agents"][0]["conversations"]]
    assert keys == [None, None, "conversation-1"]
    again = await exported(here, copy)
    assert [one["forked_from"] for one in again["agents"][0]["conversations"]] == keys
    assert await sent(here, model, now[2].id) == await sent(here, model, theirs[2])


async def test_a_conversation_alone_takes_the_place_of_the_agents_own(
    here: Driver, model: ScriptedChat
) -> None:
    agent_id, theirs = await talker(here, model)
    file = await exported(here, agent_id, conversation_id=theirs[1])
    assert "conversations" not in file["agents"][0]
    copy = await imported(here, file)
    assert await own_words(here, copy) == ["What shall we do?", "A walk."]
    assert await conversations_of(here, copy) == []
    old = await exported(here, agent_id, conversation_id=theirs[0], use_legacy_format=True)
    assert await own_words(here, await imported(here, old)) == ["喝什么？", "龙井。"]

    stranger = await made(here)
    for whose, which in ((stranger, theirs[0]), (agent_id, "conv-none")):
        error = await here.fails(
            letta_client.NotFoundError,
            lambda c, a=whose, b=which: c.agents.export_file(a, conversation_id=b),
        )
        assert error.body["error"] == "ConversationNotFound"


async def test_what_stands_for_old_messages_of_a_conversation_comes_along(
    here: Driver, model: ScriptedChat
) -> None:
    model.respond = Script("Green tea.", "A walk.", "They spoke of tea and walks.")
    agent_id = await made(here)
    tea = await begun(here, agent_id)
    for text in ("What shall I drink?", "And then?"):
        await say(here, tea, text)
    await here(lambda c: c.conversations.messages.compact(tea))
    file = await exported(here, agent_id)
    [one] = file["agents"][0]["conversations"]
    assert one["context_summary"]["text"] == "They spoke of tea and walks."
    copy = await imported(here, file)
    [there] = await conversations_of(here, copy)
    assert await sent(here, model, there.id) == await sent(here, model, tea)


async def test_without_messages_no_conversation_is_written_or_made(
    here: Driver, model: ScriptedChat
) -> None:
    agent_id, _ = await talker(here, model)
    file = await exported(here, agent_id, scrub_messages=True)
    assert "conversations" not in file["agents"][0]
    bare = await imported(here, await exported(here, agent_id), strip_messages=True)
    assert (await conversations_of(here, bare), await own_words(here, bare)) == ([], [])


async def test_a_bad_conversation_is_refused_with_its_place(here: Driver) -> None:
    said = {"role": "user", "content": "x"}

    def file(*conversations: Any, **more: Any) -> dict[str, Any]:
        return {"agents": [{"id": "a", "conversations": [*conversations], **more}]}

    good = {"id": "c", "messages": [said]}
    for bad, words in (
        (file(3), "agents[0].conversations[0]: an object"),
        ({"agents": [{"id": "x" * 300}]}, "agents[0].id: an id has 200 characters at most"),
        ({**file(), "archives": [{"id": "x" * 300}]}, "archives[0].id: an id has 200"),
        (file(good, good), "agents[0].conversations[1]: the id 'c' is there twice"),
        (file({"summary": 3}), "agents[0].conversations[0].summary"),
        (file({"model": "none"}), "agents[0].conversations[0], model"),
        (file({"created_at": "then"}), "agents[0].conversations[0]: `created_at` is a moment"),
        (file({"context_summary": {}}), "agents[0].conversations[0].context_summary: it needs"),
        (file(good, {"messages": [said, {"role": "x"}]}),
         "agents[0].conversations[1].messages[1]: `role` is one of"),
        (file(good, messages=[said, 3]), "agents[0].messages[1]: an object is expected"),
        (file({"messages": [3, said]}), "agents[0].conversations[0].messages[0]: an object"),
        (file({"messages": {"a": said}}), "`agents[].conversations[].messages` is a list"),
    ):  # fmt: skip
        assert words in await refused(here, bad)
    assert await here.all(lambda c: c.agents.list()) == []


TRAVEL = SkillDraft(
    name="travel_plans",
    skill_type=SkillType.ENCODING,
    description={"en": "Keeps travel plans.", "zh": "记录出行计划。"},
    intent_keywords=("flight", "机票"),
    prompt_template="Write each travel plan in the text as a sentence: {{ content }}",
)


def bytes_of(file: dict[str, Any]) -> io.BytesIO:
    return io.BytesIO(json.dumps(file).encode())


async def of_name(app: App, name: str) -> list[MemorySkill]:
    return await app.database.read(LOCAL_ACTOR, lambda tx: skills.versions(tx, name))


async def test_memory_skills_of_ones_own_come_along_and_replace_nothing(
    talking: App, here: Driver, transfer: TransferClient
) -> None:
    await registry.add(talking.skills, LOCAL_ACTOR, TRAVEL)
    edited = {"intent_keywords": ["works at"]}
    await registry.edit(talking.skills, LOCAL_ACTOR, "fact_extraction", edited)
    plain, agent_id = await made(here), await made(here, tools=["query_memory"])
    assert (await exported(here, plain))["memory_skills"] == []
    file = await exported(here, agent_id)
    assert [one["name"] for one in file["memory_skills"]] == ["fact_extraction", "travel_plans"]

    facts, travel = file["memory_skills"]
    facts["prompt_template"] += " And tell nobody."
    file["memory_skills"].append(travel | {"name": "train_plans"})
    would = await transfer.import_agents(bytes_of(file), dry_run=True)
    assert (would.skills, len(await of_name(talking, "fact_extraction"))) == (3, 2)
    done = await transfer.import_agents(bytes_of(file))
    assert done.notes == would.notes
    assert [note.split("'")[1] for note in done.notes] == [
        *("fact_extraction", "travel_plans", "train_plans")
    ]
    for words, note in zip(
        ("is its canary", "already, just so", "new here"), done.notes, strict=True
    ):
        assert words in note
    [train] = await of_name(talking, "train_plans")
    assert registry.draft_of(train) == replace(TRAVEL, name="train_plans")
    assert len(await of_name(talking, "travel_plans")) == 1
    there = await of_name(talking, "fact_extraction")
    assert [one.status for one in there] == [
        *(SkillStatus.CANARY, SkillStatus.ACTIVE, SkillStatus.DEPRECATED)
    ]
    assert there[0].parent_id == there[1].id

    await transfer.import_agents(bytes_of(file), again=True, name="other")
    assert await of_name(talking, "fact_extraction") == there
    facts["prompt_template"] += " Nobody."
    again = await transfer.import_agents(bytes_of(file))
    assert "a canary here that waits" in again.notes[0]
    assert await of_name(talking, "fact_extraction") == there


async def test_memory_skills_are_taken_of_administrators_only(talking: App) -> None:
    told = {"name": "travel_plans", "kind": "encoding", "description": "x"}
    file: dict[str, Any] = {
        "agents": [{}],
        "memory_skills": [{**told, "prompt_template": "{{ content }}"}],
    }
    writer = replace(LOCAL_ACTOR, scope=Scope.WRITE)
    done = await take(talking.agents, writer, AgentFile(bytes_of(file)), Wishes())
    assert (len(done.agent_ids), "a key of the scope `admin`" in done.notes[0]) == (1, True)
    assert await of_name(talking, "travel_plans") == []


async def test_a_bad_memory_skill_is_refused_with_its_place(here: Driver) -> None:
    good = {"name": "a", "kind": "encoding", "description": "x", "prompt_template": "{{ content }}"}
    for bad, words in (
        ([3], "memory_skills[0]: an object"),
        ([good, good], "memory_skills[1]: 'a' is there twice"),
        ([{**good, "kind": "other"}], "memory_skills[0].kind"),
        ([{**good, "prompt_template": 3}], "memory_skills[0].prompt_template"),
        ([{**good, "name": "A b"}], "memory_skills[0]: line 1: `name` is"),
        ([good, {**good, "name": "b", "prompt_template": "{{ os.system() }}"}], "memory_skills[1]"),
    ):
        assert words in await refused(here, {"agents": [{}], "memory_skills": bad})
    assert await here.all(lambda c: c.agents.list()) == []


async def with_folder(talk: Driver, app: App) -> tuple[str, str]:
    """An agent with a folder of two files that were read, and the folder."""
    about: Any = {"description": "项目", "instructions": "Read it.", "metadata": {"a": 1}}
    folder = await talk(lambda c: c.folders.create(name="日志", **about))
    agent_id = await made(talk, folder_ids=[folder.id])
    for name, text in (("log.md", STORY), ("long.txt", LONG)):
        content = text.encode()
        await talk(lambda c, n=name, t=content: c.folders.files.upload(folder.id, file=(n, t)))
    await carried_out(app)
    return agent_id, folder.id


LONG = "\n".join(f"Line {n} tells of the harbour. 第 {n} 行。" for n in range(1_200))
"""Of many stretches."""


async def folders_of(talk: Driver, agent_id: str) -> list[Any]:
    found = await talk(lambda c: c.agents.folders.list(agent_id))
    return found.items


async def texts_in(talk: Driver, folder_id: str) -> list[tuple[Any, ...]]:
    found = await talk(lambda c: c.folders.files.list(folder_id, include_content=True, order="asc"))
    return [
        (one.original_file_name, one.file_type, one.file_size, one.processing_status, one.content)
        for one in found.items
    ]


async def test_folders_come_along_with_the_text_of_their_files(
    talking: App, here: Driver, transfer: TransferClient
) -> None:
    agent_id, folder_id = await with_folder(here, talking)
    was = await texts_in(here, folder_id)
    file = await exported(here, agent_id)
    assert [len(one["pieces"]) for one in file["files"]] == [1, len(LONG) // 16_000 + 1]

    same = await transfer.import_agents(bytes_of(file))
    assert (same.folders, same.files) == (1, 2)
    assert "here already, with the same files" in same.notes[0]
    assert [one.id for one in await folders_of(here, same.agent_ids[0])] == [folder_id]

    await here(lambda c: c.folders.delete(folder_id))
    would = await transfer.import_agents(bytes_of(file), dry_run=True, again=True)
    assert (would.folders, would.files, would.notes) == (1, 2, [])
    assert await here.all(lambda c: c.folders.list()) == []
    seen: list[int] = []
    done = await transfer.import_agents(
        bytes_of(file), again=True, watch=lambda n, _: seen.append(n)
    )
    assert seen[-1] == done.messages + sum(len(one["pieces"]) for one in file["files"])
    [copy] = await folders_of(here, done.agent_ids[0])
    told = (copy.name, copy.description, copy.instructions, copy.metadata)
    assert told == ("日志", "项目", "Read it.", {"a": 1})
    assert [one[3] for one in await texts_in(here, copy.id)] == ["embedding", "embedding"]
    await carried_out(talking)
    assert await texts_in(here, copy.id) == was
    held = (await here(lambda c: c.agents.files.list(done.agent_ids[0]))).files
    assert sorted((one.file_name, one.is_open) for one in held) == [
        *(("日志/log.md", True), ("日志/long.txt", True))
    ]
    names = {one.name for one in (await here(lambda c: c.agents.retrieve(done.agent_ids[0]))).tools}
    assert names >= {"open_files", "grep_files", "semantic_search_files"}

    for _ in range(2):
        again = await transfer.import_agents(bytes_of(file), again=True, name="x")
        assert [one.id for one in await folders_of(here, again.agent_ids[0])] == [copy.id]
    await here(lambda c: c.folders.files.upload(copy.id, file=("more.txt", b"More.")))
    for _ in range(2):
        other = await transfer.import_agents(bytes_of(file), again=True, name="y")
        [second] = await folders_of(here, other.agent_ids[0])
        assert second.name == "日志 (2)"
    assert len(await here.all(lambda c: c.folders.list())) == 2


async def test_an_import_of_files_that_broke_off_is_gone_on_with(
    talking: App, here: Driver, transfer: TransferClient
) -> None:
    pieces = [f"{n:03} " * 3_900 for n in range(200)]
    file = {
        "agents": [{"name": "a", "source_ids": ["s"]}],
        "sources": [{"id": "s", "name": "big"}],
        "files": [
            {"source_id": "s", "file_name": "big/one.txt", "pieces": pieces},
            {"source_id": "s", "file_name": "two.txt", "content": "喝茶\r\n\r\nTea."},
            {"source_id": "s", "file_name": "none.pdf", "content": None},
        ],
    }

    would = await transfer.import_agents(bytes_of(file), dry_run=True)
    assert would.notes == [
        "The text of 1 of the files is not in the file; upload them again: none.pdf."
    ]

    def stop(done: int, _: int) -> None:
        if done >= 64:
            raise KeyError("stopped")

    with pytest.raises(KeyError):
        await transfer.import_agents(bytes_of(file), watch=stop)
    done = await transfer.import_agents(bytes_of(file))
    assert done.files == 2
    [folder] = await folders_of(here, done.agent_ids[0])

    def told(tx: Tx) -> dict[str, str]:
        there = files.after(tx, folder.id, 0, 10)
        assert [one.line_count for one in there] == [len(pieces) * 8, 3]
        return {one.name: file_text.content(tx, one.id) for one in there}

    there = await talking.database.read(LOCAL_ACTOR, told)
    assert there["one.txt"].split() == " ".join(pieces).split()
    assert {**there, "one.txt": ""} == {"one.txt": "", "two.txt": "喝茶\n\nTea."}
    assert (await transfer.import_agents(bytes_of(file))).repeated


async def test_a_bad_folder_or_file_is_refused_with_its_place(here: Driver) -> None:
    folder, one = {"id": "s", "name": "f"}, {"source_id": "s", "file_name": "a.txt"}
    for bad, words in (
        ({"sources": [{"id": "s"}]}, "sources[0].name"),
        ({"sources": [{"id": "s", "name": "a/b"}]}, "sources[0]: A folder's name has no `/`"),
        ({"files": [one]}, "files[0].source_id: the file has no folder 's'"),
        ({"sources": [folder], "files": [{**one, "file_name": ""}]}, "files[0].file_name"),
        ({"sources": [folder], "files": [one, one]}, "files[1]: its folder has 'a.txt' twice"),
        ({"sources": [folder], "files": [{**one, "content": 3}]}, "`files[].content` is a text"),
        ({"sources": [folder], "files": [{**one, "pieces": "x"}]}, "`files[].pieces` is a list"),
        ({"sources": [folder], "files": [{**one, "pieces": ["x", 3]}]}, "files[0].pieces[1]"),
        ({"agents": [{"source_ids": ["s"]}]}, "agents[0].source_ids[0]: the file has no source"),
    ):
        assert words in await refused(here, {"agents": [{}], **bad})
    assert await here.all(lambda c: c.folders.list()) == []


async def test_mcp_servers_come_along_without_what_is_secret(
    here: Driver, transfer: TransferClient, model: ScriptedChat
) -> None:
    async with serving_tools("http") as address:
        config: Any = {"mcp_server_type": "streamable_http", "server_url": f"{address.url}?key=s1"}
        config |= {"auth_token": "s2", "custom_headers": {"X-Team": "s3"}}
        server = await here(lambda c: c.mcp_servers.create(server_name="ours", config=config))
        tools = await here(lambda c: c.mcp_servers.tools.list(server.id))
        echo = next(one for one in tools if one.name == "echo")
        agent_id = await made(here, tool_ids=[echo.id])
        file = await exported(here, agent_id)
        [told] = file["mcp_servers"]
        assert (told["server_url"], told["needs"]) == (address.url, ["X-Team"])
        assert not {"s1", "s2", "s3"} & set(json.dumps(file).replace("=", '"').split('"'))

        there = await transfer.import_agents(bytes_of(file))
        assert (there.servers, "here already" in there.notes[0]) == (1, True)
        found = await here(lambda c: c.agents.retrieve(there.agent_ids[0]))
        assert echo.id in [one.id for one in found.tools]

        await here(lambda c: c.mcp_servers.delete(server.id))
        would = await transfer.import_agents(bytes_of(file), dry_run=True, again=True)
        assert await here(lambda c: c.mcp_servers.list()) == []
        done = await transfer.import_agents(bytes_of(file), again=True)
        assert done.notes == would.notes
        assert "set X-Team, auth_token" in done.notes[0]
        copy = done.agent_ids[0]
        [new] = await here(lambda c: c.mcp_servers.list())
        assert (new.server_name, new.server_url, new.auth_token) == ("ours", address.url, None)

        assert "set X-Team, auth_token" in new.problem

        call = Call("echo", {"text": "你好"})
        model.respond = Script(Says(calls=(call,)), "Not yet.")
        answer = await here(lambda c: c.agents.messages.create(copy, input="Echo."))
        [returned] = [one for one in answer.messages if one.message_type == "tool_return_message"]
        assert returned.status == "error"
        assert "X-Team, auth_token" in returned.tool_return
        await here(lambda c: c.mcp_servers.update(new.id, config=config))
        model.respond = Script(Says(calls=(call,)), "Done.")
        answer = await here(lambda c: c.agents.messages.create(copy, input="Echo."))
        [returned] = [one for one in answer.messages if one.message_type == "tool_return_message"]
        assert (returned.status, "你好" in returned.tool_return) == ("success", True)


async def test_a_program_of_an_agent_file_takes_an_administrator(
    talking: App, here: Driver, transfer: TransferClient
) -> None:
    one = program(API_TOKEN="s1")
    config = form(replace(one, args=(*one.args, "--token", "s2", "--key=s3")))
    server = await here(lambda c: c.mcp_servers.create(server_name="p", config=config))
    tools = await here(lambda c: c.mcp_servers.tools.list(server.id))
    file = await exported(here, await made(here, tool_ids=[tools[0].id]))
    [told] = file["mcp_servers"]
    assert told["stdio_config"]["args"] == [*one.args, "--token", "SET-ME", "--key=SET-ME"]
    assert told["needs"] == ["API_TOKEN"]
    await here(lambda c: c.mcp_servers.delete(server.id))

    writer = replace(LOCAL_ACTOR, scope=Scope.WRITE)
    done = await take(talking.agents, writer, AgentFile(bytes_of(file)), Wishes())
    assert "takes a key of the scope `admin`" in done.notes[0]
    assert await here(lambda c: c.mcp_servers.list()) == []
    taken = await transfer.import_agents(bytes_of(file), again=True)
    assert "set API_TOKEN, `args` where they say SET-ME" in taken.notes[0]
    [new] = await here(lambda c: c.mcp_servers.list())
    assert (new.command, "set API_TOKEN" in new.problem) == (one.command, True)
    [tool] = await here(lambda c: c.mcp_servers.tools.list(new.id))
    assert tool.name == tools[0].name


async def test_a_bad_mcp_server_is_refused_with_its_place(here: Driver) -> None:
    good = {"server_type": "sse", "server_name": "x", "server_url": "http://x/sse"}
    for bad, words in (
        ([3], "mcp_servers[0]: an object"),
        ([good, good], "mcp_servers[1]: 'x' is there twice"),
        ([{**good, "server_type": "smoke"}], "mcp_servers[0].server_type: an MCP server is one of"),
        ([{**good, "server_url": "ftp:x"}], "mcp_servers[0]: `server_url` is the server's address"),
        ([{"server_type": "stdio", "server_name": "x"}], "mcp_servers[0].stdio_config: an object"),
        ([{**good, "needs": 3}], "`needs` is a list"),
        ([{**good, "needs": ["a b"]}], "mcp_servers[0]: 'a b' can't be the name of a header"),
    ):
        assert words in await refused(here, {"agents": [{}], "mcp_servers": bad})
    assert await here(lambda c: c.mcp_servers.list()) == []


async def groups_of(app: App, agent_id: str) -> list[GroupState]:
    return await app.database.read(LOCAL_ACTOR, lambda tx: groups.around(tx, AgentId(agent_id)))


async def test_groups_whose_agents_are_all_in_the_file_are_made(
    talking: App, here: Driver, transfer: TransferClient
) -> None:
    """As the retired server wrote them."""
    block = {"id": "block-0", "label": "shared", "value": "茶"}
    agents = [
        {"id": f"agent-{n}", "name": f"a{n}", "block_ids": ["block-0"], "group_ids": ["group-0"]}
        for n in range(2)
    ]
    talk = {"manager_type": "dynamic", "manager_agent_id": "agent-0", "max_turns": 3}
    alone = {"manager_type": "sleeptime", "manager_agent_id": ""}
    file: dict[str, Any] = {
        "agents": agents,
        "blocks": [block],
        "groups": [
            {"id": "group-0", "agent_ids": ["agent-0", "agent-1"], "description": "All",
             "manager_config": talk, "shared_block_ids": ["block-0"], "hidden": None},
            {"id": "group-1", "agent_ids": ["agent-1", "agent-9"], "description": "Lost"},
            {"id": "group-2", "agent_ids": ["agent-0"], "description": "", "manager_config": alone},
        ],
    }  # fmt: skip
    would = await transfer.import_agents(bytes_of(file), dry_run=True)
    assert would.groups == 3
    assert await talking.database.read(LOCAL_ACTOR, groups.count) == 0
    done = await transfer.import_agents(bytes_of(file))
    assert done.notes == would.notes
    assert done.notes == ["The group 'Lost' isn't made: of its agents the file has no agent-9."]
    assert (await transfer.import_agents(bytes_of(file))).repeated
    first, second = done.agent_ids
    both, lone = await groups_of(talking, first)
    assert await groups_of(talking, second) == [both]
    manager = both.group.manager
    assert (both.agents, manager.agent_id) == ((first, second), first)
    assert (manager.type, manager.config["max_turns"]) == (ManagerType.DYNAMIC, 3)
    for one in (first, second):
        [block] = await here.all(lambda c, a=one: c.agents.blocks.list(a))
        assert (block.id,) == both.blocks
    assert (lone.agents, lone.group.manager.type) == ((first,), ManagerType.ROUND_ROBIN)

    written = await exported(here, first)
    assert [one["agent_ids"] for one in written["groups"]] == [["agent-0"]]
    copy = await imported(here, written)
    assert [one.agents for one in await groups_of(talking, copy)] == [(copy,)]


async def test_a_bad_group_is_refused_with_its_place(here: Driver) -> None:
    for bad, words in (
        ([3], "groups[0]: an object"),
        ([{"agent_ids": "x"}], "groups[0].agent_ids"),
        ([{"manager_config": {"manager_type": "x"}}], "groups[0].manager_config"),
        ([{"shared_block_ids": ["b"]}], "groups[0].shared_block_ids[0]: the file has no block"),
    ):
        assert words in await refused(here, {"agents": [{}], "groups": bad})
    assert await here.all(lambda c: c.agents.list()) == []
