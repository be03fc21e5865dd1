"""`add`, `search`, `route` and `gate` on this machine's own memory, without the HTTP layer.

The server's routes take a quarter of a second to import, which is what a person waits for; these
commands say the same to the same use cases, in the same forms.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import ValidationError

from yiku.app import App, build
from yiku.cli.options import Asked
from yiku.cli.running import local_settings
from yiku.core.errors import Invalid
from yiku.core.role import Routing, member
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory import ingest
from yiku.memory import search as lookup
from yiku.memory.roles import route as routing
from yiku.server import wire, wire_roles
from yiku.server.translate import added_out, draft_of, filter_of, hit_out, place_of, places_of
from yiku.server.translate_roles import decision_out

T = TypeVar("T")
M = TypeVar("M", bound=wire.Wire)


def with_app(asked: Asked, work: Callable[[App], Awaitable[T]]) -> T:
    async def run() -> T:
        async with build(local_settings(asked)) as app:
            return await work(app)

    return asyncio.run(run())


def checked(form: type[M], fields: dict[str, Any]) -> M:
    """Raises: Invalid, as the server would."""
    try:
        return form(**fields)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, e['loc'])) or 'request'}: {e['msg']}" for e in error.errors()
        ]
        raise Invalid("; ".join(problems)) from error


def add(asked: Asked, fields: dict[str, Any]) -> wire.AddOut:
    body = checked(wire.AddIn, fields)

    async def work(app: App) -> wire.AddOut:
        drafts = [draft_of(body, body.user)]
        [added] = await ingest.add(app.memory, LOCAL_ACTOR, place_of(body), drafts)
        return added_out(added)

    return with_app(asked, work)


def search(asked: Asked, fields: dict[str, Any]) -> list[wire.HitOut]:
    body = checked(wire.SearchIn, fields)

    async def work(app: App) -> list[wire.HitOut]:
        hits = await lookup.search(
            app.memory,
            LOCAL_ACTOR,
            places_of(body),
            body.query,
            filter=filter_of(body),
            limit=body.limit,
        )
        return [hit_out(hit) for hit in hits]

    return with_app(asked, work)


def route(asked: Asked, fields: dict[str, Any]) -> wire_roles.DecisionOut:
    body = checked(wire_roles.RouteIn, fields)

    async def work(app: App) -> wire_roles.DecisionOut:
        made = await routing.route(
            app.memory,
            LOCAL_ACTOR,
            place_of(body),
            body.text,
            threshold=body.threshold,
            routing=member(Routing, "routing", body.routing),
        )
        return decision_out(made, kept=False)

    return with_app(asked, work)


def gate(asked: Asked, fields: dict[str, Any]) -> wire_roles.DecisionOut:
    body = checked(wire_roles.GateIn, fields)

    async def work(app: App) -> wire_roles.DecisionOut:
        made = await routing.gate(
            app.memory,
            LOCAL_ACTOR,
            place_of(body),
            body.context,
            max_roles=body.max_roles,
            threshold=body.threshold,
            routing=member(Routing, "routing", body.routing),
            conversation=body.conversation,
        )
        return decision_out(made)

    return with_app(asked, work)
