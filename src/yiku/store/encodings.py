"""Queries on encodings: texts on their way through a skill, and the passages they touched. Each
sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Select,
    Table,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy import update as update_rows

from yiku.core.ids import (
    AgentId,
    ArchiveId,
    ChangeId,
    EncodingId,
    MessageId,
    PassageId,
    RunId,
    SkillId,
    new_id,
)
from yiku.core.skill import Encoding, EncodingStatus, FeedbackKind, Op, Operation
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.passages import CHUNK
from yiku.store.skill_tables import memory_encoding as table
from yiku.store.skill_tables import (
    memory_encoding_item,
    memory_feedback,
    memory_lookup,
    memory_lookup_item,
)
from yiku.store.tables import passage

NAMES = tuple(f.name for f in fields(Encoding))
COLUMNS = [table.c[name] for name in NAMES]

RAW = "raw"
"""The item that is the passage with the text as it came; what was written is named as its `Op`,
and so is what was forgotten."""
SUPERSEDED = "superseded"
"""The item that is a known memory which what was written stands in the place of."""

AGAINST = [kind.value for kind in FeedbackKind if not kind.positive]

Item = tuple[PassageId, str, ChangeId | None]
"""A passage that an encoding touched, what was done to it, and the entry of its history."""


def of_row(row: Sequence[Any]) -> Encoding:
    values: dict[str, Any] = dict(zip(NAMES, tuple(row), strict=True))
    values["status"] = EncodingStatus(values["status"])
    values["operations"] = tuple([operation_of(one) for one in values["operations"]])
    return Encoding(**values)


def operation_of(value: Mapping[str, Any]) -> Operation:
    return Operation(op=Op(value["op"]), text=value["text"], target=value["target"])


def operation_to_json(one: Operation) -> dict[str, Any]:
    return {"op": one.op.value, "text": one.text, "target": one.target}


def ours(tx: Tx) -> ColumnElement[bool]:
    return table.c.organization_id == tx.actor.organization_id


def add(
    tx: Tx,
    *,
    archive_id: ArchiveId,
    skill_id: SkillId,
    content: str,
    language: str,
    status: EncodingStatus = EncodingStatus.PENDING,
    raw_id: PassageId | None = None,
    agent_id: AgentId | None = None,
    run_id: RunId | None = None,
    message_id: MessageId | None = None,
) -> Encoding:
    """With the item of its raw passage, where there is one."""
    values: dict[str, Any] = {
        "id": new_id("encoding"),
        "organization_id": tx.actor.organization_id,
        "archive_id": archive_id,
        "skill_id": skill_id,
        "status": status.value,
        "content": content,
        "language": language,
        "raw_id": raw_id,
        "agent_id": agent_id,
        "run_id": run_id,
        "message_id": message_id,
        "tries": 0,
        "problem": None,
        "operations": [],
        "model": None,
        "prompt_tokens": 0,
        "completion_tokens": 0,
        "created_at": tx.now,
        "encoded_at": None,
    }
    row = tx.connection.execute(insert(table).values(values).returning(*COLUMNS)).one()
    made = of_row(row)
    if raw_id is not None:
        link(tx, made, [(raw_id, RAW, None)])
    return made


def get(tx: Tx, encoding_id: EncodingId) -> Encoding | None:
    """None where there is none, or it was erased with its memory."""
    return the_one(tx, select(*COLUMNS), encoding_id)


def get_to_change(tx: Tx, encoding_id: EncodingId) -> Encoding | None:
    """As `get`; until the commit nobody else changes it."""
    return the_one(tx, select(*COLUMNS).with_for_update(), encoding_id)


def the_one(tx: Tx, query: Select[Any], encoding_id: EncodingId) -> Encoding | None:
    found = query.where(table.c.id == encoding_id, ours(tx))
    row = tx.connection.execute(found).first() if askable(encoding_id) else None
    return None if row is None else of_row(row)


def put(tx: Tx, one: Encoding) -> bool:
    """Write what has become of it; False where it was erased meanwhile."""
    done = tx.connection.execute(
        update_rows(table)
        .where(table.c.seq == one.seq, table.c.id == one.id, ours(tx))
        .values(
            skill_id=one.skill_id,
            status=one.status.value,
            raw_id=one.raw_id,
            tries=one.tries,
            problem=one.problem,
            operations=[operation_to_json(each) for each in one.operations],
            model=one.model,
            prompt_tokens=one.prompt_tokens,
            completion_tokens=one.completion_tokens,
            encoded_at=one.encoded_at,
        )
        .returning(table.c.seq)
    )
    return done.first() is not None


def link(tx: Tx, one: Encoding, items: Sequence[Item]) -> None:
    """These passages it touched, too. One that it touched before has the latest."""
    wanted = dict.fromkeys(item[0] for item in items)
    query = select(passage.c.id, passage.c.seq).where(
        passage.c.id.in_(wanted), passage.c.organization_id == tx.actor.organization_id
    )
    seqs = {row[0]: row[1] for row in tx.connection.execute(query)} if wanted else {}
    rows = {
        seqs[passage_id]: {
            "encoding_seq": one.seq,
            "passage_seq": seqs[passage_id],
            "op": str(op),
            "change_id": change_id,
        }
        for passage_id, op, change_id in items
        if passage_id in seqs
    }
    if not rows:
        return
    tx.connection.execute(
        delete(memory_encoding_item).where(
            memory_encoding_item.c.encoding_seq == one.seq,
            memory_encoding_item.c.passage_seq.in_(rows),
        )
    )
    tx.connection.execute(insert(memory_encoding_item), list(rows.values()))


def items(tx: Tx, one: Encoding) -> list[Item]:
    """In the order the passages were stored."""
    query = (
        select(passage.c.id, memory_encoding_item.c.op, memory_encoding_item.c.change_id)
        .join(passage, passage.c.seq == memory_encoding_item.c.passage_seq)
        .where(
            memory_encoding_item.c.encoding_seq == one.seq,
            passage.c.organization_id == tx.actor.organization_id,
        )
        .order_by(passage.c.seq)
    )
    return [(row[0], row[1], row[2]) for row in tx.connection.execute(query)]


def of_passage(tx: Tx, passage_id: PassageId) -> list[tuple[Encoding, str]]:
    """The encodings that touched it, with what each did; the oldest first."""
    query = (
        select(*COLUMNS, memory_encoding_item.c.op)
        .join(memory_encoding_item, memory_encoding_item.c.encoding_seq == table.c.seq)
        .join(passage, passage.c.seq == memory_encoding_item.c.passage_seq)
        .where(passage.c.id == passage_id, ours(tx))
        .order_by(table.c.seq)
    )
    if not askable(passage_id):
        return []
    return [(of_row(tuple(row)[:-1]), row[-1]) for row in tx.connection.execute(query)]


def pending(tx: Tx, after_seq: int = 0, limit: int = 100) -> list[Encoding]:
    """Those no model has seen yet, the oldest first."""
    query = (
        select(*COLUMNS)
        .where(ours(tx), table.c.status == EncodingStatus.PENDING.value, table.c.seq > after_seq)
        .order_by(table.c.seq)
        .limit(limit)
    )
    return [of_row(row) for row in tx.connection.execute(query)]


def of_skill(
    tx: Tx,
    skill_id: SkillId,
    status: EncodingStatus | None = None,
    before_seq: int | None = None,
    limit: int = 50,
) -> list[Encoding]:
    """Of one version, the newest first."""
    query = (
        select(*COLUMNS)
        .where(ours(tx), table.c.skill_id == skill_id)
        .order_by(table.c.seq.desc())
        .limit(limit)
    )
    if status is not None:
        query = query.where(table.c.status == status.value)
    if before_seq is not None:
        query = query.where(table.c.seq < before_seq)
    return [of_row(row) for row in tx.connection.execute(query)]


def counts(tx: Tx) -> dict[SkillId, dict[EncodingStatus, int]]:
    """How many there are, by version and status."""
    query = (
        select(table.c.skill_id, table.c.status, func.count())
        .where(ours(tx))
        .group_by(table.c.skill_id, table.c.status)
    )
    found: dict[SkillId, dict[EncodingStatus, int]] = {}
    for skill_id, status, number in tx.connection.execute(query):
        found.setdefault(SkillId(skill_id), {})[EncodingStatus(status)] = int(number)
    return found


def originals(tx: Tx, passage_seqs: Sequence[int]) -> list[PassageId]:
    """The raw passages that these were made from: what was said, in its own words."""
    found: list[PassageId] = []
    wrote = memory_encoding_item.alias()
    for part in parts_of(passage_seqs):
        query = (
            select(passage.c.id)
            .join(memory_encoding_item, memory_encoding_item.c.passage_seq == passage.c.seq)
            .join(wrote, wrote.c.encoding_seq == memory_encoding_item.c.encoding_seq)
            .where(
                wrote.c.passage_seq.in_(part),
                wrote.c.op.in_([Op.ADD.value, Op.SUPERSEDE.value]),
                memory_encoding_item.c.op == RAW,
                passage.c.organization_id == tx.actor.organization_id,
                # One that still stands for itself isn't what the deleted one came from.
                passage.c.superseded_by.is_not(None),
            )
            .distinct()
        )
        found += [PassageId(one) for one in tx.connection.execute(query).scalars()]
    return found


def erase_of(tx: Tx, passage_seqs: Sequence[int]) -> None:
    """Before these passages are erased: delete whatever quotes them. That is every encoding that
    touched one, with the original text, its trials, and judgements that name it; and every lookup
    that found one, whose query may hold its words.
    """
    for part in parts_of(passage_seqs):
        remove(
            tx,
            TOUCHED.where(memory_encoding_item.c.passage_seq.in_(part)),
            FOUND.where(memory_lookup_item.c.passage_seq.in_(part)),
        )


def erase_of_archive(tx: Tx, archive_id: ArchiveId) -> None:
    """As `erase_of`, of all that an archive holds."""
    inside = select(passage.c.seq).where(passage.c.archive_id == archive_id)
    remove(
        tx,
        TOUCHED.where(memory_encoding_item.c.passage_seq.in_(inside)).union(
            select(*ROW).where(table.c.archive_id == archive_id)
        ),
        FOUND.where(memory_lookup_item.c.passage_seq.in_(inside)),
    )


Rows = Select[Any, Any, Any] | CompoundSelect[Any, Any, Any]
ROW = (table.c.seq, table.c.id, table.c.organization_id)
LOOKUP = memory_lookup.c
TOUCHED = select(*ROW).select_from(memory_encoding_item.join(table))
FOUND = select(LOOKUP.seq, LOOKUP.id, LOOKUP.organization_id).select_from(
    memory_lookup_item.join(memory_lookup)
)


def remove(tx: Tx, touched: Rows, found: Rows) -> None:
    """Encodings and lookups, of rows of `seq`, `id` and organization."""

    def own(query: Rows) -> dict[int, str]:
        # Asked for in SQL, SQLite would go through all of the organization's instead.
        rows: list[Any] = list(tx.connection.execute(query))
        return {seq: some_id for seq, some_id, whose in rows if whose == tx.actor.organization_id}

    encodings, lookups = own(touched), own(found)
    # Feedback on a memory that such an encoding corrected quotes what took its place.
    against = memory_feedback.c.kind.in_(AGAINST)
    for part in parts_of(list(encodings)):
        beside = select(memory_encoding_item.c.passage_seq).where(
            memory_encoding_item.c.encoding_seq.in_(part)
        )
        forget(tx, memory_feedback, memory_feedback.c.passage_seq.in_(beside) & against)
        ids = [encodings[seq] for seq in part]
        forget(tx, memory_feedback, memory_feedback.c.encoding_id.in_(ids))
        forget(tx, table, table.c.seq.in_(part))
    for part in parts_of(list(lookups)):
        # Judgements quote the reply, which drew on all that its run had looked up.
        runs = select(LOOKUP.run_id).where(LOOKUP.seq.in_(part))
        beside = select(LOOKUP.id).where(LOOKUP.seq.in_(part) | LOOKUP.run_id.in_(runs))
        forget(tx, memory_feedback, memory_feedback.c.lookup_id.in_(beside))
        forget(tx, memory_lookup, LOOKUP.seq.in_(part))


def forget(tx: Tx, of: Table, which: ColumnElement[bool]) -> None:
    tx.connection.execute(delete(of).where(which))


def parts_of(seqs: Sequence[int]) -> list[Sequence[int]]:
    return [seqs[start : start + CHUNK] for start in range(0, len(seqs), CHUNK)]
