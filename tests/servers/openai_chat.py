"""A real HTTP server that speaks OpenAI's `/chat/completions`, answering from a script."""

import json
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.servers.served import Asked


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How one request is answered."""

    text: str | None = "Understood."
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None  # None: a proper completion with `text`
    wait_s: float = 0
    finish_reason: str = "stop"
    parts: bool = False  # the content as a list of parts


class ChatServer:
    """Answers the first requests as `script` says, all later ones with "Understood."."""

    def __init__(self, *script: Answer | str) -> None:
        self.asked: list[Asked] = []
        self._script: list[Answer] = []
        self.script(*script)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def script(self, *answers: Answer | str) -> None:
        """What comes next."""
        self._script += [Answer(text=one) if isinstance(one, str) else one for one in answers]

    def prompt(self, number: int) -> list[dict[str, str]]:
        """The messages of a request, from 0."""
        return self.asked[number].body["messages"]

    def __enter__(self) -> "ChatServer":
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

    def _answer(self, asked: Asked) -> Answer:
        with self._lock:
            self.asked.append(asked)
            return self._script.pop(0) if self._script else Answer()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["content-length"]))
                headers = {k.lower(): v for k, v in self.headers.items()}
                asked = Asked(json.loads(raw), headers, self.path, time.monotonic())
                answer = server._answer(asked)
                time.sleep(answer.wait_s)
                body = answer.body if answer.body is not None else completion(asked.body, answer)
                try:
                    self.send_response(answer.status)
                    self.send_header("Content-Length", str(len(body)))
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True  # the client gave up waiting

            def log_message(self, format: str, *args: Any) -> None:
                """Tests are quiet."""

        return Handler


def completion(asked: dict[str, Any], answer: Answer) -> bytes:
    content: Any = [{"type": "text", "text": answer.text}] if answer.parts else answer.text
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": asked["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": answer.finish_reason,
                }
            ],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
    ).encode()
