"""Models whose calls are told of: how long they took, and what they cost."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from yiku.core.model import Answer, Piece, Prompt
from yiku.core.ports import LanguageModel, Purpose
from yiku.core.telemetry import Doing, Kind, Telemetry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from yiku.providers.cache import Warmable


class WatchedModel:
    """Before another language model."""

    def __init__(self, inner: LanguageModel, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    @property
    def model(self) -> str:
        return self._inner.model

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece | Answer]:
        with self._telemetry.doing(Kind.MODEL, self.model) as doing:
            async with aclosing(self._inner.stream(prompt)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        note_usage(doing, piece)
                    yield piece

    async def complete(self, prompt: Prompt) -> Answer:
        with self._telemetry.doing(Kind.MODEL, self.model) as doing:
            answer = await self._inner.complete(prompt)
            note_usage(doing, answer)
            return answer

    async def close(self) -> None:
        await self._inner.close()


def note_usage(doing: Doing, answer: Answer) -> None:
    usage = answer.usage
    doing.note(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
    )


class WatchedEmbedder:
    """Before another embedder; behind the cache, so that what is told was done."""

    def __init__(self, inner: Warmable, telemetry: Telemetry) -> None:
        self._inner = inner
        self._telemetry = telemetry

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def dimension(self) -> int:
        return self._inner.dimension

    @property
    def multilingual(self) -> bool:
        return self._inner.multilingual

    async def warm(self) -> None:
        await self._inner.warm()

    async def embed(self, texts: Sequence[str], *, purpose: Purpose) -> NDArray[np.float32]:
        with self._telemetry.doing(Kind.EMBEDDING, self.model, texts=len(texts)):
            return await self._inner.embed(texts, purpose=purpose)

    async def close(self) -> None:
        await self._inner.close()
