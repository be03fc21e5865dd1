"""What goes over the wire between the real client and us, compared with what was recorded.

`RECORD_EXCHANGES=1 make test args=tests/contract/v1/test_exchanges.py` records anew; read the
difference before you keep it.
"""

import json
import os
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import letta_client
import pytest
from fastapi import FastAPI
from letta_client import AsyncLetta

from yiku.client.transport import InProcessTransport

FOLDER = Path(__file__).with_name("exchanges")
ID = re.compile(r"\b([a-z]+)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
DATE = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)")
HEADERS = ("content-type", "etag", "www-authenticate", "x-should-retry")


class Recorder(httpx.AsyncBaseTransport):
    """Hands requests on, and keeps them with their answers."""

    def __init__(self, asgi: FastAPI) -> None:
        self.exchanges: list[dict[str, Any]] = []
        self._transport = InProcessTransport(asgi)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        answer = await self._transport.handle_async_request(request)
        content = await answer.aread()
        self.exchanges.append(
            {
                "request": {
                    "method": request.method,
                    "path": request.url.path,
                    "query": [list(pair) for pair in request.url.params.multi_items()],
                    "body": json.loads(body) if body else None,
                },
                "answer": {
                    "status": answer.status_code,
                    "headers": {k: answer.headers[k] for k in HEADERS if k in answer.headers},
                    "body": json.loads(content),
                },
            }
        )
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)


def masked(exchanges: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Ids numbered as they come up, dates and our version taken out."""
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        kind = found[1]
        others = sum(one.startswith(f"{kind}-") for one in numbers.values())
        return numbers.setdefault(found[0], f"{kind}-{others + 1}")

    text = json.dumps(exchanges, ensure_ascii=False)
    text = DATE.sub("DATE", ID.sub(number, text))
    return json.loads(re.sub(r'"version": "[^"]*"', '"version": "VERSION"', text))


async def health(letta: AsyncLetta) -> None:
    await letta.health()


async def blocks(letta: AsyncLetta) -> None:
    human = await letta.blocks.create(label="human", value="用户喜欢编程和AI技术")
    persona = await letta.blocks.create(
        label="persona",
        value="calm",
        limit=20,
        description="Who you are",
        read_only=True,
        tags=["a", "b"],
        metadata={"k": {"n": [1, None]}},
        is_template=True,
        template_name="calm",
        hidden=False,
    )
    await letta.blocks.retrieve(human.id)
    await letta.blocks.update(human.id, value="用户住在上海", description=None, tags=["c"])
    await letta.blocks.list(limit=1, order="desc")
    await letta.blocks.list(after=human.id, tags=["a", "b"], match_all_tags=True)
    await letta.blocks.list(label="human", connected_to_agents_count_eq=[0, 1])
    for wrong in (
        letta.blocks.update(persona.id, value="x" * 21),
        letta.blocks.create(label="", value=""),
        letta.blocks.create(label="x", value=None, limit=0),
        letta.blocks.update(human.id, value="y", extra_headers={"If-Match": '"1"'}),
        letta.blocks.retrieve("block-00000000-0000-4000-8000-000000000000"),
    ):
        with suppress(letta_client.APIStatusError):
            await wrong
    await letta.blocks.delete(human.id)
    await letta.blocks.list()


@pytest.mark.parametrize("play", [health, blocks], ids=lambda play: play.__name__)
async def test_the_exchanges_are_those_recorded(
    asgi: FastAPI, play: Callable[[AsyncLetta], Awaitable[None]]
) -> None:
    recorder = Recorder(asgi)
    http = httpx.AsyncClient(transport=recorder)
    async with AsyncLetta(base_url="http://localhost", http_client=http) as letta:
        await play(letta)
    found = masked(recorder.exchanges)

    file = FOLDER / f"{play.__name__}.json"
    if os.environ.get("RECORD_EXCHANGES") == "1":
        FOLDER.mkdir(exist_ok=True)
        file.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    recorded = json.loads(file.read_text(encoding="utf-8"))
    assert len(found) == len(recorded)
    for one, other in zip(found, recorded, strict=True):
        assert one == other
