"""The LanguageModel port over pydantic-ai's direct layer."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING

from yiku.core.errors import ProviderUnavailable
from yiku.core.model import Answer, Piece, Prompt
from yiku.providers.access import Target, need_key
from yiku.providers.catalog import Overflow
from yiku.providers.patience import Patience

if TYPE_CHECKING:
    from yiku.providers.asking import Asking
    from yiku.providers.backends import Backends
    from yiku.providers.failures import Failure

PATIENCE = Patience(timeout_s=120.0, attempts=3)
LONGEST_WAIT_S = 30.0
"""A provider that asks to wait longer is not waited for: the caller is told."""


class DirectModel:
    """One model of one provider. Nothing is imported or connected before it is asked."""

    def __init__(
        self,
        target: Target,
        backends: Callable[[], Backends],
        overflow: Overflow,
        patience: Patience = PATIENCE,
        rng: random.Random | None = None,
    ) -> None:
        """`rng` spreads the waits of callers that were refused at the same moment."""
        self._target = target
        self._backends = backends
        self._overflow = overflow
        self._patience = patience
        self._rng = rng or random.Random()
        self._asking: Asking | None = None

    @property
    def model(self) -> str:
        return self._target.handle

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece | Answer]:
        need_key(self._target)
        asking = self._asking or await self._made()
        call = asking.call(prompt)
        attempt = 1
        while True:
            begun = False
            try:
                async with aclosing(asking.pieces(call)) as pieces:
                    async for piece in pieces:
                        begun = True
                        yield piece
                return
            except asking.trouble as error:
                wait_s = self._wait_s(attempt, asking.failure(error, begun), error)
            await asyncio.sleep(wait_s)
            attempt += 1

    async def complete(self, prompt: Prompt) -> Answer:
        async with aclosing(self.stream(prompt)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    return piece
        raise ProviderUnavailable(f"{self.model} ended without an answer.", model=self.model)

    async def close(self) -> None:
        """Its connections are those of all models; `Models` closes them."""

    async def warm(self) -> None:
        """Import what it takes, two seconds the first time. Raises: ProviderRefused."""
        if self._asking is None:
            await self._made()

    async def _made(self) -> Asking:
        """In a thread, so that the loop goes on meanwhile."""
        self._asking = await asyncio.to_thread(self._make)
        return self._asking

    def _make(self) -> Asking:
        from yiku.providers.asking import Asking

        return Asking(self._target, self._backends().model(self._target), self._overflow)

    def _wait_s(self, attempt: int, failure: Failure, error: Exception) -> float:
        """Seconds until the next attempt. Raises: the failure's error, where there is none."""
        patience = self._patience
        spread = self._rng.uniform(0.5, 1)
        wait_s = max(failure.wait_s, patience.first_wait_s * 2 ** (attempt - 1) * spread)
        if not failure.passing:
            raise failure.error from error
        if wait_s > LONGEST_WAIT_S or attempt >= patience.attempts:
            tried = f" It was tried {attempt} times." if attempt > 1 else ""
            asked = f" It asks to wait {failure.wait_s:.0f} s." if failure.wait_s else ""
            text = f"{failure.error.message}{tried}{asked}"
            raise type(failure.error)(text, **failure.error.facts) from error
        return wait_s
