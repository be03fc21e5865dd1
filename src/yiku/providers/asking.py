"""One call of a model through pydantic-ai, without patience.

Imported before the first call of a model only.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from pydantic_ai.direct import model_request_stream
from pydantic_ai.models import Model

from yiku.core.model import Answer, Piece, Prompt
from yiku.providers.access import Target
from yiku.providers.catalog import Overflow
from yiku.providers.chat import Chat
from yiku.providers.failures import TROUBLE, Failure, failure_of
from yiku.providers.incoming import Pieces, answer_of
from yiku.providers.outgoing import Call, call_of


class Asking:
    def __init__(self, target: Target, model: Model, overflow: Overflow) -> None:
        self._target = target
        self._model = model
        self._overflow = overflow
        self._chat = Chat(target)

    trouble = TROUBLE
    """What `pieces` raises."""

    def call(self, prompt: Prompt) -> Call:
        return call_of(prompt, self._target, self._chat)

    async def pieces(self, call: Call) -> AsyncGenerator[Piece | Answer]:
        pieces = Pieces()
        async with model_request_stream(
            self._model,
            call.messages,
            model_settings=call.settings,
            model_request_parameters=call.parameters,
            instrument=False,
        ) as stream:
            async for event in stream:
                for piece in pieces.of(event):
                    yield piece
            yield answer_of(stream.get(), self._target.handle)

    def failure(self, error: BaseException, begun: bool) -> Failure:
        return failure_of(error, self._target, self._overflow, begun)
