"""A message goes in, steps are made, and what came of them is stored."""

import json
from itertools import pairwise

import pytest

from tests.fixtures.running import ABOUT_USER, Talk, append, events, note, returned, spoken
from tests.servers.scripted_chat import Call, Says, Script
from yiku.core.agent import AgentKind
from yiku.core.block import BlockContent
from yiku.core.message import MessageRole
from yiku.core.rule import InitRule
from yiku.core.run import Ended, RunStatus, Said, Stepped, StopReason, Stored
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import blocks

PREFILLED = InitRule(tool="core_memory_append", arguments={"label": "human"})


async def test_an_agent_answers(talk: Talk) -> None:
    talk.model.respond = Script(Says(text="你好！", prompt_tokens=120, completion_tokens=7))
    agent = await talk.agent()
    run = await talk.send(agent, "嗨")

    assert (run.status, run.stop_reason) == (RunStatus.COMPLETED, StopReason.END_TURN)
    assert (run.step_count, run.usage.total_tokens, run.context_tokens) == (1, 127, 120)
    assert run == await talk.run(run.id)
    assert [(one.role, one.text) for one in (await talk.said(agent))[1:]] == [
        ("user", "嗨"),
        ("assistant", "你好！"),
    ]
    state = await talk.state(agent)
    assert state.agent.last_stop_reason is StopReason.END_TURN
    assert state.agent.last_run_completed_at == run.completed_at


async def test_events_come_in_order(talk: Talk) -> None:
    talk.model.respond = Script(Says(text="One moment.", calls=(append("住在上海"),)), "Noted.")
    agent = await talk.agent("core_memory_append")
    told = await events(await talk.start(agent, "我住在上海"))

    kinds = [type(one) for one in told]
    assert list(dict.fromkeys(kinds)) == [Said, Stored, Stepped, Ended]
    durable = [one for one in told if not isinstance(one, Said)]
    assert [type(one) for one in durable] == [Stored, Stored, Stepped, Stored, Stepped, Ended]
    stored = [one.message for one in told if isinstance(one, Stored)]
    assert stored == (await talk.said(agent))[2:]
    assert [one.message_id for one in told if isinstance(one, Said)][-1] == stored[-1].id


async def test_calls_are_carried_out_and_answered_in_the_models_order(talk: Talk) -> None:
    calls = (append("A"), note("B"), append("C"), note("D"))
    talk.model.respond = Script(Says(calls=calls), "Done.")
    agent = await talk.agent("core_memory_append", "archival_memory_insert")
    run = await talk.send(agent, "x")

    _, _, asked, back, _ = await talk.said(agent)
    assert [one.name for one in back.returns] == [one.name for one in asked.calls]
    assert [one.call_id for one in back.returns] == [one.id for one in asked.calls]
    assert all(one.ok for one in back.returns)
    assert (await talk.block(agent)).value == f"{ABOUT_USER.value}\nA\nC"
    first, second = await talk.steps(run)
    assert (first.n, second.n, back.step_id) == (1, 2, first.id)
    assert first.tools_ns is not None
    assert second.tools_ns is None


async def test_calls_without_ids_of_their_own_get_some(talk: Talk) -> None:
    same = (append("A", id="x"), append("B", id="x"))
    talk.model.respond = Script(Says(calls=same), "Done.")
    agent = await talk.agent("core_memory_append")
    await talk.send(agent, "x")
    back = (await talk.said(agent))[3]
    assert len({one.call_id for one in back.returns}) == 2
    assert [one["role"] for one in talk.model.prompt(1)].count("tool") == 2
    assert (await talk.block(agent)).value.endswith("A\nB")


async def test_the_model_is_told_what_is_wrong_with_a_call_and_goes_on(talk: Talk) -> None:
    calls = (
        Call("no_such_tool"),
        Call("core_memory_append", '{"label": "human", "content": '),
        Call("core_memory_append", {"label": "human"}),
        Call("core_memory_append", {"label": "nobody", "content": "x"}),
        append("fine"),
    )
    talk.model.respond = Script(Says(calls=calls), "I see.")
    agent = await talk.agent("core_memory_append")
    run = await talk.send(agent, "x")

    assert run.stop_reason is StopReason.END_TURN
    back = returned(await talk.said(agent))
    assert [ok for _, ok, _ in back] == [False, False, False, False, True]
    for (_, _, text), names in zip(
        back, (["no_such_tool", "core_memory_append"], [], ["content"], ["human"]), strict=False
    ):
        assert all(name in text for name in names), text
    shown = [one["content"] for one in talk.model.prompt(1) if one["role"] == "tool"]
    assert shown == [text for *_, text in back]
    assert spoken(await talk.said(agent))[-1] == "I see."


@pytest.mark.parametrize("rules", [(), (PREFILLED,)], ids=["free", "prefilled"])
async def test_brackets_without_end_are_told_to_the_model_too(
    talk: Talk, rules: tuple[InitRule, ...]
) -> None:
    """What a model writes that has lost its way: Python's reader of JSON gives up on it."""
    endless = Call("core_memory_append", "[" * 5_000)
    right = Says(calls=(append("fine"),))
    talk.model.respond = Script(Says(calls=(endless,)), right, "I see.", "Here I am.")
    agent = await talk.agent("core_memory_append", tool_rules=rules)
    run = await talk.send(agent, "x")

    assert run.stop_reason is StopReason.END_TURN, run.failure
    [(_, ok, text), (_, mended, _)] = returned(await talk.said(agent))
    assert (ok, "JSON" in text, mended) == (False, True, True)
    again = await talk.send(agent, "And now?")
    assert spoken(await talk.said(agent, again))[0] == "Here I am."


async def test_changed_blocks_stand_in_the_next_prompt_and_in_the_one_system_message(
    talk: Talk,
) -> None:
    talk.model.respond = Script(Says(calls=(append("住在上海"),)), "Noted.", "Yes.")
    agent = await talk.agent("core_memory_append")
    await talk.send(agent, "我住在上海")
    assert "住在上海" not in talk.system(0)
    assert "住在上海" in talk.system(1)
    await talk.send(agent, "真的？")
    assert talk.system(2) == talk.system(1)

    [stored] = [one for one in await talk.said(agent) if one.role is MessageRole.SYSTEM]
    assert stored == (await talk.context(agent))[0]
    assert stored.text == talk.system(2)


async def test_what_somebody_else_writes_into_a_block_is_shown_from_the_next_step_on(
    talk: Talk,
) -> None:
    shared = await blocks.create(
        talk.app.database, LOCAL_ACTOR, BlockContent(label="shared", value="tea")
    )
    talk.model.respond = Script("Hello.", "Hello again.")
    agent = await talk.agent(block_ids=(shared.id,))
    await talk.send(agent, "x")
    await blocks.update(talk.app.database, LOCAL_ACTOR, shared.id, {"value": "coffee"})
    await talk.send(agent, "y")
    assert "tea" in talk.system(0)
    assert "coffee" in talk.system(1)
    assert (await talk.context(agent))[0].text == talk.system(1)


async def test_a_prompt_is_the_beginning_of_the_next(talk: Talk) -> None:
    search = Call("conversation_search", {"query": "tea"})
    talk.model.respond = Script(
        Says(text="Let me see.", calls=(search,)), Says(calls=(search,)), "No.", "Still no."
    )
    agent = await talk.agent("conversation_search")
    await talk.send(agent, "Did I talk of tea?")
    await talk.send(agent, "Look again.")
    prompts = [talk.model.prompt(n) for n in range(4)]
    for before, after in pairwise(prompts):
        assert after[: len(before)] == before
    bodies = [
        {key: value for key, value in body.items() if key != "messages"}
        for body in talk.model.bodies()
    ]
    assert bodies[1:] == bodies[:-1]


async def test_what_a_model_thought_is_kept(talk: Talk) -> None:
    talk.model.respond = Script(Says(reasoning="Simple.", text="Yes."))
    agent = await talk.agent()
    await talk.send(agent, "x")
    answer = (await talk.said(agent))[-1]
    assert [type(part).__name__ for part in answer.parts] == ["Reasoning", "Text"]


async def test_an_empty_answer_ends_the_run_and_does_no_harm(talk: Talk) -> None:
    talk.model.respond = Script(Says(text=""), "Here.")
    agent = await talk.agent()
    await talk.send(agent, "x")
    run = await talk.send(agent, "y")
    assert run.stop_reason is StopReason.END_TURN
    assert spoken(await talk.said(agent)) == ["Here."]


async def test_an_answer_that_was_cut_off_at_its_limit_is_said_to_be(talk: Talk) -> None:
    talk.model.respond = Script(Says(text="It goes li", finish="length"))
    agent = await talk.agent()
    run = await talk.send(agent, "x")
    assert (run.status, run.stop_reason) == (RunStatus.COMPLETED, StopReason.MAX_TOKENS_EXCEEDED)
    assert spoken(await talk.said(agent)) == ["It goes li"]


async def test_a_run_has_no_more_steps_than_it_may(talk: Talk) -> None:
    talk.model.respond = Script(then=Says(calls=(append("more"),)))
    agent = await talk.agent("core_memory_append")
    run = await talk.send(agent, "x", max_steps=3)
    assert (run.stop_reason, run.step_count) == (StopReason.MAX_STEPS, 3)
    assert (run.usage.prompt_tokens, run.usage.completion_tokens) == (300, 30)
    assert (await talk.block(agent)).value.count("more") == 3


async def test_kinds_that_need_a_call_end_without_one(talk: Talk) -> None:
    speaks = Says(calls=(Call("send_message", {"message": "Hi"}),))
    talk.model.respond = Script("Just words.", speaks)
    agent = await talk.agent(kind=AgentKind.V2, base_tools=True)
    run = await talk.send(agent, "x")
    assert (run.status, run.stop_reason) == (RunStatus.COMPLETED, StopReason.NO_TOOL_CALL)
    assert talk.model.bodies()[0]["tool_choice"] == "required"
    run = await talk.send(agent, "y")
    assert (run.stop_reason, run.step_count) == (StopReason.TOOL_RULE, 1)


async def test_a_runs_own_model_and_system_hold_for_it_alone(talk: Talk) -> None:
    agent = await talk.agent()
    await talk.send(agent, "x", model="openai/gpt-4.1", system="Be brief.")
    await talk.send(agent, "y")
    assert [one["model"] for one in talk.model.bodies()] == ["gpt-4.1", "gpt-4o-mini"]
    assert talk.system(0) == "Be brief."
    assert "memory_blocks" in talk.system(1)


async def test_the_models_settings_reach_it(talk: Talk) -> None:
    settings = {"temperature": 0.2, "max_output_tokens": 77, "parallel_tool_calls": False}
    agent = await talk.agent("core_memory_append", model_settings=settings)
    await talk.send(agent, "x")
    [body] = talk.model.bodies()
    assert (body["temperature"], body["parallel_tool_calls"]) == (0.2, False)
    assert 77 in (body.get("max_tokens"), body.get("max_completion_tokens"))


async def test_arguments_are_stored_as_the_model_wrote_them(talk: Talk) -> None:
    broken = '{"label": "human", "content": '
    talk.model.respond = Script(Says(calls=(Call("core_memory_append", broken),)), "I see.")
    agent = await talk.agent("core_memory_append")
    await talk.send(agent, "x")
    [call] = (await talk.said(agent))[2].calls
    assert call.arguments == broken
    [again] = next(one["tool_calls"] for one in talk.model.prompt(1) if "tool_calls" in one)
    assert isinstance(json.loads(again["function"]["arguments"]), dict)  # else APIs refuse it
