"""Values on the command line."""

from datetime import UTC, datetime

import click
import pytest

from yiku.cli.main import COMMANDS, main
from yiku.cli.options import Pair, When, decoded, metadata_of
from yiku.core.errors import InvalidFile


def test_a_moment_has_a_zone() -> None:
    assert When().convert("2026-09-03T20:00+08:00", None, None) == datetime(
        2026, 9, 3, 12, tzinfo=UTC
    )
    assert When().convert("2026-09-03", None, None).tzinfo is not None
    with pytest.raises(click.BadParameter):
        When().convert("next week", None, None)


@pytest.mark.parametrize(
    ("written", "pair"),
    [
        ("a=b", ("a", "b")),
        ("a=1", ("a", 1)),
        ("a=true", ("a", True)),
        ("a=b=c", ("a", "b=c")),
        ("a=", ("a", "")),
        ("a=NaN", ("a", "NaN")),
        ('a="1"', ("a", "1")),
        ("城市=北京", ("城市", "北京")),
    ],
)
def test_metadata_is_json_where_it_can_be(written: str, pair: tuple[str, object]) -> None:
    assert Pair().convert(written, None, None) == pair


@pytest.mark.parametrize("written", ["a", "=b", "="])
def test_a_pair_needs_a_name(written: str) -> None:
    with pytest.raises(click.BadParameter):
        Pair().convert(written, None, None)


def test_a_name_given_twice_has_both_values() -> None:
    assert metadata_of([("a", 1), ("b", 2), ("a", 3)]) == {"a": [1, 3], "b": 2}


def test_the_mark_of_utf8_and_one_line_end_are_taken_off() -> None:
    assert decoded("\ufeff一\n\n".encode(), "f") == "一\n"
    with pytest.raises(InvalidFile, match="byte 1 is 0xFF"):
        decoded(b"a\xff", "f")


def test_each_command_is_where_the_table_says() -> None:
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.name == name
        assert command.help
