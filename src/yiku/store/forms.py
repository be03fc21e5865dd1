"""How the rows of a table come from the drivers, and go to them: for the statements of `hot`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Boolean, Table

from yiku.store.hot import Select, dumped, micros
from yiku.store.tables import Document, Moment, from_micros

_decoder = json.JSONDecoder()


def parsed(value: Any) -> Any:
    """A JSON column: text from SQLite, a value from Postgres."""
    if not isinstance(value, str):
        return value
    if value == "{}":
        return {}
    # What `json.loads` does, in half the time: no spaces are before or after what we wrote.
    return [] if value == "[]" else _decoder.raw_decode(value)[0]


def askable(some_id: str) -> bool:
    """Whether a database can be asked for it: neither takes half a character, Postgres no NUL."""
    return some_id.isprintable()


class Form:
    """The columns of a table, and what is to be done with each kind of them."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.names = tuple(column.name for column in table.columns)
        self.columns = ", ".join(f'{table.name}."{name}"' for name in self.names)
        self.place = {name: i for i, name in enumerate(self.names)}
        self._moments = self._places(Moment)
        self._documents = self._places(Document)
        self._switches = self._places(Boolean)

    def _places(self, kind: type[Any]) -> tuple[int, ...]:
        return tuple(i for i, c in enumerate(self.table.columns) if isinstance(c.type, kind))

    def values(self, row: Sequence[Any]) -> dict[str, Any]:
        """Of a row that begins with `columns`."""
        cells = list(row[: len(self.names)])
        for place in self._moments:
            if cells[place] is not None:
                cells[place] = from_micros(cells[place])
        for place in self._documents:
            cells[place] = parsed(cells[place])
        for place in self._switches:
            if cells[place] is not None:
                cells[place] = bool(cells[place])
        return dict(zip(self.names, cells, strict=True))

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """As the drivers take them; `values` may be some of the columns."""
        given = dict(values)
        for place in self._moments:
            name = self.names[place]
            if name in given:
                given[name] = micros(given[name])
        for place in self._documents:
            name = self.names[place]
            if given.get(name) is not None:
                given[name] = dumped(given[name])
        return given

    def insert_into(self, parent: Table) -> Select:
        """A statement that inserts where its `parent`, named by `<parent>_id`, is the
        organization's, and returns `seq`; else no row. It takes all columns but `seq`.
        """
        of = parent.name
        # Postgres wants a parameter to be of one type wherever it stands, so each stands once.
        known = {f"{of}_id": f"{of}.id", "organization_id": f"{of}.organization_id"}
        names = [name for name in self.names if name != "seq"]
        columns = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join(known.get(name, f":{name}") for name in names)
        return Select(
            f"INSERT INTO {self.table.name} ({columns}) SELECT {marks} FROM {of}"
            f" WHERE {of}.id = :{of}_id AND {of}.organization_id = :organization_id RETURNING seq"
        )

    def insert(self) -> Select:
        """A statement that inserts a row. It takes all columns but `seq`, and returns that, or
        where there is none the first of them."""
        names = [name for name in self.names if name != "seq"]
        columns = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join(f":{name}" for name in names)
        return Select(
            f"INSERT INTO {self.table.name} ({columns}) VALUES ({marks})"
            f' RETURNING "{self.names[0]}"'
        )

    def by_seq(self) -> Select:
        """A statement for rows that a page has found, in no order: it takes `seqs`."""
        return Select(f"SELECT {self.columns} FROM {self.table.name} WHERE seq IN :seqs*")
