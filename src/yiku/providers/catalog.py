"""Providers as data: `presets.toml`, and what the user adds to it in `providers.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_type_hints

from yiku.core.errors import SettingInvalid
from yiku.providers.presets import tables

Api = Literal["openai", "anthropic", "google", "bedrock"]
Thinking = Literal["effort", "type", "type+effort", "enable", "template", "reasoning", "none"]
Table = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How an API differs from OpenAI's. The fields are explained in `presets.toml`."""

    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    tool_choice: Literal["any", "named", "auto"] = "any"
    forced_thinking: bool = True
    thinks: Literal["never", "asked", "default", "always"] = "asked"
    thinking: Thinking = "effort"
    efforts: Sequence[str] = ("low", "medium", "high")
    replay: Literal["auto", "field", "never"] = "auto"
    reasoning_field: str | None = None
    temperature: Literal["any", "unthinking", "never"] = "any"
    parallel: bool = True
    strict_tools: bool = False
    alternates: bool = False
    finishes: bool = True
    body: Table = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """What is known of the models whose names fit a pattern."""

    name: str
    window: int | None = None
    max_tokens: int | None = None
    retired: str | None = None
    instead: Sequence[str] = ()
    quirks: Table = field(default_factory=dict[str, Any])

    @property
    def is_pattern(self) -> bool:
        return any(wild in self.name for wild in "*?[")

    def fits(self, model: str) -> bool:
        return fnmatchcase(model.lower(), self.name.lower())


@dataclass(frozen=True, kw_only=True)
class Provider:
    """Somebody who serves models. The fields are explained in `presets.toml`."""

    name: str
    title: str = ""
    aliases: Sequence[str] = ()
    api: Api = "openai"
    base_url: str | None = None
    regions: Mapping[str, str] = field(default_factory=dict[str, str])
    keys: Sequence[str] = ()
    key_regions: Mapping[str, str] = field(default_factory=dict[str, str])
    key_optional: bool = False
    base_urls: Sequence[str] = ()
    base_path: str = ""
    local: bool = False
    lists: bool = True
    chat: bool = True
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    quirks: Table = field(default_factory=dict[str, Any])
    models: Sequence[KnownModel] = ()
    embedding: Table | None = None

    def known(self, model: str) -> KnownModel:
        return next((one for one in self.models if one.fits(model)), KnownModel(name=model))

    def quirks_of(self, model: str) -> Quirks:
        return Quirks(**{**self.quirks, **self.known(model).quirks})

    @property
    def current(self) -> list[str]:
        """The names of its models that are known, and not retired."""
        return [m.name for m in self.models if not (m.is_pattern or m.retired)]


@dataclass(frozen=True, kw_only=True)
class Overflow:
    """How providers say that a prompt is too long."""

    codes: frozenset[str]
    statuses: frozenset[int]
    words: Sequence[str]


class Catalog:
    """The providers there are, those of `$YIKU_HOME/providers.toml` included."""

    def __init__(self, home: Path | None = None) -> None:
        self._own = home / "providers.toml" if home else None

    @cached_property
    def providers(self) -> Mapping[str, Provider]:
        """By name. Raises: SettingInvalid, naming file, table and field."""
        found = {name: provider(name, table, "presets.toml") for name, table in _packaged().items()}
        for name, table in self._added().items():
            known = _packaged().get(name, {})
            # A provider that is there is changed field by field, one that isn't is added.
            found[name] = provider(name, {**known, **table}, str(self._own))
        return found

    def find(self, name: str) -> Provider | None:
        """By its name or an alias."""
        exact = self.providers.get(name)
        if exact is not None:
            return exact
        small = name.lower()
        return next(
            (one for one in self.providers.values() if small in (one.name, *one.aliases)), None
        )

    def names(self) -> list[str]:
        """Of those that have models to talk with."""
        return [one.name for one in self.providers.values() if one.chat]

    @cached_property
    def overflow(self) -> Overflow:
        table = tables()["overflow"]
        return Overflow(
            codes=frozenset(table["codes"]),
            statuses=frozenset(table["statuses"]),
            words=tuple(table["words"]),
        )

    @property
    def default_window(self) -> int:
        return tables()["models"]["window"]

    def is_chat(self, model: str) -> bool:
        """Whether a name in a provider's list is likely one to talk with."""
        small = model.lower()
        return not any(fnmatchcase(small, one) for one in tables()["models"]["not_chat"])

    def _added(self) -> Mapping[str, Table]:
        if self._own is None or not self._own.is_file():
            return {}
        try:
            content = tomllib.loads(self._own.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SettingInvalid(f"{self._own} can't be read: {error}.") from error
        if set(content) - {"provider"} or not isinstance(content.get("provider", {}), dict):
            raise SettingInvalid(
                f"{self._own} may have tables named [provider.<name>] only;"
                f" it has {', '.join(content)}."
            )
        return content.get("provider", {})


def provider(name: str, table: Table, source: str) -> Provider:
    """Raises: SettingInvalid."""
    where = f"{source}: [provider.{name}]"
    content = dict(table)
    models = content.pop("models", [])
    if not isinstance(models, list):
        raise SettingInvalid(f"{where}: `models` must be a list of tables.")
    made = made_of(Provider, {"title": name, **content, "name": name}, where)
    known = [
        made_of(KnownModel, model, f"{where}, a model") for model in cast("list[Table]", models)
    ]
    for quirks in (made.quirks, *(one.quirks for one in known)):
        made_of(Quirks, quirks, f"{where}, quirks")
    return replace(made, models=known)


def made_of(kind: type[T], table: Table, where: str) -> T:
    """A value of a dataclass. Raises: SettingInvalid where the table has other fields or types."""
    there = {one.name: one for one in fields(cast("Any", kind))}
    unknown = sorted(set(table) - set(there))
    if unknown:
        raise SettingInvalid(
            f"{where} has no field `{unknown[0]}`; there are {', '.join(sorted(there))}."
        )
    missing = [
        name
        for name, one in there.items()
        if one.default is MISSING and one.default_factory is MISSING and name not in table
    ]
    if missing:
        raise SettingInvalid(f"{where} lacks `{missing[0]}`.")
    hints = hints_of(kind)
    for name, value in table.items():
        allowed = allowed_values(hints[name])
        if allowed and value not in allowed:
            raise SettingInvalid(
                f"{where}: `{name}` is {value!r}; it can be {', '.join(map(repr, allowed))}."
            )
        if not is_like(value, there[name].default, hints[name]):
            raise SettingInvalid(f"{where}: `{name}` can't be {value!r}.")
    return kind(**table)


@cache
def hints_of(kind: type[Any]) -> Mapping[str, Any]:
    """Evaluated once: every start makes two hundred of these."""
    return get_type_hints(kind)


def allowed_values(hint: Any) -> tuple[str, ...]:
    values = get_args(hint)
    return values if values and all(isinstance(one, str) for one in values) else ()


def is_like(value: Any, default: Any, hint: Any) -> bool:
    """Whether a value of TOML is of a field's type."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    text = str(hint)
    if "Mapping" in text:
        return isinstance(value, dict)
    if "Sequence" in text:
        return isinstance(value, (list, tuple))
    kind = int if "int" in text else str
    return isinstance(value, kind) and not isinstance(value, bool)


def _packaged() -> Mapping[str, Table]:
    return tables()["provider"]
