"""Asking an OpenAI-compatible endpoint: with a key, with patience, and with plain complaints."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from yiku.core.errors import ProviderRefused, ProviderUnavailable, SettingInvalid
from yiku.providers.embedding_answer import complaint, retry_after_s
from yiku.providers.patience import Patience

MAX_WAIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One path of a provider's API, and the model that is asked for there."""

    provider: str
    model: str  # as the provider calls it
    kind: str  # "an embedding model": for people who configured another
    base_url: str
    path: str  # added to it
    api_key: str | None = field(default=None, repr=False)
    key_setting: str
    key_variable: str | None = None  # where people often keep this provider's key


class Connection:
    """Posts JSON to one address; trouble that passes is tried again."""

    def __init__(
        self, address: Address, patience: Patience, rng: random.Random | None = None
    ) -> None:
        """`rng` spreads the waits of clients that were refused at the same moment.

        Raises: SettingInvalid when the key can't be one.
        """
        self._address = address
        self._patience = patience
        self._rng = rng or random.Random()
        self._places = asyncio.Semaphore(patience.concurrency)
        key = (address.api_key or "").strip()
        if not (key.isascii() and key.replace(" ", "").isprintable()):
            # httpx would say the same with the key in its message.
            raise SettingInvalid(f"{address.key_setting} holds characters that are in no key.")
        self._client = httpx.AsyncClient(
            base_url=address.base_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=patience.timeout_s,
        )

    @property
    def model(self) -> str:
        return f"{self._address.provider}/{self._address.model}"

    @property
    def url(self) -> str:
        return str(self._client.base_url.join(self._address.path))

    async def post(self, body: Mapping[str, Any]) -> httpx.Response:
        """The answer to a request that was taken.

        Raises: ProviderUnavailable (after retries), ProviderRefused.
        """
        async with self._places:
            return await self._post(body)

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, body: Mapping[str, Any]) -> httpx.Response:
        attempts = self._patience.attempts
        why = ""
        for attempt in range(1, attempts + 1):
            wait_s = self._patience.first_wait_s * 2 ** (attempt - 1) * self._rng.uniform(0.5, 1)
            try:
                response = await self._client.post(self._address.path, json=body)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
                raise ProviderRefused(f"{self.url} is no address: {error}") from error
            except httpx.TransportError as error:
                why = f"it can't be reached ({type(error).__name__}: {error})"
            else:
                if not is_passing(response):
                    self._raise_if_refused(response)
                    return response
                why = f"it answered {response.status_code}"
                wait_s = max(wait_s, retry_after_s(response))
            if attempt < attempts:
                await asyncio.sleep(min(wait_s, MAX_WAIT_S))
        raise ProviderUnavailable(
            f"{self.url} was tried {attempts} times: {why}.", model=self.model
        )

    def _raise_if_refused(self, response: httpx.Response) -> None:
        """Raises: ProviderRefused. The key is never part of the message."""
        address, status = self._address, response.status_code
        if not response.is_error and not response.is_redirect:
            return
        said = complaint(response)
        if address.api_key:
            said = said.replace(address.api_key, "…")
        if status in (401, 403):
            kept = f" (often kept as {address.key_variable})" if address.key_variable else ""
            had = "does not accept the API key" if address.api_key else "wants an API key"
            # What the provider says may quote the key, so it isn't passed on.
            message = (
                f"{address.provider} {had} ({status}): set {address.key_setting} to a valid"
                f" key{kept}."
            )
        elif status == 404:
            message = (
                f"{self.url} answered 404{said}. Check that the base URL is right (it often"
                f" ends in /v1) and that the provider has a model `{address.model}`,"
                f" {address.kind}, installed if it is a local server."
            )
        elif status == 429:
            message = f"{address.provider} says the account's quota is used up (429){said}."
        else:
            message = f"{self.url} refused the request with {status}{said}."
        raise ProviderRefused(message, model=self.model, status=status)


def is_passing(response: httpx.Response) -> bool:
    """Whether the same request may succeed later."""
    if response.status_code == 429:
        return "insufficient_quota" not in response.text
    return response.status_code in (408, 425) or response.status_code >= 500
