"""Calls that wait: for a person who allows them, or for the client that runs them."""

import asyncio
import json

import pytest

from tests.fixtures.running import (
    ABOUT_USER,
    Opener,
    Talk,
    append,
    approval,
    note,
    returned,
    spoken,
    user,
)
from tests.servers.scripted_chat import Call, Says, Script
from yiku.core.agent import AgentState
from yiku.core.block import BlockContent
from yiku.core.errors import ApprovalPending, Invalid, NothingToApprove
from yiku.core.message import (
    Approval,
    Incoming,
    Message,
    MessageRole,
    Text,
    ToolCall,
    ToolReturn,
)
from yiku.core.model import ToolSpec
from yiku.core.rule import ApprovalRule, MaxCountRule, RequiredBeforeExitRule, TerminalRule
from yiku.core.run import StopReason
from yiku.core.tenant import LOCAL_ACTOR
from yiku.core.tool import SourceType
from yiku.memory import blocks
from yiku.tools.draft import ToolDraft

APPEND, NOTE = "core_memory_append", "archival_memory_insert"
ASKS = (ApprovalRule(tool=APPEND),)
WEATHER = ToolSpec(
    name="weather",
    description="The weather of a place.",
    parameters={"type": "object", "properties": {"place": {"type": "string"}}},
)
ASKS_WEATHER = Says(calls=(Call("weather", {"place": "上海"}),))


async def asking(talk: Talk, *tools: str, rules: tuple[object, ...] = ASKS) -> AgentState:
    return await talk.agent(APPEND, *tools, tool_rules=rules)


async def waiting(talk: Talk, agent: AgentState) -> list[ToolCall]:
    asked: Message = next(one for one in reversed(await talk.said(agent)) if one.calls)
    return [call for call in asked.calls if call.waits is not None]


def yes(call: ToolCall, **more: str) -> Approval:
    return Approval(call_id=call.id, approve=True, **more)


def no(call: ToolCall, reason: str | None = None) -> Approval:
    return Approval(call_id=call.id, approve=False, reason=reason)


def back(call: ToolCall, text: str, *, ok: bool = True) -> ToolReturn:
    return ToolReturn(call_id=call.id, name=call.name, ok=ok, text=text)


async def test_an_approved_call_is_run_and_the_model_goes_on(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("住在上海"),)), "Noted.")
    agent = await asking(talk)
    run = await talk.send(agent, "我住在上海")
    assert run.stop_reason is StopReason.REQUIRES_APPROVAL
    assert "上海" not in (await talk.block(agent)).value

    [call] = await waiting(talk, agent)
    run = await talk.send(agent, approval(yes(call)))
    assert (run.stop_reason, run.step_count) == (StopReason.END_TURN, 1)
    assert "上海" in (await talk.block(agent)).value
    assert [one.role for one in await talk.said(agent, run)] == ["approval", "tool", "assistant"]
    assert [role for role, _ in talk.texts(1)][-2:] == ["assistant", "tool"]


async def test_a_denied_call_is_not_run_and_the_model_hears_why(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("住在上海"),)), "A pity.")
    agent = await asking(talk)
    await talk.send(agent, "x")
    [call] = await waiting(talk, agent)
    await talk.send(agent, approval(no(call, "not that")))
    [(_, ok, text)] = returned(await talk.said(agent))
    assert (ok, "not that" in text) == (False, True)
    assert talk.texts(1)[-1] == ("tool", text)
    assert "上海" not in (await talk.block(agent)).value


@pytest.mark.parametrize("how", ["instructions", "words"])
async def test_a_chinese_agent_is_told_of_the_denial_in_chinese(talk: Talk, how: str) -> None:
    talk.model.respond = Script(Says(calls=(append("住在上海"),)), "好吧。")
    chinese = how == "instructions"
    agent = await talk.agent(
        APPEND,
        blocks=(BlockContent(label="human", value="A user."),),
        tool_rules=ASKS,
        system="你是一个乐于助人的助手。" if chinese else "You help people.",
    )
    await talk.send(agent, "x" if chinese else "我住在上海")
    [call] = await waiting(talk, agent)
    await talk.send(agent, approval(no(call, "不行")))
    [(_, _, text)] = returned(await talk.said(agent))
    assert text == "这次调用没有执行：用户拒绝了。原因：不行"
    [told] = [tool["function"] for tool in talk.model.bodies()[0]["tools"]]
    assert ("记忆块" in told["description"]) == chinese


async def test_arguments_can_be_edited(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("住在上海"),)), "Noted.")
    agent = await asking(talk)
    await talk.send(agent, "x")
    [call] = await waiting(talk, agent)
    edited = json.dumps({"label": "human", "content": "住在北京"})
    await talk.send(agent, approval(yes(call, arguments=edited)))
    value = (await talk.block(agent)).value
    assert ("北京" in value, "上海" in value) == (True, False)
    assert "北京" in talk.texts(1)[-1][1]


async def test_edited_arguments_that_do_not_fit_are_told_to_the_model(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("x"),)), "Hm.")
    agent = await asking(talk)
    await talk.send(agent, "x")
    [call] = await waiting(talk, agent)
    run = await talk.send(agent, approval(yes(call, arguments="[1]")))
    assert run.stop_reason is StopReason.END_TURN
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [False]


async def test_several_calls_are_answered_at_once_and_others_do_not_wait(talk: Talk) -> None:
    calls = (append("A"), note("B"), append("C"))
    talk.model.respond = Script(Says(calls=calls), "Done.")
    agent = await asking(talk, NOTE)
    await talk.send(agent, "x")
    assert [name for name, *_ in returned(await talk.said(agent))] == [NOTE]

    first, second = await waiting(talk, agent)
    await talk.send(agent, approval(yes(first), no(second)))
    assert [(name, ok) for name, ok, _ in returned(await talk.said(agent))] == [
        (NOTE, True),
        (APPEND, True),
        (APPEND, False),
    ]
    assert (await talk.block(agent)).value.endswith("\nA")
    shown = [one for one in talk.model.prompt(1) if one["role"] == "tool"]
    assert len(shown) == 3


async def test_each_call_that_waits_must_be_answered_and_no_other(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("A"), append("B"))), "Done.")
    agent = await asking(talk)
    await talk.send(agent, "x")
    first, second = await waiting(talk, agent)
    strange = Approval(call_id="z", approve=True)
    both = [yes(first), yes(second)]
    for answers in ([yes(first)], [*both, strange], [*both, no(first)]):
        with pytest.raises(Invalid) as refused:
            await talk.send(agent, approval(*answers))
        assert refused.value.facts["field"] == "messages"
    assert len(await waiting(talk, agent)) == 2
    await talk.send(agent, approval(yes(first)), approval(yes(second)))
    assert (await talk.block(agent)).value.endswith("A\nB")


async def test_nothing_else_may_be_said_meanwhile_and_nothing_answered_twice(talk: Talk) -> None:
    talk.model.respond = Script("Hello.", Says(calls=(append("A"),)), "Done.", "Hi.")
    agent = await asking(talk)
    nobody = Approval(call_id="call_0", approve=True)
    with pytest.raises(NothingToApprove):
        await talk.send(agent, approval(nobody))
    await talk.send(agent, "hello")
    await talk.send(agent, "x")
    before = await talk.said(agent)
    with pytest.raises(ApprovalPending, match=APPEND):
        await talk.send(agent, "well?")
    assert await talk.said(agent) == before

    [call] = await waiting(talk, agent)
    await talk.send(agent, approval(yes(call)))
    with pytest.raises(NothingToApprove):
        await talk.send(agent, approval(yes(call)))
    assert (await talk.send(agent, "hi")).stop_reason is StopReason.END_TURN


@pytest.mark.parametrize("whose", ["person", "client"])
async def test_an_answer_sent_twice_is_no_answer_to_the_next_call(talk: Talk, whose: str) -> None:
    """Some providers number calls from 0 in each answer."""
    once, again = append("A", id="call_0"), append("B", id="call_0")
    if whose == "client":
        once = again = Call("weather", {"place": "上海"}, "call_0")
    talk.model.respond = Script(Says(calls=(once,)), Says(calls=(again,)), "Done.")
    agent = await asking(talk)
    await talk.send(agent, "x", client_tools=(WEATHER,))
    [first] = await waiting(talk, agent)
    answer = yes(first) if whose == "person" else back(first, "rain")
    run = await talk.send(agent, approval(answer), client_tools=(WEATHER,))
    assert run.stop_reason is StopReason.REQUIRES_APPROVAL

    with pytest.raises(Invalid, match="doesn't wait"):
        await talk.send(agent, approval(answer), client_tools=(WEATHER,))
    [second] = await waiting(talk, agent)
    run = await talk.send(agent, approval(no(second)), client_tools=(WEATHER,))
    assert run.stop_reason is StopReason.END_TURN
    assert not (await talk.block(agent)).value.endswith("B")
    shown = [one["tool_call_id"] for one in talk.model.prompt(2) if one["role"] == "tool"]
    assert len(set(shown)) == 2


async def test_words_may_come_with_an_answer(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("A"),)), "I see.")
    agent = await asking(talk)
    await talk.send(agent, "x")
    [call] = await waiting(talk, agent)
    await talk.send(agent, approval(no(call)), user("Rather tell me a joke."))
    assert [role for role, _ in talk.texts(1)][-3:] == ["assistant", "tool", "user"]


async def test_no_words_of_the_agents_own_come_with_an_answer(talk: Talk) -> None:
    """They would hide the calls that wait, and what was allowed would never be run."""
    talk.model.respond = Script(Says(calls=(append("A"),)), "Done.")
    agent = await asking(talk)
    await talk.send(agent, "x")
    [call] = await waiting(talk, agent)
    own = Incoming(role=MessageRole.ASSISTANT, parts=(Text("As you wish."),))
    for both in ((approval(yes(call)), own), (own, approval(yes(call)))):
        with pytest.raises(Invalid, match=APPEND):
            await talk.send(agent, *both)
    await talk.send(agent, approval(yes(call)))
    assert (await talk.block(agent)).value.endswith("\nA")


async def test_an_answer_is_waited_for_across_a_restart(open_talk: Opener) -> None:
    talk = await open_talk()
    talk.model.respond = Script(Says(calls=(append("A"),)), "Done.")
    agent = await asking(talk)
    await talk.send(agent, "x")
    again = await open_talk()
    [call] = await waiting(again, agent)
    run = await again.send(agent, approval(yes(call)))
    assert run.stop_reason is StopReason.END_TURN
    assert (await again.block(agent)).value.endswith("\nA")


async def test_rules_count_the_calls_of_the_run_that_asked(talk: Talk) -> None:
    rules = (*ASKS, MaxCountRule(tool=NOTE, max_count=1), RequiredBeforeExitRule(tool=NOTE))
    talk.model.respond = Script(
        Says(calls=(note("1"),)), Says(calls=(append("A"),)), Says(calls=(note("2"),)), "Done."
    )
    agent = await asking(talk, NOTE, rules=rules)
    await talk.send(agent, "x")
    [call] = await waiting(talk, agent)
    run = await talk.send(agent, approval(yes(call)))
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [True, True, False]
    assert (run.stop_reason, run.step_count) == (StopReason.END_TURN, 2)


async def test_an_approved_tool_that_ends_runs_ends_the_run(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("A"),)), "Never said.")
    agent = await asking(talk, rules=(*ASKS, TerminalRule(tool=APPEND)))
    await talk.send(agent, "x")
    [call] = await waiting(talk, agent)
    run = await talk.send(agent, approval(yes(call)))
    assert (run.stop_reason, run.step_count) == (StopReason.TOOL_RULE, 0)
    assert len(talk.model.asked) == 1


async def test_nobody_is_asked_about_a_call_that_cannot_be_run(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(Call(APPEND, "{"),)), "I see.")
    agent = await asking(talk)
    run = await talk.send(agent, "x")
    assert run.stop_reason is StopReason.END_TURN
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [False]


async def test_the_block_may_change_while_a_call_waits(talk: Talk) -> None:
    """The model is told that its edit met another one, and nothing is lost."""
    replace = Call(
        "core_memory_replace", {"label": "human", "old_content": "AI", "new_content": "茶"}
    )
    talk.model.respond = Script(Says(calls=(replace,)), "Done.")
    agent = await talk.agent(
        "core_memory_replace", tool_rules=(ApprovalRule(tool="core_memory_replace"),)
    )
    await talk.send(agent, "x")
    block = await talk.block(agent)
    await blocks.update(talk.app.database, LOCAL_ACTOR, block.id, {"value": "AI and more"})
    [call] = await waiting(talk, agent)
    await talk.send(agent, approval(yes(call)))
    [(_, ok, _)] = returned(await talk.said(agent))
    assert (await talk.block(agent)).value == ("茶 and more" if ok else "AI and more")


async def test_the_client_runs_its_own_tool(talk: Talk) -> None:
    talk.model.respond = Script(ASKS_WEATHER, "It rains.")
    agent = await talk.agent()
    run = await talk.send(agent, "天气？", client_tools=(WEATHER,))
    assert run.stop_reason is StopReason.REQUIRES_APPROVAL
    [call] = await waiting(talk, agent)
    assert call.waits == "client"
    run = await talk.send(agent, approval(back(call, "rain")), client_tools=(WEATHER,))
    assert run.stop_reason is StopReason.END_TURN
    assert talk.texts(1)[-1] == ("tool", "rain")
    assert spoken(await talk.said(agent)) == ["It rains."]


async def test_what_a_client_returned_counts_for_the_rules(talk: Talk) -> None:
    schema = {"name": "weather", "description": "", "parameters": dict(WEATHER.parameters)}
    await talk.app.tools.create(
        LOCAL_ACTOR, ToolDraft(source_type=SourceType.JSON, json_schema=schema)
    )
    talk.model.respond = Script(ASKS_WEATHER, "Never said.")
    agent = await talk.agent("weather", tool_rules=(TerminalRule(tool="weather"),))
    await talk.send(agent, "天气？")
    [call] = await waiting(talk, agent)
    run = await talk.send(agent, approval(back(call, "rain")))
    assert run.stop_reason is StopReason.TOOL_RULE


async def test_calls_of_both_kinds_wait_together(talk: Talk) -> None:
    calls = (append("A"), *ASKS_WEATHER.calls, note("B"))
    talk.model.respond = Script(Says(calls=calls), "Done.")
    agent = await asking(talk, NOTE)
    await talk.send(agent, "x", client_tools=(WEATHER,))
    ours, theirs = await waiting(talk, agent)
    assert (ours.waits, theirs.waits) == ("approval", "client")
    with pytest.raises(Invalid):
        await talk.send(agent, approval(back(theirs, "rain")), client_tools=(WEATHER,))
    answer = approval(yes(ours), back(theirs, "no answer", ok=False))
    run = await talk.send(agent, answer, client_tools=(WEATHER,))
    assert run.stop_reason is StopReason.END_TURN
    shown = {one["content"] for one in talk.model.prompt(1) if one["role"] == "tool"}
    assert len(shown) == 3
    assert "no answer" in shown


async def test_a_client_must_return_what_it_was_asked_for_or_deny_it(talk: Talk) -> None:
    talk.model.respond = Script(ASKS_WEATHER, "A pity.")
    agent = await talk.agent()
    await talk.send(agent, "天气？", client_tools=(WEATHER,))
    [call] = await waiting(talk, agent)
    with pytest.raises(Invalid, match="weather"):
        await talk.send(agent, approval(yes(call)), client_tools=(WEATHER,))
    run = await talk.send(agent, approval(no(call)), client_tools=(WEATHER,))
    assert run.stop_reason is StopReason.END_TURN


async def test_two_answers_at_once_run_the_call_once(talk: Talk) -> None:
    talk.model.respond = Script(Says(calls=(append("A"),)), "Done.")
    agent = await asking(talk)
    await talk.send(agent, "x")
    [call] = await waiting(talk, agent)
    both = await asyncio.gather(
        *(talk.send(agent, approval(yes(call))) for _ in range(2)), return_exceptions=True
    )
    assert sorted(type(one).__name__ for one in both) == ["NothingToApprove", "Run"]
    assert (await talk.block(agent)).value == f"{ABOUT_USER.value}\nA"
