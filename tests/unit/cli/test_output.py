"""Text for a terminal."""

import pytest

from yiku.cli.output import one_line, visible, width_of


def test_what_would_steer_a_terminal_is_replaced() -> None:
    assert visible("a\x1b[31mb\x07\u202ec\x9b") == "a\ufffd[31mb\ufffd\ufffdc\ufffd"
    assert visible("两行\n\t👩‍🚀") == "两行\n\t👩‍🚀"


@pytest.mark.parametrize(
    ("text", "width", "line"),
    [
        ("short", 10, "short"),
        ("exactly", 7, "exactly"),
        ("too long for it", 8, "too lon…"),
        ("我对花生过敏", 12, "我对花生过敏"),
        ("我对花生过敏", 7, "我对花…"),
        ("a\n b", 10, "a b"),
        ("", 5, ""),
    ],
)
def test_a_line_is_cut_by_columns(text: str, width: int, line: str) -> None:
    assert one_line(text, width) == line
    assert width_of(one_line(text, width)) <= width
