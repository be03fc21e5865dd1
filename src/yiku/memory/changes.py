"""Changes of stored passages. Each is recorded with what was before, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from yiku.core.errors import (
    AlreadySuperseded,
    Invalid,
    NothingToUndo,
    StalePassage,
    UndoConflict,
)
from yiku.core.ids import PassageId, new_id
from yiku.core.memory import Action, Added, Archive, Draft, Outcome, Passage, Superseded
from yiku.core.tenant import Actor
from yiku.memory.archival import ArchivalMemory
from yiku.memory.draft import (
    MAX_LANGUAGE,
    check,
    check_metadata,
    check_moment,
    check_name,
    check_tags,
    check_text,
    passage_of,
)
from yiku.memory.ingest import ROUTE, sighting_of
from yiku.memory.known import Link, repetition
from yiku.memory.reindex import Found, made_findable, with_followers
from yiku.memory.roles.arrive import (
    Arrival,
    Routes,
    hand_down,
    home_of,
    routes_of,
    with_roles,
)
from yiku.memory.roles.edited import move, reconsidered
from yiku.memory.text import language
from yiku.store import archives, history, passages
from yiku.store.database import Tx, now_utc
from yiku.store.history import Recorded

EDITABLE = frozenset(
    {"text", "language", "tags", "metadata", "at", "speaker", "valid_from", "valid_to"}
)
Also = Callable[[Tx, Superseded], None]
INDEXED = frozenset({"text", "language", "tags", "metadata", "speaker"})
"""Fields that a passage is found by: when one changes, it is indexed anew."""


async def edit(
    memory: ArchivalMemory,
    actor: Actor,
    passage_id: PassageId,
    fields: Mapping[str, Any],
    *,
    reason: str | None = None,
    seen_version: int | None = None,
) -> Passage:
    """Change fields of a passage, and keep them as they were in its history.

    `seen_version`: refuse if the passage has changed since.

    Raises: PassageNotFound, Invalid, InvalidText, StalePassage, EmbeddingModelMismatch.
    """
    unknown = sorted(set(fields) - EDITABLE)
    if unknown:
        raise Invalid(f"{', '.join(unknown)} can't be edited; {', '.join(sorted(EDITABLE))} can.")
    seen = await memory.database.read(actor, lambda tx: passages.get(tx, passage_id))
    if seen_version is not None and seen.version != seen_version:
        raise StalePassage(
            f"Passage {passage_id} is at version {seen.version}, not {seen_version};"
            " read it again.",
            passage_id=passage_id,
        )
    check_fields(fields, memory.policy.max_text_bytes)
    values = edited_fields(seen, fields)
    edited = replace(seen, **values)
    if edited.valid_to is not None and edited.valid_to <= edited.valid_from:
        raise Invalid("`valid_to` must come after `valid_from`.")
    if not values:
        return seen
    found = await refound(memory, actor, [(seen, edited)])
    again = await reconsidered(memory, actor, edited, found) if "text" in values else None

    def unit(tx: Tx) -> Passage:
        archive = archives.bump(tx, seen.archive_id)
        changed = apply(tx, archive, [(seen, values)], found)
        if again is not None:
            move(tx, again)
        before = {name: getattr(seen, name) for name in values}
        history.record(tx, archive.id, Action.EDIT, [(seen, before, values)], reason)
        return changed[0]

    return await memory.database.write(actor, unit)


def edited_fields(seen: Passage, fields: Mapping[str, Any]) -> dict[str, Any]:
    """What really changes; a recognised language follows the text."""
    values = dict(fields)
    if "tags" in values:
        values["tags"] = tuple(dict.fromkeys(values["tags"]))
    if "text" in values and "language" not in values and seen.language == language(seen.text):
        values["language"] = language(values["text"])
    return {name: value for name, value in values.items() if getattr(seen, name) != value}


def check_fields(values: Mapping[str, Any], max_text_bytes: int) -> None:
    """Raises: Invalid, InvalidText."""
    empty = [n for n, v in values.items() if v is None and n not in ("speaker", "valid_to")]
    if empty:
        raise Invalid(f"`{empty[0]}` can't be empty; leave it out to keep it.")
    for name, value in values.items():
        match name:
            case "text":
                check_text(value, max_text_bytes)
            case "metadata":
                check_metadata(value)
            case "tags":
                check_tags(value)
            case "speaker":
                check_name("The speaker", value)
            case "language":
                check_name("The language", value, MAX_LANGUAGE)
            case _:
                check_moment(name, value)


async def refound(
    memory: ArchivalMemory, actor: Actor, changes: Sequence[tuple[Passage, Passage]]
) -> dict[int, Found]:
    """What the changed passages, and those that follow a changed text, are found by from now on."""
    indexed = [
        after
        for before, after in changes
        if any(getattr(before, name) != getattr(after, name) for name in INDEXED)
    ]
    texts = {after.id: after for before, after in changes if before.text != after.text}
    if not indexed:
        return {}
    todo = await memory.database.read(actor, lambda tx: with_followers(tx, indexed, texts))
    return await made_findable(memory, todo)


def apply(
    tx: Tx,
    archive: Archive,
    changes: Sequence[tuple[Passage, Mapping[str, Any]]],
    found: Mapping[int, Found],
) -> list[Passage]:
    """Write fields, then what is found by them. Raises: StalePassage."""
    model = archive.embedding_model or ""
    changed = [passages.change(tx, seen, archive.version, values) for seen, values in changes]
    current = {one.seq: one for one in changed}
    for seq, one in found.items():
        archives.same_model(archive, one.model)
        seen = current.get(seq, one.passage)
        passages.reindex(tx, seen, archive.version, model, one.indexed)
    return changed


async def supersede(
    memory: ArchivalMemory,
    actor: Actor,
    passage_id: PassageId,
    draft: Draft,
    *,
    reason: str | None = None,
    also: Also | None = None,
) -> Superseded:
    """Put a newer passage in an older one's place.

    The old one stays, true until the new one begins (`as_of` finds it), and is no longer found by
    default. What the draft leaves open (speaker, tags) is taken from the old one. Where its
    speaker has said the same in another passage that is true still, that one takes the place, and
    the draft is linked to it as `ingest.add` would link it. It finds its roles by its own text, or
    is given those the draft names; roles that somebody gave the old one it keeps, and where no
    role claims it, all of them. `also` runs in the same transaction.

    Raises: PassageNotFound, RoleNotFound, Invalid, InvalidText, AlreadySuperseded, StalePassage,
    EmbeddingModelMismatch.
    """
    check(draft, memory.policy.max_text_bytes)
    old = await memory.database.read(actor, lambda tx: passages.get(tx, passage_id))
    made = successor(old, draft, actor)
    found = (await made_findable(memory, [(made, None)]))[made.seq]
    home = await memory.database.read(actor, lambda tx: home_of(tx, old.archive_id))
    arrival = Arrival(made.text, draft.roles, True)
    routes = await routes_of(memory, actor, home, [arrival], (found.indexed.vector[None], ROUTE))

    def unit(tx: Tx) -> Superseded:
        archive = archives.bump(tx, old.archive_id)
        archives.same_model(archive, found.model)
        link = holder(tx, memory, old, made, found)
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        if link is None:
            new = put_in_place(tx, archive, old, found, routes)
            outcome, end = Outcome.ADDED, made.valid_from
            # Taken back, the new passage is as if it had never come: hidden.
            before, after = {"forgotten_at": tx.now}, {"forgotten_at": None}
        else:
            outcome, new = Outcome.DUPLICATE, link.passage
            end = end_of(old, made, link.passage, draft)
            history.add_sightings(tx, [(new, sighting_of(made, new.id, link))])
        ended = {"valid_to": min(old.valid_to or end, end), "superseded_by": new.id}
        closed = passages.change(tx, old, archive.version, ended)
        was = {"valid_to": old.valid_to, "superseded_by": None}
        items = [(old, was, ended), (new, before, after)]
        history.record(tx, archive.id, Action.SUPERSEDE, items, reason)
        done = Superseded(outcome=outcome, old=closed, new=new)
        if also is not None:
            also(tx, done)
        return done

    return await memory.database.write(actor, unit)


def put_in_place(tx: Tx, archive: Archive, old: Passage, found: Found, routes: Routes) -> Passage:
    """Store the new passage with its roles."""
    new = passages.settled(tx, archive, [found.passage], {})[0]
    passages.insert_new(tx, found.model, [new], [found.indexed])
    with_roles(tx, archive, routes, [Added(outcome=Outcome.ADDED, passage=new)])
    hand_down(tx, archive, old, new, routes)
    return new


def successor(old: Passage, draft: Draft, actor: Actor) -> Passage:
    """The passage that is to take the old one's place. Raises: AlreadySuperseded, Invalid."""
    if old.superseded_by is not None:
        raise AlreadySuperseded(
            f"Passage {old.id} is superseded by {old.superseded_by} already; supersede that"
            " one, or undo first.",
            passage_id=old.id,
            superseded_by=old.superseded_by,
        )
    if draft.text == old.text:
        raise Invalid("The new text is the old one; a superseding says something else.")
    new_one = passage_of(inherited(draft, old), actor, now_utc(), PassageId(new_id("passage")))
    made = replace(new_one, archive_id=old.archive_id)
    if made.valid_from > old.valid_from:
        return made
    if draft.at is not None or draft.valid_from is not None:
        raise Invalid(
            f"The new passage would be true from {made.valid_from.isoformat()}, before the old"
            f" one began ({old.valid_from.isoformat()}). Give a later `at` or `valid_from`."
        )
    return replace(made, valid_from=old.valid_from + timedelta(microseconds=1))


def holder(
    tx: Tx, memory: ArchivalMemory, old: Passage, made: Passage, found: Found
) -> Link | None:
    """The passage that says already what would supersede the old one, and is in force."""
    if memory.policy.duplicates == "keep":
        return None
    fingerprint = found.indexed.fingerprint
    there = passages.by_fingerprint(tx, old.archive_id, [fingerprint]).get(fingerprint, [])
    # One that is to be replaced itself takes nobody's place: two could come to replace each other.
    others = [p for p in there if p.id != old.id and p.superseded_by is None]
    return repetition(made, others, {})


def end_of(old: Passage, made: Passage, known: Passage, draft: Draft) -> datetime:
    """Until when the old one was true: until the one in its place began, or until the moment given
    if that is later; one that began before the old one tells nothing."""
    if draft.at is not None or draft.valid_from is not None:
        return max(made.valid_from, known.valid_from)
    return known.valid_from if known.valid_from > old.valid_from else made.valid_from


def inherited(draft: Draft, old: Passage) -> Draft:
    return replace(
        draft,
        speaker=draft.speaker or old.speaker,
        tags=draft.tags or old.tags,
    )


async def forget(
    memory: ArchivalMemory,
    actor: Actor,
    passage_id: PassageId,
    *,
    reason: str | None = None,
    also: Callable[[Tx, Passage], None] | None = None,
) -> Passage:
    """Hide a passage: no search finds it, its history stays, `undo` brings it back.

    Forgetting twice changes nothing. `also` runs in the same transaction, where it is forgotten.
    Raises: PassageNotFound.
    """

    def unit(tx: Tx) -> Passage:
        seen = passages.get(tx, passage_id)
        if seen.forgotten:
            return seen
        archive = archives.bump(tx, seen.archive_id)
        values = {"forgotten_at": tx.now}
        changed = passages.change(tx, seen, archive.version, values)
        history.record(
            tx, archive.id, Action.FORGET, [(seen, {"forgotten_at": None}, values)], reason
        )
        if also is not None:
            also(tx, changed)
        return changed

    return await memory.database.write(actor, unit)


async def undo(
    memory: ArchivalMemory, actor: Actor, passage_id: PassageId, *, reason: str | None = None
) -> list[Passage]:
    """Take back the passage's last change; again, the one before. Returns all it touched.

    Where nothing but its adding is left, the passage is hidden. A deletion can't be taken back.

    Raises: PassageNotFound, NothingToUndo, UndoConflict, StalePassage.
    """
    seen, change = await memory.database.read(
        actor, lambda tx: ((p := passages.get(tx, passage_id)), history.last_undoable(tx, p))
    )
    if change is None:
        return [await undo_adding(memory, actor, seen, reason)]
    touched = await memory.database.read(
        actor, lambda tx: passages.get_by_id(tx, [item.passage_id for item in change.items])
    )
    changes = [(touched[i.passage_id], i.before) for i in change.items if i.passage_id in touched]
    found = await refound(memory, actor, [(p, replace(p, **before)) for p, before in changes])

    def unit(tx: Tx) -> list[Passage]:
        check_last(tx, change, list(touched.values()))
        archive = archives.bump(tx, change.archive_id)
        changed = apply(tx, archive, changes, found)
        items = [(p, {name: getattr(p, name) for name in before}, before) for p, before in changes]
        undone_by = history.record(tx, archive.id, Action.UNDO, items, reason)
        if not history.mark_undone(tx, change, undone_by):
            raise StalePassage("This change was taken back by someone else just now.")
        return changed

    return await memory.database.write(actor, unit)


def check_last(tx: Tx, change: Recorded, touched: Sequence[Passage]) -> None:
    """Raises: UndoConflict where one of its passages has changed again since."""
    for one in touched:
        last = history.last_undoable(tx, one)
        if last is None or last.id != change.id:
            raise UndoConflict(
                f"The change touched passage {one.id} too, which has changed again since; undo"
                " that first.",
                passage_id=one.id,
            )


async def undo_adding(
    memory: ArchivalMemory, actor: Actor, seen: Passage, reason: str | None
) -> Passage:
    if seen.forgotten:
        raise NothingToUndo(
            f"Passage {seen.id} has no change left to take back."
            " Its adding was taken back too; to have it again, add its text again.",
            passage_id=seen.id,
        )

    def unit(tx: Tx) -> Passage:
        archive = archives.bump(tx, seen.archive_id)
        values: dict[str, datetime] = {"forgotten_at": tx.now}
        changed = passages.change(tx, seen, archive.version, values)
        history.record(
            tx, archive.id, Action.UNDO, [(seen, {"forgotten_at": None}, values)], reason
        )
        return changed

    return await memory.database.write(actor, unit)
