"""What fills a context window, as bars."""

import pytest

from yiku.cli.agent.context import COUNTS, NAMES, WIDTH, bar, parts_of, print_context
from yiku.cli.output import width_of
from yiku.core.language import Language

OVERVIEW = {
    "context_window_size_max": 32_000,
    "context_window_size_current": 8_000,
    "num_tokens_system": 1_000,
    "num_tokens_core_memory": 500,
    "num_tokens_summary_memory": 0,
    "num_tokens_functions_definitions": 500,
    "num_tokens_messages": 6_000,
    "num_tokens_something_new": 3,
    "num_messages": 41,
    "num_recall_memory": 1_200,
    "num_archival_memory": 7,
    "system_prompt": "…",
}


def test_parts_that_take_nothing_are_left_out_and_new_ones_are_told() -> None:
    assert parts_of(OVERVIEW) == {
        "instructions": 1_000,
        "memory blocks": 500,
        "tools": 500,
        "messages": 6_000,
        "something new": 3,
    }


def test_parts_have_chinese_names_of_even_width(capsys: pytest.CaptureFixture[str]) -> None:
    print_context({**OVERVIEW, "num_tokens_external_memory_summary": 90}, "zh")

    out, err = capsys.readouterr()
    first, *bars = out.splitlines()
    assert first == "8,000 / 32,000 个词元（25%）"
    assert [line.split()[0] for line in bars][:2] == ["指令", "记忆块"]
    assert len({width_of(line) for line in bars}) == 1
    assert err == "窗口内 41 条消息  更早的 1,200 条  归档记忆 7 条\n"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_an_agent_is_told_of_its_memory_is_no_summary(language: Language) -> None:
    told = parts_of({"num_tokens_external_memory_summary": 90}, language)

    assert not any(word in name for name in told for word in ("summary", "摘要"))


def test_names_and_counts_are_there_in_both_languages() -> None:
    assert NAMES["en"].keys() == NAMES["zh"].keys()
    assert COUNTS["en"].keys() == COUNTS["zh"].keys()


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0, "░" * 32), (1, "█" * 32), (2, "█" * 32), (0.5, "█" * 16 + "░" * 16)],
)
def test_a_bar_is_as_long_as_its_share(share: float, shown: str) -> None:
    assert bar(share) == shown


def test_what_is_there_at_all_is_seen() -> None:
    assert bar(0.000_01) == "▏" + "░" * (WIDTH - 1)


def test_parts_and_what_is_free_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    print_context(OVERVIEW)

    out, err = capsys.readouterr()
    assert "8,000 of 32,000 tokens (25%)" in out
    assert "18.8%" in next(line for line in out.splitlines() if "messages" in line)
    assert "24,000" in out.splitlines()[-1]
    assert "1,200 earlier ones" in err
