"""The page at `/docs`, which describes the API and calls it; it needs no network."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

PARTS = "/docs/parts"
"""Where its scripts are: files of the package `fastapi-offline`."""


def describe(asgi: FastAPI) -> None:
    asgi.mount(PARTS, StaticFiles(packages=[("fastapi_offline", "static")]))
    asgi.add_api_route("/docs", page, include_in_schema=False)


async def page(request: Request) -> HTMLResponse:
    at = request.scope.get("root_path", "")
    made = get_swagger_ui_html(
        openapi_url=f"{at}/openapi.json",
        title=request.app.title,
        swagger_js_url=f"{at}{PARTS}/swagger-ui-bundle.js",
        swagger_css_url=f"{at}{PARTS}/swagger-ui.css",
        swagger_favicon_url=f"{at}{PARTS}/favicon.png",
    )
    # In another site's frame, its buttons could be made to be pressed unseen.
    made.headers["Content-Security-Policy"] = "frame-ancestors 'none'"
    return made
