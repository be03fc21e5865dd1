"""A part of a list: as many as asked for, next to a row, in the order asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import Column, ColumnElement, Select, and_, or_

from yiku.store.database import Tx

Place = tuple[Any, int]
"""Where a row stands: its value of the order's column, and its `seq`."""


class Numbered(Protocol):
    """As a noun that has a row."""

    @property
    def seq(self) -> int: ...


Noun = TypeVar("Noun", bound=Numbered)


class Part(Protocol):
    """As the pages of `core` are. `after` and `before` are said of the order asked for."""

    @property
    def limit(self) -> int: ...
    @property
    def after(self) -> str | None: ...
    @property
    def before(self) -> str | None: ...
    @property
    def newest_first(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Order:
    """By a column, rows without a value last whatever the direction; ties by `seq`."""

    seq: Column[Any]
    value: Column[Any] | None = None
    """None: by `seq` alone."""

    def beyond(self, place: Place, *, descending: bool, back: bool) -> ColumnElement[bool]:
        """Rows that come after `place` in the order; `back`: before it."""
        value, seq = place
        lower = descending != back
        next_seq = self.seq < seq if lower else self.seq > seq
        if self.value is None:
            return next_seq
        if value is None:
            last = and_(self.value.is_(None), next_seq)
            return or_(self.value.is_not(None), last) if back else last
        next_value = self.value < value if lower else self.value > value
        near = or_(next_value, and_(self.value == value, next_seq))
        return near if back or not self.value.nullable else or_(near, self.value.is_(None))

    def clauses(self, *, descending: bool, back: bool) -> list[ColumnElement[Any]]:
        lower = descending != back
        seq = self.seq.desc() if lower else self.seq.asc()
        if self.value is None:
            return [seq]
        value = self.value.desc() if lower else self.value.asc()
        if not self.value.nullable:
            return [value, seq]
        # Postgres sorts NULL last, SQLite first; here it is last in both.
        missing = self.value.is_(None)
        return [missing.desc() if back else missing.asc(), value, seq]


def seqs(
    tx: Tx, query: Select[Any], order: Order, part: Part, place: Callable[[str], Place]
) -> list[int]:
    """The numbers of the rows in the part, in its order. `query` selects `seq`.

    `before` without `after`: those nearest before it. Raises: what `place` raises.
    """
    descending = part.newest_first
    for bound, back in ((part.after, False), (part.before, True)):
        if bound is not None:
            query = query.where(order.beyond(place(bound), descending=descending, back=back))
    # From the bound backwards, so that the nearest are taken; then turned round.
    turned = part.before is not None and part.after is None
    ordered = query.order_by(*order.clauses(descending=descending, back=turned))
    found = list(tx.connection.execute(ordered.limit(part.limit)).scalars())
    return found[::-1] if turned else found


def in_order(seqs: Sequence[int], found: Iterable[Noun]) -> list[Noun]:
    """What was found of `seqs`, in their order: a row may be gone since its number was read."""
    there = {one.seq: one for one in found}
    return [there[seq] for seq in seqs if seq in there]
