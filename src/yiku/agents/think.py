"""The model's part of a step: the prompt is made to fit, sent, and answered piece by piece."""

from __future__ import annotations

import time
from dataclasses import dataclass

from yiku.agents import compaction
from yiku.agents.prompt import prompt_of
from yiku.agents.work import Work
from yiku.context import budget
from yiku.core.errors import PromptTooLong
from yiku.core.ids import MessageId, StepId
from yiku.core.model import Answer, Prompt
from yiku.core.run import Said

SQUEEZES = 3
"""How often a prompt that the provider finds too long is compacted and tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """What the model said to a step's prompt."""

    answer: Answer
    prompt_tokens: int
    """As we counted them before, for the calibration."""
    took_ns: int
    ttft_ns: int | None
    """Until its first piece."""


async def think(work: Work, step_id: StepId, message_id: MessageId) -> Thought:
    """Raises: PromptTooLong, ProviderError, Cancelled."""
    await compaction.if_needed(work)
    for left in reversed(range(SQUEEZES)):
        prompt = prompt_of(work)
        try:
            return await ask(work, prompt, step_id, message_id)
        except PromptTooLong:
            if not left or not await compaction.squeeze(work):
                raise
    raise AssertionError("the loop returns or raises")


async def ask(work: Work, prompt: Prompt, step_id: StepId, message_id: MessageId) -> Thought:
    """Raises: PromptTooLong, ProviderError, Cancelled."""
    tell = work.active.tell
    began, first = time.monotonic_ns(), None
    answer: Answer | None = None
    async with work.cancellable():
        async for piece in work.model.stream(prompt):
            if isinstance(piece, Answer):
                answer = piece
                continue
            if first is None:
                first = time.monotonic_ns() - began
            tell(Said(message_id=message_id, step_id=step_id, piece=piece))
    assert answer is not None, "a stream ends with an Answer or raises"
    return Thought(
        answer=answer,
        prompt_tokens=budget.prompt_tokens(prompt),
        took_ns=time.monotonic_ns() - began,
        ttft_ns=first,
    )
