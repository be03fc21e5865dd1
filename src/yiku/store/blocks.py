"""Queries on blocks and their versions. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, delete, func, literal, select, update

from yiku.core.block import (
    EDITABLE,
    Block,
    BlockContent,
    BlockFilter,
    BlockPage,
    BlockVersion,
    content_of,
)
from yiku.core.errors import BlockNotFound, StaleBlock
from yiku.core.ids import AgentId, BlockId, UserId, new_id
from yiku.store import attachments, hot
from yiku.store.agent_lists import known_by
from yiku.store.agent_tables import agent_block
from yiku.store.block_tables import block, block_version
from yiku.store.database import Tx
from yiku.store.forms import Form, parsed
from yiku.store.place_tables import block_identity
from yiku.store.tables import from_micros

FORM = Form(block)
OWN = tuple(one.name for one in fields(Block) if one.name != "content")
VERSION = Form(block_version)
_BY_ID = hot.Select(f"SELECT {FORM.columns} FROM block WHERE id IN :ids*")
_INSERT = FORM.insert()
_INSERT_VERSION = VERSION.insert()
_OF_AGENT = hot.Select(
    f"SELECT {FORM.columns} FROM agent_block CROSS JOIN block"
    " WHERE agent_block.agent_id = :agent AND block.id = agent_block.block_id"
    " AND block.organization_id = :organization ORDER BY agent_block.position"
)


def of_row(row: Row[Any]) -> Block:
    values: dict[str, Any] = dict(zip(FORM.names, tuple(row), strict=True))
    return Block(
        content=content_of({name: values[name] for name in EDITABLE}),
        **{name: values[name] for name in OWN},
    )


def of_raw(row: Sequence[Any]) -> Block:
    """A row of `FORM.columns` from the driver. Agents are read with their blocks, so field by
    field: a dictionary in between would double the cost.
    """
    (
        seq,
        id,
        organization_id,
        version,
        label,
        value,
        limit,
        description,
        read_only,
        tags,
        more,
        is_template,
        template_name,
        template_id,
        base_template_id,
        deployment_id,
        entity_id,
        project_id,
        preserve_on_migration,
        hidden,
        created_at,
        created_by,
        updated_at,
        updated_by,
    ) = row
    return Block(
        seq=seq,
        id=id,
        organization_id=organization_id,
        version=version,
        content=BlockContent(
            label=label,
            value=value,
            limit=limit,
            description=description,
            read_only=bool(read_only),
            tags=() if tags == "[]" else tuple(parsed(tags)),
            metadata=parsed(more),
            is_template=bool(is_template),
            template_name=template_name,
            template_id=template_id,
            base_template_id=base_template_id,
            deployment_id=deployment_id,
            entity_id=entity_id,
            project_id=project_id,
            preserve_on_migration=bool(preserve_on_migration),
            hidden=None if hidden is None else bool(hidden),
        ),
        created_at=from_micros(created_at),
        created_by=created_by,
        updated_at=from_micros(updated_at),
        updated_by=updated_by,
    )


def ours(tx: Tx) -> ColumnElement[bool]:
    return block.c.organization_id == tx.actor.organization_id


def get(tx: Tx, block_id: BlockId) -> Block:
    """Raises: BlockNotFound."""
    return the_one(tx, select(block), block_id)


def get_to_change(tx: Tx, block_id: BlockId) -> Block:
    """As `get`; until the commit nobody else changes it. Raises: BlockNotFound."""
    return the_one(tx, select(block).with_for_update(), block_id)


def the_one(tx: Tx, query: Select[Any], block_id: BlockId) -> Block:
    known = block_id.isprintable()  # Postgres can't even be asked for a NUL
    ours_only = query.where(block.c.id == block_id, ours(tx))
    row = tx.connection.execute(ours_only).first() if known else None
    if row is None:
        raise BlockNotFound(f"There is no block {block_id}.", block_id=block_id)
    return of_row(row)


def by_id(tx: Tx, ids: Collection[BlockId]) -> dict[BlockId, Block]:
    """The blocks there are; for agents, whose blocks they are."""
    rows = _BY_ID.rows(tx.connection, ids=list(ids)) if ids else ()
    read = map(of_raw, rows)
    return {one.id: one for one in read if one.organization_id == tx.actor.organization_id}


def count(tx: Tx) -> int:
    query = select(func.count()).select_from(block).where(ours(tx))
    return int(tx.connection.execute(query).scalar_one())


def of_agent(tx: Tx, agent_id: AgentId) -> tuple[Block, ...]:
    """In the order they were attached; empty where the agent isn't there."""
    rows = _OF_AGENT.rows(tx.connection, agent=agent_id, organization=tx.actor.organization_id)
    return tuple([of_raw(row) for row in rows])


def add(
    tx: Tx, content: BlockContent, reason: str | None = None, *, id: BlockId | None = None
) -> Block:
    own = {
        "id": id or new_id("block"),
        "organization_id": tx.actor.organization_id,
        "version": 1,
        "created_at": tx.now,
        "created_by": tx.actor.user_id,
        "updated_at": tx.now,
        "updated_by": tx.actor.user_id,
    }
    row = {**own, **content.as_json()}
    [(seq,)] = _INSERT.rows(tx.connection, **FORM.parameters(row))
    values: dict[str, Any] = {**own, "seq": seq}
    made = Block(content=content, **values)
    keep_version(tx, made, reason=reason)
    return made


def change(
    tx: Tx,
    seen: Block,
    content: BlockContent,
    *,
    reason: str | None = None,
    step_id: str | None = None,
    restores: int | None = None,
) -> Block:
    """Give a block that is still as it was `seen` another content.

    Raises: StaleBlock; LabelTaken where an agent that has it has another of its new label.
    """
    row = tx.connection.execute(
        update(block)
        .where(block.c.seq == seen.seq, block.c.version == seen.version, ours(tx))
        .values(
            {
                **content.as_json(),
                "version": seen.version + 1,
                "updated_at": tx.now,
                "updated_by": tx.actor.user_id,
            }
        )
        .returning(block)
    ).first()
    if row is None:
        raise stale(seen, seen.version)
    changed = of_row(row)
    if changed.label != seen.label:
        attachments.relabel(tx, changed.id, changed.label)
    keep_version(tx, changed, reason=reason, step_id=step_id, restores=restores)
    return changed


def stale(found: Block, seen: int) -> StaleBlock:
    return StaleBlock(
        f"Block {found.label!r} ({found.id}) has changed since it was read: version {seen} was"
        " seen, and there is a newer one. Read it again and repeat the edit on what it says now.",
        block_id=found.id,
        seen=seen,
    )


def keep_version(
    tx: Tx,
    now: Block,
    *,
    reason: str | None,
    step_id: str | None = None,
    restores: int | None = None,
) -> None:
    row = {
        "block_seq": now.seq,
        "version": now.version,
        "content": now.content.as_json(),
        "at": tx.now,
        "by": tx.actor.user_id,
        "reason": reason,
        "step_id": step_id,
        "restores": restores,
    }
    _INSERT_VERSION.rows(tx.connection, **VERSION.parameters(row))


def remove(tx: Tx, block_id: BlockId) -> None:
    """With its history; the agents that had it have it no longer. Raises: BlockNotFound."""
    found = get_to_change(tx, block_id)
    attachments.let_go(tx, attachments.BLOCK, block_id)
    tx.connection.execute(delete(block).where(block.c.seq == found.seq))


def history(tx: Tx, of: Block) -> list[BlockVersion]:
    """The newest first."""
    query = (
        select(block_version)
        .where(block_version.c.block_seq == of.seq)
        .order_by(block_version.c.version.desc())
    )
    return [version_of(row) for row in tx.connection.execute(query)]


def version(tx: Tx, of: Block, number: int) -> BlockVersion | None:
    query = select(block_version).where(
        block_version.c.block_seq == of.seq, block_version.c.version == number
    )
    row = tx.connection.execute(query).first()
    return None if row is None else version_of(row)


def version_of(row: Row[Any]) -> BlockVersion:
    return BlockVersion(
        version=row.version,
        content=content_of(row.content),
        at=row.at,
        by=UserId(row.by),
        reason=row.reason,
        step_id=row.step_id,
        restores=row.restores,
    )


def page(tx: Tx, wanted: BlockFilter, part: BlockPage) -> list[Block]:
    """In the order asked for. `before` without `after`: those nearest before it.

    Raises: BlockNotFound where a block that bounds the page isn't there.
    """
    query = select(block).where(ours(tx), *conditions(tx, wanted))
    for bound, later in ((part.after, not part.newest_first), (part.before, part.newest_first)):
        if bound is not None:
            seq = get(tx, bound).seq
            query = query.where(block.c.seq > seq if later else block.c.seq < seq)
    # From the bound backwards, so that the nearest are taken; then turned round.
    turned = part.before is not None and part.after is None
    descending = part.newest_first != turned
    order = block.c.seq.desc() if descending else block.c.seq.asc()
    rows = tx.connection.execute(query.order_by(order).limit(part.limit)).all()
    return [of_row(row) for row in (reversed(rows) if turned else rows)]


def conditions(tx: Tx, wanted: BlockFilter) -> list[ColumnElement[bool]]:
    equal = {
        "label": wanted.label,
        "template_name": wanted.template_name,
        "project_id": wanted.project_id,
    }
    parts = {
        "label": wanted.label_has,
        "value": wanted.value_has,
        "description": wanted.description_has,
    }
    found = [block.c[name] == value for name, value in equal.items() if value is not None]
    found += [
        block.c[name].icontains(value, autoescape=True)
        for name, value in parts.items()
        if value is not None
    ]
    if wanted.templates_only:
        found.append(block.c.is_template)
    found += connected(wanted)
    links = block_identity
    if wanted.identity_id is not None:
        its = select(links.c.block_id).where(links.c.identity_id == wanted.identity_id)
        found.append(block.c.id.in_(its))
    if wanted.identifier_keys:
        found.append(block.c.id.in_(known_by(tx, links.c.block_id, wanted.identifier_keys)))
    if wanted.tags:
        found.append(tagged(tx, wanted.tags, of_all=wanted.all_tags))
    return found


def tagged(tx: Tx, tags: Sequence[str], *, of_all: bool) -> ColumnElement[bool]:
    each = func.jsonb_array_elements_text if tx.postgres else func.json_each
    held = each(block.c.tags).table_valued("value")
    matching = (
        select(func.count(held.c.value.distinct())).where(held.c.value.in_(tags)).scalar_subquery()
    )
    return matching >= literal(len(set(tags)) if of_all else 1)


def connected(wanted: BlockFilter) -> list[ColumnElement[bool]]:
    """By the number of agents that have the block."""
    number = select(func.count()).where(agent_block.c.block_id == block.c.id).scalar_subquery()
    found: list[ColumnElement[bool]] = []
    if wanted.agents_at_least is not None:
        found.append(number >= wanted.agents_at_least)
    if wanted.agents_at_most is not None:
        found.append(number <= wanted.agents_at_most)
    if wanted.agents_exactly is not None:
        found.append(number.in_(wanted.agents_exactly))
    return found
