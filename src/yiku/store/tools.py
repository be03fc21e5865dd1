"""Queries on tools. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update

from yiku.core.errors import ToolExists, ToolNotFound
from yiku.core.ids import AgentId, ToolId
from yiku.core.tool import Requirement, SourceType, Tool, ToolFilter, ToolPage, ToolType
from yiku.store import attachments, hot
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.tool_tables import tool

NAMES = tuple(f.name for f in fields(Tool))
COLUMNS = [tool.c[name] for name in NAMES]


FORM = Form(tool)
_BY_NAME = hot.Select(
    f"SELECT {FORM.columns} FROM tool WHERE organization_id = :organization AND name IN :names*"
)
_BY_ID = hot.Select(f"SELECT {FORM.columns} FROM tool WHERE id IN :ids*")
_OF_AGENT = hot.Select(
    f"SELECT {FORM.columns} FROM agent_tool CROSS JOIN tool"
    " WHERE agent_tool.agent_id = :agent AND tool.id = agent_tool.tool_id"
    " AND tool.organization_id = :organization ORDER BY agent_tool.position"
)


def of_row(row: Row[Any]) -> Tool:
    return of_values(dict(zip(NAMES, tuple(row), strict=True)))


def of_values(values: dict[str, Any]) -> Tool:
    values["tool_type"] = ToolType(values["tool_type"])
    values["source_type"] = SourceType(values["source_type"])
    values["tags"] = tuple(values["tags"])
    for name in ("pip_requirements", "npm_requirements"):
        values[name] = tuple(Requirement(**one) for one in values[name])
    return Tool(**values)


def to_row(one: Tool) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(one, name) for name in NAMES}
    values |= {"tool_type": one.tool_type.value, "source_type": one.source_type.value}
    for name in ("pip_requirements", "npm_requirements"):
        values[name] = [asdict(requirement) for requirement in values[name]]
    for name in ("json_schema", "metadata"):
        values[name] = dict(values[name])
    return values | {"tags": list(one.tags)}


def own(tx: Tx) -> ColumnElement[bool]:
    return tool.c.organization_id == tx.actor.organization_id


def find(tx: Tx, name: str) -> Tool | None:
    row = tx.connection.execute(select(*COLUMNS).where(own(tx), tool.c.name == name)).first()
    return None if row is None else of_row(row)


def get(tx: Tx, tool_id: ToolId) -> Tool:
    """Raises: ToolNotFound."""
    query = select(*COLUMNS).where(own(tx), tool.c.id == tool_id)
    row = tx.connection.execute(query).first() if askable(tool_id) else None
    if row is None:
        raise ToolNotFound(f"There is no tool {tool_id}.", tool_id=tool_id)
    return of_row(row)


def by_name(tx: Tx, names: Collection[str]) -> dict[str, Tool]:
    """The tools of these names that there are."""
    rows = _BY_NAME.rows(tx.connection, names=list(names), organization=tx.actor.organization_id)
    found: dict[str, Tool] = {}
    for row in rows:
        values = FORM.values(row)
        del values["seq"]
        found[values["name"]] = of_values(values)
    return found


def by_id(tx: Tx, ids: Collection[ToolId]) -> dict[ToolId, Tool]:
    """The tools there are; for agents, whose tools they are."""
    known = [one for one in ids if askable(one)]
    rows = _BY_ID.rows(tx.connection, ids=known) if known else ()
    read = map(of_raw, rows)
    return {one.id: one for one in read if one.organization_id == tx.actor.organization_id}


def of_agent(tx: Tx, agent_id: AgentId) -> tuple[Tool, ...]:
    """In the order they were attached; empty where the agent isn't there."""
    rows = _OF_AGENT.rows(tx.connection, agent=agent_id, organization=tx.actor.organization_id)
    return tuple([of_raw(row) for row in rows])


def of_raw(row: Sequence[Any]) -> Tool:
    """A row of `FORM.columns` from the driver.

    Reading the schemas of its tools would be most of what reading an agent costs, and few tools
    change: from SQLite, equal rows are one Tool. Postgres's driver has read the JSON already.
    """
    key = tuple(row)
    return read_row(key) if isinstance(row[SCHEMA], str) else read_values(key)


def read_values(row: tuple[Any, ...]) -> Tool:
    values = FORM.values(row)
    del values["seq"]
    return of_values(values)


read_row = lru_cache(maxsize=1024)(read_values)
SCHEMA = FORM.place["json_schema"]


def add(tx: Tx, one: Tool) -> None:
    """Raises: ToolExists."""
    demand_free(tx, one.name)
    tx.connection.execute(insert(tool).values(to_row(one)))


def put(tx: Tx, seen: Tool, one: Tool) -> None:
    """Write `one` in place of `seen`. Raises: ToolExists where its new name is another's."""
    if one.name != seen.name:
        demand_free(tx, one.name)
    tx.connection.execute(update(tool).where(own(tx), tool.c.id == seen.id).values(to_row(one)))


def remove(tx: Tx, tool_id: ToolId) -> None:
    """The agents that had it have it no longer. Raises: ToolNotFound."""
    get(tx, tool_id)
    attachments.let_go(tx, attachments.TOOL, tool_id)
    removed = tx.connection.execute(
        delete(tool).where(own(tx), tool.c.id == tool_id).returning(tool.c.id)
    )
    if removed.first() is None:
        raise ToolNotFound(f"There is no tool {tool_id}.", tool_id=tool_id)


def demand_free(tx: Tx, name: str) -> None:
    there = find(tx, name)
    if there is not None:
        raise ToolExists(
            f"There is already a tool {name!r}: {there.id}. Update it, or choose another name.",
            tool_id=there.id,
        )


def listed(tx: Tx, wanted: ToolFilter, page: ToolPage) -> list[Tool]:
    """In the order of creation. Raises: ToolNotFound where a cursor is no tool."""
    query = select(*COLUMNS).where(own(tx), *fitting(wanted))
    newer, older = page.after, page.before
    if page.newest_first:
        newer, older = older, newer
    if newer is not None:
        query = query.where(tool.c.seq > place_of(tx, newer))
    if older is not None:
        query = query.where(tool.c.seq < place_of(tx, older))
    # What stands before a cursor is the part next to it, not the beginning of the list.
    backwards = page.newest_first != (page.before is not None and page.after is None)
    order = tool.c.seq.desc() if backwards else tool.c.seq.asc()
    found = [of_row(row) for row in tx.connection.execute(query.order_by(order).limit(page.limit))]
    return found if backwards == page.newest_first else found[::-1]


def all_fitting(tx: Tx, wanted: ToolFilter) -> list[Tool]:
    """The oldest first."""
    query = select(*COLUMNS).where(own(tx), *fitting(wanted)).order_by(tool.c.seq)
    return [of_row(row) for row in tx.connection.execute(query)]


def count(tx: Tx, wanted: ToolFilter) -> int:
    query = select(func.count()).select_from(tool).where(own(tx), *fitting(wanted))
    return int(tx.connection.execute(query).scalar_one())


def fitting(wanted: ToolFilter) -> list[ColumnElement[bool]]:
    clauses: list[ColumnElement[bool]] = []
    if wanted.names is not None:
        clauses.append(tool.c.name.in_(wanted.names))
    if wanted.ids is not None:
        clauses.append(tool.c.id.in_(wanted.ids))
    if wanted.types is not None:
        clauses.append(tool.c.tool_type.in_([one.value for one in wanted.types]))
    if wanted.excluded_types:
        clauses.append(tool.c.tool_type.not_in([one.value for one in wanted.excluded_types]))
    if wanted.name_has:
        clauses.append(tool.c.name.icontains(wanted.name_has, autoescape=True))
    return clauses


def place_of(tx: Tx, tool_id: ToolId) -> int:
    """Raises: ToolNotFound."""
    query = select(tool.c.seq).where(own(tx), tool.c.id == tool_id)
    seq = tx.connection.execute(query).scalar() if askable(tool_id) else None
    if seq is None:
        raise ToolNotFound(f"There is no tool {tool_id} to page from.", tool_id=tool_id)
    return int(seq)
