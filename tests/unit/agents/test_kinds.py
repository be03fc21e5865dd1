"""The table of kinds, and the prompts it names."""

import re

import pytest

from yiku.agents import kinds
from yiku.agents.kinds import KINDS, instructions, prompt_text
from yiku.agents.rules import Progress, exit_refused
from yiku.core.agent import AgentKind
from yiku.core.language import language_of

TOOL = re.compile(r"`(\w+)`")


def test_every_kind_has_its_row() -> None:
    assert set(KINDS) == set(AgentKind)


def test_every_prompt_there_is_belongs_to_a_kind_and_to_both_languages() -> None:
    there = {file.name for file in kinds.PROMPTS.iterdir()}
    assert there == {
        f"{kind.prompt}.{language}.md" for kind in KINDS.values() for language in ("en", "zh")
    }


@pytest.mark.parametrize("kind", AgentKind)
def test_a_prompt_is_short_and_in_its_language_and_names_tools_of_its_kind_only(
    kind: AgentKind,
) -> None:
    row = KINDS[kind]
    english, chinese = prompt_text(row.prompt, "en"), prompt_text(row.prompt, "zh")
    assert language_of([english]) == "en"
    assert language_of([chinese]) == "zh"
    assert set(TOOL.findall(english)) == set(TOOL.findall(chinese)) <= set(row.tools)
    assert len(english) < 2_000
    assert english.count("\n- ") == chinese.count("\n- ")


@pytest.mark.parametrize("kind", AgentKind)
def test_a_kinds_rules_are_about_its_own_tools_and_leave_an_end(kind: AgentKind) -> None:
    row = KINDS[kind]
    assert {rule.tool for rule in row.rules} <= set(row.tools)
    assert len(set(row.tools)) == len(row.tools)
    if row.needs_call:
        assert any(type(rule).__name__ == "TerminalRule" for rule in row.rules)
    else:
        assert exit_refused(row.rules, Progress(), row.tools) is None


def test_blocks_are_plain_for_react_and_workflow_agents_alone() -> None:
    plain = {kind for kind, row in KINDS.items() if not row.numbered_blocks}
    assert plain == {AgentKind.REACT, AgentKind.WORKFLOW}


def test_instructions_are_in_the_language_of_what_is_known_of_the_agent() -> None:
    assert instructions(AgentKind.STANDARD).startswith("You are an assistant")
    blocks = ["用户喜欢编程和AI技术", "I am Sam."]
    assert instructions(AgentKind.STANDARD, blocks).startswith("你是一位拥有长期记忆的助理")
