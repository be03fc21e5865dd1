"""A server process that runs an agent, and is killed in the middle of it.

python -m tests.servers.dying HOME DATABASE_URL MODEL_URL AGENT_ID WORDS
"""

import asyncio
import sys
from pathlib import Path

from tests.fixtures.running import settings_of, user
from yiku.app import build
from yiku.core.ids import AgentId
from yiku.core.run import RunRequest
from yiku.core.tenant import LOCAL_ACTOR


async def main(home: str, database_url: str, model_url: str, agent_id: str, words: str) -> None:
    async with build(settings_of(Path(home), database_url, model_url)) as app:
        active = await app.runner.start(LOCAL_ACTOR, AgentId(agent_id), [user(words)], RunRequest())
        print(active.run.id, flush=True)
        await active.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
