"""What an edit of a block changed, told in few lines."""

from hypothesis import given
from hypothesis import strategies as st

from yiku.cli.chat.diff import changes
from yiku.cli.output import width_of


def test_only_lines_that_changed_are_told() -> None:
    before = "name: 小明\ncity: 北京\nlikes: tea"
    after = "name: 小明\ncity: 上海\nlikes: tea\ncat: 咪咪"

    assert changes(before, after, 80) == [
        ("-", "city: 北京"),
        ("+", "city: 上海"),
        ("+", "cat: 咪咪"),
    ]


def test_a_new_block_has_come_and_a_gone_one_has_gone() -> None:
    assert changes("", "one\ntwo", 80) == [("+", "one"), ("+", "two")]
    assert changes("one\ntwo", "", 80) == [("-", "one"), ("-", "two")]
    assert changes("same", "same", 80) == []


def test_a_long_line_is_shown_around_what_differs_in_it() -> None:
    start = "很长的一段话" * 20

    [gone, come] = changes(f"{start}北京。", f"{start}上海，然后又说了很多别的事情。", 40)

    assert gone == ("-", f"…{start[-8:]}北京。")
    assert come.line.startswith(f"…{start[-8:]}上海，")
    assert come.line.endswith("…")


@given(st.text(), st.text(), st.integers(min_value=4, max_value=60))
def test_no_line_is_wider_than_it_may_be(before: str, after: str, width: int) -> None:
    assert all(width_of(change.line) <= width for change in changes(before, after, width))


@given(st.text(alphabet="ab\n"), st.text(alphabet="ab\n"))
def test_what_went_and_came_leads_from_one_to_the_other(before: str, after: str) -> None:
    found = changes(before, after, 1000)
    old, new = before.splitlines(), after.splitlines()

    assert len(old) - sum(c.sign == "-" for c in found) == len(new) - sum(
        c.sign == "+" for c in found
    )
    assert bool(found) == (old != new)
