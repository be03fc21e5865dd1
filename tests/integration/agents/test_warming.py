"""What a model needs is imported before its agent is spoken to, and not on a server without any."""

import asyncio
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, sys
from pathlib import Path
import httpx
from yiku.app import build
from yiku.providers import models
from yiku.server.http import build_asgi
from yiku.settings import load

IMPORTED = "yiku.providers.asking"

async def main(home, key):
    settings = load(home=Path(home), model="openai/gpt-4o-mini", model_api_key=key or None)
    async with build(settings) as app:
        web = httpx.ASGITransport(build_asgi(app))
        async with httpx.AsyncClient(transport=web, base_url="http://127.0.0.1") as client:
            await client.get("/v1/health/")
            await asyncio.sleep(0.5)
            assert IMPORTED not in sys.modules, "an idle server has imported it"

            async def make():
                made = await client.post("/v1/agents/", json={"model": sys.argv[3] or None})
                made.raise_for_status()

            models.QUIET_S = 3_600  # longer than any request takes
            await make()
            assert IMPORTED not in sys.modules, "the request had to wait for it"
            models.QUIET_S = 0.01
            await make()
            for _ in range(int(sys.argv[4]) * 20):
                await asyncio.sleep(0.05)
                if IMPORTED in sys.modules:
                    break
            print(IMPORTED in sys.modules)

asyncio.run(main(*sys.argv[1:3]))
"""


@pytest.mark.parametrize(
    ("key", "model", "longest_s", "warm"),
    [("k", "", 60, True), ("", "", 1, False), ("k", "yiku/offline", 1, False)],
    ids=["with its key", "without a key", "offline"],
)
async def test_a_model_is_made_ready_when_its_agent_is_made(
    yiku_home: Path, key: str, model: str, longest_s: int, warm: bool
) -> None:
    """In a process of its own: here everything is imported already."""
    given = (str(yiku_home), key, model, str(longest_s))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, *given, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    assert out.decode().strip() == str(warm)
