"""Adding with an idempotency key: twice the request, once the memory."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from pydantic import BaseModel

from yiku.app import App
from yiku.core.errors import IdempotencyConflict
from yiku.core.ids import ArchiveId, PassageId
from yiku.core.memory import Added, Archive, Draft, Outcome
from yiku.core.tenant import Actor
from yiku.memory import ingest
from yiku.memory.archival import Place
from yiku.store import passages, requests
from yiku.store.database import Tx


class DoneMeanwhile(Exception):
    """The same request was carried out while this one was prepared."""


async def once(
    app: App,
    actor: Actor,
    key: str | None,
    body: BaseModel,
    where: Place | ArchiveId,
    drafts: Sequence[Draft],
    job: str | None = None,
    position: int | None = None,
) -> list[Added]:
    """Add `drafts`, unless a request with this key did; then what that one stored.

    Key and position are kept in the transaction that stores the drafts.

    Raises: IdempotencyConflict, and what `ingest.add` raises.
    """
    content = sha256(body.model_dump_json().encode()).hexdigest()
    if key is not None and (done := await replayed(app, actor, key, content)) is not None:
        return done

    def also(tx: Tx, archive: Archive, results: Sequence[Added]) -> None:
        if key is not None:
            if requests.find(tx, key, content) is not None:
                raise DoneMeanwhile
            requests.add(tx, key, content, [remembered(one) for one in results])
        if job is not None and position is not None:
            requests.set_job(tx, job, archive.id, position)

    try:
        return await ingest.add(app.memory, actor, where, drafts, also=also)
    except DoneMeanwhile:
        assert key is not None
        return await replayed(app, actor, key, content) or []


def remembered(one: Added) -> dict[str, Any]:
    about = {"roles": list(one.roles), "decision": one.decision}
    return {"id": one.passage.id, "outcome": one.outcome.value, **about}


async def replayed(app: App, actor: Actor, key: str, content: str) -> list[Added] | None:
    """Raises: IdempotencyConflict, also where what was stored has been deleted since."""

    def unit(tx: Tx) -> list[Added] | None:
        stored = requests.find(tx, key, content)
        if stored is None:
            return None
        there = passages.get_by_id(tx, [PassageId(one["id"]) for one in stored])
        if any(one["id"] not in there for one in stored):
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
                decision=one["decision"],
            )
            for one in stored
        ]

    return await app.database.read(actor, unit)
