"""Every language model there is to ask, by its handle."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from yiku.core.errors import Invalid, ProviderError, SettingInvalid
from yiku.core.ids import new_id
from yiku.core.model import ModelCard
from yiku.core.ports import LanguageModel
from yiku.providers.access import Access, Reach, Target, need_key, split_handle
from yiku.providers.catalog import Catalog, Provider
from yiku.providers.direct import PATIENCE, DirectModel
from yiku.providers.listing import Found, Listed, list_models
from yiku.providers.notes import note_of
from yiku.providers.offline import HANDLE as OFFLINE
from yiku.providers.offline import OfflineResponder
from yiku.providers.patience import Patience

if TYPE_CHECKING:
    from yiku.providers.backends import Backends

logger = logging.getLogger(__name__)

LIST_KEPT_S = 60.0
QUIET_S = 0.25
LENT = "lent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsChoice:
    """What the settings say of language models."""

    default: str | None = None
    """A handle; None: the offline responder."""
    base_url: str | None = None
    """Of the default model's provider."""
    api_key: str | None = field(default=None, repr=False)
    region: str | None = None
    timeout_s: float = 120.0
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The environment's keys and base URLs, by name."""
    home: Path | None = None
    """Where `providers.toml` is looked for."""


def as_it_is(model: LanguageModel) -> LanguageModel:
    return model


class Models:
    """Models are made when they are first asked for, and kept."""

    def __init__(
        self,
        choice: ModelsChoice,
        patience: Patience | None = None,
        *,
        dressed: Callable[[LanguageModel], LanguageModel] = as_it_is,
    ) -> None:
        """`dressed`: what each model is given out as. Raises: SettingInvalid where the default
        model can't be one."""
        self._choice = choice
        self._dressed = dressed
        self._direct: dict[str, DirectModel] = {}
        self._catalog = Catalog(choice.home)
        own = (choice.default or "").partition("/")[0] or None
        self._reach = Reach(
            variables=choice.variables,
            region=choice.region,
            own_provider=own,
            base_url=choice.base_url,
            api_key=choice.api_key,
        )
        self._patience = patience or Patience(
            timeout_s=choice.timeout_s, attempts=PATIENCE.attempts
        )
        self._made: dict[str, LanguageModel] = {OFFLINE: dressed(OfflineResponder())}
        self._backends_made: Backends | None = None
        self._making = threading.Lock()
        self._listed: tuple[float, Listed] | None = None
        self._listing = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._warming: asyncio.Task[None] | None = None
        if choice.default is not None:
            self._check_default(choice.default)

    @property
    def default(self) -> str:
        """The handle of the model that is taken where none is named."""
        return self._choice.default or OFFLINE

    def get(self, handle: str | None = None) -> LanguageModel:
        """None: the default. Nothing is connected yet; a missing key is told when it is asked.

        Raises: Invalid (no handle, no such provider), SettingInvalid (no address, no key at all).
        """
        wanted = handle or self.default
        made = self._made.get(wanted)
        if made is None:
            made = self._made[wanted] = self._dressed(self._ask_directly(wanted))
        return made

    def _ask_directly(self, handle: str) -> DirectModel:
        """Raises: as `get`."""
        made = self._direct.get(handle)
        if made is None:
            made = self._direct[handle] = DirectModel(
                self._target(handle), self._backends, self._catalog.overflow, self._patience
            )
        return made

    def lend(self, model: LanguageModel) -> str:
        """A handle by which a model that is no provider's is asked, by this process alone, until it
        is given back. Closing it is its owner's."""
        handle = f"{LENT}/{new_id('model')}"
        self._made[handle] = model
        return handle

    def give_back(self, handle: str) -> None:
        if handle.startswith(f"{LENT}/"):
            self._made.pop(handle, None)

    def demand_provider(self, handle: str) -> None:
        """Whether such a model could be asked once its key is there; which models a provider has
        is seen when one is asked.

        Raises: Invalid where there is no such provider, naming those there are.
        """
        if handle not in self._made:
            name, _ = split_handle(handle)
            _ = self._catalog.find(name) or self._unknown(name)

    async def warm(self, handle: str | None = None) -> None:
        """Make a model ready to be asked, so that the first call doesn't wait for imports.

        Raises: as `get`; ProviderRefused where a library isn't installed.
        """
        wanted = handle or self.default
        if wanted != OFFLINE:
            await self._ask_directly(wanted).warm()

    def warm_soon(self, handle: str | None) -> None:
        """Warm a model in a quiet moment: its agent was made or looked at, and may be spoken to.

        Not when a server starts: what is imported takes 47 MB, which one without agents can do
        without. And not while requests about agents come: imports would slow them down, since
        threads of Python share one processor.
        """
        if self._timer is not None:
            self._timer.cancel()
        if self._warming is None or self._warming.done():
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(QUIET_S, self._warm_now, handle)

    def _warm_now(self, handle: str | None) -> None:
        self._warming = asyncio.create_task(self._warm_up(handle), name="yiku-warm-models")

    async def _warm_up(self, handle: str | None) -> None:
        try:
            if (handle or self.default) != OFFLINE:
                need_key(self._target(handle or self.default))
            await self.warm(handle)
        except (Invalid, ProviderError, SettingInvalid):
            logger.debug("a model can't be warmed", exc_info=True)  # who asks it is told

    def card(self, handle: str) -> ModelCard:
        """What is known of a model, whether it has been listed or not. Raises: as `get`."""
        if handle == OFFLINE:
            return offline_card()
        found = self._found(handle)
        return self._card(self._target(handle), found)

    async def listed(self) -> list[ModelCard]:
        """The models of every provider that is configured or runs here, ours last.

        A provider that doesn't answer is left out, and named in `unlisted`.
        """
        listed = await self._list()
        cards = [
            self._card(Target(access=access, name=found.name, handle=handle), found)
            for handle, (access, found) in listed.found.items()
        ]
        known = {card.handle for card in cards}
        if self.default not in known and self.default != OFFLINE:
            cards.insert(0, self.card(self.default))
        return [*cards, offline_card()]

    async def unlisted(self) -> Mapping[str, str]:
        """Why a provider's models couldn't be listed, by its name."""
        return (await self._list()).failed

    @property
    def unconfigured(self) -> Mapping[str, str]:
        """The variable each provider's key is missing from, by its name."""
        return {
            one.name: one.keys[0]
            for one in self._catalog.providers.values()
            if one.chat and one.keys and not (one.key_optional or self._reach.is_configured(one))
        }

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._warming is not None:
            await asyncio.wait([self._warming])
        if self._backends_made is not None:
            await self._backends_made.close()

    def _target(self, handle: str) -> Target:
        name, model = split_handle(handle)
        provider = self._catalog.find(name) or self._unknown(name)
        access = self._reach.access(provider)
        return Target(access=access, name=model, handle=handle)

    def _unknown(self, name: str) -> Provider:
        """A provider nobody has described is one the settings give an address.

        Raises: Invalid.
        """
        if name == self._reach.own_provider and self._choice.base_url:
            return Provider(name=name, title=name, key_optional=True)
        known = ", ".join(self._catalog.names())
        raise Invalid(
            f"There is no provider `{name}` of language models. Known are {known}; another is"
            " added in providers.toml, or with YIKU_MODEL_BASE_URL.",
            provider=name,
        )

    def _check_default(self, handle: str) -> None:
        """Raises: SettingInvalid."""
        if handle == OFFLINE:
            return
        try:
            self._target(handle)
        except Invalid as error:
            raise SettingInvalid(f"YIKU_MODEL: {error.message}") from error

    def _backends(self) -> Backends:
        """Called in threads: two models that are asked for the first time share one."""
        from yiku.providers.backends import Backends

        with self._making:
            if self._backends_made is None:
                self._backends_made = Backends(self._patience.timeout_s)
            return self._backends_made

    def _accesses(self) -> list[Access]:
        """The providers whose models are listed."""
        found: list[Access] = []
        for provider in self._catalog.providers.values():
            if not provider.chat or not (provider.local or self._reach.is_configured(provider)):
                continue
            try:
                access = self._reach.access(provider)
            except SettingInvalid as error:
                logger.warning(
                    "provider not usable",
                    extra={"action": "provider_not_usable", "why": error.message},
                )
                continue
            if access.usable:
                found.append(access)
        own = self._reach.own_provider
        if own and self._catalog.find(own) is None and self._choice.base_url:
            found.append(self._reach.access(self._unknown(own)))
        return found

    async def _list(self) -> Listed:
        async with self._listing:
            if self._listed is None or monotonic() - self._listed[0] > LIST_KEPT_S:
                listed = await list_models(self._accesses(), self._catalog.is_chat)
                self._listed = (monotonic(), listed)
            return self._listed[1]

    def _found(self, handle: str) -> Found | None:
        if self._listed is None:
            return None
        place = self._listed[1].found.get(handle)
        return place[1] if place else None

    def _card(self, target: Target, found: Found | None) -> ModelCard:
        known = target.known
        window = (found and found.window) or known.window or self._catalog.default_window
        return ModelCard(
            handle=target.handle,
            provider=target.access.name,
            name=target.name,
            context_window=window,
            max_tokens=(found and found.max_tokens) or known.max_tokens,
            note=note_of(target),
        )


def offline_card() -> ModelCard:
    return ModelCard(
        handle=OFFLINE,
        provider="yiku",
        name=OFFLINE.partition("/")[2],
        context_window=1_000_000,
        note="No language model: it remembers, finds again, and says so.",
    )
