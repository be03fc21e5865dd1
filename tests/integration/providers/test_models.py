"""Which models there are: as providers list them, and as we know them."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.scripted_chat import ScriptedChat
from yiku.core.errors import Invalid, ProviderRefused, SettingInvalid
from yiku.core.model import asked
from yiku.providers.models import Models, ModelsChoice

OFFLINE = "yiku/offline"


async def test_the_offline_responder_is_taken_where_nothing_is_configured() -> None:
    models = Models(ModelsChoice())
    assert models.default == OFFLINE
    assert models.get() is models.get(OFFLINE)
    assert "No language model" in (await models.get().complete(asked("", "hello"))).text
    assert models.card(OFFLINE).provider == "yiku"
    await models.close()


async def test_providers_are_asked_for_their_models_once_a_minute(free_port: int) -> None:
    with ScriptedChat(models=("kimi-k3", "kimi-next", "moonshot-v1-8k", "embedding-1")) as server:
        models = Models(
            ModelsChoice(
                default="kimi/kimi-k3",
                base_url=server.url,
                api_key="sk-1",
                variables={
                    "DEEPSEEK_API_KEY": "x",
                    "DEEPSEEK_BASE_URL": f"http://127.0.0.1:{free_port}/v1",
                },
            )
        )
        first = {card.handle: card for card in await models.listed()}
        again, failed = await asyncio.gather(models.listed(), models.unlisted())
        await models.close()
        assert len(server.listed) == 1
        assert server.listed[0].headers["authorization"] == "Bearer sk-1"
        assert server.listed[0].path == "/v1/models"

    assert [card.handle for card in again] == list(first)
    assert first["kimi/kimi-k3"].context_window == 1_048_576
    assert first["kimi/kimi-next"].context_window == 262_144
    note = first["kimi/moonshot-v1-8k"].note
    assert note is not None
    assert "retired" in note
    assert "kimi/embedding-1" not in first
    assert list(first)[-1] == OFFLINE
    # One that doesn't answer is noted; what we know of it stands in.
    assert list(failed) == ["deepseek"]
    assert str(free_port) in failed["deepseek"]
    assert "deepseek/deepseek-v4-pro" in first


@pytest.mark.parametrize("provider", ["anthropic", "google"])
async def test_other_apis_list_theirs(provider: str) -> None:
    with ScriptedChat(models=("model-7",)) as server:
        variables = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": server.root}
        variables |= {"GEMINI_API_KEY": "k", "GEMINI_BASE_URL": server.root}
        models = Models(ModelsChoice(variables=variables))
        found = [card.handle for card in await models.listed()]
        await models.close()
    assert f"{provider}/model-7" in found


async def test_a_default_nobody_lists_is_listed_all_the_same() -> None:
    with ScriptedChat(models=("other",)) as server:
        models = Models(ModelsChoice(default="mine/secret-1", base_url=server.url))
        found = [card.handle for card in await models.listed()]
        answer = await models.get().complete(asked("", "hello"))
        await models.close()
    assert found == ["mine/secret-1", "mine/other", OFFLINE]
    assert answer.model == "mine/secret-1"


def test_a_default_that_can_not_be_one_is_refused_at_the_start() -> None:
    for handle in ("gpt-4o", "nobody/m", "azure/gpt-4o"):
        with pytest.raises(SettingInvalid):
            Models(ModelsChoice(default=handle))
    with pytest.raises(Invalid, match=r"providers\.toml"):
        Models(ModelsChoice()).get("nobody/m")


async def test_a_provider_of_the_users_file_is_asked(tmp_path: Path) -> None:
    with ScriptedChat("from acme", models=("roadrunner-1",)) as server:
        (tmp_path / "providers.toml").write_text(
            f'[provider.acme]\nbase_url = "{server.url}"\nkeys = ["ACME_API_KEY"]\n'
        )
        choice = ModelsChoice(home=tmp_path, variables={"ACME_API_KEY": "sk-acme"})
        models = Models(choice)
        assert "acme/roadrunner-1" in [card.handle for card in await models.listed()]
        answer = await models.get("acme/roadrunner-1").complete(asked("", "hello"))
        assert answer.text == "from acme"
        assert server.asked[0].headers["authorization"] == "Bearer sk-acme"
        await models.close()


async def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("anthropic", "pydantic_ai.providers.anthropic"):
        monkeypatch.setitem(sys.modules, name, None)
    models = Models(ModelsChoice(variables={"ANTHROPIC_API_KEY": "k"}))
    with pytest.raises(ProviderRefused, match=r"yiku\[anthropic\]"):
        await models.warm("anthropic/claude-sonnet-5")
    await models.close()


def test_nothing_heavy_is_imported_before_a_model_is_asked() -> None:
    code = (
        "import sys, yiku, yiku.app\n"
        "from yiku.providers.models import Models, ModelsChoice\n"
        "Models(ModelsChoice(default='openai/x')).get()\n"
        "print([n for n in ('pydantic_ai', 'openai', 'httpx2', 'httpx') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
