"""The page on what works of `letta-client` is right: each of its methods is called."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import letta_client
import pytest
from fastapi import FastAPI
from letta_client import AsyncLetta, Letta

from scripts.compat import rows
from tests.contract.v1.walk import STEPS, Seen, Step
from tests.fixtures.letta import Driver, driver

ROOT = Path(__file__).parents[3]
ROWS = rows()


def methods_of(resource: Any, before: str = "") -> Iterator[str]:
    """The dotted names of all its methods that ask a server."""
    for name in dir(type(resource)):
        if name.startswith(("_", "with_")):
            continue
        found = getattr(resource, name)
        if inspect.ismethod(found) and before:
            yield before + name
        elif type(found).__module__.startswith("letta_client.resources"):
            yield from methods_of(found, f"{before}{name}.")


@pytest.mark.parametrize("kind", [Letta, AsyncLetta])
def test_every_method_has_a_row_and_is_called(kind: type[Letta] | type[AsyncLetta]) -> None:
    there = set(methods_of(kind(base_url="http://localhost")))
    assert len(there) > 100
    assert there == set(ROWS)
    assert sorted(there) == sorted(name for name, _, _ in STEPS)  # each once


def test_the_page_has_the_rows() -> None:
    checked = subprocess.run(
        [sys.executable, "scripts/compat.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


async def asked(client: Letta | AsyncLetta, step: Step, seen: Seen) -> Any:
    """What the method answers; of a listing its first page, of a stream all of it."""
    if isinstance(client, Letta):
        return await asyncio.to_thread(lambda: whole(step[1](client, seen)))
    answer = step[1](client, seen)
    if inspect.isawaitable(answer):
        answer = await answer
    if isinstance(answer, letta_client.AsyncStream):
        return [one async for one in answer]
    return getattr(answer, "items", answer)


def whole(answer: Any) -> Any:
    return (
        list(answer)
        if isinstance(answer, letta_client.Stream)
        else getattr(answer, "items", answer)
    )


@pytest.mark.filterwarnings("ignore:deprecated")
@pytest.mark.parametrize("way", ["sync over HTTP", "async in this process"])
async def test_each_row_says_what_happens(talking_asgi: FastAPI, free_port: int, way: str) -> None:
    seen = Seen()
    wrong: list[str] = []
    async with driver(way, talking_asgi, free_port) as driven:
        await prepare(driven, seen)
        for step in STEPS:
            method, _, right = step
            absent = ROWS[method]["status"] == "absent"
            try:
                answer = await asked(driven.client, step, seen)
            except letta_client.APIStatusError as error:
                if not absent or not is_plain_refusal(error):
                    wrong.append(f"{method}: {error.status_code} {error.body}")
            else:
                if absent or not right(answer, seen):
                    wrong.append(f"{method}: {answer!r}"[:500])
    assert not wrong, "\n".join(wrong)


def is_plain_refusal(error: letta_client.APIStatusError) -> bool:
    """It says what it is that isn't here, and that asking again is of no use."""
    body: Any = error.body
    again = error.response.headers.get("X-Should-Retry")
    return (error.status_code, body["error"], again) == (501, "NotBuilt", "false") and len(
        body["detail"].split()
    ) > 4


async def prepare(driven: Driver, seen: Seen) -> None:
    """What this client has no method to make, though others have."""
    body = {"identifier_key": "li-wei", "name": "Li Wei", "identity_type": "user"}
    made = await driven(lambda c: c.post("/v1/identities/", body=body, cast_to=object))
    seen["identity"] = made["id"]
