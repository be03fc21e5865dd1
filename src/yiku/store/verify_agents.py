"""Checks of agents' rows: what no key watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sqlalchemy import Connection, Table, select

from yiku.store import agent_config, parts
from yiku.store.agent_tables import (
    agent,
    agent_block,
    agent_tag,
    lease,
    message,
    run,
    session_summary,
    step,
)
from yiku.store.attachments import ARCHIVE, BLOCK, TOOL
from yiku.store.block_tables import block
from yiku.store.place_tables import batch_item, conversation

BATCH = 1000
LISTED = 20
"""Rows of a table named as unreadable; more tell nothing new."""


def agent_problems(connection: Connection) -> list[str]:
    """What agents have is their organization's, labels are the blocks', and JSON can be read."""
    labels = (
        select(agent_block.c.agent_id, agent_block.c.label, block.c.id, block.c.label)
        .join(block, block.c.id == agent_block.c.block_id)
        .where(agent_block.c.label != block.c.label)
    )
    words = "{} has a block as {!r}, but {} is called {!r}"
    problems = [words.format(*row) for row in connection.execute(labels.limit(LISTED))]
    for kind in (BLOCK, TOOL, ARCHIVE):
        problems += elsewhere(connection, kind.links, kind.things, kind.key)
    for table in (agent_tag, message, session_summary, run, step, lease, conversation, batch_item):
        problems += elsewhere(connection, table, agent, "agent_id")
    problems += unreadable(connection, message, "parts", parts.of_json)
    problems += unreadable(connection, agent, "config", read_config)
    return problems


def elsewhere(connection: Connection, table: Table, other: Table, key: str) -> list[str]:
    """Rows that name what another organization has."""
    query = (
        select(table.c[key])
        .join(other, other.c.id == table.c[key])
        .where(other.c.organization_id != table.c.organization_id)
        .limit(LISTED)
    )
    words = f"a row of {table.name} and its {{}} belong to different organizations"
    return [words.format(*row) for row in connection.execute(query)]


def read_config(values: dict[str, object]) -> object:
    columns = {"kind": "letta_v1_agent"} | dict.fromkeys(agent_config.COLUMNS, "")
    return agent_config.of_json(values, columns, ())


def unreadable(
    connection: Connection, table: Table, name: str, read: Callable[..., object]
) -> list[str]:
    query = select(table.c.id, table.c[name]).order_by(table.c.seq)

    def found() -> Iterator[str]:
        for some_id, value in connection.execution_options(yield_per=BATCH).execute(query):
            try:
                read(value)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                yield f"{some_id}: its {name} can't be read ({type(error).__name__})"

    try:
        return [problem for _, problem in zip(range(LISTED), found(), strict=False)]
    finally:
        connection.execution_options(yield_per=None)
