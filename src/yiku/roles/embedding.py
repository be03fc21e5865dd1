"""Which embedding model somebody means: a handle, or a configuration as other systems have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from yiku.core.errors import EmbeddingModelMismatch, Invalid
from yiku.core.role import wrong
from yiku.providers.presets import local_preset
from yiku.settings import Settings

LOCAL = "local"
ANY = "custom"
"""Provider of a model of which only the address is known."""
ALLOWED = (
    "nothing (the configured model), a handle like local/all-minilm-l6-v2, or an object or dict"
    " with embedding_model"
)
FIELDS = ("embedding_model", "embedding_endpoint_type", "embedding_endpoint", "embedding_dim")


def embedding_settings(config: Any) -> dict[str, Any]:
    """The settings that mean the same model as `config`; None or `...`: what is configured.

    Of an object or a dict, these are read: `embedding_model`, `embedding_endpoint_type` (the
    provider), `embedding_endpoint` (its address), `embedding_dim`; or `handle`, where it has no
    `embedding_model`. The key is never part of it: YIKU_EMBEDDING_API_KEY.

    Raises: Invalid, ModelNotFound.
    """
    if config is None or config is ...:
        return {}
    if isinstance(config, str):
        return {"embedding": checked_handle(config)}
    found = {name: member(config, name) for name in (*FIELDS, "handle")}
    if not found["embedding_model"] and not found["handle"]:
        raise wrong("embedding_config", ALLOWED, config)
    for name in ("embedding_model", "embedding_endpoint_type", "embedding_endpoint", "handle"):
        if found[name] is not None and not isinstance(found[name], str):
            raise wrong(f"embedding_config.{name}", "a text", found[name])
    size: Any = found["embedding_dim"]
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
        raise wrong("embedding_config.embedding_dim", "a whole number from 1", size)
    handle = handle_of(found)
    if handle.startswith(f"{LOCAL}/"):
        demand_dimension(handle, size)
        return {"embedding": handle}
    settings = {
        "embedding": handle,
        "embedding_base_url": found["embedding_endpoint"],
        "embedding_dimension": size,
    }
    return {name: value for name, value in settings.items() if value}


def handle_of(found: Mapping[str, Any]) -> str:
    name, provider = found["embedding_model"], found["embedding_endpoint_type"]
    if not name:
        return checked_handle(found["handle"])
    if provider:
        return checked_handle(f"{provider}/{name}")
    if found["embedding_endpoint"]:
        return checked_handle(f"{ANY}/{name}")
    return checked_handle(name)


def checked_handle(handle: str) -> str:
    """Raises: Invalid, ModelNotFound where it names an unknown local model."""
    provider, slash, name = handle.partition("/")
    if not (provider and slash and name):
        raise wrong("embedding_config", f"{ALLOWED}; a handle is <provider>/<model>", handle)
    if provider == LOCAL:
        local_preset(name)
    return handle


def demand_dimension(handle: str, size: int | None) -> None:
    """Raises: Invalid."""
    own = local_preset(handle.partition("/")[2]).dimension
    if size not in (None, own):
        raise wrong("embedding_config.embedding_dim", f"{own} for {handle}", size)


def demand_same(config: Any, settings: Settings) -> None:
    """Raises: Invalid, EmbeddingModelMismatch where `config` is another model than is in use."""
    asked = embedding_settings(config)
    if asked and asked["embedding"] != settings.embedding:
        raise EmbeddingModelMismatch(
            f"This memory works with {settings.embedding}; what {asked['embedding']} makes can't be"
            " compared with its vectors. Leave `embedding_config` out, or open a memory of that"
            " model.",
            configured=settings.embedding,
            asked=asked["embedding"],
        )


def member(config: Any, name: str) -> Any:
    if isinstance(config, Mapping):
        return cast("Mapping[str, Any]", config).get(name)
    return getattr(config, name, None)


def text_given(name: str, value: Any) -> str:
    """Raises: Invalid where it isn't a text at all."""
    if not isinstance(value, str):
        raise Invalid(f"`{name}` is a text, not {type(value).__name__}.", field=name)
    return value
