"""The nine tool rules, alone and together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.conversations import tool
from yiku.agents import rules as r
from yiku.agents.rule_words import texts
from yiku.agents.rules import Called, Progress, allowed, judge, violation
from yiku.core.message import MessageRole, ToolCall, ToolReturn, Utterance
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
)

NAMES = ("a", "b", "c", "d")
NOTHING = Progress()


def called(*names: str | Called) -> Progress:
    return Progress(tuple(Called(n, "ok") if isinstance(n, str) else n for n in names))


def now(rules: Sequence[AnyRule], *calls: str | Called) -> str:
    """The allowed tools in one word."""
    return "".join(sorted(allowed(rules, called(*calls), NAMES)))


def test_without_rules_everything_is_allowed_and_the_run_may_end() -> None:
    assert now([]) == now([], "a") == "abcd"
    assert r.tool_choice([], NOTHING, NAMES) == "auto"
    assert r.exit_refused([], NOTHING, NAMES) is None


def test_a_run_begins_with_one_of_the_init_tools() -> None:
    rules = [InitRule(tool="a"), InitRule(tool="b")]
    assert now(rules) == "ab"
    assert now(rules, "a") == "abcd"
    assert r.tool_choice(rules, NOTHING, NAMES) == "required"
    assert r.tool_choice(rules[:1], NOTHING, NAMES) == "a"
    assert violation(rules, NOTHING, NAMES, "c") == (
        "The call was not run. First you must call `a` or `b`. You may call now: `a`, `b`."
    )
    assert r.exit_refused(rules[:1], NOTHING, NAMES) == (
        "You can't end here. You must call a tool first. You may call now: `a`."
    )


def test_arguments_of_an_init_rule_hold_for_the_first_call_only() -> None:
    rules = [InitRule(tool="a", arguments={"x": 1})]
    assert r.prefill(rules, NOTHING, "a") == {"x": 1}
    assert r.prefill(rules, NOTHING, "b") == {}
    assert r.prefill(rules, called("a"), "a") == {}


def test_after_a_parent_its_children_follow_with_their_arguments() -> None:
    rules = [
        ChildRule(
            tool="a",
            children=("b", "c"),
            child_arguments=(ChildArguments(name="b", arguments={"y": 2}),),
        )
    ]
    assert now(rules) == "abcd"
    assert now(rules, "a") == "bc"
    assert now(rules, "a", "b") == "abcd"
    assert r.prefill(rules, called("a"), "b") == {"y": 2}
    assert r.prefill(rules, called("a", "c"), "b") == {}
    assert r.must_call(rules, called("a"), NAMES)
    assert "After `a` you must call `b` or `c`." in (
        violation(rules, called("a"), NAMES, "d") or ""
    )


def test_children_of_a_parent_rule_are_kept_for_right_after_it() -> None:
    rules = [ParentRule(tool="a", children=("b", "c")), ParentRule(tool="d", children=("c",))]
    assert now(rules) == "ad"
    assert now(rules, "a") == "abcd"
    assert now(rules, "d") == "acd"
    assert now(rules, "a", "d") == "acd"
    assert not r.must_call(rules, called("a"), NAMES)
    refused = violation(rules, NOTHING, NAMES, "c", "zh")
    assert (
        refused == "这次调用没有执行。`c` 只能紧接在 `a` 或 `d` 之后调用。现在可以调用：`a`、`d`。"
    )


@pytest.mark.parametrize(
    ("output", "next_tool"),
    [
        ("yes", "b"),
        (" yes\n", "b"),
        ('"yes"', "b"),
        ("true", "c"),
        ("True", "c"),
        ("1", "d"),
        ("1.0", "d"),
        ("no", "a"),
        ("", "a"),
    ],
)
def test_an_output_decides_the_next_tool(output: str, next_tool: str) -> None:
    mapping = {"yes": "b", "true": "c", "1": "d"}
    rules = [ConditionalRule(tool="a", child_output_mapping=mapping, default_child="a")]
    assert now(rules, Called("a", output)) == next_tool


def test_without_a_default_any_tool_may_follow_an_unknown_output() -> None:
    rules = [ConditionalRule(tool="a", child_output_mapping={"yes": "b"})]
    assert now(rules, Called("a", "no")) == "abcd"
    assert r.output_refused(rules, NAMES, "a", "no") is None


def test_an_output_that_must_be_known_is_an_error_and_the_tool_may_be_tried_again() -> None:
    rules = [
        InitRule(tool="a"),
        ConditionalRule(
            tool="a",
            child_output_mapping={"yes": "b", "否": "c"},
            default_child="d",
            require_output_mapping=True,
        ),
    ]
    assert r.output_refused(rules, NAMES, "a", "yes") is None
    assert r.output_refused(rules, NAMES, "b", "no") is None
    assert r.output_refused(rules, NAMES, "a", "no") == (
        '`a` returned "no"; wanted is one of "yes", "否". Call it again.'
    )
    assert now(rules, Called("a", "no")) == "a"


def test_a_terminal_tool_ends_the_run_where_it_succeeded() -> None:
    rules = [TerminalRule(tool="a")]
    for call, then in ((Called("a", "ok"), "end"), (Called("a", "no", ok=False), "continue")):
        assert r.after(rules, called(call), NAMES, [call]) == then
    beside = [Called("b", "ok"), Called("a", "ok"), Called("c", "ok")]
    assert r.after(rules, called(*beside), NAMES, beside) == "end"


def test_a_continue_rule_wins_over_a_terminal_one_about_the_same_tool() -> None:
    rules = [TerminalRule(tool="a"), ContinueRule(tool="a"), TerminalRule(tool="b")]
    assert r.after(rules, called("a"), NAMES, [Called("a", "ok")]) == "continue"
    both = [Called("a", "ok"), Called("b", "ok")]
    assert r.after(rules, called(*both), NAMES, both) == "end"


def test_a_rule_that_knows_no_output_wants_none() -> None:
    rule = ConditionalRule(tool="a", child_output_mapping={}, require_output_mapping=True)
    assert r.output_refused([rule], NAMES, "a", "yes") is None
    assert now([rule], Called("a", "yes")) == "abcd"


def test_a_tool_is_called_so_often_and_no_more() -> None:
    rules = [MaxCountRule(tool="a", max_count=2), MaxCountRule(tool="a", max_count=5)]
    assert now(rules, "a") == "abcd"
    assert now(rules, "a", Called("a", "no", ok=False)) == "bcd"
    refused = violation(rules, called("a", "a"), NAMES, "a")
    assert refused is not None
    assert "`a` may be called 2 times in one turn, and was." in refused


def test_where_nothing_can_be_called_the_model_answers_in_words() -> None:
    rules = [MaxCountRule(tool="a", max_count=1), ChildRule(tool="b", children=("a",))]
    progress = called("a", "b")
    assert allowed(rules, progress, NAMES) == frozenset()
    assert r.tool_choice(rules, progress, NAMES, required=True) == "none"
    assert r.exit_refused(rules, progress, NAMES) is None
    assert "answer in words" in (violation(rules, progress, NAMES, "c") or "")


def test_a_circle_without_an_end_lets_the_model_end() -> None:
    circle = [ChildRule(tool="a", children=("b",)), ChildRule(tool="b", children=("a",))]
    assert now(circle, "a") == "b"
    assert r.tool_choice(circle, called("a"), NAMES) == "auto"
    assert r.exit_refused(circle, called("a"), NAMES) is None
    with_end = [*circle, TerminalRule(tool="b")]
    assert r.tool_choice(with_end, called("a"), NAMES) == "b"
    assert r.exit_refused(with_end, called("a"), NAMES) is not None


def test_a_required_tool_keeps_a_run_from_ending() -> None:
    rules = [RequiredBeforeExitRule(tool="a"), TerminalRule(tool="b")]
    assert r.missing_before_exit(rules, NOTHING, NAMES) == ("a",)
    assert r.after(rules, called("b"), NAMES, [Called("b", "ok")]) == "continue"
    both = [Called("a", "ok"), Called("b", "ok")]
    assert r.after(rules, called(*both), NAMES, both) == "end"
    assert r.exit_refused(rules, called("c"), NAMES) == (
        "You can't end here. Before you end you must call `a`."
        " You may call now: `a`, `b`, `c`, `d`."
    )
    assert r.exit_refused(rules, called("a"), NAMES) is None


def test_a_required_tool_that_keeps_failing_is_required_no_longer() -> None:
    rules = [RequiredBeforeExitRule(tool="a")]
    failed = Called("a", "no", ok=False)
    assert r.missing_before_exit(rules, called(*[failed] * (r.ENOUGH - 1)), NAMES) == ("a",)
    assert r.missing_before_exit(rules, called(*[failed] * r.ENOUGH), NAMES) == ()


def test_a_required_tool_that_nothing_leads_to_any_more_is_required_no_longer() -> None:
    rules = [
        RequiredBeforeExitRule(tool="b"),
        ParentRule(tool="a", children=("b",)),
        MaxCountRule(tool="a", max_count=1),
    ]
    assert r.missing_before_exit(rules, called("a"), NAMES) == ("b",)
    assert r.missing_before_exit(rules, called("a", "c"), NAMES) == ()


def test_a_rule_or_the_tool_itself_asks_for_approval() -> None:
    rules = [ApprovalRule(tool="a")]
    assert r.needs_approval(rules, tool("a"))
    assert r.needs_approval(rules, tool("a", default_requires_approval=False))
    assert r.needs_approval(rules, tool("b", default_requires_approval=True))
    assert not r.needs_approval(rules, tool("b"))


def test_rules_about_tools_the_agent_has_not_do_nothing() -> None:
    rules = [
        InitRule(tool="x"),
        ChildRule(tool="a", children=("x", "y")),
        ParentRule(tool="x", children=("b",)),
        ConditionalRule(tool="b", child_output_mapping={"ok": "x"}),
        RequiredBeforeExitRule(tool="x"),
    ]
    assert now(rules) == now(rules, "a") == now(rules, "b") == "abcd"
    assert r.exit_refused(rules, NOTHING, NAMES) is None
    assert texts(rules, NAMES) == ()
    assert "You have no tool `x`" in (violation(rules, NOTHING, NAMES, "x") or "")


def test_a_failed_call_leaves_the_run_where_it_was() -> None:
    rules = [InitRule(tool="a"), ChildRule(tool="a", children=("b",))]
    failed = Called("a", "no", ok=False)
    assert now(rules, failed) == "a"
    assert now(rules, "a", Called("b", "no", ok=False)) == "b"


def test_calls_of_one_answer_are_judged_in_their_order() -> None:
    rules: list[AnyRule] = [
        InitRule(tool="a", arguments={"x": 1}),
        ChildRule(tool="a", children=("b",)),
        MaxCountRule(tool="c", max_count=1),
    ]
    verdicts = judge(rules, NOTHING, NAMES, ["c", "a", "a", "b", "c", "c"])
    assert [one.refused is None for one in verdicts] == [False, True, False, True, True, False]
    assert [dict(one.prefill) for one in verdicts] == [{}, {"x": 1}, {}, {}, {}, {}]


def test_nothing_follows_a_tool_in_one_answer_whose_output_decides() -> None:
    rules = [ConditionalRule(tool="a", child_output_mapping={"ok": "b"})]
    first, second = judge(rules, NOTHING, NAMES, ["a", "b"])
    assert first.refused is None
    assert second.refused is not None
    assert "What `a` returns decides which tool comes next" in second.refused


def test_progress_is_read_from_messages_without_the_calls_that_were_refused() -> None:
    rules = [InitRule(tool="a"), MaxCountRule(tool="b", max_count=1)]

    def step(*calls: tuple[str, bool]) -> list[Utterance]:
        asked = [
            ToolCall(id=f"call_{n}", name=name, arguments="{}") for n, (name, _) in enumerate(calls)
        ]
        returned = [
            ToolReturn(call_id=f"call_{n}", name=name, ok=ok, text=name.upper())
            for n, (name, ok) in enumerate(calls)
        ]
        return [
            Utterance(MessageRole.ASSISTANT, tuple(asked)),
            Utterance(MessageRole.TOOL, (*returned, *returned[:1])),
        ]

    messages = [*step(("b", False)), *step(("a", True), ("b", False)), *step(("b", True))]
    assert r.progress_of(rules, NAMES, messages) == Progress(
        (Called("a", "A", True), Called("b", "B", False))
    )


def test_rules_are_told_in_the_prompt_in_both_languages() -> None:
    rules: list[AnyRule] = [
        InitRule(tool="a"),
        ChildRule(tool="a", children=("b", "x")),
        ParentRule(tool="c", children=("d", "b")),
        ConditionalRule(tool="b", child_output_mapping={"是": "c", "no": "x"}, default_child="d"),
        ContinueRule(tool="a"),
        TerminalRule(tool="d"),
        MaxCountRule(tool="b", max_count=3),
        RequiredBeforeExitRule(tool="c"),
        ApprovalRule(tool="d"),
        TerminalRule(tool="d"),
    ]
    assert texts(rules, NAMES) == (
        "Begin with `a`.",
        "After `a`, call `b` next.",
        "Call `d` or `b` only right after `c`.",
        'What `b` returns decides what you call next: "是" → `c`; anything else → `d`.',
        "After `a` you go on.",
        "`d` ends your turn.",
        "Call `b` at most 3 times in one turn.",
        "Call `c` before you end.",
        "A person must allow each call of `d`.",
    )
    assert texts(rules, NAMES, "zh") == (
        "首先调用 `a`。",
        "调用 `a` 之后，接着调用 `b`。",
        "`d` 或 `b` 只能紧接在 `c` 之后调用。",
        '`b` 的返回结果决定下一步调用什么："是" → `c`; 其他 → `d`。',
        "调用 `a` 之后继续工作。",
        "调用 `d` 即结束本轮。",
        "`b` 每轮最多调用 3 次。",
        "结束之前必须调用 `c`。",
        "每次调用 `d` 都要先得到人的许可。",
    )


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (
            "\n{{ tool_name }} comes before {{ children | join(', ') }}\n",
            "a comes before `b` or `c`",
        ),
        ("{{tool_name}}, then {{- children -}}!", "a, then `b` or `c`!"),
        ("  ", "After `a`, call `b` or `c` next."),
        ("{% if children %}x{% endif %}", "After `a`, call `b` or `c` next."),
        ("{{ config.secret }}", "After `a`, call `b` or `c` next."),
        ("{{ secret }}", "After `a`, call `b` or `c` next."),
        ("{tool_name} {0}", "{tool_name} {0}"),
    ],
)
def test_a_rules_own_template_is_filled_in_where_we_know_its_places(
    template: str, text: str
) -> None:
    rule = ChildRule(tool="a", children=("b", "c"), prompt_template=template)
    assert texts([rule], NAMES) == (text,)


TOOL = st.sampled_from([*NAMES, "x"])
"""One that the agent hasn't is among them."""
OUTPUT = st.sampled_from(["1", "2", "3"])
CHILDREN = st.lists(TOOL, max_size=3).map(tuple)
RULE: st.SearchStrategy[AnyRule] = st.one_of(
    st.builds(InitRule, tool=TOOL),
    st.builds(ChildRule, tool=TOOL, children=CHILDREN),
    st.builds(ParentRule, tool=TOOL, children=CHILDREN),
    st.builds(
        ConditionalRule,
        tool=TOOL,
        child_output_mapping=st.dictionaries(OUTPUT, TOOL, max_size=2),
        default_child=st.none() | TOOL,
        require_output_mapping=st.booleans(),
    ),
    st.builds(ContinueRule, tool=TOOL),
    st.builds(TerminalRule, tool=TOOL),
    st.builds(MaxCountRule, tool=TOOL, max_count=st.integers(0, 2)),
    st.builds(RequiredBeforeExitRule, tool=TOOL),
)
RULES = st.lists(RULE, max_size=7)
CALLS = st.lists(st.builds(Called, TOOL, OUTPUT, st.booleans()), max_size=6)


@given(RULES, CALLS)
def test_there_is_always_a_tool_to_call_or_a_way_out(
    rules: list[AnyRule], calls: list[Called]
) -> None:
    progress = Progress(tuple(calls))
    there = allowed(rules, progress, NAMES)
    assert there <= set(NAMES)
    assert there or r.exit_refused(rules, progress, NAMES) is None
    assert (r.tool_choice(rules, progress, NAMES) == "none") == (not there)


@given(RULES, CALLS, st.sampled_from(["en", "zh"]))
def test_what_is_not_allowed_is_refused_in_words_that_name_what_is(
    rules: list[AnyRule], calls: list[Called], language: Any
) -> None:
    progress = Progress(tuple(calls))
    there = allowed(rules, progress, NAMES)
    for name in [*NAMES, "x"]:
        refused = violation(rules, progress, NAMES, name, language)
        assert (refused is None) == (name in there)
        if refused is not None:
            assert all(f"`{one}`" in refused for one in there)


@given(RULES, st.lists(st.tuples(TOOL, OUTPUT), max_size=6))
def test_one_answer_with_many_calls_is_judged_no_more_kindly_than_many_answers(
    rules: list[AnyRule], calls: list[tuple[str, str]]
) -> None:
    progress = NOTHING
    verdicts = judge(rules, NOTHING, NAMES, [name for name, _ in calls])
    for (name, output), verdict in zip(calls, verdicts, strict=True):
        if any(isinstance(rule, ConditionalRule) for rule in rules):
            continue  # there the output counts, which one answer can't know
        alone = violation(rules, progress, NAMES, name)
        assert (alone is None) == (verdict.refused is None)
        if alone is None:
            progress = progress.with_calls(Called(name, output))


def test_of_two_rules_that_want_outputs_they_know_one_must_know_it() -> None:
    strict = [
        ConditionalRule(tool="d", child_output_mapping={known: "a"}, require_output_mapping=True)
        for known in ("1", "2")
    ]
    assert r.output_refused(strict, NAMES, "d", "1") is None
    assert r.output_refused(strict, NAMES, "d", "2") is None
    refused = r.output_refused(strict, NAMES, "d", "3")
    assert refused is not None
    assert '"1", "2"' in refused


@settings(max_examples=200, deadline=None)
@given(RULES)
def test_whatever_was_called_a_model_that_wants_to_end_can(rules: list[AnyRule]) -> None:
    """From every state a few calls lead to, some calls lead to one where the run may end."""

    def key(progress: Progress) -> tuple[object, ...]:
        names = [call.name for call in progress.calls]
        return (
            r.last_done(rules, progress),
            frozenset(names),
            *(min(names.count(name), 3) for name in NAMES),
        )

    def following(progress: Progress) -> list[Progress]:
        return [
            progress.with_calls(Called(name, output))
            for name in sorted(allowed(rules, progress, NAMES))
            for output in r.outputs(rules, name, NAMES)
        ]

    def ends(start: Progress) -> bool:
        seen, front = {key(start)}, [start]
        while front:
            for one in front:
                if r.exit_refused(rules, one, NAMES) is None:
                    return True
                if r.after(rules, one, NAMES, one.calls[-1:]) == "end":
                    return True
            new = {key(then): then for one in front for then in following(one)}
            front = [then for its, then in new.items() if its not in seen]
            seen |= new.keys()
        return False

    states = [NOTHING, *following(NOTHING)]
    assert all(ends(state) for state in states)
