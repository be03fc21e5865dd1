from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.contract.skills.thinking import Thinking
from tests.fixtures.talking import MODEL
from tests.servers.scripted_chat import ScriptedChat
from yiku.app import App, build
from yiku.settings import load

Opener = Callable[..., Awaitable[App]]


@pytest.fixture
def thinking(model: ScriptedChat) -> Thinking:
    made = Thinking()
    model.respond = made
    return made


@pytest.fixture
async def open_app(
    database_url: str, yiku_home: Path, model: ScriptedChat
) -> AsyncIterator[Opener]:
    """Opens the app on one database, with settings; again, where it is called again."""
    async with AsyncExitStack() as stack:

        async def opened(**more: Any) -> App:
            told = {
                "model": MODEL,
                "model_base_url": model.url,
                "model_api_key": "sk-test",
                **more,
            }
            settings = load(home=yiku_home, database_url=database_url, **told)
            return await stack.enter_async_context(build(settings))

        yield opened


@pytest.fixture
async def app(open_app: Opener, thinking: Thinking) -> App:
    """With a model."""
    return await open_app()
