"""Queries on memory skills: a row a version. Each sees the actor's organization only."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select, update

from yiku.core.errors import Conflict, SkillExists, SkillNotFound
from yiku.core.ids import SkillId, new_id
from yiku.core.skill import MemorySkill, SkillDraft, SkillStatus, SkillType
from yiku.store import hot
from yiku.store.database import Tx
from yiku.store.forms import Form, askable
from yiku.store.skill_tables import memory_skill as table

NAMES = tuple(f.name for f in fields(MemorySkill))
COLUMNS = [table.c[name] for name in NAMES]
ACTIVE = (SkillStatus.ACTIVE,)

FORM = Form(table)
_WITH_STATUS = hot.Select(
    f"SELECT {FORM.columns} FROM memory_skill"
    " WHERE organization_id = :organization AND status IN :statuses* ORDER BY name, version"
)
_AGAINST_FILES = hot.Select(
    f"SELECT {FORM.columns} FROM memory_skill WHERE organization_id = :organization"
    " AND (status = 'active' OR version ="
    " (SELECT max(other.version) FROM memory_skill AS other WHERE other.is_base"
    " AND other.organization_id = :organization AND other.name = memory_skill.name))"
    " ORDER BY name, version"
)


def of_row(row: Row[Any]) -> MemorySkill:
    return of_values(dict(zip(NAMES, tuple(row), strict=True)))


def of_values(values: dict[str, Any]) -> MemorySkill:
    values["skill_type"] = SkillType(values["skill_type"])
    values["status"] = SkillStatus(values["status"])
    values["intent_keywords"] = tuple(values["intent_keywords"])
    return MemorySkill(**values)


def of_raw(row: Sequence[Any]) -> MemorySkill:
    """A row of `FORM.columns` from the driver. Every lookup reads them and they rarely change: from
    SQLite, equal rows are one MemorySkill. Postgres's driver has read the JSON already.
    """
    key = tuple(row)
    return read_row(key) if isinstance(row[DESCRIPTION], str) else read_values(key)


def read_values(row: tuple[Any, ...]) -> MemorySkill:
    return of_values(FORM.values(row))


read_row = lru_cache(maxsize=256)(read_values)
DESCRIPTION = FORM.place["description"]


def ours(tx: Tx) -> ColumnElement[bool]:
    return table.c.organization_id == tx.actor.organization_id


def all(
    tx: Tx, skill_type: SkillType | None = None, statuses: Collection[SkillStatus] = ACTIVE
) -> list[MemorySkill]:
    """By name, versions of one in their order."""
    rows = _WITH_STATUS.rows(
        tx.connection, organization=tx.actor.organization_id, statuses=[s.value for s in statuses]
    )
    found = map(of_raw, rows)
    return [one for one in found if skill_type is None or one.skill_type is skill_type]


def against_files(tx: Tx) -> list[MemorySkill]:
    """What files are compared with: active versions, and the last of each name from a file."""
    rows = _AGAINST_FILES.rows(tx.connection, organization=tx.actor.organization_id)
    return [of_raw(row) for row in rows]


def get(tx: Tx, skill_id: SkillId) -> MemorySkill:
    """A version. Raises: SkillNotFound."""
    query = select(*COLUMNS).where(table.c.id == skill_id, ours(tx))
    row = tx.connection.execute(query).first() if askable(skill_id) else None
    if row is None:
        raise SkillNotFound(f"There is no memory skill {skill_id}.", skill_id=skill_id)
    return of_row(row)


def by_id(tx: Tx, ids: Collection[SkillId]) -> dict[SkillId, MemorySkill]:
    """The versions there are."""
    known = [one for one in ids if askable(one)]
    query = select(*COLUMNS).where(table.c.id.in_(known), ours(tx))
    found = [of_row(row) for row in tx.connection.execute(query)] if known else []
    return {one.id: one for one in found}


def active(tx: Tx, name: str) -> MemorySkill | None:
    return with_status(tx, name, SkillStatus.ACTIVE)


def canary(tx: Tx, name: str) -> MemorySkill | None:
    return with_status(tx, name, SkillStatus.CANARY)


def with_status(tx: Tx, name: str, status: SkillStatus) -> MemorySkill | None:
    if not askable(name):
        return None
    query = select(*COLUMNS).where(table.c.name == name, table.c.status == status.value, ours(tx))
    row = tx.connection.execute(query).first()
    return None if row is None else of_row(row)


def versions(tx: Tx, name: str) -> list[MemorySkill]:
    """Of a skill, the newest first; empty where there is no such skill."""
    if not askable(name):
        return []
    query = select(*COLUMNS).where(table.c.name == name, ours(tx)).order_by(table.c.version.desc())
    return [of_row(row) for row in tx.connection.execute(query)]


def add(
    tx: Tx,
    draft: SkillDraft,
    *,
    status: SkillStatus,
    is_base: bool,
    parent: MemorySkill | None = None,
) -> MemorySkill:
    """The next version of the draft's name. Raises: SkillExists where one version has the status
    already, and only one can."""
    if status is not SkillStatus.DEPRECATED:
        demand_free(tx, draft.name, status)
    last = select(func.max(table.c.version)).where(table.c.name == draft.name, ours(tx))
    values = {
        "id": new_id("skill"),
        "organization_id": tx.actor.organization_id,
        "name": draft.name,
        "version": (tx.connection.execute(last).scalar() or 0) + 1,
        "skill_type": draft.skill_type.value,
        "status": status.value,
        "description": dict(draft.description),
        "intent_keywords": list(draft.intent_keywords),
        "prompt_template": draft.prompt_template,
        "is_base": is_base,
        "positive_count": 0,
        "negative_count": 0,
        "parent_id": None if parent is None else parent.id,
        "created_at": tx.now,
        "created_by": tx.actor.user_id,
    }
    row = tx.connection.execute(insert(table).values(values).returning(*COLUMNS)).one()
    return of_row(row)


def demand_free(tx: Tx, name: str, status: SkillStatus) -> None:
    """Raises: SkillExists."""
    there = with_status(tx, name, status)
    if there is None:
        return
    advice = (
        "Edit it, or choose another name."
        if status is SkillStatus.ACTIVE
        else "Approve or reject it first."
    )
    raise SkillExists(
        f"Version {there.version} of the memory skill {name!r} is {status} already. {advice}",
        name=name,
        skill_id=there.id,
    )


def set_status(tx: Tx, seen: MemorySkill, status: SkillStatus) -> MemorySkill:
    """Of a version whose status is still the one that was seen. Raises: Conflict."""
    row = tx.connection.execute(
        update(table)
        .where(table.c.seq == seen.seq, table.c.status == seen.status.value, ours(tx))
        .values(status=status.value)
        .returning(*COLUMNS)
    ).first()
    if row is None:
        raise Conflict(
            f"Version {seen.version} of the memory skill {seen.name!r} is no longer {seen.status}:"
            " it was changed meanwhile. Look at it again.",
            name=seen.name,
            skill_id=seen.id,
        )
    return of_row(row)


def count(tx: Tx, skill_id: SkillId, positive: bool) -> None:
    """One judgement more on a version."""
    column = table.c.positive_count if positive else table.c.negative_count
    tx.connection.execute(
        update(table).where(table.c.id == skill_id, ours(tx)).values({column: column + 1})
    )
