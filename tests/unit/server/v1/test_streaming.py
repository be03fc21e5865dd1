"""Streams say that they live, and tell what breaks them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest

from tests.fixtures.wired import A_RUN, read_lines
from yiku.server.v1.streaming import told_of, with_pings


async def slow(*waits: float) -> AsyncIterator[bytes]:
    for n, wait in enumerate(waits):
        await asyncio.sleep(wait)
        yield b"data: %d\n\n" % n


async def broken() -> AsyncIterator[bytes]:
    yield b"data: 0\n\n"
    raise RuntimeError("a bug")


async def test_there_are_pings_while_there_is_nothing_to_tell() -> None:
    found = [one async for one in with_pings(slow(0, 0.25, 0), A_RUN, every_s=0.1)]
    pings = [one for one in found if b"ping" in one]
    assert [one for one in found if one not in pings] == [b"data: %d\n\n" % n for n in range(3)]
    assert found.index(pings[0]) == 1
    assert {(one.message_type, one.run_id) for one in read_lines(pings)} == {("ping", A_RUN)}


async def test_a_reader_who_leaves_ends_the_telling() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            yield b"data: 0\n\n"
            await asyncio.Event().wait()
        finally:
            ended.set()

    lines = with_pings(endless(), A_RUN, every_s=0.01)
    async for one in lines:
        if b"ping" in one:
            break
    await lines.aclose()
    await asyncio.wait_for(ended.wait(), 60)


async def test_what_breaks_a_stream_is_told_as_the_client_reads_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        first, error = [one async for one in told_of(broken(), A_RUN)]
    assert first == b"data: 0\n\n"
    event, _, told = error.decode().partition("\n")
    assert event == "event: error"
    body = json.loads(told.removeprefix("data: "))
    assert (body["run_id"], body["error_type"]) == (A_RUN, "InternalError")
    assert "a bug" not in body["message"]
    assert "a bug" in caplog.text
