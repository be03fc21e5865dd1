"""How a model is reached: whose it is, at which address, with which key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from yiku.core.errors import Invalid, ProviderRefused, SettingInvalid
from yiku.providers.catalog import KnownModel, Provider, Quirks

KEY_SETTING = "YIKU_MODEL_API_KEY"
BASE_URL_SETTING = "YIKU_MODEL_BASE_URL"


@dataclass(frozen=True, kw_only=True)
class Access:
    """One provider, reached at one address with one key."""

    provider: Provider
    base_url: str | None
    """None: its library knows the address."""
    key: str | None = field(default=None, repr=False)
    key_variable: str | None
    """Where the key is from, or would be read from; None: nowhere."""
    region: str | None = None
    """AWS's, where the API is Bedrock's."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)

    @property
    def name(self) -> str:
        return self.provider.name

    @property
    def usable(self) -> bool:
        """Whether there is a point in asking."""
        return bool(self.key) or self.provider.key_optional or not self.provider.keys


@dataclass(frozen=True, kw_only=True)
class Target:
    """One model, as its provider calls it."""

    access: Access
    name: str
    handle: str

    @cached_property
    def known(self) -> KnownModel:
        return self.access.provider.known(self.name)

    @cached_property
    def quirks(self) -> Quirks:
        return self.access.provider.quirks_of(self.name)


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What the settings say of addresses and keys."""

    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The environment's, by name: keys and base URLs."""
    region: str | None = None
    own_provider: str | None = None
    """The default model's: `base_url` and `api_key` are for it."""
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)

    def access(self, provider: Provider) -> Access:
        """Raises: SettingInvalid where there is no address, or the key can't be one."""
        own = self.own_provider in (provider.name, *provider.aliases)
        ours = own or self._is_at_our_address(provider)
        variable, key = self._key(provider, ours)
        base_url = self._base_url(provider, ours, variable)
        if base_url is None and provider.api == "openai":
            names = " or ".join((*provider.base_urls, BASE_URL_SETTING))
            raise SettingInvalid(
                f"The provider `{provider.name}` of a language model needs an address: set {names}."
            )
        return Access(
            provider=provider,
            base_url=base_url,
            key=key,
            key_variable=variable,
            region=self.variables.get("AWS_REGION") or self.variables.get("AWS_DEFAULT_REGION"),
            headers=self._headers(provider),
        )

    def is_configured(self, provider: Provider) -> bool:
        """Whether the settings name the provider: its key, its address, or a model of it."""
        if self.own_provider in (provider.name, *provider.aliases):
            return True
        return any(self.variables.get(name) for name in (*provider.keys, *provider.base_urls))

    def _is_at_our_address(self, provider: Provider) -> bool:
        """The endpoint that has no name of its own is the one the settings give."""
        generic = provider.base_url is None and provider.api == "openai"
        return bool(self.base_url) and generic and provider.name == "openai-compatible"

    def _key(self, provider: Provider, ours: bool) -> tuple[str | None, str | None]:
        """Its variable, and what it holds."""
        if ours and self.api_key:
            return KEY_SETTING, checked(self.api_key, KEY_SETTING)
        for name in provider.keys:
            if self.variables.get(name):
                return name, checked(self.variables[name], name)
        if ours and (self.base_url or not provider.keys):
            return KEY_SETTING, None  # beside the address
        return (provider.keys[0] if provider.keys else None), None

    def _base_url(self, provider: Provider, ours: bool, key_variable: str | None) -> str | None:
        if self.base_url and ours:
            return self.base_url
        for name in provider.base_urls:
            given = self.variables.get(name)
            if given:
                return with_path(given, provider.base_path)
        region = provider.key_regions.get(key_variable or "") or self.region
        return provider.regions.get(region or "") or provider.base_url

    def _headers(self, provider: Provider) -> dict[str, str]:
        """Those whose variables are set."""
        filled = {
            name: self.variables.get(value[1:], "") if value.startswith("$") else value
            for name, value in provider.headers.items()
        }
        return {name: value for name, value in filled.items() if value}


def split_handle(handle: str) -> tuple[str, str]:
    """Provider and model. Raises: Invalid."""
    provider, slash, name = handle.partition("/")
    if not (provider and slash and name):
        raise Invalid(
            f"`{handle}` is no handle of a language model: it has the form <provider>/<model>,"
            " like openai/gpt-4o-mini.",
            handle=handle,
        )
    return provider, name


def need_key(target: Target) -> None:
    """Raises: ProviderRefused, saying which variable it goes into."""
    access = target.access
    if access.usable:
        return
    variables = (*access.provider.keys, access.key_variable)
    names = " or ".join(dict.fromkeys(name for name in variables if name))
    raise ProviderRefused(
        f"{target.handle} can't be asked without an API key of {access.provider.title}:"
        f" set {names}.",
        model=target.handle,
    )


def checked(key: str, variable: str) -> str:
    """Raises: SettingInvalid. An HTTP client would say the same with the key in its message."""
    stripped = key.strip()
    if not (stripped.isascii() and stripped.replace(" ", "").isprintable()):
        raise SettingInvalid(f"{variable} holds characters that are in no key.")
    return stripped


def with_path(base_url: str, path: str) -> str:
    """`OLLAMA_HOST` is a host and a port, Azure's endpoint has no path."""
    url = base_url.rstrip("/")
    if path and "://" not in url:
        url = f"http://{url}"
    return url if not path or url.endswith(path) else url + path
