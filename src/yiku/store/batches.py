"""Queries on batches and their items. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, func, insert, select, update

from yiku.core.batch import Batch, BatchItem, BatchPage, BatchStatus
from yiku.core.errors import BatchNotFound
from yiku.core.ids import BatchId, RunId
from yiku.core.run import Callback
from yiku.store import attachments, paging, runs
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.paging import Order, Place
from yiku.store.place_tables import batch, batch_item

FIELDS = tuple(Batch.__dataclass_fields__)
ITEM = tuple(BatchItem.__dataclass_fields__)
OPEN = (BatchStatus.CREATED.value, BatchStatus.RUNNING.value)


def own(tx: Tx) -> ColumnElement[bool]:
    return batch.c.organization_id == tx.actor.organization_id


def of_row(row: RowMapping) -> Batch:
    values: dict[str, Any] = {name: row[name] for name in FIELDS}
    values["status"] = BatchStatus(values["status"])
    return Batch(**values)


def item_of_row(row: RowMapping) -> BatchItem:
    values: dict[str, Any] = {name: row[name] for name in ITEM}
    values["status"] = BatchStatus(values["status"])
    values["request"] = runs.request_of(values["request"])
    return BatchItem(**values)


def add(tx: Tx, new: Batch, items: Sequence[BatchItem]) -> Batch:
    """Returns it with its `seq`. Raises: AgentNotFound."""
    for agent_id in sorted({one.agent_id for one in items}):
        attachments.demand(tx, agent_id)
    organization = {"organization_id": tx.actor.organization_id}
    values = {name: getattr(new, name) for name in FIELDS if name != "seq"}
    values |= organization | {"status": new.status.value}
    seq = tx.connection.execute(insert(batch).values(values).returning(batch.c.seq)).scalar_one()
    rows = [
        {name: getattr(one, name) for name in ITEM}
        | organization
        | {"status": one.status.value, "request": runs.request_to_json(one.request)}
        for one in items
    ]
    tx.connection.execute(insert(batch_item), rows)
    return replace(new, seq=seq)


def get(tx: Tx, batch_id: BatchId) -> Batch:
    """Raises: BatchNotFound."""
    query = select(batch).where(own(tx), batch.c.id == batch_id)
    row = tx.connection.execute(query).mappings().first() if askable(batch_id) else None
    if row is None:
        raise BatchNotFound(f"There is no batch {batch_id}.", batch_id=batch_id)
    return of_row(row)


def page(tx: Tx, part: BatchPage) -> list[Batch]:
    """In the order of creation. Raises: BatchNotFound where one that bounds it isn't there."""

    def place(batch_id: str) -> Place:
        return None, get(tx, BatchId(batch_id)).seq

    seqs = paging.seqs(tx, select(batch.c.seq).where(own(tx)), Order(batch.c.seq), part, place)
    rows = tx.connection.execute(select(batch).where(batch.c.seq.in_(seqs))).mappings()
    return paging.in_order(seqs, map(of_row, rows))


def of_batch(tx: Tx, batch_id: BatchId) -> ColumnElement[bool]:
    organization = batch_item.c.organization_id == tx.actor.organization_id
    return organization & (batch_item.c.batch_id == batch_id)


def counts(tx: Tx, batch_ids: Sequence[BatchId]) -> Mapping[BatchId, Mapping[str, int]]:
    """How many items of each batch are in each state."""
    query = (
        select(batch_item.c.batch_id, batch_item.c.status, func.count())
        .where(
            batch_item.c.organization_id == tx.actor.organization_id,
            batch_item.c.batch_id.in_(batch_ids),
        )
        .group_by(batch_item.c.batch_id, batch_item.c.status)
    )
    found: dict[BatchId, dict[str, int]] = {one: {} for one in batch_ids}
    for batch_id, status, count in tx.connection.execute(query):
        found[batch_id][status] = count
    return found


def going_on(tx: Tx, batch_id: BatchId) -> list[BatchItem]:
    """The items that have begun and not ended, in their order."""
    return items(tx, batch_id, BatchStatus.RUNNING, None)


def next_ones(tx: Tx, batch_id: BatchId, limit: int) -> list[BatchItem]:
    """The first items that haven't begun, one of an agent."""
    first = (
        select(func.min(batch_item.c.n))
        .where(of_batch(tx, batch_id), batch_item.c.status == BatchStatus.CREATED.value)
        .group_by(batch_item.c.agent_id)
    )
    query = (
        select(batch_item)
        .where(of_batch(tx, batch_id), batch_item.c.n.in_(first))
        .order_by(batch_item.c.n)
        .limit(limit)
    )
    return [item_of_row(row) for row in tx.connection.execute(query).mappings()]


def items(
    tx: Tx, batch_id: BatchId, status: BatchStatus | None, limit: int | None
) -> list[BatchItem]:
    query = select(batch_item).where(of_batch(tx, batch_id)).order_by(batch_item.c.n).limit(limit)
    if status is not None:
        query = query.where(batch_item.c.status == status.value)
    return [item_of_row(row) for row in tx.connection.execute(query).mappings()]


def numbers_of(tx: Tx, batch_id: BatchId, run_ids: Sequence[RunId]) -> dict[RunId, int]:
    """Which item each of these runs is of."""
    query = select(batch_item.c.run_id, batch_item.c.n).where(
        of_batch(tx, batch_id), batch_item.c.run_id.in_(run_ids)
    )
    return {RunId(run_id): n for run_id, n in tx.connection.execute(query)}


def set_item(
    tx: Tx,
    one: BatchItem,
    status: BatchStatus,
    *,
    run_id: RunId | None = None,
    problem: str | None = None,
) -> bool:
    """What has become of an item; False where it had ended already."""
    done = tx.connection.execute(
        update(batch_item)
        .where(of_batch(tx, one.batch_id), batch_item.c.n == one.n, batch_item.c.status.in_(OPEN))
        .values(status=status.value, run_id=run_id or one.run_id, problem=problem)
    )
    return done.rowcount > 0


def end(tx: Tx, batch_id: BatchId, status: BatchStatus) -> bool:
    """It has ended; items that hadn't begun are cancelled with it. False: it had ended already."""
    done = tx.connection.execute(
        update(batch)
        .where(own(tx), batch.c.id == batch_id, batch.c.status.in_(OPEN))
        .values(status=status.value, completed_at=tx.now)
    )
    if done.rowcount:
        tx.connection.execute(
            update(batch_item)
            .where(of_batch(tx, batch_id), batch_item.c.status == BatchStatus.CREATED.value)
            .values(status=BatchStatus.CANCELLED.value)
        )
    return done.rowcount > 0


def note_callback(tx: Tx, batch_id: BatchId, tried: Callback) -> None:
    """Of a batch that has been erased meanwhile nothing is noted."""
    tx.connection.execute(
        update(batch).where(own(tx), batch.c.id == batch_id).values(runs.callback_values(tried))
    )


def begin(tx: Tx, batch_id: BatchId) -> None:
    tx.connection.execute(
        update(batch)
        .where(own(tx), batch.c.id == batch_id, batch.c.status == BatchStatus.CREATED.value)
        .values(status=BatchStatus.RUNNING.value)
    )
