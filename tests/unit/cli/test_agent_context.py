"""What fills a context window, as bars."""

import pytest

from yiku.cli.agent.context import WIDTH, bar, parts_of, print_context

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
