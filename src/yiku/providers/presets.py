"""What is known of models and endpoints beforehand; read from `presets.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Literal

from yiku.core.errors import ModelNotFound

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPreset:
    """A model that runs on this machine. The fields are explained in `presets.toml`."""

    name: str
    dimension: int
    pooling: Pooling
    max_tokens: int
    multilingual: bool
    repo: str
    languages: str = "many"
    revision: str = "main"
    weights: str = "model.safetensors"
    query_prefix: str = ""
    document_prefix: str = ""
    sha256: str | None = None
    wheel: str | None = None
    wheel_bytes: int = 0
    package: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPreset:
    """A provider with OpenAI's `/embeddings`. The fields are explained in `presets.toml`."""

    name: str
    base_url: str
    key_variable: str | None = None
    batch: int = 64
    max_characters: int = 8000
    dimensions: Mapping[str, int] = field(default_factory=dict[str, int])


@cache
def tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("presets.toml").read_text(encoding="utf-8"))


def local_preset(name: str) -> LocalPreset:
    """Raises: ModelNotFound, naming the presets there are."""
    known = tables()["local"]
    if name not in known:
        names = ", ".join(f"local/{n}" for n in known)
        raise ModelNotFound(f"There is no local model `{name}`; known are {names}.", model=name)
    return LocalPreset(name=name, **known[name])


def local_preset_names() -> list[str]:
    return list(tables()["local"])


def default_hub() -> str:
    """Base URL of the model hub local models are fetched from when no mirror is set."""
    return tables()["hub"]["base_url"]


def find_endpoint_preset(name: str) -> EndpointPreset | None:
    table = tables()["provider"].get(name)
    if table is None or "embedding" not in table:
        return None
    keys: list[str] = table.get("keys", [])
    return EndpointPreset(
        name=name,
        base_url=table["base_url"],
        key_variable=keys[0] if keys else None,
        **table["embedding"],
    )


def is_english_only(model: str) -> bool:
    """Whether a model behind an endpoint is known to be nearly blind in Chinese."""
    return any(fnmatchcase(model.lower(), pattern) for pattern in tables()["english_only"])


def endpoint_preset_names() -> list[str]:
    return [name for name, table in tables()["provider"].items() if "embedding" in table]
