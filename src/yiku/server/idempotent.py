"""Adding and superseding with an idempotency key: twice the request, once the memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pydantic import BaseModel

from yiku.app import App
from yiku.core.errors import Conflict, IdempotencyConflict
from yiku.core.ids import ArchiveId, PassageId
from yiku.core.memory import Added, Archive, Draft, Outcome, Superseded
from yiku.core.tenant import Actor
from yiku.memory import changes, ingest
from yiku.memory.archival import Place
from yiku.server.translate import draft_of
from yiku.server.wire import SupersedeIn
from yiku.store import passages, requests
from yiku.store.database import Tx


@dataclass(frozen=True, slots=True)
class Step:
    """How far a job is with a request, and how far it was before, where that is known."""

    job: str
    position: int
    seen: int | None


class DoneMeanwhile(Exception):
    """The same request was carried out while this one was prepared."""


async def once(
    app: App,
    actor: Actor,
    key: str | None,
    body: BaseModel,
    where: Place | ArchiveId,
    drafts: Sequence[Draft],
    step: Step | None = None,
) -> list[Added]:
    """Add `drafts`, unless a request with this key did; then what that one stored.

    Key and position are kept in the transaction that stores the drafts.

    Raises: IdempotencyConflict, JobConflict, and what `ingest.add` raises.
    """
    content = "" if key is None else fingerprint(body)
    if (done := await replayed(app, actor, key, content)) is not None:
        return done

    def also(tx: Tx, archive: Archive, results: Sequence[Added]) -> None:
        keep(tx, key, content, results)
        if step is not None:
            requests.set_job(tx, step.job, archive.id, step.position, step.seen)

    try:
        return await ingest.add(app.memory, actor, where, drafts, also=also)
    except DoneMeanwhile:
        return await replayed_meanwhile(app, actor, key, content) or []


async def supersede_once(
    app: App, actor: Actor, key: str | None, passage_id: PassageId, body: SupersedeIn
) -> Superseded:
    """Supersede a passage, unless a request with this key did; then what that one did.

    Raises: IdempotencyConflict, and what `changes.supersede` raises.
    """
    content = "" if key is None else fingerprint(body, f"supersede {passage_id} ")
    if (done := await replayed(app, actor, key, content)) is not None:
        return both(done)

    def also(tx: Tx, done: Superseded) -> None:
        keep(
            tx, key, content, [Added(outcome=done.outcome, passage=p) for p in (done.old, done.new)]
        )

    draft = draft_of(body, "")
    try:
        return await changes.supersede(
            app.memory, actor, passage_id, draft, reason=body.reason, also=also
        )
    except (DoneMeanwhile, Conflict):
        # The same request may have come first: then what it did is this one's conflict.
        done = await replayed_meanwhile(app, actor, key, content)
        if done is None:
            raise
        return both(done)


def fingerprint(body: BaseModel, what: str = "") -> str:
    """What tells a request from another one of the same key."""
    try:
        content = what + body.model_dump_json()
    except ValueError:  # half a character: what is told then, the checks know
        content = what + repr(body)
    return sha256(content.encode("utf-8", "surrogatepass")).hexdigest()


def both(done: Sequence[Added]) -> Superseded:
    old, new = done
    return Superseded(outcome=new.outcome, old=old.passage, new=new.passage)


def keep(tx: Tx, key: str | None, content: str, results: Sequence[Added]) -> None:
    """Raises: DoneMeanwhile."""
    if key is None:
        return
    if requests.find(tx, key, content) is not None:
        raise DoneMeanwhile
    requests.add(tx, key, content, [remembered(one) for one in results])


def remembered(one: Added) -> dict[str, Any]:
    about = {"roles": list(one.roles), "full": list(one.full), "decision": one.decision}
    return {"id": one.passage.id, "outcome": one.outcome.value, **about}


async def replayed(app: App, actor: Actor, key: str | None, content: str) -> list[Added] | None:
    """What a request of this key stored before. Raises: as `stored`."""
    if key is None:
        return None
    return await app.database.read(actor, lambda tx: stored(tx, key, content))


async def replayed_meanwhile(
    app: App, actor: Actor, key: str | None, content: str
) -> list[Added] | None:
    """The same of a request that this one met on its way: asked after its commit, which the
    writer knows and a reader may not see yet."""
    if key is None:
        return None
    return await app.database.write(actor, lambda tx: stored(tx, key, content))


def stored(tx: Tx, key: str, content: str) -> list[Added] | None:
    """Raises: IdempotencyConflict, also where what was stored has been deleted since."""
    found = requests.find(tx, key, content)
    if found is None:
        return None
    there = passages.get_by_id(tx, [PassageId(one["id"]) for one in found])
    if any(one["id"] not in there for one in found):
        raise IdempotencyConflict(
            f"The request of key {key!r} was carried out before, and what it stored has been"
            " deleted since.",
            key=key,
        )
    return [
        Added(
            outcome=Outcome(one["outcome"]),
            passage=there[PassageId(one["id"])],
            roles=tuple(one["roles"]),
            full=tuple(one.get("full", ())),  # keys of the last version don't say
            decision=one["decision"],
        )
        for one in found
    ]
