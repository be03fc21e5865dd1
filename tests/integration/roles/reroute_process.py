"""A process that goes on with a rerouting and says so: `step <position>` on stdout for each.

Arguments: home, database address, the rerouting's id, memories a step.
"""

import asyncio
import sys

from yiku.app import build
from yiku.core.tenant import LOCAL_ACTOR
from yiku.memory.roles import reroute
from yiku.settings import load


async def main(home: str, database_url: str, job_id: str, batch: int) -> None:
    reroute.BATCH = batch
    async with build(load(home=home, database_url=database_url)) as app:
        while True:
            done = await reroute.step(app.memory, LOCAL_ACTOR, job_id)
            print("step", done.job.position, flush=True)
            if done.job.state == "done":
                return


if __name__ == "__main__":
    home, url, job_id, batch = sys.argv[1:]
    asyncio.run(main(home, url, job_id, int(batch)))
