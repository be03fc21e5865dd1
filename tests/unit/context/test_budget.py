"""Tokens are counted alike everywhere, and learned from those who know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.conversations import SEARCHES, Talk, block, call, returned, state, summary
from yiku.context import budget
from yiku.context.budget import Calibration, must_compact, overview, prompt_tokens
from yiku.context.compile import Asking, WindowView, prompt
from yiku.core.message import Approval, Image, MessageRole, Reasoning, Utterance
from yiku.core.model import Prompt, ToolSpec

LOOK = ToolSpec(name="look", description="Looks.", parameters={"type": "object"})


def test_every_part_counts() -> None:
    parts = [
        (Reasoning(text="12345678"), 2),
        (call("x", "look", '{"a": "b"}'), budget.PER_CALL + 1 + 3),
        (returned("x", "你好你好"), budget.PER_CALL + 3),
        (Image(url="https://example.org/a.png"), budget.IMAGE),
        (Approval(call_id="x", approve=True), 0),
    ]
    for part, tokens in parts:
        one = Utterance(MessageRole.ASSISTANT, (part,))
        assert budget.message_tokens(one) == budget.PER_MESSAGE + tokens


def test_a_prompt_takes_what_its_parts_take() -> None:
    talk = Talk()
    talk.user("Hello there")
    bare = Prompt(system="", messages=talk.messages)
    full = Prompt(system="Help.", messages=talk.messages, tools=(LOOK,))
    assert prompt_tokens(bare) == budget.PER_MESSAGE + 3
    assert prompt_tokens(full) == prompt_tokens(bare) + budget.PER_MESSAGE + 2 + (
        budget.tools_tokens([LOOK])
    )


@pytest.mark.parametrize("ratio", [0.7, 0.91, 1.0, 1.3])
def test_the_ratio_is_learned_from_the_counts_that_come_back(ratio: float) -> None:
    """0.91 is what Chinese takes of our estimate with o200k."""
    learned = Calibration()
    for n in range(10):
        learned = learned.learned(2_000 + n, round((2_000 + n) * ratio))
    assert learned.tokens(10_000) == pytest.approx(10_000 * ratio, rel=0.01)


def test_the_ratio_follows_a_conversation_that_changes_its_language() -> None:
    learned = Calibration()
    for ratio in [0.84] * 20 + [1.1] * 15:
        learned = learned.learned(5_000, round(5_000 * ratio))
    assert learned.ratio == pytest.approx(1.1, abs=0.02)


def test_one_odd_count_does_little_and_a_short_prompt_less() -> None:
    learned = Calibration(1.0, 50)
    assert learned.learned(5_000, 500_000).ratio == pytest.approx(1.2)
    assert learned.learned(50, 100).ratio == pytest.approx(1.01)
    assert learned.learned(50, 0) is learned
    assert learned.learned(0, 50) is learned


@given(st.lists(st.tuples(st.integers(-5, 10**6), st.integers(-5, 10**7)), max_size=20))
def test_no_counts_make_the_ratio_absurd(counts: list[tuple[int, int]]) -> None:
    learned = Calibration()
    for estimated, counted in counts:
        learned = learned.learned(estimated, counted)
    assert budget.LOWEST <= learned.ratio <= budget.HIGHEST


def test_a_prompt_leaves_room_for_the_answer() -> None:
    assert not must_compact(28_800, 32_000)
    assert must_compact(28_801, 32_000)
    assert must_compact(28_000, 32_000, max_tokens=4_096)
    assert not must_compact(16_000, 32_000, max_tokens=32_000)
    assert budget.room(8_000, max_tokens=100) == 7_200


def test_the_overview_tells_what_fills_the_window() -> None:
    agent = state(block("human", "Chad"), tools=SEARCHES, system="Help.")
    view = WindowView(recall_count=40, archival_count=3, rules=("Be quick.",))
    talk = Talk()
    talk.user("Hello")
    talk.answer("Hi, 你好")
    talk.user("Well?")
    told = summary("Old news.")
    made = prompt(agent, view, talk.messages, Asking(tools=(LOOK,)), summary=told)
    found = overview(agent, view, talk.messages, made, summary=told)
    parts = (
        found.num_tokens_system,
        found.num_tokens_core_memory,
        found.num_tokens_external_memory_summary,
        found.num_tokens_summary_memory,
        found.num_tokens_functions_definitions,
        found.num_tokens_messages,
    )
    assert all(parts)
    assert found.context_window_size_current == sum(parts)
    assert found.context_window_size_current == pytest.approx(prompt_tokens(made), abs=4)
    assert found.context_window_size_max == 32_000
    assert (found.num_messages, found.num_recall_memory, found.num_archival_memory) == (3, 40, 3)
    assert found.system_prompt == "Help.\n\n<tool_rules>\n- Be quick.\n</tool_rules>"
    assert "Chad" in found.core_memory
    assert found.summary_memory == "Old news."
    assert found.functions_definitions == (LOOK,)
    doubled = overview(
        agent, view, talk.messages, made, summary=told, calibration=Calibration(2.0, 5)
    )
    assert doubled.context_window_size_current == 2 * found.context_window_size_current
