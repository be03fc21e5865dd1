"""Agents that speak to each other by their tools."""

import asyncio
import json
from typing import Any

from tests.fixtures.letta import Driver
from tests.fixtures.talking import made
from tests.servers.scripted_chat import Answer, Call, Says, ScriptedChat
from yiku.agents.peers import MAX_HOPS

WAIT, ASYNC = "send_message_to_agent_and_wait_for_reply", "send_message_to_agent_async"
TAGGED = "send_message_to_agents_matching_tags"


class Script:
    """What each agent says, by the name in its instructions: the calls it makes first, then words
    about what the last of them returned."""

    def __init__(self) -> None:
        self.calls: dict[str, Call] = {}

    def __call__(self, request: dict[str, Any]) -> Answer:
        said = request["messages"]
        name = said[0]["content"].partition("I am ")[2].partition(".")[0]
        if said[-1]["role"] == "tool":
            return f"{name} heard: {said[-1]['content']}"
        if name in self.calls:
            return Says(calls=(self.calls[name],))
        return f"{name} says tea."


async def agent(talk: Driver, name: str, **more: Any) -> str:
    return await made(
        talk,
        name=name,
        system=f"I am {name}.",
        include_base_tools=False,
        extra_body={"include_multi_agent_tools": True},
        **more,
    )


async def say(talk: Driver, agent_id: str, text: str = "go") -> str:
    answer = await talk(lambda c: c.agents.messages.create(agent_id, input=text))
    return answer.messages[-1].content


async def runs_of(talk: Driver, agent_id: str) -> list[Any]:
    return (await talk(lambda c: c.runs.list(agent_id=agent_id))).items


async def test_an_agent_is_asked_and_answers(talk: Driver, model: ScriptedChat) -> None:
    model.respond = script = Script()
    ann, bob = await agent(talk, "Ann"), await agent(talk, "Bob")
    script.calls["Ann"] = Call(WAIT, {"message": "Tea or coffee?", "other_agent_id": bob})
    tools = (await talk(lambda c: c.agents.retrieve(ann))).tools
    assert {WAIT, ASYNC, TAGGED} <= {one.name for one in tools}

    assert "Ann heard: Bob says tea." in await say(talk, ann)

    told = (await talk(lambda c: c.agents.messages.list(bob, order="asc"))).items
    asked = next(one for one in told if one.message_type == "user_message")
    assert "Tea or coffee?" in asked.content
    assert f"Message of the agent Ann ({ann})" in asked.content
    assert asked.sender_id == ann
    assert len(await runs_of(talk, bob)) == 1


async def test_who_waits_for_each_other_is_told_and_goes_on(
    talk: Driver, model: ScriptedChat
) -> None:
    model.respond = script = Script()
    ann, bob, eve = [await agent(talk, name) for name in ("Ann", "Bob", "Eve")]
    for name, other in (("Ann", bob), ("Bob", eve), ("Eve", ann)):
        script.calls[name] = Call(WAIT, {"message": "?", "other_agent_id": other})

    answer = await say(talk, ann)

    assert "Ann heard: Bob heard: Eve heard:" in answer
    assert f"Agent {ann} waits for your own answer" in answer
    assert [len(await runs_of(talk, one)) for one in (ann, bob, eve)] == [1, 1, 1]


async def test_agents_that_answer_each_other_for_ever_are_stopped(
    talk: Driver, model: ScriptedChat
) -> None:
    model.respond = script = Script()
    ann, bob = await agent(talk, "Ann"), await agent(talk, "Bob")
    script.calls["Ann"] = Call(ASYNC, {"message": "you?", "other_agent_id": bob})
    script.calls["Bob"] = Call(ASYNC, {"message": "and you?", "other_agent_id": ann})

    assert "Sent. The other agent has it" in await say(talk, ann)

    found: list[Any] = []
    async with asyncio.timeout(60):
        while len(found) < 1 + MAX_HOPS or any(one.completed_at is None for one in found):
            found = [*await runs_of(talk, ann), *await runs_of(talk, bob)]
    assert len(found) == 1 + MAX_HOPS
    returns = [
        one.tool_return
        for each in (ann, bob)
        for one in (await talk(lambda c, a=each: c.agents.messages.list(a, limit=200))).items
        if one.message_type == "tool_return_message"
    ]
    assert sum("messages in a row" in one for one in returns) == 1


async def test_agents_with_tags_are_asked_together(talk: Driver, model: ScriptedChat) -> None:
    model.respond = script = Script()
    ann = await agent(talk, "Ann", tags=["team", "tea"])
    ids = {
        name: await agent(talk, name, tags=tags)
        for name, tags in (
            ("Bob", ["team", "tea"]),
            ("Eve", ["team", "coffee"]),
            ("Max", ["team", "water"]),
            ("Zoe", ["tea"]),
        )
    }
    asked = {"message": "?", "match_all": ["team"], "match_some": ["tea", "coffee"]}
    script.calls["Ann"] = Call(TAGGED, asked)

    answer = await say(talk, ann)

    told = json.loads(answer[answer.index("[") : answer.rindex("]") + 1].replace('\\"', '"'))
    assert {one["agent_id"]: one["response"] for one in told} == {
        ids["Bob"]: "Bob says tea.",
        ids["Eve"]: "Eve says tea.",
    }


async def test_what_can_not_be_sent_is_told(talk: Driver, model: ScriptedChat) -> None:
    model.respond = script = Script()
    ann = await agent(talk, "Ann")
    for call, words in (
        (Call(WAIT, {"message": "?", "other_agent_id": ann}), "That is you"),
        (Call(ASYNC, {"message": "?", "other_agent_id": "agent-x"}), "There is no agent agent-x"),
        (Call(TAGGED, {"message": "?", "match_all": [], "match_some": []}), "Say which agents"),
        (Call(TAGGED, {"message": "?", "match_all": ["x"], "match_some": []}), "No other agent"),
    ):
        script.calls["Ann"] = call
        assert words in await say(talk, ann)
    script.calls["Ann"] = Call(ASYNC, {"message": "?", "other_agent_id": "agent-x"})
    assert "没有智能体 agent-x" in await say(talk, ann, "去问问另一个智能体，他知道得更多")
