"""One call of the API: sent, waited for, and understood or raised."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar, cast
from urllib.parse import quote

import httpx
from pydantic import BaseModel

from yiku.core import errors
from yiku.server import wire
from yiku.server.v1 import wire as wire_v1

M = TypeVar("M", bound=BaseModel)
NOT_UNDERSTOOD = "The server's answer can't be understood; is it Yiku's, and of this version?"


class Calls:
    """What every call goes through."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def _call(self, kind: type[M], method: str, path: str, **request: Any) -> M:
        with self._reached():
            response = await self._http.request(method, path, **request)
        if response.is_error:
            raise_for(response)
        return understood(kind, response.content)

    async def _done(self, method: str, path: str, **request: Any) -> None:
        """A call whose answer says nothing more than that it is done."""
        with self._reached():
            response = await self._http.request(method, path, **request)
        if response.is_error:
            raise_for(response)

    async def _list(self, kind: type[M], path: str, **query: Any) -> list[M]:
        """An answer that is a list of them; parameters that are None aren't sent."""
        with self._reached():
            response = await self._http.get(path, params=asked_for(query))
        if response.is_error:
            raise_for(response)
        return understood_list(kind, response.content)

    @contextmanager
    def _reached(self) -> Generator[None]:
        """Raises: ProviderUnavailable where nobody answers, Invalid what can't be sent."""
        try:
            yield
        except httpx.TimeoutException as error:
            raise errors.ProviderUnavailable(
                f"{self._http.base_url} did not answer in time."
            ) from error
        except httpx.TransportError as error:
            raise errors.ProviderUnavailable(
                f"{self._http.base_url} can't be reached ({error}). Is `yiku serve` running there?"
            ) from error
        except (TypeError, ValueError) as error:
            if isinstance(error, UnicodeEncodeError):
                raise errors.InvalidText(f"This can't be sent as UTF-8: {error.reason}.") from error
            raise errors.Invalid(f"This can't be sent as JSON: {error}.") from error


def understood(kind: type[M], content: bytes) -> M:
    """Raises: YikuError where that is no such answer."""
    try:
        return kind.model_validate_json(content)
    except ValueError as error:
        raise errors.YikuError(NOT_UNDERSTOOD) from error


def understood_list(kind: type[M], content: bytes) -> list[M]:
    """Raises: YikuError where it is no list of them."""
    try:
        return [kind.model_validate(one) for one in json.loads(content)]
    except (TypeError, ValueError) as error:
        raise errors.YikuError(NOT_UNDERSTOOD) from error


def asked_for(query: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value is not None}


def part(name: str) -> str:
    """An id as one part of a path. Raises: Invalid."""
    if not name:
        raise errors.Invalid("An id is empty.")
    return quote(name, safe="", errors="replace")


def key_header(key: str | None) -> dict[str, str]:
    """Raises: Invalid."""
    if key is None:
        return {}
    if not (key.isascii() and key.isprintable()):
        raise errors.Invalid("An idempotency key has printable ASCII characters only.")
    return {"Idempotency-Key": key}


def sendable(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else list(cast("tuple[Any, ...]", value))
        if isinstance(value, tuple)
        else value
        for name, value in fields.items()
    }


def raise_for(response: httpx.Response) -> None:
    """The error the server named, as it was raised there."""
    try:
        name, message, facts = refusal_of(response.content)
    except ValueError as error:
        raise errors.YikuError(
            f"The server answered {response.status_code} without saying why; is it Yiku's?"
        ) from error
    raise error_named(name)(message, **facts)


def error_named(name: str) -> type[errors.YikuError]:
    """The class that a server named."""
    found: Any = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, errors.YikuError):
        return found
    return errors.YikuError


def refusal_of(content: bytes) -> tuple[str, str, dict[str, Any]]:
    """An error's name, message and facts, in our own API's form or in v1's.

    Raises: ValueError where it is neither.
    """
    try:
        ours = wire.ErrorOut.model_validate_json(content)
        return ours.error, ours.message, ours.model_extra or {}
    except ValueError:
        found = wire_v1.ErrorOut.model_validate_json(content)
    if isinstance(found.detail, str):
        facts = found.model_dump(exclude={"detail", "error"}, exclude_none=True)
        return found.error, found.detail, facts
    problems = [(".".join(map(str, one.loc[1:])), one.msg) for one in found.detail]
    return found.error, "; ".join(f"{at}: {what}" if at else what for at, what in problems), {}
