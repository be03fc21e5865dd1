"""A real HTTP server that speaks the chat APIs of OpenAI, Anthropic and Google, from a script.

    with ScriptedChat(Script("Hello.", Says(calls=(Call("get_time"),)))) as server:
        ...  # OpenAI's API is at server.url, Anthropic's and Google's at server.root

    def respond(request):            # the request's JSON
        return f"You said: {request['messages'][-1]['content']}"

    with ScriptedChat(respond) as server: ...

    with ScriptedProcess("bench.models:respond") as server: ...     # in a process of its own

It answers in well under 2 ms.
"""

import argparse
import importlib
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers.dialects import Anthropic, Call, Dialect, Google, OpenAI, Says
from tests.servers.served import Asked, Cut, Reply, Served

__all__ = ["Call", "Fails", "Says", "Script", "ScriptedChat", "ScriptedProcess"]

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class Fails:
    """A refusal, in the words of the API that was asked."""

    status: int
    message: str = "That went wrong."
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes | None = None  # sent as it is, in place of an error's JSON
    wait_s: float = 0


Answer = str | Says | Fails
Respond = Callable[[dict[str, Any]], Answer]
UNDERSTOOD = "Understood."
LONGEST_WAIT_S = 60


class Script:
    """Answers in turn; when they are used up, with `then`."""

    def __init__(self, *answers: Answer, then: Answer | Respond = UNDERSTOOD) -> None:
        self._answers = list(answers)
        self._then = then

    def add(self, *answers: Answer) -> None:
        self._answers += answers

    def __call__(self, request: dict[str, Any]) -> Answer:
        if self._answers:
            return self._answers.pop(0)
        return self._then(request) if callable(self._then) else self._then


class ScriptedChat(Served):
    """Asks `respond` what a request is answered with, and says it in the request's own API.

    What is added by `script` comes before that. `models` are those it lists. `asked` has the
    requests so far; those for a list are in `listed`.
    """

    def __init__(
        self,
        respond: Respond | Answer | None = None,
        *,
        models: tuple[str, ...] = (),
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.respond = Script(then=UNDERSTOOD if respond is None else respond)
        self.script = self.respond.add
        self.models = models
        self.listed: list[Asked] = []

    def bodies(self) -> list[dict[str, Any]]:
        return [asked.body for asked in self.asked]

    def prompt(self, number: int) -> list[dict[str, Any]]:
        """The messages of a request, from 0."""
        return self.asked[number].body["messages"]

    def reply(self, asked: Asked) -> Reply:
        if asked.body is None:
            return self._list(asked)
        dialect, model, streamed = addressed(asked)
        with self.lock:  # scripts have a state
            answer = self.respond(asked.body)
        if isinstance(answer, Fails):
            error = dialect.error(answer.status, answer.message, answer.code)
            body = json.dumps(error).encode() if answer.body is None else answer.body
            headers = {"Content-Type": "application/json", **answer.headers}
            return Reply(status=answer.status, headers=headers, body=body, wait_s=answer.wait_s)
        says = Says(text=answer) if isinstance(answer, str) else answer
        if not streamed:
            body = json.dumps(dialect.whole(model, says)).encode()
            return Reply(
                headers={"Content-Type": "application/json"},
                body=body if says.goes_on is None else held(body, says.goes_on),
                wait_s=says.wait_s,
            )
        chunks = paced(dialect.stream(model, says, asked.body), says)
        return Reply(headers={"Content-Type": "text/event-stream"}, body=chunks, wait_s=says.wait_s)

    def _list(self, asked: Asked) -> Reply:
        with self.lock:
            self.asked.remove(asked)
            self.listed.append(asked)
        found = [{"id": name, "object": "model", "created": 1} for name in self.models]
        if "/v1beta/" in asked.path:
            names = [{"name": f"models/{name}"} for name in self.models]
            return Reply(body=json.dumps({"models": names}).encode())
        if not asked.path.partition("?")[0].endswith("/models"):
            return Reply(status=404)
        return Reply(body=json.dumps({"object": "list", "data": found}).encode())


def addressed(asked: Asked) -> tuple[Dialect, str, bool]:
    """Whose API a request is for, which model it wants, and whether as a stream."""
    google = re.search(r"/models/([^/]+):(stream)?[gG]enerateContent", asked.path)
    if google:
        return Google(), google[1], bool(google[2])
    dialect = Anthropic() if asked.path.partition("?")[0].endswith("/messages") else OpenAI()
    return dialect, asked.body["model"], bool(asked.body.get("stream"))


def paced(chunks: Iterator[bytes], says: Says) -> Iterator[bytes]:
    for number, chunk in enumerate(chunks):
        if number == says.cut_after:
            raise Cut
        if number == 2 and says.goes_on is not None:
            says.goes_on.wait(LONGEST_WAIT_S)
        if number and says.gap_s:
            time.sleep(says.gap_s)
        yield chunk


def held(body: bytes, goes_on: threading.Event) -> Iterator[bytes]:
    goes_on.wait(LONGEST_WAIT_S)
    yield body


class ScriptedProcess:
    """A ScriptedChat in a process of its own, so that it takes no time of the one measured.

    `script` is `module:name` of a function (or a Script) that tells the answer to a request.
    """

    def __init__(self, script: str = "tests.servers.scripted_chat:understood") -> None:
        self._script = script
        self.url = ""

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "tests.servers.scripted_chat", self._script]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise RuntimeError(f"{self._script} could not be served")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


def understood(request: dict[str, Any]) -> Answer:
    return UNDERSTOOD


def echo(request: dict[str, Any]) -> Answer:
    """The last message's text, as OpenAI's API has it."""
    content = request["messages"][-1].get("content") or ""
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    return Says(text=content)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("script", help="module:name of a function from request to answer")
    parser.add_argument("--port", type=int, default=0)
    asked = parser.parse_args()
    module, _, name = asked.script.partition(":")
    server = ScriptedChat(getattr(importlib.import_module(module), name), port=asked.port)
    print(server.url, flush=True)
    server.serve()


if __name__ == "__main__":
    # By its own name, under which scripts import it: what they return is of the classes there.
    importlib.import_module("tests.servers.scripted_chat").main()
