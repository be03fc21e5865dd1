"""Parts of the lists of archives, and of their passages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from yiku.core.ids import AgentId, ArchiveId, PassageId
from yiku.core.memory import Archive, Passage
from yiku.store import archives, passages
from yiku.store.agent_tables import agent_archive
from yiku.store.database import Tx
from yiku.store.tables import archive, passage


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """As many as `limit`, next to a row, in the order asked for."""

    limit: int = 50
    after: str | None = None
    before: str | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFilter:
    """Which archives are listed: the organization's own, of no user."""

    name: str | None = None
    agent_id: AgentId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageFilter:
    """Which passages are listed; what isn't given doesn't matter."""

    archive_ids: Sequence[ArchiveId]
    text_has: str | None = None
    """Part of the text; capitals don't matter."""
    tags: Sequence[str] = ()
    all_tags: bool = False
    since: datetime | None = None
    until: datetime | None = None


def archives_page(tx: Tx, wanted: ArchiveFilter, part: Part) -> list[Archive]:
    """In the order of creation.

    Raises: ArchiveNotFound where an archive that bounds the page isn't there.
    """
    query = select(*(archive.c[name] for name in archives.FIELDS)).where(
        archive.c.organization_id == tx.actor.organization_id, archive.c.owner == ""
    )
    if wanted.name is not None:
        query = query.where(archive.c.name == wanted.name)
    if wanted.agent_id is not None:
        has = select(agent_archive.c.archive_id).where(agent_archive.c.agent_id == wanted.agent_id)
        query = query.where(archive.c.id.in_(has))
    for bound, later in bounds(part):
        place = archives.get(tx, ArchiveId(bound))
        query = query.where(beyond(place, later=later))
    turned, descending = direction(part)
    by = (archive.c.created_at, archive.c.id)
    ordered = query.order_by(*(one.desc() if descending else one.asc() for one in by))
    rows = tx.connection.execute(ordered.limit(part.limit)).all()
    found = [Archive(**dict(zip(archives.FIELDS, tuple(row), strict=True))) for row in rows]
    return found[::-1] if turned else found


def beyond(place: Archive, *, later: bool) -> ColumnElement[bool]:
    """Archives made after `place`, or before it; those of one moment are in the order of ids."""
    at, same = archive.c.created_at, archive.c.created_at == place.created_at
    if later:
        return or_(at > place.created_at, and_(same, archive.c.id > place.id))
    return or_(at < place.created_at, and_(same, archive.c.id < place.id))


def passages_page(tx: Tx, wanted: PassageFilter, part: Part) -> list[Passage]:
    """In the order they were stored; without those that were forgotten.

    Raises: PassageNotFound where a passage that bounds the page isn't there.
    """
    query = fitting(tx, wanted)
    for bound, later in bounds(part):
        seq = passages.get(tx, PassageId(bound)).seq
        query = query.where(passage.c.seq > seq if later else passage.c.seq < seq)
    turned, descending = direction(part)
    by = passage.c.seq.desc() if descending else passage.c.seq.asc()
    rows = tx.connection.execute(query.order_by(by).limit(part.limit)).all()
    found = [passages.of_row(row) for row in rows]
    return found[::-1] if turned else found


def fitting(tx: Tx, wanted: PassageFilter) -> Select[Any]:
    query = select(*passages.COLUMNS).where(
        passage.c.organization_id == tx.actor.organization_id,
        passage.c.forgotten_at.is_(None),
        passage.c.archive_id.in_(wanted.archive_ids),
    )
    if wanted.text_has is not None:
        query = query.where(passage.c.text.icontains(wanted.text_has, autoescape=True))
    if wanted.since is not None:
        query = query.where(passage.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(passage.c.at < wanted.until)
    if wanted.tags:
        query = query.where(tagged(tx, wanted))
    return query


def tagged(tx: Tx, wanted: PassageFilter) -> ColumnElement[bool]:
    each = func.jsonb_array_elements_text if tx.postgres else func.json_each
    held = each(passage.c.tags).table_valued("value")
    matching = (
        select(func.count(held.c.value.distinct()))
        .where(held.c.value.in_(wanted.tags))
        .scalar_subquery()
    )
    return matching >= (len(set(wanted.tags)) if wanted.all_tags else 1)


def bounds(part: Part) -> list[tuple[str, bool]]:
    """The cursors there are, and whether what is meant is later than they are."""
    both = ((part.after, not part.newest_first), (part.before, part.newest_first))
    return [(bound, later) for bound, later in both if bound is not None]


def direction(part: Part) -> tuple[bool, bool]:
    """Whether the rows found are to be turned round, and whether they are asked for newest first:
    from a bound backwards, the nearest are taken."""
    turned = part.before is not None and part.after is None
    return turned, part.newest_first != turned
