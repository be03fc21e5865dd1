"""An agent remembers and looks up through memory skills, in real runs."""

import asyncio
import json
from typing import Any

import pytest

from tests.contract.skills.thinking import CONTENT
from tests.fixtures.running import Opener, Talk, returned, spoken
from tests.servers.scripted_chat import Answer, Call, Says
from yiku.core.skill import Lookup
from yiku.core.tenant import LOCAL_ACTOR, Actor
from yiku.memory.skills import encode, feedback, registry
from yiku.memory.skills.looking import LookupLog
from yiku.store import encodings, lookups
from yiku.store.database import Unit

TOLD, ASKED = "我的邮箱是 test@example.com", "我的邮箱是什么?test@example.com 对吗"


def respond(request: dict[str, Any]) -> Answer:
    """As an agent that saves what it is told and looks up what it is asked; and as the executor."""
    messages = request["messages"]
    last = messages[-1]
    if last["role"] == "tool":
        return f"我查到:{last['content']}"
    text = str(last["content"])
    if CONTENT.search(text):
        made = {"operations": [{"op": "add", "text": "用户邮箱: test@example.com"}]}
        return json.dumps(made, ensure_ascii=False)
    if ASKED in text:
        return Says(calls=(Call("query_memory", {"query": ASKED}),))
    return Says(calls=(Call("save_insight", {"content": TOLD}),))


async def test_what_is_told_in_one_run_is_found_in_the_next(talk: Talk) -> None:
    talk.model.respond = respond
    agent = await talk.agent("save_insight", "query_memory")
    told = await talk.send(agent, TOLD)
    assert returned(await talk.said(agent, told)) == [("save_insight", True, "已存入记忆。")]
    asked_before = len(talk.model.asked)
    [one] = await talk.read(encodings.pending)
    [message] = [each for each in await talk.said(agent, told) if each.role == "user"]
    assert (one.agent_id, one.run_id, one.message_id) == (agent.agent.id, told.id, message.id)
    assert asked_before == 2  # the agent's own two steps: saving asked no model
    await encode.run(talk.app.skills, LOCAL_ACTOR, one.id)

    asked = await talk.send(agent, ASKED)
    [(name, ok, text)] = returned(await talk.said(agent, asked))
    assert (name, ok) == ("query_memory", True)
    assert "   用户邮箱: test@example.com" in text
    assert "用户邮箱: test@example.com" in spoken(await talk.said(agent, asked))[-1]
    await talk.app.skills.looking.flush()
    [lookup] = await talk.read(lookups.of_run, asked.id)
    skills = {one.id: one.name for one in await registry.active(talk.app.skills, LOCAL_ACTOR)}
    assert skills[lookup.skill_id] == "exact_match"
    assert (lookup.agent_id, lookup.query) == (agent.agent.id, ASKED)


async def test_a_lookup_is_noted_once_when_the_app_closes_at_once(open_talk: Opener) -> None:
    talk = await open_talk()
    talk.model.respond = respond
    agent = await talk.agent("query_memory", "save_insight")
    await talk.send(agent, TOLD)
    asked = await talk.send(agent, ASKED)
    await talk.app.skills.close()
    assert len(await talk.read(lookups.of_run, asked.id)) == 1


async def test_a_lookup_that_is_noted_late_is_judged_by_the_answer(
    talk: Talk, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted = LookupLog._write

    async def late(self: LookupLog, actor: Actor, unit: Unit[Lookup]) -> Lookup | None:
        await asyncio.sleep(0.3)
        return await noted(self, actor, unit)

    monkeypatch.setattr(LookupLog, "_write", late)
    talk.model.respond = respond
    agent = await talk.agent("save_insight", "query_memory")
    await talk.send(agent, TOLD)
    asked = await talk.send(agent, ASKED)

    judged = await feedback.judge(talk.app.skills, LOCAL_ACTOR, asked.id)

    assert (judged.lookups, judged.used) == (1, 1)
