"""Queries on judgements on skills. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from yiku.core.ids import EncodingId, LookupId, PassageId, SkillId, new_id
from yiku.core.memory import Json
from yiku.core.skill import Feedback, FeedbackKind
from yiku.store import hot, skills
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.skill_tables import memory_feedback as table
from yiku.store.tables import passage

FORM = Form(table)
NAMES = tuple(column.name for column in table.columns if column.name != "passage_seq")
COLUMNS = [*(table.c[name] for name in NAMES), passage.c.id]

_NEW = [name for name in FORM.names if name != "seq"]
_INSERT = hot.Select(
    f"INSERT INTO memory_feedback ({', '.join(_NEW)})"
    f" VALUES ({', '.join(f':{name}' for name in _NEW)})"
    " ON CONFLICT (organization_id, key) DO NOTHING RETURNING seq"
)


def ours(tx: Tx) -> ColumnElement[bool]:
    return table.c.organization_id == tx.actor.organization_id


def add(
    tx: Tx,
    *,
    skill_id: SkillId,
    kind: FeedbackKind,
    key: str,
    evidence: Mapping[str, Json],
    passage_id: PassageId | None = None,
    encoding_id: EncodingId | None = None,
    lookup_id: LookupId | None = None,
    query: str | None = None,
) -> bool:
    """Keep a judgement, and count it for its skill. False: the same one was there, nothing is
    counted; or its memory was erased meanwhile.

    `evidence` may quote the memory, what it was found with in its run, the reply to that, and the
    original of the encoding that made or ended it: all of them go together.
    """
    seq = None
    if passage_id is not None:
        found = select(passage.c.seq).where(
            passage.c.id == passage_id, passage.c.organization_id == tx.actor.organization_id
        )
        seq = tx.connection.execute(found).scalar()
        if seq is None:
            return False
    values: dict[str, Any] = {
        "id": new_id("feedback"),
        "organization_id": tx.actor.organization_id,
        "skill_id": skill_id,
        "kind": kind.value,
        "passage_seq": seq,
        "encoding_id": encoding_id,
        "lookup_id": lookup_id,
        "query": query,
        "evidence": dict(evidence),
        "key": key,
        "created_at": tx.now,
    }
    if not _INSERT.rows(tx.connection, **FORM.parameters(values)):
        return False
    skills.count(tx, skill_id, kind.positive)
    return True


def read(tx: Tx, query: Select[Any]) -> list[Feedback]:
    """Judgements by a query of `COLUMNS`."""
    found: list[Feedback] = []
    for row in tx.connection.execute(query):
        *cells, passage_id = tuple(row)
        values: dict[str, Any] = dict(zip(NAMES, cells, strict=True))
        values["kind"] = FeedbackKind(values["kind"])
        found.append(Feedback(**values, passage_id=passage_id))
    return found


def with_passages(tx: Tx) -> Select[Any]:
    joined = table.outerjoin(passage, passage.c.seq == table.c.passage_seq)
    return select(*COLUMNS).select_from(joined).where(ours(tx))


def of_skill(
    tx: Tx,
    skill_id: SkillId,
    kinds: Collection[FeedbackKind] | None = None,
    before_seq: int | None = None,
    limit: int = 50,
) -> list[Feedback]:
    """On one version, the newest first."""
    query = with_passages(tx).where(table.c.skill_id == skill_id)
    if kinds is not None:
        query = query.where(table.c.kind.in_([one.value for one in kinds]))
    if before_seq is not None:
        query = query.where(table.c.seq < before_seq)
    return read(tx, query.order_by(table.c.seq.desc()).limit(limit))


def of_passage(tx: Tx, passage_id: PassageId) -> list[Feedback]:
    """The oldest first."""
    if not askable(passage_id):
        return []
    return read(tx, with_passages(tx).where(passage.c.id == passage_id).order_by(table.c.seq))


def by_kind(tx: Tx) -> dict[SkillId, dict[FeedbackKind, int]]:
    """How many there still are, by version and kind: those on erased memories went with them."""
    query = (
        select(table.c.skill_id, table.c.kind, func.count())
        .where(ours(tx))
        .group_by(table.c.skill_id, table.c.kind)
    )
    found: dict[SkillId, dict[FeedbackKind, int]] = {}
    for skill_id, kind, number in tx.connection.execute(query):
        found.setdefault(SkillId(skill_id), {})[FeedbackKind(kind)] = int(number)
    return found
