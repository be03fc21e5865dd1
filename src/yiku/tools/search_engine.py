"""Search providers, and the one that is set up; what is to be known of each is in
search_providers.toml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from yiku.core.errors import SettingInvalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How a provider is asked, and how its answers are read."""

    name: str
    url: str
    method: str
    most: int
    results: Sequence[str]
    ask: Mapping[str, str]
    tell: Mapping[str, Sequence[str]]
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    variable: str | None = None
    header: str = ""
    scheme: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEngine:
    """A provider, where it is, and our key."""

    provider: Provider
    url: str
    key: str | None = field(default=None, repr=False)


@cache
def providers() -> Mapping[str, Provider]:
    import tomllib

    text = files("yiku.tools").joinpath("search_providers.toml").read_text(encoding="utf-8")
    return {name: Provider(name=name, **told) for name, told in tomllib.loads(text).items()}


def engine(
    name: str | None, key: str | None, base_url: str | None, variables: Mapping[str, str]
) -> SearchEngine | None:
    """What is set up; None: nothing is. Where none is named: the first whose key is there.

    Raises: SettingInvalid.
    """
    known = providers()
    if name is None:
        name = next((one.name for one in known.values() if one.variable in variables), None)
        if name is None:
            return None
    if name not in known:
        raise SettingInvalid(
            f"YIKU_SEARCH_PROVIDER: {name!r} isn't known; there are {', '.join(known)}."
        )
    one = known[name]
    found = key or variables.get(one.variable or "")
    if one.variable is not None and not found:
        raise SettingInvalid(
            f"YIKU_SEARCH_PROVIDER: {name} needs a key: YIKU_SEARCH_API_KEY, or {one.variable}."
        )
    if "{base}" in one.url and base_url is None:
        raise SettingInvalid(
            f"YIKU_SEARCH_PROVIDER: {name} is a server of your own; YIKU_SEARCH_BASE_URL says"
            " where."
        )
    url = base_url or one.url
    if "{base}" in one.url:
        url = one.url.format(base=url.rstrip("/"))
    return SearchEngine(provider=one, url=url, key=found)
