"""Checks of memory skills' rows: what no key watches."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, func, or_, select

from yiku.core.skill import (
    ChangelogStatus,
    EncodingStatus,
    FeedbackKind,
    SkillStatus,
    SkillType,
)
from yiku.store.encodings import operation_of
from yiku.store.skill_tables import (
    memory_encoding,
    memory_encoding_item,
    memory_feedback,
    memory_lookup,
    memory_lookup_item,
    memory_skill,
    memory_skill_changelog,
)
from yiku.store.tables import archive, passage
from yiku.store.verify_agents import LISTED, elsewhere, unreadable

POSITIVE = [kind.value for kind in FeedbackKind if kind.positive]


def skill_problems(connection: Connection) -> list[str]:
    """What skills did is their organization's, canaries wait for a decision, no judgement is
    counted less often than it is there, and JSON can be read."""
    problems: list[str] = []
    for table in (memory_skill_changelog, memory_encoding, memory_lookup, memory_feedback):
        problems += elsewhere(connection, table, memory_skill, "skill_id")
    problems += elsewhere(connection, memory_encoding, archive, "archive_id")
    problems += items_elsewhere(connection)
    problems += undecided(connection)
    problems += uncounted(connection)
    for table, name, kind in (
        (memory_skill, "status", SkillStatus),
        (memory_skill, "skill_type", SkillType),
        (memory_skill_changelog, "status", ChangelogStatus),
        (memory_encoding, "status", EncodingStatus),
        (memory_feedback, "kind", FeedbackKind),
    ):
        problems += unreadable(connection, table, name, kind)
    problems += unreadable(connection, memory_encoding, "operations", read_operations)
    return problems


def read_operations(value: Sequence[dict[str, object]]) -> list[object]:
    return [operation_of(one) for one in value]


def items_elsewhere(connection: Connection) -> list[str]:
    problems: list[str] = []
    for table, items in (
        (memory_encoding, memory_encoding_item),
        (memory_lookup, memory_lookup_item),
    ):
        query = (
            select(table.c.id, passage.c.id)
            .select_from(table.join(items).join(passage))
            .where(passage.c.organization_id != table.c.organization_id)
            .limit(LISTED)
        )
        words = "{} and its {} belong to different organizations"
        problems += [words.format(*row) for row in connection.execute(query)]
    return problems


def undecided(connection: Connection) -> list[str]:
    """A version is a canary as long as a change of it waits."""
    waits = and_(
        memory_skill_changelog.c.skill_id == memory_skill.c.id,
        memory_skill_changelog.c.status == ChangelogStatus.CANARY.value,
    )
    query = (
        select(memory_skill.c.id, memory_skill.c.status, memory_skill_changelog.c.id)
        .outerjoin(memory_skill_changelog, waits)
        .where(
            or_(
                and_(
                    memory_skill.c.status == SkillStatus.CANARY.value,
                    memory_skill_changelog.c.id.is_(None),
                ),
                and_(
                    memory_skill.c.status != SkillStatus.CANARY.value,
                    memory_skill_changelog.c.id.is_not(None),
                ),
            )
        )
        .limit(LISTED)
    )
    return [
        f"{skill_id} is a canary, and no change of it waits for a decision"
        if change_id is None
        else f"{skill_id} is {status}, and its change {change_id} still waits for a decision"
        for skill_id, status, change_id in connection.execute(query)
    ]


def uncounted(connection: Connection) -> list[str]:
    """Counts stay when judgements go with their memories, so they may be more."""
    positive = func.count().filter(memory_feedback.c.kind.in_(POSITIVE))
    negative = func.count().filter(memory_feedback.c.kind.not_in(POSITIVE))
    query = (
        select(memory_skill.c.id, memory_skill.c.positive_count, memory_skill.c.negative_count)
        .join(memory_feedback, memory_feedback.c.skill_id == memory_skill.c.id)
        .group_by(memory_skill.c.id, memory_skill.c.positive_count, memory_skill.c.negative_count)
        .having(
            or_(
                positive > memory_skill.c.positive_count,
                negative > memory_skill.c.negative_count,
            )
        )
        .limit(LISTED)
    )
    words = "{} has more judgements than it counts: {} for it, {} against it"
    return [words.format(*row) for row in connection.execute(query)]
