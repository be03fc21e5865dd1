"""Which agents are listed, and in which order; which tags there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, collate, func, select

from yiku.core.agent import AgentFilter, AgentPage
from yiku.store import paging
from yiku.store.agent_tables import agent, agent_archive, agent_block, agent_tag, agent_tool
from yiku.store.attachments import no_agent
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.paging import Order, Place
from yiku.store.place_tables import agent_identity, identity

COLUMNS: dict[str, Column[Any]] = {
    "created_at": agent.c.created_at,
    "updated_at": agent.c.updated_at,
    "last_run_completion": agent.c.last_run_completed_at,
}


def own(tx: Tx) -> ColumnElement[bool]:
    return agent.c.organization_id == tx.actor.organization_id


def page_seqs(tx: Tx, wanted: AgentFilter, part: AgentPage) -> list[int]:
    """Raises: AgentNotFound where an agent that bounds the page isn't there."""
    by = COLUMNS[part.order_by]

    def place(agent_id: str) -> Place:
        query = select(by, agent.c.seq).where(own(tx), agent.c.id == agent_id)
        row = tx.connection.execute(query).first() if askable(agent_id) else None
        if row is None:
            raise no_agent(agent_id)
        return row[0], row[1]

    query = select(agent.c.seq).where(own(tx), *conditions(tx, wanted))
    return paging.seqs(tx, query, Order(agent.c.seq, by), part, place)


def conditions(tx: Tx, wanted: AgentFilter) -> list[ColumnElement[bool]]:
    equal = {
        "name": wanted.name,
        "project_id": wanted.project_id,
        "template_id": wanted.template_id,
        "base_template_id": wanted.base_template_id,
        "created_by": wanted.created_by,
        "last_stop_reason": wanted.last_stop_reason,
    }
    found = [agent.c[name] == value for name, value in equal.items() if value is not None]
    if wanted.name_has is not None:
        found.append(agent.c.name.icontains(wanted.name_has, autoescape=True))
    if wanted.kinds:
        found.append(agent.c.kind.in_([one.value for one in wanted.kinds]))
    if wanted.tags:
        found.append(tagged(wanted.tags, of_all=wanted.all_tags))
    if wanted.identifier_keys:
        found.append(
            agent.c.id.in_(known_by(tx, agent_identity.c.agent_id, wanted.identifier_keys))
        )
    for links, name, some_id in (
        (agent_block, "block_id", wanted.block_id),
        (agent_tool, "tool_id", wanted.tool_id),
        (agent_archive, "archive_id", wanted.archive_id),
        (agent_identity, "identity_id", wanted.identity_id),
    ):
        if some_id is not None:
            found.append(agent.c.id.in_(holders(links, name, some_id)))
    return found


def holders(links: Table, name: str, some_id: str) -> Select[Any]:
    return select(links.c.agent_id).where(links.c[name] == some_id)


def tagged(tags: Sequence[str], *, of_all: bool) -> ColumnElement[bool]:
    wanted = set(tags)
    has = select(agent_tag.c.agent_id).where(agent_tag.c.tag.in_(wanted))
    if of_all:
        has = has.group_by(agent_tag.c.agent_id).having(func.count() == len(wanted))
    return agent.c.id.in_(has)


def known_by(tx: Tx, what: Column[Any], keys: Sequence[str]) -> Select[Any]:
    """What belongs to identities of any of these keys: `what` is of a table of such links."""
    return (
        select(what)
        .join(identity, identity.c.id == what.table.c.identity_id)
        .where(
            identity.c.identifier_key.in_(keys),
            identity.c.organization_id == tx.actor.organization_id,
        )
    )


def tags(
    tx: Tx,
    *,
    name_has: str | None = None,
    after: str | None = None,
    before: str | None = None,
    limit: int = 50,
    descending: bool = False,
) -> list[str]:
    """The tags that agents have, each once, in the order of their characters' numbers.

    `after` and `before` are tags, said of the order asked for; `before` without `after`: those
    nearest before it.
    """
    # Postgres would sort by its locale; as SQLite does, no tag equals another one.
    by = collate(agent_tag.c.tag, "C" if tx.postgres else "BINARY")
    query = select(agent_tag.c.tag).where(agent_tag.c.organization_id == tx.actor.organization_id)
    if name_has is not None:
        query = query.where(agent_tag.c.tag.icontains(name_has, autoescape=True))
    for bound, later in ((after, not descending), (before, descending)):
        if bound is not None:
            query = query.where(by > bound if later else by < bound)
    turned = before is not None and after is None
    order = by.desc() if descending != turned else by.asc()
    grouped = query.group_by(agent_tag.c.tag).order_by(order).limit(limit)
    found = list(tx.connection.execute(grouped).scalars())
    return found[::-1] if turned else found
