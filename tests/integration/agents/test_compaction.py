"""Contexts that outgrow their window: a summary takes the place of the oldest messages."""

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.fixtures.gates import Meets
from tests.fixtures.running import Talk, append, events, first_piece, returned, spoken, summarises
from tests.servers.scripted_chat import Answer, Call, Fails, Says, Script
from yiku.agents import compaction
from yiku.agents import talk as conversations
from yiku.context.compact import Split
from yiku.core.agent import AgentState, Compaction
from yiku.core.block import BlockContent
from yiku.core.errors import AgentBusy
from yiku.core.ids import MessageId
from yiku.core.message import Message, MessageRole, Summary, Text
from yiku.core.run import Compacted, RunFilter, RunPage, RunStatus, StopReason
from yiku.core.tenant import LOCAL_ACTOR
from yiku.core.tokens import estimated_tokens
from yiku.store import messages, quotas, runs

FILLER = {
    "en": "The tram goes along the river and stops at the old market. ",
    "zh": "电车沿着河开，在老市场停下来，然后继续开往山上的公园。",
}
BIG = '''
def big() -> str:
    """Big."""
    return "word " * 9_000
'''
SUMMARY = {"en": "They spoke of trams.", "zh": "他们谈到了电车。"}
SYSTEM = {"en": "You are a helpful assistant.", "zh": "你是一个乐于助人的助理。"}


class Model:
    """Answers, or summarises where it is asked for that; counts tokens as we do."""

    def __init__(self, summary: Answer = "A summary.", answer: Answer = "Yes.") -> None:
        self.summary = summary
        self.answer = answer
        self.summarised: list[str] = []

    def __call__(self, request: dict[str, Any]) -> Answer:
        if not summarises(request):
            return counted(self.answer, request)
        self.summarised.append(str(request["messages"]))
        return counted(self.summary, request)


def counted(answer: Answer, request: dict[str, Any]) -> Answer:
    if isinstance(answer, Fails):
        return answer
    says = Says(text=answer) if isinstance(answer, str) else answer
    asked = json.dumps([request["messages"], request.get("tools")], ensure_ascii=False)
    return replace(says, prompt_tokens=estimated_tokens(asked))


async def summary_of(talk: Talk, agent: AgentState) -> Summary | None:
    return await talk.read(messages.summary, agent.agent.id, None)


async def filled(talk: Talk, language: str = "en", **more: Any) -> AgentState:
    """An agent with a small window, of which each message takes a part."""
    given = {"system": SYSTEM[language], "context_window": 3_000, "blocks": (), **more}
    return await talk.agent(**given)


async def say(talk: Talk, agent: AgentState, n: int, language: str = "en") -> Any:
    text = f"No. {n}: " + FILLER[language] * (20 if language == "en" else 12)
    return await events(await talk.start(agent, text))


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_oldest_messages_give_way_before_the_window_is_full(
    talk: Talk, language: str
) -> None:
    model = talk.model.respond = Model(SUMMARY[language])
    agent = await filled(talk, language)
    told = [one for n in range(14) for one in await say(talk, agent, n, language)]

    compactions = [one for one in told if isinstance(one, Compacted)]
    assert len(compactions) >= 2
    assert {one.trigger for one in compactions} == {"window"}
    assert all(one.messages_after < one.messages_before for one in compactions)
    first, *others = model.summarised
    assert "No. 0:" in first
    assert all(SUMMARY[language] in one for one in others)  # a summary tells of the one before

    summary = await summary_of(talk, agent)
    assert summary is not None
    assert SUMMARY[language] in summary.text
    prompt = str(talk.model.prompt(len(talk.model.asked) - 1))
    assert SUMMARY[language] in prompt
    assert "No. 0:" not in prompt
    assert "No. 13:" in prompt
    assert prompt.count(SUMMARY[language]) == 1

    said = await talk.said(agent)
    assert len(spoken(said, "user")) == 14
    assert said[1].is_archived
    assert not said[0].is_archived
    assert summary.count == sum(one.is_archived for one in said)
    assert (summary.first_seq, summary.last_seq) == (
        said[1].seq,
        max(one.seq for one in said if one.is_archived),
    )


async def test_archived_messages_are_found(talk: Talk) -> None:
    model = talk.model.respond = Model()
    agent = await filled(talk, tools=("conversation_search",))
    await talk.send(agent, "My sister's name is Ursula, and she is a glassblower.")
    for n in range(10):
        await say(talk, agent, n)
    assert (await talk.said(agent))[1].is_archived
    search = Says(calls=(Call("conversation_search", {"query": "sister glassblower"}),))
    model.answer = search
    await talk.send(agent, "What does my sister do?", max_steps=1)
    [(_, ok, text)] = returned(await talk.said(agent))
    assert (ok, "Ursula" in text) == (True, True)


async def test_where_the_summariser_fails_an_excerpt_takes_its_place(talk: Talk) -> None:
    talk.model.respond = Model(Fails(status=400, message="I won't."))
    agent = await filled(talk)
    for n in range(12):
        told = await say(talk, agent, n)
        assert told[-1].run.status is RunStatus.COMPLETED
    summary = await summary_of(talk, agent)
    assert summary is not None
    assert summary.model is None
    assert summary.text.startswith("(An excerpt")
    assert "user: 0: The tram" in summary.text


async def test_another_model_may_write_the_summaries(talk: Talk) -> None:
    talk.model.respond = Model()
    settings = Compaction(model="openai/gpt-4.1-nano", mode="all")
    agent = await filled(talk, compaction=settings)
    for n in range(12):
        await say(talk, agent, n)
    writers = {one["model"] for one in talk.model.bodies() if summarises(one)}
    assert writers == {"gpt-4.1-nano"}
    summary = await summary_of(talk, agent)
    assert summary is not None
    assert summary.model == "openai/gpt-4.1-nano"


async def test_a_huge_return_is_cut_where_nothing_else_can_go(talk: Talk) -> None:
    await talk.custom(
        'def big() -> str:\n    """Big."""\n    return "word " * 9000\n', return_char_limit=100_000
    )
    model = talk.model.respond = Model(answer=Says(calls=(Call("big"),)))
    agent = await filled(talk, tools=("big",))
    await talk.send(agent, "Do it.", max_steps=1)
    model.answer = "I see."
    run = await talk.send(agent, "Well?")
    assert run.status is RunStatus.COMPLETED
    [(_, ok, text)] = returned(await talk.said(agent))
    assert (ok, len(text) > 40_000) == (True, True)  # all of it is kept
    prompt = talk.model.prompt(len(talk.model.asked) - 1)
    assert 0 < len(str(prompt)) < 20_000
    assert "Well?" in str(prompt)
    assert (await talk.send(agent, "And now?")).status is RunStatus.COMPLETED


async def test_a_run_that_fills_the_window_by_itself_keeps_its_question(talk: Talk) -> None:
    calls = iter(range(40))

    def respond(request: dict[str, Any]) -> Any:
        if summarises(request):
            return counted("Some lines were added.", request)
        n = next(calls)
        adds = Says(calls=(append(FILLER["en"] * 8 + str(n)),))
        return counted("Done." if n == 12 else adds, request)

    talk.model.respond = respond
    agent = await filled(
        talk,
        tools=("core_memory_append",),
        blocks=(BlockContent(label="human", value=""),),
        context_window=6_000,
    )
    run = await talk.send(agent, "Please add the lines of the poem about trams.")
    assert (run.status, run.step_count) == (RunStatus.COMPLETED, 13)
    prompts = [str(body["messages"]) for body in talk.model.bodies() if not summarises(body)]
    assert all("poem about trams" in one for one in prompts)


async def test_what_must_be_in_the_context_may_be_too_large_for_it(talk: Talk) -> None:
    agent = await filled(talk, blocks=(BlockContent(label="human", value=FILLER["en"] * 400),))
    run = await talk.send(agent, "x")
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.CONTEXT_OVERFLOW)
    assert run.failure is not None
    assert "blocks" in run.failure.message
    assert talk.model.asked == []


async def test_a_conversation_is_compacted_when_asked(talk: Talk) -> None:
    talk.model.respond = Model("They counted.")
    agent = await talk.agent()
    for n in range(6):
        await talk.send(agent, f"message {n}")
    done = await conversations.compact(talk.app.agents, LOCAL_ACTOR, agent.agent.id)
    assert done is not None
    assert done.trigger == "asked"
    assert len(await talk.context(agent)) == done.messages_after < done.messages_before
    assert (await talk.send(agent, "go on")).status is RunStatus.COMPLETED
    assert "They counted." in str(talk.model.prompt(len(talk.model.asked) - 1))


async def test_of_two_compactions_at_once_one_is_kept(talk: Talk) -> None:
    agent = await talk.agent()
    for n in range(6):
        await talk.send(agent, f"message {n}")

    talk.model.respond = Model(Says(text="They counted.", goes_on=Meets(2)))
    both = await asyncio.gather(
        *(conversations.compact(talk.app.agents, LOCAL_ACTOR, agent.agent.id) for _ in range(2)),
        return_exceptions=True,
    )
    assert sorted(type(one).__name__ for one in both) == ["Compacted", "Conflict"]
    context = await talk.context(agent)
    summary = await summary_of(talk, agent)
    assert summary is not None
    said = await talk.said(agent)
    assert summary.count == sum(one.is_archived for one in said)
    assert len(context) + summary.count == len(said)


async def test_nothing_is_compacted_under_a_run(talk: Talk, goes_on: threading.Event) -> None:
    talk.model.respond = Script("One.", Says(text="Two, and more", piece=4, goes_on=goes_on))
    agent = await talk.agent()
    await talk.send(agent, "one")
    active = await talk.start(agent, "two")
    await first_piece(active)
    with pytest.raises(AgentBusy):
        await conversations.compact(talk.app.agents, LOCAL_ACTOR, agent.agent.id)
    with pytest.raises(AgentBusy):
        await conversations.reset(talk.app.agents, LOCAL_ACTOR, agent.agent.id)
    goes_on.set()
    assert (await active.wait()).status is RunStatus.COMPLETED


async def test_a_message_larger_than_the_window_is_refused_and_holds_nobody_up(talk: Talk) -> None:
    agent = await filled(talk)
    run = await talk.send(agent, FILLER["en"] * 2_000)
    assert (run.status, run.stop_reason) == (RunStatus.FAILED, StopReason.CONTEXT_OVERFLOW)
    assert run.failure is not None
    assert "Send it in parts" in run.failure.message
    assert (await talk.send(agent, "And now?")).status is RunStatus.COMPLETED


async def test_what_a_summary_takes_is_in_the_runs_usage(talk: Talk) -> None:
    """And in no step's: that tells what its prompt took of the window."""
    talk.model.respond = Model(Says(text="A summary.", completion_tokens=500))
    agent = await filled(talk)
    compacted: list[Compacted] = []
    n = 0
    while not compacted:
        told = await say(talk, agent, n)
        compacted = [one for one in told if isinstance(one, Compacted)]
        n += 1
    run = await talk.run(told[-1].run.id)
    [step] = await talk.steps(run)
    assert run.usage.completion_tokens == step.usage.completion_tokens + 500
    assert run.usage.prompt_tokens > step.usage.prompt_tokens == run.context_tokens
    everything = await talk.read(runs.page, RunFilter(), RunPage())
    _, counted = await talk.read(quotas.today)
    assert counted == sum(one.usage.total_tokens for one in everything)


async def test_the_excerpt_of_a_long_history_keeps_nobody_waiting(talk: Talk) -> None:
    agent = await talk.agent(model="yiku/offline", blocks=())
    text = "I will meet Alice on 3 May 2026 in Bergen, and she promised tea. " * 400
    one = Message(
        role=MessageRole.USER,
        parts=(Text(text),),
        id=MessageId("message-1"),
        organization_id=LOCAL_ACTOR.organization_id,
        agent_id=agent.agent.id,
        created_at=agent.agent.created_at,
        created_by=LOCAL_ACTOR.user_id,
    )
    gone = tuple(replace(one, seq=n) for n in range(100))
    window = compaction.Window(
        state=agent,
        messages=gone,
        summary=None,
        handle=talk.app.agents.models.get("yiku/offline").model,
    )
    there = Split(gone=gone, kept=(), quoted="")
    made = asyncio.create_task(compaction.summarised(talk.app.agents, LOCAL_ACTOR, window, there))
    turns = 0
    while not made.done():
        await asyncio.sleep(0.001)
        turns += 1
    assert "Alice" in (await made)[0].text
    assert turns > 5
