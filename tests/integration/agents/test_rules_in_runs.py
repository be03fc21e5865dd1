"""Every tool rule, from the agent's config to what the model is told and may do."""

import pytest

from tests.fixtures.running import Talk, append, note, returned
from tests.servers.scripted_chat import Call, Says, Script
from yiku.core.message import MessageRole
from yiku.core.rule import (
    AnyRule,
    ApprovalRule,
    ChildArguments,
    ChildRule,
    ConditionalRule,
    ContinueRule,
    InitRule,
    MaxCountRule,
    ParentRule,
    RequiredBeforeExitRule,
    TerminalRule,
    ToolRule,
)
from yiku.core.run import StopReason

APPEND, NOTE, REPLACE = "core_memory_append", "archival_memory_insert", "core_memory_replace"
TOOLS = (APPEND, NOTE, REPLACE)
REPLACES = Call(REPLACE, {"label": "human", "old_content": "AI", "new_content": "茶"})

WEATHER = '''
def weather(place: str) -> str:
    """The weather.

    Args:
        place (str): Where.
    """
    return "rain" if place == "Bergen" else "sun"
'''


def says(*calls: Call) -> Says:
    return Says(calls=calls)


async def test_an_init_rule_chooses_the_first_call_and_its_arguments(talk: Talk) -> None:
    first = InitRule(tool=APPEND, arguments={"content": "from the rule"})
    talk.model.respond = Script(says(note("x")), says(append("from the model")), "Done.")
    agent = await talk.agent(*TOOLS, tool_rules=(first,))
    await talk.send(agent, "x")

    choice = talk.model.bodies()[0]["tool_choice"]
    assert choice["function"]["name"] == APPEND
    (_, refused, why), (_, done, _) = returned(await talk.said(agent))
    assert (refused, done) == (False, True)
    assert f"`{APPEND}`" in why
    assert (await talk.block(agent)).value.endswith("from the rule")
    assert talk.model.bodies()[2]["tool_choice"] == "auto"


async def test_after_a_parent_only_its_children_come(talk: Talk) -> None:
    arguments = (ChildArguments(name=NOTE, arguments={"tags": ["by rule"]}),)
    rule = ChildRule(tool=APPEND, children=(NOTE,), child_arguments=arguments)
    talk.model.respond = Script(says(append("a")), says(REPLACES), says(note("b")), "Done.")
    agent = await talk.agent(*TOOLS, tool_rules=(rule,))
    run = await talk.send(agent, "x")
    assert run.stop_reason is StopReason.END_TURN
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [True, False, True]
    assert "AI" in (await talk.block(agent)).value


async def test_a_run_cannot_end_before_the_child_that_is_due(talk: Talk) -> None:
    rule = ChildRule(tool=APPEND, children=(NOTE,))
    talk.model.respond = Script(says(append("a")), "I am done.", says(note("b")), "Now I am.")
    agent = await talk.agent(*TOOLS, tool_rules=(rule,))
    run = await talk.send(agent, "x")
    assert run.step_count == 4
    notes = [one.text for one in await talk.said(agent, run) if one.role is MessageRole.SYSTEM]
    assert len(notes) == 1
    assert f"`{NOTE}`" in notes[0]
    assert notes[0] in talk.texts(2)[-1][1]


async def test_a_child_may_be_called_after_its_parent_only(talk: Talk) -> None:
    rule = ParentRule(tool=APPEND, children=(NOTE,))
    talk.model.respond = Script(says(note("early")), says(append("a")), says(note("b")), "Done.")
    agent = await talk.agent(*TOOLS, tool_rules=(rule,))
    await talk.send(agent, "x")
    (_, early, why), *later = returned(await talk.said(agent))
    assert not early
    assert f"`{APPEND}`" in why
    assert [ok for _, ok, _ in later] == [True, True]


@pytest.mark.parametrize(("place", "due"), [("Bergen", APPEND), ("Madrid", NOTE)])
async def test_what_a_tool_returns_decides_what_comes_next(
    talk: Talk, place: str, due: str
) -> None:
    await talk.custom(WEATHER)
    rule = ConditionalRule(
        tool="weather", child_output_mapping={"rain": APPEND}, default_child=NOTE
    )
    talk.model.respond = Script(
        says(Call("weather", {"place": place})),
        says(append("a") if due == NOTE else note("a")),
        says(append("b") if due == APPEND else note("b")),
        "Done.",
    )
    agent = await talk.agent("weather", *TOOLS, tool_rules=(rule,))
    await talk.send(agent, "x")
    told, wrong, right = returned(await talk.said(agent))
    assert told[1:] == (True, "rain" if place == "Bergen" else "sun")
    assert (wrong[1], right[1]) == (False, True)
    assert f"`{due}`" in wrong[2]
    assert talk.model.bodies()[1]["tool_choice"]["function"]["name"] == due


async def test_an_output_that_no_rule_knows_is_an_error_where_it_must_be_known(
    talk: Talk,
) -> None:
    await talk.custom(WEATHER)
    rule = ConditionalRule(
        tool="weather", child_output_mapping={"rain": APPEND}, require_output_mapping=True
    )
    sunny, rainy = (Call("weather", {"place": one}) for one in ("Madrid", "Bergen"))
    talk.model.respond = Script(says(sunny), says(rainy), says(append("b")), "Done.")
    agent = await talk.agent("weather", *TOOLS, tool_rules=(rule,))
    await talk.send(agent, "x")
    back = returned(await talk.said(agent))
    assert [ok for _, ok, _ in back] == [False, True, True]
    assert '"sun"' in back[0][2]
    assert '"rain"' in back[0][2]


async def test_a_terminal_tool_ends_the_run_where_it_succeeds(talk: Talk) -> None:
    bad = Call(APPEND, {"label": "nobody", "content": "x"})
    talk.model.respond = Script(says(bad), says(append("a"), note("b")), "Never said.")
    agent = await talk.agent(*TOOLS, tool_rules=(TerminalRule(tool=APPEND),))
    run = await talk.send(agent, "x")
    assert (run.stop_reason, run.step_count) == (StopReason.TOOL_RULE, 2)
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [False, True, True]


async def test_a_continue_rule_wins_over_a_terminal_one(talk: Talk) -> None:
    rules = (TerminalRule(tool=APPEND), ContinueRule(tool=APPEND))
    talk.model.respond = Script(says(append("a")), "On and on.")
    agent = await talk.agent(*TOOLS, tool_rules=rules)
    assert (await talk.send(agent, "x")).stop_reason is StopReason.END_TURN


async def test_a_tool_may_be_called_so_many_times_in_a_run(talk: Talk) -> None:
    many = says(append("a"), append("b"), append("c"))
    talk.model.respond = Script(many, says(append("d")), "Done.", says(append("e")), "Done.")
    agent = await talk.agent(*TOOLS, tool_rules=(MaxCountRule(tool=APPEND, max_count=2),))
    await talk.send(agent, "x")
    assert [ok for _, ok, _ in returned(await talk.said(agent))] == [True, True, False, False]
    await talk.send(agent, "the next run may again")
    assert (await talk.block(agent)).value.endswith("\na\nb\ne")


async def test_a_run_does_not_end_before_a_required_tool_was_called(talk: Talk) -> None:
    talk.model.respond = Script("Bye.", says(append("a")), "Bye now.")
    agent = await talk.agent(*TOOLS, tool_rules=(RequiredBeforeExitRule(tool=APPEND),))
    run = await talk.send(agent, "x")
    assert (run.stop_reason, run.step_count) == (StopReason.END_TURN, 3)
    [told] = [one.text for one in await talk.said(agent, run) if one.role is MessageRole.SYSTEM]
    assert f"`{APPEND}`" in told


@pytest.mark.parametrize("rule", [RequiredBeforeExitRule(tool=APPEND), InitRule(tool=APPEND)])
async def test_a_model_that_only_talks_is_told_twice_and_then_the_run_ends(
    talk: Talk, rule: AnyRule
) -> None:
    talk.model.respond = Script(then="Bye.")
    agent = await talk.agent(*TOOLS, tool_rules=(rule,))
    run = await talk.send(agent, "x")
    assert (run.stop_reason, run.step_count) == (StopReason.NO_TOOL_CALL, 3)
    choices = [body["tool_choice"] for body in talk.model.bodies()]
    forced = {"type": "function", "function": {"name": APPEND}}
    assert choices == [forced if isinstance(rule, InitRule) else "auto"] * 3
    notes = [one for one in await talk.said(agent, run) if one.role is MessageRole.SYSTEM]
    assert len(notes) == 2

    talk.model.respond = Script("Bye.", says(append("a")), "x", "y", "Bye.")
    run = await talk.send(agent, "again")
    assert (run.stop_reason, run.step_count) == (StopReason.END_TURN, 3)


async def test_a_terminal_tool_does_not_end_a_run_that_lacks_a_required_one(talk: Talk) -> None:
    rules = (TerminalRule(tool=APPEND), RequiredBeforeExitRule(tool=NOTE))
    talk.model.respond = Script(says(append("a")), says(note("b")), says(append("c")), "Never.")
    agent = await talk.agent(*TOOLS, tool_rules=rules)
    run = await talk.send(agent, "x")
    assert (run.stop_reason, run.step_count) == (StopReason.TOOL_RULE, 3)


async def test_a_call_that_needs_approval_waits(talk: Talk) -> None:
    talk.model.respond = Script(says(append("a")))
    agent = await talk.agent(*TOOLS, tool_rules=(ApprovalRule(tool=APPEND),))
    run = await talk.send(agent, "x")
    assert run.stop_reason is StopReason.REQUIRES_APPROVAL
    [call] = (await talk.said(agent))[-1].calls
    assert call.waits == "approval"


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_prompt_tells_the_rules_in_the_agents_language(talk: Talk, language: str) -> None:
    rules: tuple[ToolRule, ...] = (
        MaxCountRule(tool=APPEND, max_count=2),
        TerminalRule(tool=NOTE, prompt_template="{{ tool_name }} is the last."),
    )
    system = "You are a helpful assistant." if language == "en" else "你是一个乐于助人的助理。"
    agent = await talk.agent(*TOOLS, tool_rules=rules, system=system, blocks=())
    await talk.send(agent, "x")
    told = talk.system(0)
    assert ("at most 2 times" if language == "en" else "最多调用 2 次") in told
    assert f"{NOTE} is the last." in told


async def test_a_refusal_is_in_the_users_language(talk: Talk) -> None:
    talk.model.respond = Script(says(Call("没有")), "好的。")
    agent = await talk.agent(*TOOLS)
    await talk.send(agent, "你好，请帮我记住这件事。")
    [(_, _, text)] = returned(await talk.said(agent))
    assert text.startswith("这次调用没有执行")
