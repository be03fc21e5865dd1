"""Embeddings from any endpoint that speaks OpenAI's `/embeddings`.

Source: https://platform.openai.com/docs/api-reference/embeddings
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yiku.core.errors import DimensionMismatch, ProviderRefused, ProviderUnavailable
from yiku.core.ports import Purpose
from yiku.providers.connection import Address, Connection
from yiku.providers.embedding_answer import MalformedError, read_answer
from yiku.providers.patience import Patience as Patience
from yiku.providers.tasks import together
from yiku.providers.text import replace_surrogates

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
        self._dimension = endpoint.dimension
        self._answered_by: str | None = None
        self._connection = Connection(
            Address(
                provider=endpoint.provider,
                model=endpoint.model,
                kind="an embedding model",
                base_url=endpoint.base_url,
                path="embeddings",
                api_key=endpoint.api_key,
                key_setting=KEY_SETTING,
                key_variable=endpoint.key_variable,
            ),
            patience or Patience(),
            rng,
        )

    @property
    def model(self) -> str:
        return self._connection.model

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
        await self._connection.close()

    async def _embed_batch(self, texts: list[str]) -> NDArray[np.float32]:
        body: dict[str, Any] = {"model": self._endpoint.model, "input": texts}
        if self._endpoint.ask_for_dimension:
            body["dimensions"] = self._endpoint.dimension
        response = await self._connection.post(body)
        try:
            answer = await asyncio.to_thread(read_answer, response.content, len(texts))
        except MalformedError as error:
            raise ProviderUnavailable(
                f"{self._connection.url} gave an answer that is no embedding: {error}. Is the base"
                " URL right?"
            ) from error
        self._check_model(answer.model)
        self._check_dimension(answer.vectors.shape[1])
        return answer.vectors

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
                f"{self._connection.url} answered with the model `{answered_by}` instead of"
                f" `{asked}`. Vectors of different models can't be compared: configure the model"
                " it has, and run `yiku reembed` if memories were stored with the other.",
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
