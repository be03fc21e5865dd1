"""What has more than one real implementation, seen from inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from yiku.core.message import Message

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from yiku.core.tool import Code, Ran

Purpose = Literal["document", "query"]


class Embedder(Protocol):
    """Texts to vectors."""

    @property
    def model(self) -> str:
        """Names what made a vector, weights and variant: `local/all-minilm-l6-v2@int8`."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def multilingual(self) -> bool:
        """False: Chinese is glossed in English before it is embedded."""
        ...

    async def embed(self, texts: Sequence[str], *, purpose: Purpose) -> NDArray[np.float32]:
        """(n, dimension), rows of unit length, in the order of `texts`.

        Raises: ProviderUnavailable, ProviderRefused, DimensionMismatch, ModelNotFound.
        """
        ...

    async def close(self) -> None: ...


class LanguageModel(Protocol):
    """A conversation to what is said next."""

    @property
    def model(self) -> str:
        """Names it: `openai/gpt-4o-mini`."""
        ...

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> str:
        """The model's reply, as text; what isn't given is the provider's own choice.

        Raises: ProviderUnavailable, ProviderRefused.
        """
        ...

    async def close(self) -> None: ...


class Sandbox(Protocol):
    """Runs code that nobody has looked at."""

    async def run(self, code: Code) -> Ran:
        """Call the function; whatever the code does, this answers within its time.

        Raises: SandboxUnavailable where the code can't be run at all.
        """
        ...

    def close(self) -> None: ...
