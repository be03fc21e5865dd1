"""/v1/folders, agents' folders and files, spoken to with the real client."""

import json
from typing import Any

import letta_client
import pytest

from tests.fixtures.filed import STORY, carried_out
from tests.fixtures.letta import Driver
from tests.fixtures.talking import made
from tests.servers.scripted_chat import Call, Says, Script, ScriptedChat
from yiku.app import App


async def uploaded(
    letta: Driver, folder_id: str, called: str, content: bytes | str, **more: Any
) -> Any:
    raw = content if isinstance(content, bytes) else content.encode()
    return await letta(lambda c: c.folders.files.upload(folder_id, file=(called, raw), **more))


async def test_a_file_is_uploaded_read_and_found_by_the_agent_that_opens_it(
    talk: Driver, talking: App, model: ScriptedChat
) -> None:
    folder = await talk(lambda c: c.folders.create(name="日志", description="项目的日志"))
    file = await uploaded(talk, folder.id, "log.md", STORY)
    assert (file.processing_status, file.file_name) == ("pending", "日志/log.md")
    assert (file.file_type, file.file_size) == ("text/markdown", len(STORY.encode()))
    agent_id = await made(talk)
    state = await talk(lambda c: c.agents.folders.attach(folder.id, agent_id=agent_id))
    assert [one.id for one in state.sources] == [folder.id]
    names = {one.name for one in state.tools}
    assert names >= {"open_files", "grep_files", "semantic_search_files"}
    await carried_out(talking)

    found = await talk(lambda c: c.folders.files.retrieve(file.id, folder_id=folder.id))
    assert found.processing_status == "completed"
    assert found.total_chunks == found.chunks_embedded > 0
    [held] = (await talk(lambda c: c.agents.files.list(agent_id))).files
    assert (held.file_id, held.folder_name, held.is_open) == (file.id, "日志", True)
    assert held.visible_content.startswith("[Viewing file start (out of 7 lines)]\n1: # 项目日志")
    assert await talk(lambda c: c.agents.files.close_all(agent_id)) == ["日志/log.md"]

    window = {"file_name": "日志/log.md", "offset": 2, "length": 1}
    model.respond = Script(
        Says(calls=[Call("semantic_search_files", {"query": "搬迁服务器"})]),
        Says(calls=[Call("grep_files", {"pattern": r"deploy\s+KEY"})]),
        Says(calls=[Call("open_files", {"file_requests": [window]})]),
        "在上海。",
    )
    answer = await talk(lambda c: c.agents.messages.create(agent_id, input="服务器在哪里？"))
    returns = [
        one.tool_return for one in answer.messages if one.message_type == "tool_return_message"
    ]
    assert "小明周二把服务器从北京搬到了上海" in returns[0]
    assert "> 5: The staging deploy key was rotated" in returns[1]
    assert "日志/log.md" in returns[2]
    system = model.bodies()[-1]["messages"][0]["content"]
    assert '<file status="open" name="日志/log.md">' in system
    assert "3: 小明周二把服务器从北京搬到了上海" in system
    assert "5: The staging" not in system


async def test_a_folder_is_created_changed_listed_and_deleted(letta: Driver) -> None:
    said = {"description": "x", "instructions": "Read it.", "metadata": {"a": 1}}
    one = await letta(lambda c: c.folders.create(name="one", **said))
    assert one.id.startswith("source-")
    assert {name: getattr(one, name) for name in said} == said
    assert one.embedding_config.embedding_dim == 384
    assert await letta(lambda c: c.folders.retrieve(one.id)) == one
    changed = await letta(lambda c: c.folders.update(one.id, name="eins", description="y"))
    assert (changed.name, changed.description, changed.instructions) == ("eins", "y", "Read it.")
    two = await letta(lambda c: c.folders.create(name="two"))
    await letta.fails(letta_client.ConflictError, lambda c: c.folders.create(name="two"))
    await letta.fails(letta_client.ConflictError, lambda c: c.folders.update(two.id, name="eins"))
    await letta.fails(letta_client.UnprocessableEntityError, lambda c: c.folders.create(name="a/b"))

    async def listed(**params: Any) -> list[str]:
        return [item.id for item in await letta.all(lambda c: c.folders.list(**params))]

    assert await listed(limit=1) == [one.id, two.id]
    assert await listed(order="desc") == [two.id, one.id]
    assert await listed(name="two") == [two.id]
    agents = [
        (await letta(lambda c, f=f: c.agents.create(folder_ids=[f], include_base_tools=False))).id
        for f in (one.id, one.id, two.id)
    ]
    assert await letta(lambda c: c.folders.agents.list(one.id)) == agents[1::-1]
    assert await letta(lambda c: c.folders.agents.list(one.id, order="asc", limit=1)) == agents[:1]
    assert await letta(lambda c: c.folders.delete(one.id)) is None
    state = await letta(lambda c: c.agents.retrieve(agents[0]))
    assert (state.sources, state.tools) == ([], [])
    assert await listed() == [two.id]
    for method in (
        lambda c: c.folders.retrieve(one.id),
        lambda c: c.folders.update(one.id, name="x"),
        lambda c: c.folders.delete(one.id),
        lambda c: c.folders.list(after=one.id),
        lambda c: c.folders.agents.list(one.id),
        lambda c: c.folders.files.list(one.id),
        lambda c: c.folders.files.upload(one.id, file=("a.txt", b"a")),
        lambda c: c.folders.files.delete("file-x", folder_id=two.id),
        lambda c: c.folders.files.retrieve("file-x", folder_id=two.id),
        lambda c: c.agents.create(folder_ids=[one.id]),
        lambda c: c.agents.folders.attach(one.id, agent_id=agents[0]),
        lambda c: c.agents.folders.detach(two.id, agent_id=agents[0]),
        lambda c: c.agents.files.open("file-x", agent_id=agents[0]),
        lambda c: c.agents.files.close("file-x", agent_id=agents[0]),
        lambda c: c.agents.files.close_all("agent-x"),
    ):
        await letta.fails(letta_client.NotFoundError, method)


async def test_a_file_that_could_not_be_read_is_not_opened(talk: Driver, talking: App) -> None:
    folder = await talk(lambda c: c.folders.create(name="broken"))
    file = await uploaded(talk, folder.id, "broken.pdf", b"%PDF-1.4\nnothing")
    agent_id = await made(talk)
    await carried_out(talking)
    await talk(lambda c: c.agents.folders.attach(folder.id, agent_id=agent_id))
    with pytest.raises(
        letta_client.ConflictError, match=r"broken/broken\.pdf couldn't be read: It"
    ):
        await talk(lambda c: c.agents.files.open(file.id, agent_id=agent_id))
    [held] = (await talk(lambda c: c.agents.files.list(agent_id))).files
    assert not held.is_open


async def test_a_name_that_is_taken_is_handled_as_asked(letta: Driver, app: App) -> None:
    folder = await letta(lambda c: c.folders.create(name="f"))
    first = await uploaded(letta, folder.id, "a.txt", "eins")
    error = await letta.fails(
        letta_client.ConflictError,
        lambda c: c.folders.files.upload(
            folder.id, file=("a.txt", b"x"), duplicate_handling="error"
        ),
    )
    assert "duplicate_handling" in error.body["detail"]
    skipped = await uploaded(letta, folder.id, "a.txt", "zwei", duplicate_handling="skip")
    assert skipped.id == first.id
    others = [await uploaded(letta, folder.id, "a.txt", text) for text in ("zwei", "drei")]
    assert [one.file_name for one in others] == ["f/a_(1).txt", "f/a_(2).txt"]
    named = await uploaded(letta, folder.id, "a.txt", "vier", name="b.txt")
    assert (named.file_name, named.original_file_name) == ("f/b.txt", "a.txt")
    await carried_out(app)
    new = await uploaded(letta, folder.id, "a.txt", "neu", duplicate_handling="replace")
    assert (new.file_name, new.id == first.id) == ("f/a.txt", False)
    await carried_out(app)

    async def listed(**params: Any) -> list[str]:
        found = await letta.all(lambda c: c.folders.files.list(folder.id, **params))
        return [one.content or one.file_name for one in found]

    assert await listed(order="asc", include_content=True) == ["zwei", "drei", "vier", "neu"]
    assert await listed(limit=2) == ["f/a.txt", "f/b.txt", "f/a_(2).txt", "f/a_(1).txt"]
    assert await listed(before=named.id) == ["f/a.txt"]


async def test_the_file_used_longest_ago_is_closed_for_another(letta: Driver, app: App) -> None:
    folder = await letta(lambda c: c.folders.create(name="f"))
    ids = [(await uploaded(letta, folder.id, f"{n}.txt", f"text {n}")).id for n in "abcd"]
    await carried_out(app)
    agent = await letta(
        lambda c: c.agents.create(
            folder_ids=[folder.id], max_files_open=2, include_base_tools=False
        )
    )

    async def listed(**params: Any) -> list[str]:
        found = await letta.all(lambda c: c.agents.files.list(agent.id, order="asc", **params))
        return [one.file_id for one in found]

    assert await listed() == ids
    assert await listed(limit=1) == ids
    assert await listed(is_open=True) == ids[2:]  # the newest
    opening = [await letta(lambda c, f=f: c.agents.files.open(f, agent_id=agent.id)) for f in ids]
    assert opening == [["f/c.txt"], ["f/d.txt"], ["f/a.txt"], ["f/b.txt"]]
    assert await letta(lambda c: c.agents.files.close(ids[2], agent_id=agent.id)) is None
    assert await listed(is_open=True) == [ids[3]]
    await letta(lambda c: c.agents.files.open(ids[0], agent_id=agent.id))
    changed = await letta(lambda c: c.agents.update(agent.id, max_files_open=1))
    assert await listed(is_open=True) == [ids[0]]
    blocks = changed.memory.file_blocks
    assert [(one.label, one.is_open) for one in blocks][:2] == [
        ("f/a.txt", True),
        ("f/b.txt", False),
    ]
    text = json.loads(await letta(lambda c: c.agents.recompile(agent.id, dry_run=True)))
    assert "- current_files_open=1\n- max_files_open=1" in text
    assert "[Viewing file start (out of 1 lines)]\n1: text a" in text
    later = await uploaded(letta, folder.id, "e.txt", "text e")
    await carried_out(app)
    assert await listed(is_open=True) == [later.id]
    assert await letta(lambda c: c.folders.files.delete(later.id, folder_id=folder.id)) is None
    assert await listed() == ids
    folders = await letta.all(lambda c: c.agents.folders.list(agent.id))
    assert [one.id for one in folders] == [folder.id]
    state = await letta(lambda c: c.agents.folders.detach(folder.id, agent_id=agent.id))
    assert (state.sources, state.tools, await listed()) == ([], [], [])
    assert "<directories>" not in json.loads(
        await letta(lambda c: c.agents.recompile(agent.id, dry_run=True))
    )
    changed = await letta(lambda c: c.agents.update(agent.id, folder_ids=[folder.id]))
    assert len(changed.tools) == 3
