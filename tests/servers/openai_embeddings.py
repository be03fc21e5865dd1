"""A real HTTP server that speaks OpenAI's `/embeddings`, answering from a script."""

import base64
import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIMENSION = 8


@dataclass(frozen=True, kw_only=True)
class Reply:
    """How one request is answered; the default is a proper answer."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None  # None: the vectors asked for
    wait_s: float = 0
    dimension: int = DIMENSION
    reversed: bool = False  # the last text's vector first
    base64: bool = False
    model: str | None = None  # None: the one asked for


@dataclass(frozen=True)
class Asked:
    body: dict[str, Any]
    headers: dict[str, str]
    path: str
    at: float  # time.monotonic()


def vector_of(text: str, dimension: int = DIMENSION) -> NDArray[np.float32]:
    """What the server says of a text; not of unit length."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    return np.random.default_rng(seed).normal(size=dimension).astype(np.float32) * 3


def unit_vectors(texts: list[str], dimension: int = DIMENSION) -> NDArray[np.float32]:
    vectors = np.stack([vector_of(text, dimension) for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class EmbeddingServer:
    """Answers the first requests as `script` says, all later ones properly."""

    def __init__(self, *script: Reply) -> None:
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._script = list(script)
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> "EmbeddingServer":
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

    def _answer(self, asked: Asked) -> Reply:
        with self._lock:
            self.asked.append(asked)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            return self._script.pop(0) if self._script else Reply()

    def _done(self) -> None:
        with self._lock:
            self._at_once -= 1

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                at = time.monotonic()
                raw = self.rfile.read(int(self.headers["content-length"]))
                headers = {k.lower(): v for k, v in self.headers.items()}
                asked = Asked(json.loads(raw), headers, self.path, at)
                reply = server._answer(asked)
                time.sleep(reply.wait_s)
                server._done()
                body = reply.body if reply.body is not None else proper_body(asked.body, reply)
                try:
                    self.send_response(reply.status)
                    self.send_header("Content-Length", str(len(body)))
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # the client gave up waiting

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are quiet."""

        return Handler


def proper_body(asked: dict[str, Any], reply: Reply) -> bytes:
    def encoded(text: str) -> Any:
        vector = vector_of(text, reply.dimension)
        if reply.base64:
            return base64.b64encode(vector.astype("<f4").tobytes()).decode()
        return vector.tolist()

    items = [
        {"object": "embedding", "index": i, "embedding": encoded(text)}
        for i, text in enumerate(asked["input"])
    ]
    if reply.reversed:
        items.reverse()
    model = reply.model or asked["model"]
    return json.dumps({"object": "list", "data": items, "model": model}).encode()
