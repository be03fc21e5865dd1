"""Changes of passages: recorded, listed, and found again to be taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, insert, select, update

from yiku.core.ids import ArchiveId, ChangeId, PassageId, UserId, new_id
from yiku.core.memory import Action, Change, Json, Passage, Sighting, SightingKind
from yiku.store.database import Tx
from yiku.store.passages import CHUNK
from yiku.store.tables import change, change_item, from_micros, passage, sighting, to_micros

MOMENTS = frozenset({"at", "valid_from", "valid_to", "forgotten_at"})


def pack(fields: Mapping[str, Any]) -> dict[str, Json]:
    """Field values as they are kept in a history entry: moments as microseconds."""
    return {name: packed(name, value) for name, value in fields.items()}


def packed(name: str, value: Any) -> Any:
    if name in MOMENTS:
        return None if value is None else to_micros(value)
    if name == "tags":
        return list(value)
    return dict(value) if name == "metadata" else value


def unpack(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values that `pack` kept."""
    return {name: unpacked(name, value) for name, value in fields.items()}


def unpacked(name: str, value: Any) -> Any:
    if name in MOMENTS:
        return None if value is None else from_micros(value)
    return tuple(value) if name == "tags" else value


@dataclass(frozen=True, slots=True)
class Item:
    """One passage's share of a change."""

    seq: int
    passage_id: PassageId
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A change with all passages it touched."""

    seq: int
    id: ChangeId
    archive_id: ArchiveId
    action: Action
    items: tuple[Item, ...]


def record(
    tx: Tx,
    archive_id: ArchiveId,
    action: Action,
    items: Sequence[tuple[Passage, Mapping[str, Any], Mapping[str, Any]]],
    reason: str | None = None,
) -> ChangeId:
    """Keep what a change did: per passage its changed fields before and after."""
    change_id = ChangeId(new_id("change"))
    seq = tx.connection.execute(
        insert(change)
        .values(
            id=change_id,
            organization_id=tx.actor.organization_id,
            archive_id=archive_id,
            action=action,
            at=tx.now,
            by=tx.actor.user_id,
            reason=reason,
        )
        .returning(change.c.seq)
    ).scalar_one()
    tx.connection.execute(
        insert(change_item),
        [
            {
                "change_seq": seq,
                "passage_seq": one.seq,
                "before": pack(before),
                "after": pack(after),
            }
            for one, before, after in items
        ],
    )
    return change_id


def last_undoable(tx: Tx, found: Passage) -> Recorded | None:
    """The passage's last change that was neither taken back nor is itself a taking back."""
    return recorded(
        tx,
        select(*HEAD)
        .join(change_item, change_item.c.change_seq == change.c.seq)
        .where(
            change_item.c.passage_seq == found.seq,
            change.c.organization_id == tx.actor.organization_id,
            change.c.undone_by.is_(None),
            change.c.action != Action.UNDO,
        )
        .order_by(change.c.seq.desc())
        .limit(1),
    )


def get(tx: Tx, change_id: ChangeId) -> Recorded | None:
    """None: there is none, or all it touched was deleted for good."""
    ours = change.c.organization_id == tx.actor.organization_id
    return recorded(tx, select(*HEAD).where(change.c.id == change_id, ours))


HEAD: list[ColumnElement[Any]] = [change.c.seq, change.c.id, change.c.archive_id, change.c.action]


def recorded(tx: Tx, query: Select[Any]) -> Recorded | None:
    """A change by a query of `HEAD`, with its items."""
    row = tx.connection.execute(query).first()
    if row is None:
        return None
    items = tx.connection.execute(
        select(change_item.c.passage_seq, passage.c.id, change_item.c.before, change_item.c.after)
        .join(passage, passage.c.seq == change_item.c.passage_seq)
        .where(change_item.c.change_seq == row.seq)
        .order_by(change_item.c.passage_seq)
    )
    return Recorded(
        row.seq,
        row.id,
        row.archive_id,
        Action(row.action),
        tuple(Item(i.passage_seq, i.id, unpack(i.before), unpack(i.after)) for i in items),
    )


def mark_undone(tx: Tx, done: Recorded, by: ChangeId) -> bool:
    """Whether nobody had taken it back before."""
    result = tx.connection.execute(
        update(change)
        .where(change.c.seq == done.seq, change.c.undone_by.is_(None))
        .values(undone_by=by)
        .returning(change.c.seq)
    )
    return result.first() is not None


def of_passage(tx: Tx, found: Passage) -> list[Change]:
    """What happened to a passage, its adding first."""
    rows = tx.connection.execute(
        select(change, change_item.c.before, change_item.c.after)
        .join(change_item, change_item.c.change_seq == change.c.seq)
        .where(
            change_item.c.passage_seq == found.seq,
            change.c.organization_id == tx.actor.organization_id,
        )
        .order_by(change.c.seq)
    )
    adding = Change(
        id=None,
        passage_id=found.id,
        action=Action.ADD,
        at=found.created_at,
        by=found.created_by,
        reason=None,
        undone=False,
        before=None,
        after=None,
    )
    return [
        adding,
        *(
            Change(
                id=ChangeId(row.id),
                passage_id=found.id,
                action=Action(row.action),
                at=row.at,
                by=UserId(row.by),
                reason=row.reason,
                undone=row.undone_by is not None,
                before=unpack(row.before),
                after=unpack(row.after),
            )
            for row in rows
        ),
    ]


def forget_changes(tx: Tx, seqs: Sequence[int]) -> None:
    """Drop these passages' history, and changes that then speak of no passage."""
    for start in range(0, len(seqs), CHUNK):
        part = list(seqs[start : start + CHUNK])
        touched = [
            row[0]
            for row in tx.connection.execute(
                select(change_item.c.change_seq)
                .where(change_item.c.passage_seq.in_(part))
                .distinct()
            )
        ]
        tx.connection.execute(delete(change_item).where(change_item.c.passage_seq.in_(part)))
        if touched:
            left = select(change_item.c.change_seq).where(change_item.c.change_seq.in_(touched))
            tx.connection.execute(
                delete(change).where(change.c.seq.in_(touched), change.c.seq.not_in(left))
            )


def add_sightings(tx: Tx, seen: Sequence[tuple[Passage, Sighting]]) -> None:
    if not seen:
        return
    tx.connection.execute(
        insert(sighting),
        [
            {
                "id": one.id,
                "organization_id": tx.actor.organization_id,
                "passage_seq": found.seq,
                "kind": one.kind,
                "text": one.text,
                "at": one.at,
                "speaker": one.speaker,
                "conversation": one.conversation,
                "message": one.message,
            }
            for found, one in seen
        ],
    )


def sightings_of(tx: Tx, found: Passage) -> list[Sighting]:
    """Repetitions that were linked to the passage, the oldest first."""
    rows = tx.connection.execute(
        select(sighting)
        .where(
            sighting.c.passage_seq == found.seq,
            sighting.c.organization_id == tx.actor.organization_id,
        )
        .order_by(sighting.c.at, sighting.c.id)
    )
    return [
        Sighting(
            id=row.id,
            passage_id=found.id,
            kind=SightingKind(row.kind),
            text=row.text,
            at=row.at,
            speaker=row.speaker,
            conversation=row.conversation,
            message=row.message,
        )
        for row in rows
    ]
