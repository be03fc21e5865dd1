"""A language model for benchmarks: a process that speaks OpenAI's chat API, and thinks nothing.

python -m bench.agent_model      prints its address

It answers in a fraction of a millisecond, and notes for every request when its last byte had come
and when its first and its last word left; but for summaries, which are written beside the talk and
have no tools to call. The clock is the machine's (`time.monotonic_ns`), so any
process can lay these stamps beside its own. `GET /asked` gives them, and begins anew.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import httpx

from bench.place import ROOT

SAYS = "Understood: I will keep that in mind, and come back to it when it matters."
INSERT = "(remember)"
"""A message with this in it is answered with a call of `memory_insert`, then with words."""
SLOWLY = "(slowly)"
"""And one with this word by word, so that a stream can be seen to run."""
GAP_S = 0.005
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
TARGET = re.compile(rb"(GET|POST) (\S+) ")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, in nanoseconds of the machine's clock."""

    came: int
    first: int
    """The first word left."""
    done: int

    @property
    def took(self) -> int:
        return self.done - self.came


class Speaker(asyncio.Protocol):
    """One connection."""

    def __init__(self, asked: list[Asked]) -> None:
        self._asked = asked
        self._read = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._out = cast("asyncio.Transport", transport)  # uvloop's are of no such class

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (head := self._read.find(b"\r\n\r\n")) >= 0:
            length = LENGTH.search(self._read, 0, head)
            end = head + 4 + (int(length[1]) if length else 0)
            if len(self._read) < end:
                return
            came = time.monotonic_ns()
            target = TARGET.match(self._read)
            body = bytes(self._read[head + 4 : end])
            del self._read[:end]
            self._answer(target[2] if target else b"", body, came)

    def _answer(self, path: bytes, body: bytes, came: int) -> None:
        if not body:
            found = self._list() if path.endswith(b"/models") else self._told()
            self._out.write(whole(found))
            return
        request = json.loads(body)
        parts = answer(request, tokens=len(body) // 4)
        is_turn = bool(request.get("tools"))
        if is_turn and request.get("stream") and SLOWLY in last_said(request):
            task = asyncio.get_running_loop().create_task(self._slowly(parts, came))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        first = time.monotonic_ns()
        streamed = STREAM + b"".join(map(chunk, parts)) + END if request.get("stream") else b""
        self._out.write(streamed or whole(parts[0]))
        if is_turn:
            self._note(came, first)

    async def _slowly(self, parts: list[Any], came: int) -> None:
        self._out.write(STREAM + chunk(parts[0]))  # a stream's head says nothing yet
        first = time.monotonic_ns()
        for part in parts[1:]:
            self._out.write(chunk(part))
            await asyncio.sleep(GAP_S)
        self._out.write(END)
        self._note(came, first)

    def _note(self, came: int, first: int) -> None:
        self._asked.append(Asked(came, first, time.monotonic_ns()))

    def _told(self) -> list[list[int]]:
        told = [[one.came, one.first, one.done] for one in self._asked]
        self._asked.clear()
        return told

    def _list(self) -> dict[str, Any]:
        return {"object": "list", "data": [{"id": "scripted", "object": "model", "created": 1}]}


STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


def whole(body: Any) -> bytes:
    raw = json.dumps(body).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(raw) + raw


def chunk(event: Any) -> bytes:
    raw = b"data: " + json.dumps(event).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(raw), raw)


def last_said(request: dict[str, Any]) -> str:
    """The last message's text, where somebody said it; a tool's return says nothing."""
    last = request["messages"][-1]
    return json.dumps(last["content"], ensure_ascii=False) if last["role"] == "user" else ""


def answer(request: dict[str, Any], tokens: int) -> list[Any]:
    """The answer's chunks, or the whole of it where no stream is wanted.

    Usage follows the prompt's length, so that who calibrates on it stays near the truth.
    """
    head = {"id": "chatcmpl-1", "created": 1, "model": request["model"]}
    usage = {"prompt_tokens": tokens, "completion_tokens": 16, "total_tokens": tokens + 16}
    calls = call(last_said(request)) if INSERT in last_said(request) else []
    finish = "tool_calls" if calls else "stop"
    if not request.get("stream"):
        message = {"role": "assistant", "content": None if calls else SAYS}
        named = {"tool_calls": calls} if calls else {}
        choice = {"index": 0, "message": {**message, **named}, "finish_reason": finish}
        return [{**head, "object": "chat.completion", "choices": [choice], "usage": usage}]

    def delta(what: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": what, "finish_reason": finish}
        return {**head, "object": "chat.completion.chunk", "choices": [choice]}

    words: list[dict[str, Any]] = [{"content": word} for word in re.findall(r"\S+\s*", SAYS)]
    said = [{"tool_calls": [{"index": 0, **calls[0]}]}] if calls else words
    return [
        delta({"role": "assistant", "content": ""}),
        *map(delta, said),
        delta({}, finish),
        {**delta({}), "choices": [], "usage": usage},
    ]


def call(said: str) -> list[dict[str, Any]]:
    words = " ".join(re.findall(r"\w+", said)[:8])
    arguments = json.dumps({"label": "human", "new_str": f"- {words}"})
    function = {"name": "memory_insert", "arguments": arguments}
    return [{"id": f"call_{time.monotonic_ns()}", "type": "function", "function": function}]


class ModelProcess:
    """The server in a process of its own."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "bench.agent_model"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        # Kept open: a new one costs more than what is measured, and leaves garbage for it to sweep.
        self._client = httpx.Client(base_url=self.url)
        return self

    def asked(self) -> list[Asked]:
        """What it was asked since the last time, in the order of its answers."""
        return [Asked(*one) for one in self._client.get("/asked").json()]

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()
        self._process.terminate()
        self._process.communicate()


async def main() -> None:
    asked: list[Asked] = []
    server = await asyncio.get_running_loop().create_server(
        lambda: Speaker(asked), "127.0.0.1", 0, backlog=256
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
