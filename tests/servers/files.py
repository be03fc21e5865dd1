"""A real HTTP server for files: ranges, redirects and transfers that break off."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class FileServer:
    """Serves `files` (path to content); each path in `breaks` stops once after so many bytes.

    A path under `/resolve/` is redirected to `/store/`, as model hubs do, with the file's
    SHA-256 in X-Linked-Etag, or what `hashes` says instead.
    """

    def __init__(
        self,
        files: dict[str, bytes],
        *,
        breaks: dict[str, int] | None = None,
        hashes: dict[str, str] | None = None,
    ) -> None:
        self.files = files
        self.breaks = breaks or {}
        self.hashes = hashes or {}
        self.asked: list[tuple[str, str | None]] = []  # path, range
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "FileServer":
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

            def do_GET(self) -> None:
                wanted = self.headers.get("range")
                server.asked.append((self.path, wanted))
                if "/resolve/" in self.path:
                    self._redirect()
                    return
                content = server.files.get(self.path)
                if content is None:
                    self.send_response(404)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
                start = int(match[1]) if match else 0
                if start and start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                rest = content[start:]
                self.send_response(206 if start else 200)
                html = self.path.endswith("/")
                self.send_header("Content-Type", "text/html" if html else "application/zip")
                self.send_header("Content-Length", str(len(rest)))
                self.end_headers()
                limit = server.breaks.pop(self.path, None)
                self.wfile.write(rest if limit is None else rest[:limit])
                if limit is not None:
                    self.close_connection = True

            def _redirect(self) -> None:
                target = re.sub(r"/resolve/[^/]+/", "/store/", self.path)
                content = server.files.get(target, b"")
                linked = server.hashes.get(target) or hashlib.sha256(content).hexdigest()
                self.send_response(302)
                self.send_header("Location", target)
                self.send_header("X-Linked-Etag", f'"{linked}"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are quiet."""

        return Handler
