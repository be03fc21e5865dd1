"""Between the wire's forms and the domain's nouns; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from yiku.core.ids import ArchiveId
from yiku.core.memory import (
    Added,
    Archive,
    Change,
    Draft,
    Filter,
    Hit,
    Passage,
    Sighting,
    Superseded,
)
from yiku.memory.archival import Place
from yiku.server import wire

if TYPE_CHECKING:  # `yiku add` needs these forms, and no deletion or lineage
    from yiku.memory.erase import Erased
    from yiku.memory.skills.lineage import Origin

CURSOR = re.compile(r".+~([0-9]{1,18})")


def cursor_of(one: Passage) -> str:
    """Where the page after it begins: known by its number also when the passage is deleted."""
    return f"{one.id}~{one.seq}"


def seq_of(cursor: str) -> int | None:
    """The number in a cursor; None where it is a passage's id alone."""
    found = CURSOR.fullmatch(cursor)
    return int(found[1]) if found else None


def place_of(home: wire.Home) -> Place | ArchiveId:
    if home.archive_id is not None:
        return ArchiveId(home.archive_id)
    return Place(home.user, home.archive)


def places_of(body: wire.SoughtIn) -> list[Place | ArchiveId]:
    places: list[Place | ArchiveId] = [ArchiveId(one) for one in body.archive_ids]
    places += [Place(body.user, name) for name in body.archives]
    return places or [Place(body.user)]


def draft_of(body: wire.PassageIn, user: str) -> Draft:
    """What nobody else is said to have said, the user said."""
    return Draft(
        text=body.text,
        at=body.at,
        speaker=body.speaker or user or None,
        conversation=body.conversation,
        message=body.message,
        language=body.language,
        tags=tuple(body.tags),
        metadata=body.metadata,
        valid_from=body.valid_from,
        valid_to=body.valid_to,
        skill_id=body.skill_id,
        roles=None if body.roles is None else tuple(body.roles),
    )


def filter_of(body: wire.SoughtIn) -> Filter:
    return Filter(
        tags=tuple(body.tags),
        speakers=tuple(body.speakers),
        conversations=tuple(body.conversations),
        messages=tuple(body.messages),
        languages=tuple(body.languages),
        metadata=body.metadata,
        since=body.since,
        until=body.until,
        as_of=body.as_of,
        superseded=body.superseded,
        roles=None if body.roles is None else tuple(body.roles),
    )


def passage_out(one: Passage) -> wire.PassageOut:
    return wire.PassageOut.model_construct(
        **{name: getattr(one, name) for name in wire.PassageOut.model_fields if name != "tags"},
        tags=list(one.tags),
    )


def hit_out(hit: Hit) -> wire.HitOut:
    return wire.HitOut.model_construct(
        passage=passage_out(hit.passage),
        score=hit.score,
        parts=dict(hit.parts),
        ranks=dict(hit.ranks),
    )


def added_out(one: Added) -> wire.AddOut:
    return wire.AddOut.model_construct(
        outcome=one.outcome.value,
        passage=passage_out(one.passage),
        roles=list(one.roles),
        full=list(one.full),
        decision=one.decision,
    )


def superseded_out(one: Superseded) -> wire.SupersedeOut:
    return wire.SupersedeOut.model_construct(
        outcome=one.outcome.value, old=passage_out(one.old), new=passage_out(one.new)
    )


def erased_out(one: Erased) -> wire.DeleteOut:
    return wire.DeleteOut(deleted=one.deleted, ended=list(one.ended))


def archive_out(one: Archive, count: int | None) -> wire.ArchiveOut:
    return wire.ArchiveOut(
        id=one.id,
        user=one.owner,
        name=one.name,
        description=one.description,
        embedding_model=one.embedding_model,
        dimension=one.dimension,
        created_at=one.created_at,
        passages=count,
    )


def readable(fields: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Field values of a history entry, as JSON can carry them."""
    if fields is None:
        return None
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
    }


def change_out(one: Change) -> wire.ChangeOut:
    return wire.ChangeOut(
        id=one.id,
        action=one.action.value,
        at=one.at,
        by=one.by,
        reason=one.reason,
        undone=one.undone,
        before=readable(one.before),
        after=readable(one.after),
    )


def origin_out(one: Origin) -> wire.OriginOut:
    return wire.OriginOut(
        op=one.op,
        skill=one.skill.name,
        skill_id=one.skill.id,
        skill_version=one.skill.version,
        encoding_id=one.encoding.id,
        status=one.encoding.status.value,
        content=one.encoding.content,
        agent_id=one.encoding.agent_id,
        run_id=one.encoding.run_id,
        message_id=one.encoding.message_id,
        model=one.encoding.model,
        problem=one.encoding.problem,
        created_at=one.encoding.created_at,
        encoded_at=one.encoding.encoded_at,
    )


def sighting_out(one: Sighting) -> wire.SightingOut:
    return wire.SightingOut(
        kind=one.kind.value,
        text=one.text,
        at=one.at,
        speaker=one.speaker,
        conversation=one.conversation,
        message=one.message,
    )
