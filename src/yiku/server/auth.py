"""Who asks: a bearer key, or nobody on a server that only this machine reaches."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from starlette.requests import Request

from yiku.app import App
from yiku.core.errors import KeyRefused, NotAllowed
from yiku.core.telemetry import note_here
from yiku.core.tenant import LOCAL_ACTOR, Actor
from yiku.settings import Settings
from yiku.store import keys

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
READING = frozenset({"GET", "HEAD", "OPTIONS"})
OF_ITSELF = frozenset({"same-origin", "none"})
"""What a browser says of a request that its user, or a page of this server, makes."""


def is_loopback(host: str) -> bool:
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def keys_needed(settings: Settings) -> bool:
    if settings.require_key == "auto":
        return not is_loopback(settings.host)
    return settings.require_key == "always"


async def actor_of(request: Request) -> Actor:
    """The actor a request speaks for.

    Without keys, the `Host` must be this machine's: a web page that had its own name point here
    (DNS rebinding) would otherwise reach the memory. And what changes something must not come from
    another site's page: browsers send forms and uploads anywhere, and nothing in them says who.
    Whom a proxy asks for isn't this machine, either, as far as the proxy says so.

    Raises: KeyRefused, NotAllowed.
    """
    known: Actor | None = getattr(request.state, "actor", None)
    if known is not None:
        return known
    app: App = request.app.state.app
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if secret and scheme.lower() == "bearer":
        found = await app.database.read(LOCAL_ACTOR, lambda tx: keys.find_actor(tx, secret))
        if found is None:
            raise KeyRefused("This API key is unknown, expired or revoked, or its user disabled.")
        note_here(organization=found.organization_id)
        return replace(found, address=address_of(request))
    if keys_needed(app.settings):
        raise KeyRefused
    host = request.url.hostname or ""
    if app.settings.require_key == "auto" and not is_loopback(host):
        raise NotAllowed(
            f"Without API keys this server answers as localhost only, not as {host!r}."
            " Set YIKU_REQUIRE_KEY=always and use a key."
        )
    address = address_of(request)
    if app.settings.require_key == "auto" and address is not None and not is_loopback(address):
        raise NotAllowed(
            "Without API keys this server answers this machine only, and a proxy asks for"
            f" {address}. Set YIKU_REQUIRE_KEY=always and use a key."
        )
    if is_foreign(request):
        raise NotAllowed(
            "A web page of another site sent this"
            f" ({request.headers.get('origin') or 'it has no origin'!r:.200})."
            " Without API keys this server lets nothing be changed from there."
            " Set YIKU_REQUIRE_KEY=always and use a key."
        )
    return replace(LOCAL_ACTOR, address=address)


def is_foreign(request: Request) -> bool:
    """Whether a browser sends it for a page that isn't this server's; programs say neither.

    Source: the rules of Go's `net/http.CrossOriginProtection`.
    """
    if request.method in READING:
        return False
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        return site not in OF_ITSELF
    return origin is not None and origin.partition("://")[2] != request.headers.get("host", "")


def address_of(request: Request) -> str | None:
    return None if request.client is None else request.client.host
