"""A real HTTP server in a thread of this process; what it answers is its subclass's affair."""

import json
import sys
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Asked:
    """A request. `body` is None where it has none."""

    body: Any
    headers: dict[str, str]  # names in small letters
    path: str
    at: float  # time.monotonic()


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What goes back. A `body` of several chunks is sent as they come; `Cut` breaks it off."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | Iterable[bytes] = b""
    wait_s: float = 0  # before the first byte


class Cut(Exception):
    """The connection ends here, in the middle of a body."""


class Served:
    """Notes what it was asked in `asked`, and answers with `reply`."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.lock = threading.Lock()
        self._server = Listener(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def reply(self, asked: Asked) -> Reply:
        raise NotImplementedError

    def read(self, body: bytes, headers: dict[str, str]) -> Any:
        """What `Asked.body` is of a request."""
        return json.loads(body)

    def answered(self) -> None:
        """A reply is about to be sent."""

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def serve(self) -> None:
        """Until the process ends."""
        self._server.serve_forever()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each reply waits 40 ms for an acknowledgement

            def do_GET(self) -> None:
                self._take(None)

            def do_POST(self) -> None:
                at = time.monotonic()
                raw = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._take(server.read(raw, headers), at)

            def _take(self, body: Any, at: float | None = None) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(body, headers, self.path, at or time.monotonic())
                with server.lock:
                    server.asked.append(asked)
                reply = server.reply(asked)
                time.sleep(reply.wait_s)
                server.answered()
                try:
                    self._send(reply)
                except (OSError, Cut):  # the client gave up waiting; or it is to be let down
                    self.close_connection = True

            def _send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if isinstance(reply.body, bytes):
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)
                    return
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for chunk in reply.body:
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are quiet."""

        return Handler


class Listener(ThreadingHTTPServer):
    daemon_threads = True  # a client's idle connection doesn't keep the server from closing
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is killed leaves its connections as they are; else it is told as ever."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
