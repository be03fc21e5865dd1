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
    """A provider with an OpenAI-compatible API. The fields are explained in `presets.toml`."""

    name: str
    base_url: str
    key_variable: str | None = None
    batch: int = 64
    max_characters: int = 8000
    dimensions: Mapping[str, int] = field(default_factory=dict[str, int])


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("presets.toml").read_text(encoding="utf-8"))


def local_preset(name: str) -> LocalPreset:
    """Raises: ModelNotFound, naming the presets there are."""
    known = _tables()["local"]
    if name not in known:
        names = ", ".join(f"local/{n}" for n in known)
        raise ModelNotFound(f"There is no local model `{name}`; known are {names}.", model=name)
    return LocalPreset(name=name, **known[name])


def local_preset_names() -> list[str]:
    return list(_tables()["local"])


def default_hub() -> str:
    """Base URL of the model hub local models are fetched from when no mirror is set."""
    return _tables()["hub"]["base_url"]


def find_endpoint_preset(name: str) -> EndpointPreset | None:
    table = _tables()["endpoint"].get(name)
    if table is None:
        return None
    return EndpointPreset(name=name, **table)


def is_english_only(model: str) -> bool:
    """Whether a model behind an endpoint is known to be nearly blind in Chinese."""
    return any(fnmatchcase(model.lower(), pattern) for pattern in _tables()["english_only"])


def endpoint_preset_names() -> list[str]:
    return list(_tables()["endpoint"])
