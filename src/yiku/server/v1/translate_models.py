"""Between v1's forms of models and our handles and settings; pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from yiku.core.model import ModelCard
from yiku.server.v1 import wire_models as wire

ENDPOINT_TYPES = {
    "google": "google_ai",
    "vertex": "google_vertex",
    "lmstudio": "lmstudio-chatcompletions",
    "kimi": "moonshot",
    "zhipu": "zai",
    "local": "hugging-face",
}
"""Our provider -> v1's name for its API, where that is another one."""
V1_TYPES = frozenset(
    {
        *("openai", "anthropic", "azure", "groq", "ollama", "vllm", "mistral", "together"),
        *("bedrock", "deepseek", "xai", "openrouter", "minimax", "baseten", "fireworks"),
        *ENDPOINT_TYPES.values(),
    }
)
PROVIDER_TYPES = {"lmstudio-chatcompletions": "lmstudio_openai"}
"""v1 has two names for some: of the API, and of the provider."""
PROVIDERS = {
    **{theirs: ours for ours, theirs in ENDPOINT_TYPES.items()},
    **{"lmstudio": "lmstudio", "lmstudio-legacy": "lmstudio", "lmstudio_openai": "lmstudio"},
    **{"moonshot_coding": "kimi", "zai_coding": "zhipu", "chatgpt_oauth": "openai"},
}
"""v1's name -> our provider, where that is another one."""
CHUNK = 300
"""What v1 says of every embedding model; passages are kept whole here."""


def endpoint_type(handle: str) -> str:
    """What speaks OpenAI's language, and has no name in v1, is `openai`."""
    provider = handle.partition("/")[0]
    found = ENDPOINT_TYPES.get(provider, provider)
    return found if found in V1_TYPES else "openai"


def provider_type(handle: str) -> str:
    found = endpoint_type(handle)
    return PROVIDER_TYPES.get(found, found)


def handle_of(endpoint: str, model: str, handle: str | None) -> str:
    """Of one of v1's older configs."""
    return handle or f"{PROVIDERS.get(endpoint, endpoint)}/{model}"


def settings_of(form: wire.ModelSettings | None) -> dict[str, Any]:
    """As they came, without what says nothing."""
    return {} if form is None else form.model_dump(exclude_unset=True, exclude_none=True)


def settings_of_config(form: wire.LlmConfig | None) -> dict[str, Any]:
    """What an older config says of how its model is to answer."""
    if form is None:
        return {}
    kept = ("temperature", "parallel_tool_calls", "strict", "effort", "verbosity")
    found = {name: getattr(form, name) for name in (*kept, "tool_call_parser")}
    found["max_output_tokens"] = form.max_tokens
    if form.response_format is not None:
        found["response_format"] = form.response_format.model_dump(exclude_none=True)
    effort = "none" if form.enable_reasoner is False else form.reasoning_effort
    found |= reasoning(effort, form.max_reasoning_tokens)
    return {name: value for name, value in found.items() if value is not None}


def reasoning(effort: str | None, budget: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if effort is not None:
        found["reasoning"] = {"reasoning_effort": effort}
    if budget:
        found["thinking"] = {"type": "enabled", "budget_tokens": budget}
    return found


def llm_config_out(
    handle: str, context_window: int, settings: Mapping[str, Any]
) -> wire.LlmConfigOut:
    return wire.LlmConfigOut.of(**config_values(handle, context_window, settings))


def config_values(handle: str, window: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    provider, _, name = handle.partition("/")
    effort = settings.get("reasoning", {}).get("reasoning_effort")
    told = ("temperature", "parallel_tool_calls", "effort", "verbosity", "response_format")
    return {
        **{field: settings.get(field) for field in (*told, "tool_call_parser")},
        "model": name,
        "display_name": name,
        "context_window": window,
        "model_endpoint_type": endpoint_type(handle),
        "model_endpoint": None,
        "model_wrapper": None,
        "handle": handle,
        "provider_name": provider,
        "provider_category": "base",
        "max_tokens": settings.get("max_output_tokens"),
        "enable_reasoner": effort != "none",
        "reasoning_effort": effort,
        "max_reasoning_tokens": settings.get("thinking", {}).get("budget_tokens") or 0,
        "strict": bool(settings.get("strict")),
        "frequency_penalty": None,
        "compatibility_type": None,
        "put_inner_thoughts_in_kwargs": False,
        "return_logprobs": False,
        "return_token_ids": False,
        "top_logprobs": None,
        "tier": None,
    }


def model_out(card: ModelCard) -> wire.ModelOut:
    values = config_values(card.handle, card.context_window, {})
    values |= {"max_tokens": card.max_tokens, "provider_name": card.provider, "model": card.name}
    return wire.ModelOut.model_construct(
        **values,
        name=card.name,
        max_context_window=card.context_window,
        provider_type=provider_type(card.handle),
        model_type="llm",
        note=card.note,
    )


def embedding_values(handle: str, dimension: int) -> dict[str, Any]:
    return {
        "embedding_model": handle.partition("/")[2],
        "embedding_dim": dimension,
        "embedding_endpoint_type": endpoint_type(handle),
        "embedding_endpoint": None,
        "embedding_chunk_size": CHUNK,
        "handle": handle,
        "batch_size": 32,
        "azure_endpoint": None,
        "azure_version": None,
        "azure_deployment": None,
    }


@lru_cache(maxsize=64)
def embedding_out(handle: str, dimension: int) -> wire.EmbeddingConfigOut:
    return wire.EmbeddingConfigOut.of(**embedding_values(handle, dimension))


def embedding_model_out(handle: str, dimension: int) -> wire.EmbeddingModelOut:
    provider, _, name = handle.partition("/")
    return wire.EmbeddingModelOut.model_construct(
        **embedding_values(handle, dimension),
        name=name,
        display_name=name,
        provider_name=provider,
        provider_type=provider_type(handle),
        model_type="embedding",
    )
