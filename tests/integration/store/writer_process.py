"""A process that adds passages and says so: `added <text>` on stdout once each is acknowledged.

Arguments: home, database address, name of the writer, how many (0: until killed), how many at once,
the most bytes that a file may have (0: as many as it likes).
"""

import asyncio
import resource
import sys
from itertools import count

import yiku
from yiku.client.memory import MemoryClient


async def main(home: str, database_url: str, name: str, many: int, at_once: int) -> None:
    async with yiku.connect("yiku://", home=home, database_url=database_url) as memory:
        print("ready", flush=True)
        numbers = iter(range(many)) if many else count()

        async def work(memory: MemoryClient) -> None:
            for n in numbers:
                text = f"{name} note {n}: {n * 7919 % 10_007} boxes stand in hall {n % 13}"
                await memory.add(text, speaker=f"{name}-{n}", metadata={"n": n})
                print("added", text, flush=True)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(work(memory))


if __name__ == "__main__":
    home, url, name, many, at_once, most = sys.argv[1:]
    if most != "0":
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
    asyncio.run(main(home, url, name, int(many), int(at_once)))
