"""Encodes one text in a process of its own, which may be killed: `encode_process.py <id>`."""

import asyncio
import sys

from yiku.app import build
from yiku.core.ids import EncodingId
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.skills import encode
from yiku.settings import load


async def main() -> None:
    async with build(load()) as app:
        await encode.run(app.skills, LOCAL_ACTOR, EncodingId(sys.argv[1]))


asyncio.run(main())
