"""HTTP to the addresses that may be reached, for MCP servers (YIKU_MCP_PRIVATE)."""

from __future__ import annotations

from collections.abc import Callable

import httpx2

from yiku.core.errors import Invalid
from yiku.tools.outside import Address, Noun, checked, is_public, pinned, resolved

SERVER = Noun("an MCP server", "MCP 服务器")


class Allowed(httpx2.AsyncHTTPTransport):
    """Each request's address is looked at, and the one that was looked at is connected to."""

    def __init__(self, allowed: Callable[[Address], bool] = is_public) -> None:
        super().__init__()
        self._allowed = allowed

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            asked = checked(str(request.url), SERVER)
            at = pinned(asked, await resolved(asked, self._allowed))
        except Invalid as error:
            words = f"{error.message} (YIKU_MCP_PRIVATE)"
            raise httpx2.ConnectError(words, request=request) from error
        request.url = httpx2.URL(str(at.url))
        request.headers["Host"] = at.host
        request.extensions = {**request.extensions, **at.extensions}
        return await super().handle_async_request(request)
