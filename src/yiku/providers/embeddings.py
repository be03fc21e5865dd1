"""Embeddings from any endpoint that speaks OpenAI's `/embeddings`.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import DimensionMismatch, ProviderRefused, ProviderUnavailable, SettingInvalid
from yiku.core.ports import Purpose
from yiku.providers.embedding_answer import MalformedError, complaint, read_answer, retry_after_s
from yiku.providers.tasks import together
from yiku.providers.text import replace_surrogates

MAX_WAIT_S = 60.0
PROBE = "dimension"
# Several providers refuse empty input; a full stop means as little.
NOTHING = "."
KEY_SETTING = "YIKU_EMBEDDING_API_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One model at one address."""

    provider: str
    model: str  # as the provider calls it
    base_url: str  # `/embeddings` is added to it
    api_key: str | None = field(default=None, repr=False)
    key_variable: str | None = None  # where people often keep this provider's key
    batch: int = 64  # texts a request
    max_characters: int = 8000  # of one text
    dimension: int | None = None  # None: found out by a probe
    ask_for_dimension: bool = False  # send `dimensions`: the model can make shorter vectors
    multilingual: bool = True
    siblings: frozenset[str] = frozenset()  # other models of the provider, known to differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long and how often an endpoint is tried."""

    timeout_s: float = 30.0  # for each step of a request: connecting, waiting for bytes
    attempts: int = 5
    first_wait_s: float = 0.5  # doubled after each attempt, up to a minute
    concurrency: int = 4  # requests under way at a time


class OpenAICompatibleEmbedder:
    """The Embedder port over HTTP.

    An empty text is embedded as a full stop, one longer than the endpoint takes by its beginning.
    """

    def __init__(
        self, endpoint: Endpoint, patience: Patience | None = None, rng: random.Random | None = None
    ) -> None:
        """`rng` spreads the waits of clients that were refused at the same moment.

        Raises: SettingInvalid when the key can't be one.
        """
        self._endpoint = endpoint
        self._patience = patience or Patience()
        self._rng = rng or random.Random()
        self._dimension = endpoint.dimension
        self._answered_by: str | None = None
        self._places = asyncio.Semaphore(self._patience.concurrency)
        key = (endpoint.api_key or "").strip()
        if not (key.isascii() and key.replace(" ", "").isprintable()):
            # httpx would say the same with the key in its message.
            raise SettingInvalid(f"{KEY_SETTING} holds characters that are in no key.")
        self._client = httpx.AsyncClient(
            base_url=endpoint.base_url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=self._patience.timeout_s,
        )

    @property
    def model(self) -> str:
        return f"{self._endpoint.provider}/{self._endpoint.model}"

    @property
    def dimension(self) -> int:
        """Raises: ProviderUnavailable when it is neither configured nor found out yet."""
        if self._dimension is None:
            raise ProviderUnavailable(
                f"The dimension of {self.model} is not known before it has embedded something:"
                " await warm() first, or configure the dimension."
            )
        return self._dimension

    @property
    def multilingual(self) -> bool:
        return self._endpoint.multilingual

    async def warm(self) -> None:
        """Find out the dimension, if need be. Raises: as `embed`."""
        if self._dimension is None:
            await self.embed([PROBE], purpose="query")

    async def embed(self, texts: Sequence[str], *, purpose: Purpose) -> NDArray[np.float32]:
        """(n, dimension), rows of unit length, in the order of `texts`.

        `purpose` makes no difference: the API has no place for it.

        Raises: ProviderUnavailable (after retries), ProviderRefused, DimensionMismatch.
        """
        size, longest = self._endpoint.batch, self._endpoint.max_characters
        clean = [
            replace_surrogates(text[:longest]) if text[:longest].strip() else NOTHING
            for text in texts
        ]
        batches = [clean[i : i + size] for i in range(0, len(clean), size)]
        if not batches:
            await self.warm()
            return np.empty((0, self.dimension), np.float32)
        return np.concatenate(await together(self._embed_batch(batch) for batch in batches))

    async def close(self) -> None:
        await self._client.aclose()

    async def _embed_batch(self, texts: list[str]) -> NDArray[np.float32]:
        body: dict[str, Any] = {"model": self._endpoint.model, "input": texts}
        if self._endpoint.ask_for_dimension:
            body["dimensions"] = self._endpoint.dimension
        async with self._places:
            response = await self._post(body)
        try:
            answer = await asyncio.to_thread(read_answer, response.content, len(texts))
        except MalformedError as error:
            raise ProviderUnavailable(
                f"{self._address} gave an answer that is no embedding: {error}. Is the base URL"
                " right?"
            ) from error
        self._check_model(answer.model)
        self._check_dimension(answer.vectors.shape[1])
        return answer.vectors

    async def _post(self, body: dict[str, Any]) -> httpx.Response:
        attempts = self._patience.attempts
        why = ""
        for attempt in range(1, attempts + 1):
            wait_s = self._patience.first_wait_s * 2 ** (attempt - 1) * self._rng.uniform(0.5, 1)
            try:
                response = await self._client.post("embeddings", json=body)
            except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
                raise ProviderRefused(f"{self._address} is no address: {error}") from error
            except httpx.TransportError as error:
                why = f"it can't be reached ({type(error).__name__}: {error})"
            else:
                if not _is_passing(response):
                    self._raise_if_refused(response)
                    return response
                why = f"it answered {response.status_code}"
                wait_s = max(wait_s, retry_after_s(response))
            if attempt < attempts:
                await asyncio.sleep(min(wait_s, MAX_WAIT_S))
        raise ProviderUnavailable(
            f"{self._address} was tried {attempts} times: {why}.", model=self.model
        )

    @property
    def _address(self) -> str:
        return str(self._client.base_url.join("embeddings"))

    def _raise_if_refused(self, response: httpx.Response) -> None:
        """Raises: ProviderRefused. The key is never part of the message."""
        endpoint, status = self._endpoint, response.status_code
        if not response.is_error and not response.is_redirect:
            return
        said = complaint(response)
        if endpoint.api_key:
            said = said.replace(endpoint.api_key, "…")
        if status in (401, 403):
            kept = f" (often kept as {endpoint.key_variable})" if endpoint.key_variable else ""
            had = "does not accept the API key" if endpoint.api_key else "wants an API key"
            # What the provider says may quote the key, so it isn't passed on.
            message = (
                f"{endpoint.provider} {had} ({status}): set {KEY_SETTING} to a valid key{kept}."
            )
        elif status == 404:
            message = (
                f"{self._address} answered 404{said}. Check that the base URL is right (it often"
                f" ends in /v1) and that the provider has a model `{endpoint.model}`, an"
                " embedding model, installed if it is a local server."
            )
        elif status == 429:
            message = f"{endpoint.provider} says the account's quota is used up (429){said}."
        else:
            message = f"{self._address} refused the request with {status}{said}."
        raise ProviderRefused(message, model=self.model, status=status)

    def _check_model(self, answered_by: str | None) -> None:
        """Raises: ProviderRefused when it isn't the model asked for, or no longer the same.

        Names are spelt in too many ways to compare them with the one asked for; only a known
        other model of the provider, or a change between answers, is certain.
        """
        if answered_by is None:
            return
        before = self._answered_by or answered_by
        self._answered_by = before
        if answered_by != before or answered_by in self._endpoint.siblings:
            asked = before if answered_by != before else self._endpoint.model
            raise ProviderRefused(
                f"{self._address} answered with the model `{answered_by}` instead of `{asked}`."
                " Vectors of different models can't be compared: configure the model it has, and"
                " run `yiku reembed` if memories were stored with the other.",
                model=self.model,
                answered_by=answered_by,
            )

    def _check_dimension(self, found: int) -> None:
        expected = self._dimension
        if expected is None:
            self._dimension = found
        elif found != expected:
            raise DimensionMismatch(
                f"{self.model} gave vectors of dimension {found}; expected {expected}."
                " Configure the dimension it has, or the model that has this one.",
                expected=expected,
                found=found,
            )


def _is_passing(response: httpx.Response) -> bool:
    """Whether the same request may succeed later."""
    if response.status_code == 429:
        return "insufficient_quota" not in response.text
    return response.status_code in (408, 425) or response.status_code >= 500
