"""How a block's value is shown to those who edit it by line."""

from hypothesis import given
from hypothesis import strategies as st

from yiku.core.block import numbered


@given(st.text(st.sampled_from("ab字 \n"), max_size=30))
def test_every_line_has_its_number_before_it(value: str) -> None:
    shown = numbered(value).split("\n")
    for number, line in enumerate(shown, 1):
        label, _, text = line.partition("→ ")
        assert int(label) == number
        assert text == value.split("\n")[number - 1]
