"""uvicorn's protocol with a bound on what of a request is neither body nor done with.

The parser holds headers until they are complete, and knows no limit: whoever reaches the port could
fill the machine's memory with one request, before it is asked who that is.
"""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MOST = 65_536
"""Bytes of a request's line and headers, and of the trailers behind its body, about."""
TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"content-length: 0\r\nconnection: close\r\n\r\n"
)


class BoundedHeads(HttpToolsProtocol):
    _held = 0
    """Bytes that came since something was done with what came."""

    def data_received(self, data: bytes) -> None:
        self._held += len(data)
        super().data_received(data)
        if self._held > MOST and not self.transport.is_closing():
            answering = self.cycle and not self.cycle.response_complete
            if not answering:
                self.transport.write(TOO_LONG)
            self.transport.close()

    def on_message_begin(self) -> None:
        self._held = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._held = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._held = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._held = 0
        super().on_message_complete()
