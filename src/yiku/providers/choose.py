"""From settings' plain values to an embedder."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

from yiku.core.errors import SettingInvalid
from yiku.providers.cache import CachedEmbedder, Warmable
from yiku.providers.presets import (
    endpoint_preset_names,
    find_endpoint_preset,
    is_english_only,
    local_preset,
)
from yiku.providers.session import Variant

LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderChoice:
    """Which embedder, and how. What a kind of embedder has no use for is ignored."""

    handle: str = "local/all-minilm-l6-v2"  # local/<preset> or <provider>/<model>
    home: Path  # Yiku's folder; models lie in its `models`
    variant: str = "int8"  # local: "int8" or "float32"
    folder: Path | None = None  # local: the one place to look for the model's files
    threads: int = 2  # local
    base_url: str | None = None  # endpoint: instead of the preset's
    api_key: str | None = field(default=None, repr=False)  # endpoint
    dimension: int | None = None  # endpoint: instead of the one known or found out
    timeout_s: float = 30.0  # endpoint
    cached_texts: int = 1024


def as_it_is(made: Warmable) -> Warmable:
    return made


def embedder(
    choice: EmbedderChoice, dressed: Callable[[Warmable], Warmable] = as_it_is
) -> CachedEmbedder:
    """Ready to be asked; nothing is loaded and no connection made yet. `dressed`: what is behind
    the cache.

    Raises: SettingInvalid, ModelNotFound (no such local preset).
    """
    provider, slash, name = choice.handle.partition("/")
    if not (provider and slash and name):
        raise SettingInvalid(
            f"`{choice.handle}` is no handle of an embedding model: it has the form"
            " local/<model> or <provider>/<model>."
        )
    make = _local if provider == LOCAL else _endpoint
    return CachedEmbedder(dressed(make(choice, provider, name)), choice.cached_texts)


# What is chosen imports its adapter only then: httpx, say, takes 60 ms.


def _local(choice: EmbedderChoice, _provider: str, name: str) -> Warmable:
    from yiku.providers.minilm import LocalEmbedder

    if choice.variant not in get_args(Variant):
        raise SettingInvalid(
            f"A local embedding model has no variant `{choice.variant}`; there are"
            f" {' and '.join(get_args(Variant))}."
        )
    return LocalEmbedder(
        local_preset(name),
        choice.home,
        folder=choice.folder,
        variant=cast("Variant", choice.variant),
        threads=choice.threads,
    )


def _endpoint(choice: EmbedderChoice, provider: str, name: str) -> Warmable:
    from yiku.providers.embeddings import Endpoint, OpenAICompatibleEmbedder, Patience

    preset = find_endpoint_preset(provider)
    base_url = choice.base_url or (preset and preset.base_url)
    if not base_url:
        names = ", ".join(endpoint_preset_names())
        raise SettingInvalid(
            f"The embedding provider `{provider}` needs a base URL; without one go {names}, and"
            " local."
        )
    known: Mapping[str, int] = preset.dimensions if preset else {}
    usual = known.get(name)
    endpoint = Endpoint(
        provider=provider,
        model=name,
        base_url=base_url,
        api_key=choice.api_key,
        key_variable=preset.key_variable if preset else None,
        batch=preset.batch if preset else 64,
        dimension=choice.dimension or usual,
        ask_for_dimension=choice.dimension is not None and usual not in (None, choice.dimension),
        max_characters=preset.max_characters if preset else 8000,
        multilingual=not is_english_only(name),
        siblings=frozenset(known) - {name},
    )
    return OpenAICompatibleEmbedder(endpoint, Patience(timeout_s=choice.timeout_s))
