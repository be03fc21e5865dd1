"""What went wrong with a call, told to people: who, which model, what was said, what to do.

Imported before the first call of a model only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx2
from pydantic_ai import exceptions as theirs

from yiku.core.errors import (
    ModelNotFound,
    PromptTooLong,
    ProviderError,
    ProviderRefused,
    ProviderUnavailable,
)
from yiku.providers.access import Target
from yiku.providers.catalog import Overflow
from yiku.providers.notes import note_of

LONGEST_COMPLAINT = 300
PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
# What pydantic-ai and the libraries under it raise: their own errors, those of HTTP, and what comes
# of an answer that isn't shaped as its API promises.
TROUBLE = (
    theirs.AgentRunError,
    theirs.UserError,
    httpx2.HTTPError,
    httpx2.InvalidURL,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
)


@dataclass(frozen=True, slots=True)
class Failure:
    error: ProviderError
    passing: bool
    """Whether the same request may succeed later."""
    wait_s: float = 0.0
    """What the provider asks to wait."""


def failure_of(error: BaseException, target: Target, overflow: Overflow, begun: bool) -> Failure:
    """`begun`: part of an answer had come."""
    status = getattr(error, "status_code", None)
    said = complaint(error, target)
    if is_overflow(error, status, overflow):
        return Failure(
            PromptTooLong(
                f"{named(target, status)}: the prompt is too long{said}.", **facts(target, status)
            ),
            passing=False,
        )
    if isinstance(error, theirs.ModelAuthenticationError):
        return Failure(key_refused(target, status, said), passing=False)
    if isinstance(error, theirs.ModelNotFoundError):
        return Failure(not_found(target, status, said), passing=False)
    if isinstance(error, theirs.ModelQuotaExceededError):
        return refused(target, status, f"the account's quota or credit is used up{said}")
    if begun:
        text = f"{named(target, status)}: the answer broke off in the middle{said}."
        return Failure(ProviderUnavailable(text, **facts(target, status)), passing=False)
    if isinstance(error, theirs.ModelTimeoutError):
        return unavailable(target, status, "it did not answer in time")
    if isinstance(error, theirs.ModelConnectionError | httpx2.TransportError):
        return unavailable(target, status, f"it can't be reached at {target.access.base_url}{said}")
    if isinstance(error, theirs.ModelHTTPError):
        if status in PASSING_STATUSES:
            why = "too many requests" if status == 429 else "it failed"
            return unavailable(target, status, why + said, wait_s=error.retry_after or 0.0)
        return refused(target, status, f"it refused the request{said}")
    if isinstance(error, theirs.UserError):
        return refused(target, status, f"the request can't be made{said}")
    where = f"its answer is not what the API promises{said}. Is the base URL right"
    return unavailable(target, status, f"{where} ({target.access.base_url})")


def is_overflow(error: BaseException, status: int | None, overflow: Overflow) -> bool:
    if isinstance(error, theirs.ModelContextWindowExceededError):
        return True
    if not isinstance(error, theirs.ModelAPIError):
        return False
    codes = {error.provider_error_code, error.provider_error_type}
    if status in overflow.statuses or codes & overflow.codes:
        return True
    if status not in (None, 400, 413, 422, 500):
        return False
    words = vendor_words(error).lower()
    return any(one in words for one in overflow.words)


def key_refused(target: Target, status: int | None, said: str) -> ProviderRefused:
    access = target.access
    if access.key_variable is None:
        todo = (
            "It wants an API key: name a variable for it, as `keys` of"
            f" [provider.{access.name}] in providers.toml"
        )
    elif access.key is None:
        todo = f"It wants an API key: set {access.key_variable}"
    else:
        todo = f"It does not accept the API key: set {access.key_variable} to a valid one"
    regions = [url for url in access.provider.regions.values() if url != access.base_url]
    if regions:
        todo += f"; a key of another region belongs to {' or '.join(regions)} (YIKU_MODEL_REGION)"
    return ProviderRefused(f"{named(target, status)}{said}. {todo}.", **facts(target, status))


def not_found(target: Target, status: int | None, said: str) -> ModelNotFound:
    note = note_of(target)
    todo = note or (
        "Is there such a model? `yiku model list` shows what there is. The base URL is"
        f" {target.access.base_url}."
    )
    return ModelNotFound(
        f"{named(target, status)}: the provider has no such model{said}. {todo}",
        **facts(target, status),
    )


def unavailable(target: Target, status: int | None, why: str, *, wait_s: float = 0.0) -> Failure:
    text = f"{named(target, status)}: {why}."
    return Failure(ProviderUnavailable(text, **facts(target, status)), passing=True, wait_s=wait_s)


def refused(target: Target, status: int | None, why: str) -> Failure:
    text = f"{named(target, status)}: {why}."
    return Failure(ProviderRefused(text, **facts(target, status)), passing=False)


def named(target: Target, status: int | None) -> str:
    told = f" answered {status}" if status else ""
    return f"{target.access.provider.title} ({target.handle}){told}"


def facts(target: Target, status: int | None) -> dict[str, Any]:
    return {"model": target.handle, "status": status}


def complaint(error: BaseException, target: Target) -> str:
    """`: "…"`, the provider's own words, shortened and without the key; or nothing."""
    words = " ".join(vendor_words(error).split())
    key = target.access.key
    if key:
        words = words.replace(key, "…")
    if len(words) > LONGEST_COMPLAINT:
        words = words[:LONGEST_COMPLAINT] + "…"
    return f': "{words}"' if words else ""


def vendor_words(error: BaseException) -> str:
    """What the body says, else what the library does."""
    body = getattr(error, "body", None)
    if body is None:
        return str(error.args[0]) if error.args else type(error).__name__
    return spoken(body)


def spoken(body: object) -> str:
    """The sentence in an error's JSON, wherever the vendor keeps it."""
    if isinstance(body, str):
        try:
            return spoken(json.loads(body))
        except ValueError:
            return body
    if isinstance(body, list):
        return next((spoken(one) for one in cast("list[object]", body)), "")
    if not isinstance(body, Mapping):
        return ""
    fields = cast("Mapping[str, object]", body)
    for name in ("error", "message", "msg", "detail", "error_msg", "Message"):
        found = fields.get(name)
        if isinstance(found, str) and found:
            return found
        if isinstance(found, (Mapping, list)) and found:
            return spoken(cast("object", found))
    return ""
