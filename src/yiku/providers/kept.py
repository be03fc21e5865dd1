"""What is made of things and kept for as long as they are there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar
from weakref import ref

T = TypeVar("T")
M = TypeVar("M")


class WhileThere(Generic[T, M]):
    """`make(thing)`, made once for each thing that never changes.

    Nothing is held by this: what was made of a thing goes with it, so who bounds the things bounds
    it too. Things are told apart by what they are, not by what they hold, which costs no hashing.
    """

    def __init__(self, make: Callable[[T], M]) -> None:
        self._make = make
        self._kept: dict[int, tuple[ref[T], M]] = {}

    def __call__(self, thing: T) -> M:
        kept = self._kept.get(id(thing))
        if kept is not None and kept[0]() is thing:
            return kept[1]
        made = self._make(thing)
        self._kept[id(thing)] = (ref(thing, partial(self._drop, id(thing))), made)
        return made

    def __len__(self) -> int:
        return len(self._kept)

    def _drop(self, place: int, gone: ref[T]) -> None:
        kept = self._kept.get(place)
        if kept is not None and kept[0] is gone:
            del self._kept[place]
