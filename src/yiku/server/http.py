"""The ASGI application, and the one table from domain errors to HTTP statuses."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yiku.app import App
from yiku.core import errors
from yiku.core.telemetry import within
from yiku.server import admin, history, memory, operations, roles, skill_events, skills, transfer
from yiku.server.description import describe
from yiku.server.v1 import build as v1
from yiku.server.v1 import errors as v1_errors
from yiku.server.v1 import unbuilt
from yiku.server.v1.agent_pages import Kept
from yiku.server.watching import STATE, Watched, route_of
from yiku.server.wire import HealthOut
from yiku.settings import Settings

logger = logging.getLogger(__name__)

STATUS: dict[type[errors.YikuError], int] = {
    errors.NotFound: 404,
    errors.Invalid: 422,
    errors.Conflict: 409,
    errors.NotAllowed: 403,
    errors.KeyRefused: 401,
    errors.DatabaseBusy: 503,
    errors.DatabaseFull: 507,
    errors.DatabaseUnreachable: 503,
    errors.StoreError: 500,
    errors.ProviderUnavailable: 503,
    errors.ProviderError: 502,
    errors.ModelNotFound: 502,
    errors.PromptTooLong: 422,
    errors.SandboxUnavailable: 503,
    errors.SecretUnreadable: 500,
    errors.McpUnavailable: 503,
    errors.CallbackFailed: 502,
    errors.QuotaExceeded: 429,
    errors.ServerEnding: 503,
    errors.RunFailed: 500,
    errors.YikuError: 500,
}
"""The nearest class of an error decides."""

HEADERS = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}


def status_of(error: errors.YikuError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def body_of(name: str, message: str, facts: dict[str, Any] | None = None) -> dict[str, Any]:
    return {**(facts or {}), "error": name, "message": message}


def refusal(path: str, status: int, name: str, message: str) -> JSONResponse:
    """An error in the form of the API that `path` is of."""
    form = v1_errors.body_of if v1_errors.is_v1(path) else body_of
    return JSONResponse(form(name, message), status, headers_of(path, status))


def headers_of(path: str, status: int) -> dict[str, str] | None:
    found = HEADERS.get(status)
    return v1_errors.HEADERS.get(status, found) if v1_errors.is_v1(path) else found


async def on_yiku_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, errors.YikuError)
    path, status = request.url.path, status_of(error)
    if status == 500:
        logger.error("request failed", exc_info=error)
    elif isinstance(error, errors.StoreError):  # who asked can't mend it; who runs the server may
        told = {"why": type(error).__name__, "problem": error.message}
        logger.warning("request refused: the database", extra=told)
    headers = headers_of(path, status)
    if isinstance(wait_s := error.facts.get("retry_after_s"), int):
        headers = {**(headers or {}), "Retry-After": str(wait_s)}
    if v1_errors.is_v1(path):
        place = "query" if request.method == "GET" else "body"
        body = v1_errors.body_of_error(error, place)
        headers = {**(headers or {}), **v1_errors.headers_of_error(error)}
    else:
        facts = {k: v for k, v in error.facts.items() if isinstance(v, str | int | float)}
        body = body_of(type(error).__name__, error.message, facts)
    return JSONResponse(body, status, headers)


async def on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    path, problems = request.url.path, error.errors()
    kind = request.headers.get("content-type", "")
    of_body = any(one["loc"][0] == "body" for one in problems)
    if of_body and not kind.startswith("application/json"):
        words = f"Send JSON, as `Content-Type: application/json`, not {kind or 'nothing'}."
        return wrong(path, ("header", "Content-Type"), words)
    if problems[0]["type"] == "json_invalid":
        return unreadable(path, error.__cause__ or error)
    if v1_errors.is_v1(path):
        return JSONResponse(v1_errors.body_of_problems(problems, sent=error.body), 422)
    told = [
        f"{'.'.join(str(part) for part in e['loc'][1:]) or 'body'}: {e['msg']}" for e in problems
    ]
    return refusal(path, 422, "Invalid", "; ".join(told))


def unreadable(path: str, cause: BaseException) -> JSONResponse:
    return wrong(path, ("body",), f"The body can't be read as JSON: {cause}")


def wrong(path: str, where: tuple[str, ...], words: str) -> JSONResponse:
    """What is wrong with a request as a whole."""
    if v1_errors.is_v1(path):
        problem = {"loc": where, "msg": words, "type": "Invalid"}
        return JSONResponse(v1_errors.body_of_problems([problem]), 422)
    return refusal(path, 422, "Invalid", words)


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    path = request.url.path
    if error.status_code == 400:  # of a body that no JSON parser takes: not UTF-8, nested too deep
        return unreadable(path, error.__cause__ or error)
    later = unbuilt.answer_to(path) if v1_errors.is_v1(path) else None
    if later is not None and error.status_code in (404, 405):
        return JSONResponse(v1_errors.body_of("NotBuilt", later), 501, v1_errors.ONCE)
    names = {404: "NotFound", 405: "MethodNotAllowed", 413: "RequestTooLarge"}
    name = names.get(error.status_code, "Invalid")
    words = str(error.detail)
    if words in ("Not Found", "Method Not Allowed"):  # the framework's own
        words = f"There is no {request.method} {path[:200]} here."
    found = refusal(path, error.status_code, name, words)
    found.headers.update(error.headers or {})
    return found


async def on_bug(request: Request, error: Exception) -> JSONResponse:
    request_id: str = request.scope.get("state", {}).get(STATE, "")
    with within(request=request_id):
        logger.exception(
            "unexpected error", exc_info=error, extra={"route": route_of(request.scope)}
        )
    words = "Something went wrong in Yiku; the server's log says what."
    found = refusal(request.url.path, 500, "InternalError", words)
    found.headers["X-Request-Id"] = request_id
    return found


@dataclass(frozen=True, slots=True)
class Limit:
    """How long the body of a request may be, and which setting says so."""

    size: int
    setting: str

    @property
    def words(self) -> str:
        return f"The request is larger than {self.size:,} bytes ({self.setting})."


UPLOADS: Mapping[str, str] = {
    r"/v1/agents/import/?|/memory/import": "max_import_bytes",
    r"/v1/(folders|sources)/[^/]+/upload/?": "max_file_bytes",
}
"""Paths of files that go to the disk, not into memory, and the settings that bound them."""


class BodyLimit:
    """Refuses bodies that are too long before they are read into memory."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._limit = Limit(settings.max_request_bytes, "YIKU_MAX_REQUEST_BYTES")
        self._uploads = {
            re.compile(path): Limit(getattr(settings, name), f"YIKU_{name.upper()}")
            for path, name in UPLOADS.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, limit = dict(scope["headers"]), self._limit_of(scope["path"])
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit.size:
            refused = refusal(scope["path"], 413, "RequestTooLarge", limit.words)
            await refused(scope, receive, send)
            return
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > limit.size:
                raise HTTPException(413, limit.words)
            return message

        await self._app(scope, counted, send)

    def _limit_of(self, path: str) -> Limit:
        found = (limit for form, limit in self._uploads.items() if form.fullmatch(path))
        return next(found, self._limit)


def routes() -> FastAPI:
    """The server's routes, over nothing yet: enough to describe them."""
    asgi = FastAPI(
        title="Yiku 忆库",
        version=version("yiku"),
        description="A self-hosted long-term memory server for AI agents.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,
        redoc_url=None,
    )
    # Not included: FastAPI would look through the routes of an included router twice.
    # `skill_events` comes before a skill of that name.
    ours = (memory, roles, history, skill_events, skills, operations, admin, transfer)
    for router in (*v1.build(), *(one.router for one in ours)):
        asgi.router.routes.extend(router.routes)
    describe(asgi)
    asgi.add_api_route("/", to_docs, include_in_schema=False)
    asgi.add_api_route("/memory/health", health, response_model=HealthOut, tags=["operations"])
    asgi.add_exception_handler(errors.YikuError, on_yiku_error)
    asgi.add_exception_handler(RequestValidationError, on_invalid_request)
    asgi.add_exception_handler(HTTPException, on_http_error)
    asgi.add_exception_handler(Exception, on_bug)
    return asgi


def build_asgi(app: App) -> FastAPI:
    """The server's routes over an open `App`; who built that closes it."""
    asgi = routes()
    asgi.state.app = app
    asgi.state.agent_answers = Kept()
    asgi.state.worker = None  # who has one here says so
    asgi.state.ending = False  # who ends the server says so here: streams don't keep it waiting
    asgi.add_middleware(BodyLimit, settings=app.settings)
    asgi.add_middleware(Watched, telemetry=app.watching.telemetry)
    return asgi


async def to_docs() -> RedirectResponse:
    return RedirectResponse("/docs")


async def health(request: Request) -> HealthOut:
    """Whether the server works: it reads its database."""
    app: App = request.app.state.app
    await memory.probe(app)
    return HealthOut(
        status="ok", version=request.app.version, embedding_model=app.memory.embedder.model
    )
