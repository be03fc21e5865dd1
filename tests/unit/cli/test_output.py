"""Text for a terminal."""

import pytest

from yiku.cli.output import one_line, print_table, visible, width_of


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


ROWS = [
    ["安娜", "openai/gpt-4o-mini-2024-07-18", "agent-84cd92e9-b80e-48c7-a29f-b3fcc8e89680"],
    ["bo", "", "agent-52a56a4c-7c68-4d4f-8fa2-1e7c6bbcf7ff"],
]


@pytest.mark.parametrize("width", [20, 50, 70, 80, 100, 200])
def test_ids_are_whole_however_narrow_the_terminal_is(
    capsys: pytest.CaptureFixture[str], width: int
) -> None:
    print_table(["name", "model", "id"], ROWS, width=width)

    out = capsys.readouterr().out
    assert [line.split()[-1] for line in out.splitlines() if "agent-" in line] == [
        row[-1] for row in ROWS
    ]
    assert ("安娜  " in out) == (width >= 70)  # a table, or a line a cell


def test_a_narrow_terminal_is_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "model", "id"], ROWS, width=40)

    assert capsys.readouterr().out == (
        "name   安娜\nmodel  openai/gpt-4o-mini-2024-07-18\n"
        "id     agent-84cd92e9-b80e-48c7-a29f-b3fcc8e89680\n\n"
        "name   bo\nid     agent-52a56a4c-7c68-4d4f-8fa2-1e7c6bbcf7ff\n"
    )


def test_a_table_without_ids_is_folded(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["word"], [["x" * 40]], width=30)

    assert [line.strip() for line in capsys.readouterr().out.splitlines()[2:]] == [
        "x" * 30,
        "x" * 10,
    ]
