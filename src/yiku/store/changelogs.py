"""Queries on changes of memory skills, and on the trials of canaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import ColumnElement, Row, insert, select, update

from yiku.core.errors import ChangelogNotFound, NotACanary
from yiku.core.ids import ChangelogId, EncodingId, LookupId, new_id
from yiku.core.memory import Json
from yiku.core.skill import ChangelogStatus, MemorySkill, SkillChangelog, Trial
from yiku.store.database import Tx
from yiku.store.forms import askable
from yiku.store.skill_tables import memory_encoding, memory_lookup, memory_trial
from yiku.store.skill_tables import memory_skill_changelog as table

NAMES = tuple(f.name for f in fields(SkillChangelog))
COLUMNS = [table.c[name] for name in NAMES]


def of_row(row: Row[Any]) -> SkillChangelog:
    values: dict[str, Any] = dict(zip(NAMES, tuple(row), strict=True))
    values["status"] = ChangelogStatus(values["status"])
    return SkillChangelog(**values)


def ours(tx: Tx) -> ColumnElement[bool]:
    return table.c.organization_id == tx.actor.organization_id


def add(
    tx: Tx,
    new: MemorySkill,
    old: MemorySkill | None,
    *,
    reason: str,
    status: ChangelogStatus,
    report: Mapping[str, Json] | None = None,
) -> SkillChangelog:
    """`new` takes the place of `old`, or is to. What needs no decision is decided at once."""
    waits = status is ChangelogStatus.CANARY
    values = {
        "id": new_id("changelog"),
        "organization_id": tx.actor.organization_id,
        "skill_id": new.id,
        "old_skill_id": None if old is None else old.id,
        "name": new.name,
        "old_prompt": "" if old is None else old.prompt_template,
        "new_prompt": new.prompt_template,
        "reason": reason,
        "status": status.value,
        "report": dict(report or {}),
        "created_at": tx.now,
        "created_by": tx.actor.user_id,
        "decided_at": None if waits else tx.now,
        "decided_by": None if waits else tx.actor.user_id,
    }
    row = tx.connection.execute(insert(table).values(values).returning(*COLUMNS)).one()
    return of_row(row)


def get(tx: Tx, changelog_id: ChangelogId) -> SkillChangelog:
    """Raises: ChangelogNotFound."""
    query = select(*COLUMNS).where(table.c.id == changelog_id, ours(tx))
    row = tx.connection.execute(query).first() if askable(changelog_id) else None
    if row is None:
        raise ChangelogNotFound(
            f"There is no change {changelog_id} of a memory skill.", changelog_id=changelog_id
        )
    return of_row(row)


def page(
    tx: Tx, name: str | None = None, before_seq: int | None = None, limit: int = 50
) -> list[SkillChangelog]:
    """The newest first, those before row number `before_seq`."""
    query = select(*COLUMNS).where(ours(tx)).order_by(table.c.seq.desc()).limit(limit)
    if name is not None:
        query = query.where(table.c.name == name)
    if before_seq is not None:
        query = query.where(table.c.seq < before_seq)
    return [of_row(row) for row in tx.connection.execute(query)]


def waiting(tx: Tx, name: str) -> SkillChangelog | None:
    """That of the skill's canary."""
    query = select(*COLUMNS).where(
        ours(tx), table.c.name == name, table.c.status == ChangelogStatus.CANARY.value
    )
    row = tx.connection.execute(query).first() if askable(name) else None
    return None if row is None else of_row(row)


def decide(
    tx: Tx, entry: SkillChangelog, status: ChangelogStatus, reason: str | None = None
) -> SkillChangelog:
    """Once; `reason` is written under the one it was proposed with.

    Raises: NotACanary where it was decided already.
    """
    values: dict[str, Any] = {
        "status": status.value,
        "decided_at": tx.now,
        "decided_by": tx.actor.user_id,
    }
    if reason:
        values["reason"] = f"{entry.reason}\n\n{reason}".strip()
    row = tx.connection.execute(
        update(table)
        .where(table.c.seq == entry.seq, table.c.status == ChangelogStatus.CANARY.value, ours(tx))
        .values(values)
        .returning(*COLUMNS)
    ).first()
    if row is None:
        now = get(tx, entry.id)
        raise NotACanary(
            f"The change {entry.id} of the memory skill {entry.name!r} is {now.status} already; it"
            " is no canary.",
            changelog_id=entry.id,
            status=now.status,
        )
    return of_row(row)


def add_trials(tx: Tx, entry: SkillChangelog, trials: Sequence[Trial]) -> None:
    """The pairs of its canary's trial, in their order. One whose input has been deleted for good
    meanwhile isn't kept."""
    encodings = seqs_of(tx, memory_encoding, [one.encoding_id for one in trials])
    lookups = seqs_of(tx, memory_lookup, [one.lookup_id for one in trials])
    rows = [
        {
            "changelog_id": entry.id,
            "n": n,
            "encoding_seq": encodings.get(one.encoding_id or ""),
            "lookup_seq": lookups.get(one.lookup_id or ""),
            "failed_before": one.failed_before,
            "old": dict(one.old),
            "new": dict(one.new),
            "old_score": one.old_score,
            "new_score": one.new_score,
        }
        for n, one in enumerate(trials, 1)
    ]
    kept = [row for row in rows if row["encoding_seq"] is not None or row["lookup_seq"] is not None]
    if kept:
        tx.connection.execute(insert(memory_trial), kept)


def seqs_of(tx: Tx, table: Any, ids: Sequence[str | None]) -> dict[str, int]:
    wanted = [one for one in ids if one is not None]
    query = select(table.c.id, table.c.seq).where(
        table.c.id.in_(wanted), table.c.organization_id == tx.actor.organization_id
    )
    return {row[0]: row[1] for row in tx.connection.execute(query)} if wanted else {}


def trials(tx: Tx, entry: SkillChangelog) -> list[Trial]:
    """Those whose inputs have not been deleted since."""
    query = (
        select(memory_trial, memory_encoding.c.id, memory_lookup.c.id)
        .outerjoin(memory_encoding, memory_encoding.c.seq == memory_trial.c.encoding_seq)
        .outerjoin(memory_lookup, memory_lookup.c.seq == memory_trial.c.lookup_seq)
        .join(table, table.c.id == memory_trial.c.changelog_id)
        .where(table.c.id == entry.id, ours(tx))
        .order_by(memory_trial.c.n)
    )
    found: list[Trial] = []
    for row in tx.connection.execute(query):
        encoding_id, lookup_id = row[-2:]
        found.append(
            Trial(
                encoding_id=None if encoding_id is None else EncodingId(encoding_id),
                lookup_id=None if lookup_id is None else LookupId(lookup_id),
                failed_before=row.failed_before,
                old=row.old,
                new=row.new,
                old_score=row.old_score,
                new_score=row.new_score,
            )
        )
    return found
