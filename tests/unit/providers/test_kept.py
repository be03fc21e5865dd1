"""What is made of things is kept for as long as they are there."""

import gc

from yiku.core.message import MessageRole, Utterance, said
from yiku.providers.kept import WhileThere


def count(one: Utterance) -> list[str]:
    return [one.text]


def test_it_is_made_once_for_each_thing() -> None:
    made = WhileThere(count)
    one, same = said(MessageRole.USER, "a"), said(MessageRole.USER, "a")
    assert made(one) is made(one)
    assert made(one) == made(same)
    assert made(one) is not made(same)


def test_it_goes_with_its_thing() -> None:
    made = WhileThere(count)
    things = [said(MessageRole.USER, str(number)) for number in range(3)]
    for one in things:
        made(one)
    assert len(made) == 3
    del things[1:], one
    gc.collect()
    assert len(made) == 1
