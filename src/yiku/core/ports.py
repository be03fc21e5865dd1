"""What has more than one real implementation, seen from inside."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from yiku.core.model import Answer, Piece, Prompt

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
        """Its handle: `openai/gpt-4o-mini`."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[Piece | Answer]:
        """The answer's pieces as they come, then the whole `Answer`, which ends it.

        What failed before its first piece was tried again already. Closing the generator ends the
        call.

        Raises: ProviderUnavailable (also where a stream breaks off), ProviderRefused,
        PromptTooLong, ModelNotFound.
        """
        ...

    async def complete(self, prompt: Prompt) -> Answer:
        """The whole answer. Raises: as `stream`."""
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
