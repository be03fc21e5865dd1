"""Every method of `letta-client`, called once, in an order in which each finds what it needs.

A step is a method's name, how it is called, and what its answer must be; `seen` keeps what later
steps need. The same steps drive the synchronous and the asynchronous client.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from tests.fixtures.talking import MODEL


class Seen(dict[str, Any]):
    """What has been made so far, by a name; what hasn't been made has an id all the same."""

    def __missing__(self, name: str) -> str:
        return f"{name}-00000000-0000-4000-8000-000000000000"


Call = Callable[[Any, Seen], Any]
Look = Callable[[Any, Seen], bool]
Step = tuple[str, Call, Look]

SOURCE = '''
def double(number: int) -> int:
    """Twice a number.

    Args:
        number: It.
    """
    return 2 * number
'''
FACT = "Li Wei moved to Hangzhou in May"
TEXT = "# 值班表\n\n周一由李伟值班。\n\nThe pager is in the second drawer.\n"
CLOCK = {"mcp_server_type": "stdio", "command": sys.executable, "args": ["-m", "mcp_server_time"]}
SAYS = [{"role": "user", "content": "你好"}]
IN_2050 = 2_524_608_000_000
"""Milliseconds."""


def keep(name: str, of: str = "id") -> Look:
    """The answer is something new, and what follows finds its id under `name`."""

    def look(answer: Any, seen: Seen) -> bool:
        seen[name] = getattr(answer, of)
        return bool(seen[name])

    return look


def has(name: str) -> Look:
    """A listing in which `seen[name]` is, by its id."""
    return lambda answer, seen: seen[name] in [one.id for one in answer]


def lacks(name: str) -> Look:
    return lambda answer, seen: seen[name] not in [one.id for one in answer]


def is_(name: str) -> Look:
    return lambda answer, seen: answer.id == seen[name]


def says(text: str) -> Look:
    """What an agent answered, whole or as a stream."""

    def look(answer: Any, _: Seen) -> bool:
        told = getattr(answer, "messages", answer)
        return text in str([getattr(one, "content", None) for one in told])

    return look


def spoken(answer: Any, seen: Seen) -> bool:
    told = getattr(answer, "messages", answer)
    seen["talk"] = told[0].run_id
    return says("Understood.")(answer, seen)


def done(answer: Any, seen: Seen) -> bool:
    """It says nothing that must be of a form."""
    return True


def nonempty(answer: Any, seen: Seen) -> bool:
    return len(answer) > 0


def answered(messages: Any, seen: Seen) -> bool:
    seen["message"] = next(m.id for m in messages if m.message_type == "assistant_message")
    return True


def exported(text: Any, seen: Seen) -> bool:
    seen["agent_file"] = text
    seen["agent_json"] = json.loads(text)
    return "Yi" in text


BLOCKS: list[Step] = [
    ("blocks.create", lambda c, s: c.blocks.create(label="rules", value="be kind"), keep("block")),
    ("blocks.retrieve", lambda c, s: c.blocks.retrieve(s["block"]), is_("block")),
    ("blocks.list", lambda c, s: c.blocks.list(), has("block")),
    (
        "blocks.update",
        lambda c, s: c.blocks.update(s["block"], value="be brief"),
        lambda one, s: one.value == "be brief",
    ),
]

TOOLS: list[Step] = [
    ("tools.create", lambda c, s: c.tools.create(source_code=SOURCE), keep("tool")),
    ("tools.retrieve", lambda c, s: c.tools.retrieve(s["tool"]), is_("tool")),
    ("tools.list", lambda c, s: c.tools.list(), has("tool")),
    ("tools.upsert", lambda c, s: c.tools.upsert(source_code=SOURCE), is_("tool")),
    (
        "tools.update",
        lambda c, s: c.tools.update(s["tool"], tags=["sums"]),
        lambda one, s: one.tags == ["sums"],
    ),
    (
        "tools.search",
        lambda c, s: c.tools.search(query="double a number"),
        lambda found, s: s["tool"] in [one.tool.id for one in found],
    ),
]

AGENTS: list[Step] = [
    (
        "agents.create",
        lambda c, s: c.agents.create(
            name="Yi",
            model=MODEL,
            memory_blocks=[{"label": "human", "value": "用户喜欢编程和AI技术"}],
            tags=["tea"],
        ),
        keep("agent"),
    ),
    ("agents.retrieve", lambda c, s: c.agents.retrieve(s["agent"]), is_("agent")),
    ("agents.list", lambda c, s: c.agents.list(tags=["tea"]), has("agent")),
    (
        "agents.update",
        lambda c, s: c.agents.update(s["agent"], description="a friend"),
        lambda one, s: one.description == "a friend",
    ),
    (
        "agents.blocks.attach",
        lambda c, s: c.agents.blocks.attach(s["block"], agent_id=s["agent"]),
        is_("agent"),
    ),
    ("agents.blocks.list", lambda c, s: c.agents.blocks.list(s["agent"]), has("block")),
    (
        "agents.blocks.retrieve",
        lambda c, s: c.agents.blocks.retrieve("rules", agent_id=s["agent"]),
        is_("block"),
    ),
    (
        "agents.blocks.update",
        lambda c, s: c.agents.blocks.update("rules", agent_id=s["agent"], value="be exact"),
        lambda one, s: one.value == "be exact",
    ),
    ("blocks.agents.list", lambda c, s: c.blocks.agents.list(s["block"]), has("agent")),
    (
        "agents.blocks.detach",
        lambda c, s: c.agents.blocks.detach(s["block"], agent_id=s["agent"]),
        is_("agent"),
    ),
    (
        "agents.tools.attach",
        lambda c, s: c.agents.tools.attach(s["tool"], agent_id=s["agent"]),
        done,
    ),
    ("agents.tools.list", lambda c, s: c.agents.tools.list(s["agent"]), has("tool")),
    (
        "agents.tools.run",
        lambda c, s: c.agents.tools.run("double", agent_id=s["agent"], args={"number": 21}),
        lambda one, s: (one.status, str(one.func_return)) == ("success", "42"),
    ),
    (
        "agents.tools.update_approval",
        lambda c, s: c.agents.tools.update_approval(
            "double", agent_id=s["agent"], body_requires_approval=True
        ),
        done,
    ),
    (
        "agents.tools.detach",
        lambda c, s: c.agents.tools.detach(s["tool"], agent_id=s["agent"]),
        done,
    ),
    ("agents.recompile", lambda c, s: c.agents.recompile(s["agent"]), nonempty),
    ("tags.list", lambda c, s: c.tags.list(), lambda found, s: "tea" in found),
    ("models.list", lambda c, s: c.models.list(), nonempty),
    ("models.embeddings.list", lambda c, s: c.models.embeddings.list(), nonempty),
]

MESSAGES: list[Step] = [
    (
        "agents.messages.create",
        lambda c, s: c.agents.messages.create(s["agent"], input="hello"),
        says("Understood."),
    ),
    (
        "agents.messages.stream",
        lambda c, s: c.agents.messages.stream(s["agent"], messages=SAYS, stream_tokens=True),
        nonempty,
    ),
    (
        "agents.messages.create_async",
        lambda c, s: c.agents.messages.create_async(s["agent"], messages=SAYS),
        keep("run"),
    ),
    (
        "runs.messages.stream",
        lambda c, s: c.runs.messages.stream(s["run"], starting_after=0),
        says("Understood."),
    ),
    ("runs.retrieve", lambda c, s: c.runs.retrieve(s["run"]), is_("run")),
    ("runs.list", lambda c, s: c.runs.list(agent_id=s["agent"]), has("run")),
    ("runs.messages.list", lambda c, s: c.runs.messages.list(s["run"]), nonempty),
    (
        "runs.steps.list",
        lambda c, s: c.runs.steps.list(s["run"]),
        lambda found, s: keep("step")(found[0], s),
    ),
    (
        "runs.usage.retrieve",
        lambda c, s: c.runs.usage.retrieve(s["run"]),
        lambda one, s: one.total_tokens > 0,
    ),
    ("runs.trace.retrieve", lambda c, s: c.runs.trace.retrieve(s["run"]), nonempty),
    ("steps.retrieve", lambda c, s: c.steps.retrieve(s["step"]), is_("step")),
    ("steps.list", lambda c, s: c.steps.list(agent_id=s["agent"]), has("step")),
    ("steps.messages.list", lambda c, s: c.steps.messages.list(s["step"]), nonempty),
    ("steps.metrics.retrieve", lambda c, s: c.steps.metrics.retrieve(s["step"]), is_("step")),
    ("steps.trace.retrieve", lambda c, s: c.steps.trace.retrieve(s["step"]), done),
    (
        "steps.feedback.create",
        lambda c, s: c.steps.feedback.create(s["step"], feedback="positive"),
        lambda one, s: one.feedback == "positive",
    ),
    ("agents.messages.list", lambda c, s: c.agents.messages.list(s["agent"]), answered),
    ("messages.list", lambda c, s: c.messages.list(), has("message")),
    (
        "messages.retrieve",
        lambda c, s: c.messages.retrieve(s["message"]),
        lambda found, s: {one.id for one in found} == {s["message"]},
    ),
    ("messages.search", lambda c, s: c.messages.search(query="你好"), nonempty),
    ("agents.messages.compact", lambda c, s: c.agents.messages.compact(s["agent"]), done),
    ("agents.messages.cancel", lambda c, s: c.agents.messages.cancel(s["agent"]), done),
]

ARCHIVES: list[Step] = [
    (
        "agents.passages.create",
        lambda c, s: c.agents.passages.create(s["agent"], text=FACT, tags=["people"]),
        lambda made, s: keep("passage")(made[0], s),
    ),
    ("agents.passages.list", lambda c, s: c.agents.passages.list(s["agent"]), has("passage")),
    (
        "agents.passages.search",
        lambda c, s: c.agents.passages.search(s["agent"], query="Where does Li Wei live?"),
        lambda found, s: FACT in str(found),
    ),
    (
        "agents.passages.delete",
        lambda c, s: c.agents.passages.delete(s["passage"], agent_id=s["agent"]),
        done,
    ),
    ("archives.create", lambda c, s: c.archives.create(name="notes"), keep("archive")),
    ("archives.retrieve", lambda c, s: c.archives.retrieve(s["archive"]), is_("archive")),
    ("archives.list", lambda c, s: c.archives.list(), has("archive")),
    (
        "archives.update",
        lambda c, s: c.archives.update(s["archive"], description="of people"),
        lambda one, s: one.description == "of people",
    ),
    (
        "archives.passages.create",
        lambda c, s: c.archives.passages.create(s["archive"], text=FACT),
        keep("passage"),
    ),
    (
        "archives.passages.create_many",
        lambda c, s: c.archives.passages.create_many(
            s["archive"], passages=[{"text": "猫叫豆豆"}, {"text": "The cat is grey"}]
        ),
        lambda made, s: len(made) == 2,
    ),
    (
        "passages.search",
        lambda c, s: c.passages.search(query="猫叫什么", archive_id=s["archive"]),
        lambda found, s: "豆豆" in str(found),
    ),
    (
        "archives.passages.delete",
        lambda c, s: c.archives.passages.delete(s["passage"], archive_id=s["archive"]),
        done,
    ),
    (
        "agents.archives.attach",
        lambda c, s: c.agents.archives.attach(s["archive"], agent_id=s["agent"]),
        done,
    ),
    (
        "agents.archives.detach",
        lambda c, s: c.agents.archives.detach(s["archive"], agent_id=s["agent"]),
        done,
    ),
]

FOLDERS: list[Step] = [
    ("folders.create", lambda c, s: c.folders.create(name="rota"), keep("folder")),
    ("folders.retrieve", lambda c, s: c.folders.retrieve(s["folder"]), is_("folder")),
    ("folders.list", lambda c, s: c.folders.list(name="rota"), has("folder")),
    (
        "folders.update",
        lambda c, s: c.folders.update(s["folder"], description="who is on duty"),
        lambda one, s: one.description == "who is on duty",
    ),
    (
        "folders.files.upload",
        lambda c, s: c.folders.files.upload(s["folder"], file=("rota.md", TEXT.encode())),
        keep("file"),
    ),
    (
        "folders.files.retrieve",
        lambda c, s: c.folders.files.retrieve(s["file"], folder_id=s["folder"]),
        is_("file"),
    ),
    ("folders.files.list", lambda c, s: c.folders.files.list(s["folder"]), has("file")),
    (
        "agents.folders.attach",
        lambda c, s: c.agents.folders.attach(s["folder"], agent_id=s["agent"]),
        done,
    ),
    ("agents.folders.list", lambda c, s: c.agents.folders.list(s["agent"]), has("folder")),
    (
        "folders.agents.list",
        lambda c, s: c.folders.agents.list(s["folder"]),
        lambda found, s: s["agent"] in [getattr(one, "id", one) for one in found],
    ),
    (
        "agents.files.open",
        lambda c, s: c.agents.files.open(s["file"], agent_id=s["agent"]),
        lambda closed, s: closed == [],
    ),
    (
        "agents.files.list",
        lambda c, s: c.agents.files.list(s["agent"]),
        lambda found, s: [(one.file_id, one.is_open) for one in found] == [(s["file"], True)],
    ),
    (
        "agents.files.close",
        lambda c, s: c.agents.files.close(s["file"], agent_id=s["agent"]),
        done,
    ),
    ("agents.files.close_all", lambda c, s: c.agents.files.close_all(s["agent"]), done),
    (
        "agents.folders.detach",
        lambda c, s: c.agents.folders.detach(s["folder"], agent_id=s["agent"]),
        done,
    ),
    (
        "folders.files.delete",
        lambda c, s: c.folders.files.delete(s["file"], folder_id=s["folder"]),
        done,
    ),
    ("folders.delete", lambda c, s: c.folders.delete(s["folder"]), done),
]

CONVERSATIONS: list[Step] = [
    (
        "conversations.create",
        lambda c, s: c.conversations.create(agent_id=s["agent"], summary="tea"),
        keep("conversation"),
    ),
    (
        "conversations.retrieve",
        lambda c, s: c.conversations.retrieve(s["conversation"]),
        is_("conversation"),
    ),
    (
        "conversations.list",
        lambda c, s: c.conversations.list(agent_id=s["agent"]),
        has("conversation"),
    ),
    (
        "conversations.update",
        lambda c, s: c.conversations.update(s["conversation"], summary="green tea"),
        lambda one, s: one.summary == "green tea",
    ),
    (
        "conversations.messages.create",
        lambda c, s: c.conversations.messages.create(s["conversation"], input="hello"),
        spoken,
    ),
    (
        "conversations.messages.list",
        lambda c, s: c.conversations.messages.list(s["conversation"]),
        lambda found, s: len([m for m in found if m.message_type == "user_message"]) == 1,
    ),
    (
        "conversations.messages.stream",
        lambda c, s: c.conversations.messages.stream(
            s["conversation"], run_id=s["talk"], starting_after=0
        ),
        says("Understood."),
    ),
    (
        "conversations.recompile",
        lambda c, s: c.conversations.recompile(s["conversation"]),
        nonempty,
    ),
    (
        "conversations.messages.compact",
        lambda c, s: c.conversations.messages.compact(s["conversation"]),
        done,
    ),
    (
        "conversations.fork",
        lambda c, s: c.conversations.fork(s["conversation"]),
        keep("fork"),
    ),
    ("conversations.cancel", lambda c, s: c.conversations.cancel(s["conversation"]), done),
    ("conversations.delete", lambda c, s: c.conversations.delete(s["fork"]), done),
]

OTHERS: list[Step] = [
    (
        "agents.schedule.create",
        lambda c, s: c.agents.schedule.create(
            s["agent"], messages=SAYS, schedule={"type": "one-time", "scheduled_at": IN_2050}
        ),
        keep("schedule"),
    ),
    (
        "agents.schedule.retrieve",
        lambda c, s: c.agents.schedule.retrieve(s["schedule"], agent_id=s["agent"]),
        is_("schedule"),
    ),
    (
        "agents.schedule.list",
        lambda c, s: c.agents.schedule.list(s["agent"]),
        lambda found, s: [one.id for one in found.scheduled_messages] == [s["schedule"]],
    ),
    (
        "agents.schedule.delete",
        lambda c, s: c.agents.schedule.delete(s["schedule"], agent_id=s["agent"]),
        lambda one, s: one.success,
    ),
    (
        "agents.identities.attach",
        lambda c, s: c.agents.identities.attach(s["identity"], agent_id=s["agent"]),
        done,
    ),
    (
        "agents.identities.detach",
        lambda c, s: c.agents.identities.detach(s["identity"], agent_id=s["agent"]),
        done,
    ),
    (
        "mcp_servers.create",
        lambda c, s: c.mcp_servers.create(server_name="clock", config=CLOCK),
        keep("server"),
    ),
    ("mcp_servers.retrieve", lambda c, s: c.mcp_servers.retrieve(s["server"]), is_("server")),
    ("mcp_servers.list", lambda c, s: c.mcp_servers.list(), has("server")),
    (
        "mcp_servers.update",
        lambda c, s: c.mcp_servers.update(s["server"], config=CLOCK, server_name="time"),
        lambda one, s: one.server_name == "time",
    ),
    ("mcp_servers.refresh", lambda c, s: c.mcp_servers.refresh(s["server"]), done),
    (
        "mcp_servers.tools.list",
        lambda c, s: c.mcp_servers.tools.list(s["server"]),
        lambda found, s: keep("clock")(
            next(one for one in found if one.name == "get_current_time"), s
        ),
    ),
    (
        "mcp_servers.tools.retrieve",
        lambda c, s: c.mcp_servers.tools.retrieve(s["clock"], mcp_server_id=s["server"]),
        is_("clock"),
    ),
    (
        "mcp_servers.tools.run",
        lambda c, s: c.mcp_servers.tools.run(
            s["clock"], mcp_server_id=s["server"], args={"timezone": "Asia/Shanghai"}
        ),
        lambda one, s: one.status == "success" and "Asia/Shanghai" in str(one.func_return),
    ),
    ("mcp_servers.delete", lambda c, s: c.mcp_servers.delete(s["server"]), done),
    (
        "agents.export_file",
        lambda c, s: c.agents.export_file(s["agent"]),
        exported,
    ),
    (
        "agents.import_file",
        lambda c, s: c.agents.import_file(file=("yi.af", s["agent_file"].encode())),
        lambda made, s: len(made.agent_ids) == 1,
    ),
    (
        "templates.create",
        lambda c, s: c.templates.create(type="agent", agent_id=s["agent"], name="friend"),
        lambda one, s: one.name == "friend",
    ),
    (
        "templates.save",
        lambda c, s: c.templates.save("friend", message="first"),
        lambda one, s: bool(one.latest_version),
    ),
    (
        "templates.update",
        lambda c, s: c.templates.update("friend", agent_file_json=s["agent_json"]),
        lambda one, s: one.success,
    ),
    (
        "templates.rollback",
        lambda c, s: c.templates.rollback("friend", version="1"),
        lambda one, s: one.success,
    ),
    (
        "templates.agents.create",
        lambda c, s: c.templates.agents.create("friend:latest", agent_name="Er"),
        lambda one, s: len(one.agent_ids) == 1,
    ),
    ("templates.delete", lambda c, s: c.templates.delete("friend"), lambda one, s: one.success),
    (
        "access_tokens.create",
        lambda c, s: c.access_tokens.create(hostname="https://x.example", policy=[]),
        done,
    ),
    ("access_tokens.list", lambda c, s: c.access_tokens.list(), done),
    ("access_tokens.delete", lambda c, s: c.access_tokens.delete("x", body={}), done),
    ("environments.list", lambda c, s: c.environments.list(), done),
    ("environments.retrieve", lambda c, s: c.environments.retrieve("x"), done),
    (
        "environments.send_message",
        lambda c, s: c.environments.send_message("x", messages=SAYS),
        done,
    ),
]

ENDS: list[Step] = [
    ("agents.messages.reset", lambda c, s: c.agents.messages.reset(s["agent"]), done),
    ("agents.delete", lambda c, s: c.agents.delete(s["agent"]), done),
    ("archives.delete", lambda c, s: c.archives.delete(s["archive"]), done),
    ("blocks.delete", lambda c, s: c.blocks.delete(s["block"]), done),
    ("tools.delete", lambda c, s: c.tools.delete(s["tool"]), done),
]

STEPS: list[Step] = [
    *BLOCKS,
    *TOOLS,
    *AGENTS,
    *MESSAGES,
    *ARCHIVES,
    *FOLDERS,
    *CONVERSATIONS,
    *OTHERS,
    *ENDS,
]
