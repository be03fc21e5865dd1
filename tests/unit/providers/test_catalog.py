"""Providers as data, and what a user adds to them."""

from pathlib import Path

import pytest

from yiku.core.errors import Invalid, SettingInvalid
from yiku.providers.access import Reach, split_handle
from yiku.providers.catalog import Catalog

NAMED = (
    "openai anthropic google azure bedrock ollama vllm lmstudio deepseek openrouter kimi zhipu qwen"
    " ernie baichuan groq together xai mistral"
).split()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def wrote(home: Path, text: str) -> Catalog:
    (home / "providers.toml").write_text(text, encoding="utf-8")
    return Catalog(home)


@pytest.mark.parametrize("name", NAMED)
def test_every_provider_named_is_there_and_complete(name: str) -> None:
    provider = Catalog().find(name)
    assert provider is not None
    assert provider.title
    assert provider.keys or provider.local or provider.key_optional
    for model in ("some-model", *(one.name for one in provider.models)):
        provider.quirks_of(model)
    for known in provider.models:
        assert not known.retired or known.instead, "what there is today is told"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("moonshot", "kimi"),
        ("zai", "zhipu"),
        ("bigmodel", "zhipu"),
        ("dashscope", "qwen"),
        ("qianfan", "ernie"),
        ("google_ai", "google"),
        ("Kimi", "kimi"),
    ],
)
def test_aliases_lead_to_their_provider(alias: str, name: str) -> None:
    provider = Catalog().find(alias)
    assert provider is not None
    assert provider.name == name


@pytest.mark.parametrize(
    ("name", "model", "window"),
    [
        ("openai", "gpt-4o-mini-2024-07-18", 128_000),
        ("openai", "gpt-5.4-mini", 400_000),
        ("openai", "gpt-5.5", 1_050_000),
        ("kimi", "moonshot-v1-32k", 32_768),
        ("zhipu", "GLM-4-Plus", 128_000),
        ("zhipu", "glm-4-airx", 8_000),
        ("anthropic", "claude-haiku-4-5", 200_000),
    ],
)
def test_context_windows_are_known(name: str, model: str, window: int) -> None:
    provider = Catalog().find(name)
    assert provider is not None
    assert provider.known(model).window == window


def test_the_models_of_the_spec_are_known_and_the_retired_marked() -> None:
    catalog = Catalog()
    old = {
        "kimi": ["moonshot-v1-8k", "moonshot-v1-32k", "moonshot-v1-128k", "kimi-k2-preview"],
        "zhipu": ["glm-4", "glm-4-plus", "glm-4-flash", "glm-4-air", "glm-4-airx"],
        "qwen": ["qwen-max", "qwen-turbo"],
        "ernie": ["ernie-4.0-8k", "ernie-3.5-128k"],
        "deepseek": ["deepseek-chat", "deepseek-reasoner"],
    }
    for name, models in old.items():
        provider = catalog.find(name)
        assert provider is not None
        for model in models:
            assert provider.known(model).retired
            assert set(provider.known(model).instead) <= set(provider.current)


def test_a_user_adds_a_provider_and_changes_one(home: Path) -> None:
    catalog = wrote(
        home,
        """
        [provider.acme]
        base_url = "https://llm.acme.example/v1"
        keys = ["ACME_API_KEY"]
        quirks = { tool_choice = "auto" }
        models = [{ name = "roadrunner-*", window = 64000 }]

        [provider.kimi]
        base_url = "https://kimi.proxy.example/v1"
        """,
    )
    acme, kimi = catalog.find("acme"), catalog.find("kimi")
    assert acme is not None
    assert kimi is not None
    assert acme.known("roadrunner-2").window == 64000
    assert acme.quirks_of("x").tool_choice == "auto"
    assert kimi.base_url == "https://kimi.proxy.example/v1"
    assert kimi.quirks_of("kimi-k3").replay == "field", "what isn't said stays"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[provider.acme", "can't be read"),
        ("[endpoint.acme]\n", r"\[provider.<name>\]"),
        ("[provider.acme]\nurl = 'x'\n", "no field `url`"),
        ("[provider.acme]\napi = 'letters'\n", "'openai', 'anthropic'"),
        ("[provider.acme]\nkeys = 'ACME_API_KEY'\n", "`keys` can't be"),
        ("[provider.acme]\nlocal = 'yes'\n", "`local` can't be"),
        ("[provider.acme]\nquirks = { thinking = 'hard' }\n", "`thinking` is 'hard'"),
        ("[provider.acme]\nmodels = [{ window = 9 }]\n", "lacks `name`"),
        ("[provider.acme]\nmodels = [{ name = 'x', window = 'big' }]\n", "`window` can't be"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(home: Path, text: str, told: str) -> None:
    with pytest.raises(SettingInvalid, match=told):
        _ = wrote(home, text).providers


def access_of(name: str, reach: Reach) -> tuple[str | None, str | None, str]:
    provider = Catalog().find(name)
    assert provider is not None
    access = reach.access(provider)
    return access.base_url, access.key, access.key_variable


def test_a_key_brings_its_region() -> None:
    assert access_of("zhipu", Reach(variables={"ZHIPU_API_KEY": "a"})) == (
        "https://open.bigmodel.cn/api/paas/v4",
        "a",
        "ZHIPU_API_KEY",
    )
    assert access_of("zhipu", Reach(variables={"ZAI_API_KEY": "b"}))[0] == (
        "https://api.z.ai/api/paas/v4"
    )
    assert access_of("kimi", Reach(region="international"))[0] == "https://api.moonshot.ai/v1"


def test_settings_of_the_default_model_win_for_its_provider_only() -> None:
    reach = Reach(
        variables={"KIMI_API_KEY": "theirs", "OPENAI_API_KEY": "other"},
        own_provider="moonshot",
        base_url="https://proxy.example/v1",
        api_key="own",
    )
    assert access_of("kimi", reach) == ("https://proxy.example/v1", "own", "YIKU_MODEL_API_KEY")
    assert access_of("openai", reach)[1] == "other"
    assert access_of("openai-compatible", reach)[0] == "https://proxy.example/v1"


@pytest.mark.parametrize(
    ("name", "variable", "given", "url"),
    [
        ("ollama", "OLLAMA_HOST", "gpu:11434", "http://gpu:11434/v1"),
        ("ollama", "OLLAMA_BASE_URL", "http://gpu:11434/v1", "http://gpu:11434/v1"),
        (
            "azure",
            "AZURE_OPENAI_ENDPOINT",
            "https://x.openai.azure.com/",
            "https://x.openai.azure.com/openai/v1",
        ),
        ("deepseek", "DEEPSEEK_BASE_URL", "https://d.example/v1/", "https://d.example/v1"),
    ],
)
def test_base_urls_come_from_their_usual_variables(
    name: str, variable: str, given: str, url: str
) -> None:
    assert access_of(name, Reach(variables={variable: given}))[0] == url


def test_a_provider_without_an_address_is_refused() -> None:
    with pytest.raises(SettingInvalid, match="AZURE_OPENAI_ENDPOINT"):
        access_of("azure", Reach(variables={"AZURE_OPENAI_API_KEY": "x"}))


def test_a_key_with_strange_characters_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingInvalid, match="KIMI_API_KEY") as caught:
        access_of("kimi", Reach(variables={"KIMI_API_KEY": "sk-密钥"}))
    assert "密钥" not in caught.value.message


@pytest.mark.parametrize("handle", ["gpt-4o", "/gpt-4o", "openai/", ""])
def test_a_handle_has_a_provider_and_a_model(handle: str) -> None:
    with pytest.raises(Invalid, match="openai/gpt-4o-mini"):
        split_handle(handle)


def test_names_of_models_keep_their_slashes() -> None:
    assert split_handle("openrouter/anthropic/claude") == ("openrouter", "anthropic/claude")


def test_lists_are_cleared_of_what_does_not_talk() -> None:
    catalog = Catalog()
    talks = ["gpt-6-sol", "kimi-k3", "qwen3.8-max", "deepseek-v4-pro", "gemini-3.8-flash"]
    assert all(catalog.is_chat(name) for name in talks)
    others = ["text-embedding-3-small", "whisper-1", "bge-m3", "tts-1", "gpt-realtime", "veo-3"]
    assert not any(catalog.is_chat(name) for name in others)
