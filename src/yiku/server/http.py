"""The ASGI application, and the one table from domain errors to HTTP statuses."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yiku.app import App
from yiku.core import errors
from yiku.server import history, memory, roles
from yiku.server.v1 import build as v1
from yiku.server.v1 import errors as v1_errors
from yiku.server.wire import HealthOut

logger = logging.getLogger(__name__)

STATUS: dict[type[errors.YikuError], int] = {
    errors.NotFound: 404,
    errors.Invalid: 422,
    errors.Conflict: 409,
    errors.NotAllowed: 403,
    errors.KeyRefused: 401,
    errors.DatabaseBusy: 503,
    errors.DatabaseFull: 507,
    errors.StoreError: 500,
    errors.ProviderUnavailable: 503,
    errors.ProviderError: 502,
    errors.ModelNotFound: 503,
    errors.PromptTooLong: 422,
    errors.SandboxUnavailable: 503,
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
    headers = headers_of(path, status)
    if v1_errors.is_v1(path):
        body = v1_errors.body_of_error(error)
        headers = {**(headers or {}), **v1_errors.headers_of_error(error)}
    else:
        facts = {k: v for k, v in error.facts.items() if isinstance(v, str | int | float)}
        body = body_of(type(error).__name__, error.message, facts)
    return JSONResponse(body, status, headers)


async def on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    path = request.url.path
    kind = request.headers.get("content-type", "")
    if request.method in ("POST", "PATCH") and not kind.startswith("application/json"):
        words = f"Send JSON, as `Content-Type: application/json`, not {kind or 'nothing'}."
        return refusal(path, 422, "Invalid", words)
    if v1_errors.is_v1(path):
        return JSONResponse(v1_errors.body_of_problems(error.errors()), 422)
    problems = [
        f"{'.'.join(str(part) for part in e['loc'][1:]) or 'body'}: {e['msg']}"
        for e in error.errors()
    ]
    return refusal(path, 422, "Invalid", "; ".join(problems))


async def on_http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    names = {404: "NotFound", 405: "MethodNotAllowed", 413: "RequestTooLarge"}
    name = names.get(error.status_code, "Invalid")
    found = refusal(request.url.path, error.status_code, name, str(error.detail))
    found.headers.update(error.headers or {})
    return found


async def on_bug(request: Request, error: Exception) -> JSONResponse:
    logger.exception("unexpected error", exc_info=error, extra={"path": request.url.path})
    words = "Something went wrong in Yiku; the server's log says what."
    return refusal(request.url.path, 500, "InternalError", words)


class BodyLimit:
    """Refuses bodies over `limit` bytes before they are read into memory."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._limit:
            await self._refuse(scope["path"])(scope, receive, send)
            return
        got = 0

        async def counted() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > self._limit:
                raise HTTPException(413, self._words())
            return message

        await self._app(scope, counted, send)

    def _words(self) -> str:
        return f"The request is larger than {self._limit:,} bytes (YIKU_MAX_REQUEST_BYTES)."

    def _refuse(self, path: str) -> JSONResponse:
        return refusal(path, 413, "RequestTooLarge", self._words())


def build_asgi(app: App) -> FastAPI:
    """The server's routes over an open `App`; who built that closes it."""
    asgi = FastAPI(
        title="Yiku 忆库",
        version=version("yiku"),
        description="A self-hosted long-term memory server for AI agents.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        redoc_url=None,
    )
    asgi.state.app = app
    asgi.include_router(memory.router)
    asgi.include_router(roles.router)
    asgi.include_router(history.router)
    for router in v1.build():
        asgi.include_router(router)
    asgi.add_api_route("/", to_docs, include_in_schema=False)
    asgi.add_api_route("/memory/health", health, response_model=HealthOut, tags=["operations"])
    asgi.add_exception_handler(errors.YikuError, on_yiku_error)
    asgi.add_exception_handler(RequestValidationError, on_invalid_request)
    asgi.add_exception_handler(HTTPException, on_http_error)
    asgi.add_exception_handler(Exception, on_bug)
    asgi.add_middleware(BodyLimit, limit=app.settings.max_request_bytes)
    return asgi


async def to_docs() -> RedirectResponse:
    return RedirectResponse("/docs")


async def health(request: Request) -> HealthOut:
    """Whether the server works: it reads its database."""
    app: App = request.app.state.app
    await memory.probe(app)
    return HealthOut(
        status="ok", version=version("yiku"), embedding_model=app.memory.embedder.model
    )
