"""The model's part of a step: the prompt is made to fit, sent, and answered piece by piece."""

from __future__ import annotations

import logging
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from yiku.agents import compaction, rules
from yiku.agents.prompt import prompt_of
from yiku.agents.work import Trying, Work
from yiku.context import budget
from yiku.core.errors import PromptTooLong
from yiku.core.message import Text
from yiku.core.model import Answer, CallPiece, Finish, Piece, Prompt, TextPiece, Usage
from yiku.core.run import Said
from yiku.core.tokens import estimated_tokens

logger = logging.getLogger(__name__)

SQUEEZES = 3
"""How often a prompt that the provider finds too long is compacted and tried again."""
LONG_TOKEN = 4
"""Characters. An answer of more than so many for each token of the window is in a loop: some local
servers let a model speak on for ever where nobody says how long it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thought:
    """What the model said to a step's prompt."""

    prompt: Prompt
    answer: Answer
    took_ns: int
    ttft_ns: int | None
    """Until its first piece."""


async def think(work: Work, trying: Trying) -> Thought:
    """Raises: PromptTooLong, ProviderError, Cancelled."""
    prompt = prompt_of(work)
    estimated = budget.prompt_tokens(prompt)
    if compaction.is_needed(work, prompt, estimated):
        compaction.demand_room(work, prompt)
        await compaction.compact(work, prompt, "window")
        prompt = prompt_of(work)
        estimated = budget.prompt_tokens(prompt)
        compaction.demand_fit(work, estimated)
    for left in reversed(range(SQUEEZES)):
        try:
            thought = await ask(work, prompt, trying)
        except PromptTooLong:
            if not left or not await compaction.compact(work, prompt, "overflow"):
                raise
            prompt = prompt_of(work)
            estimated = budget.prompt_tokens(prompt)
        else:
            compaction.learn(work, estimated, thought.answer.usage)
            return thought
    raise AssertionError("the loop returns or raises")


async def ask(work: Work, prompt: Prompt, trying: Trying) -> Thought:
    """Raises: PromptTooLong, ProviderError, Cancelled."""
    tell = work.active.tell
    model = work.agents.models.get(work.handle)
    work.heard.clear()
    began, first = time.monotonic_ns(), None
    answer: Answer | None = None
    waits: dict[int, Literal["approval", "client"] | None] = {}
    left = longest(work, prompt)
    async with work.cancellable(), aclosing(model.stream(prompt)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Answer):
                answer = piece
                continue
            left -= len(piece.arguments if isinstance(piece, CallPiece) else piece.text)
            if left < 0:
                answer = cut_off(work)
                break
            if first is None:
                first = time.monotonic_ns() - began
            if isinstance(piece, TextPiece):
                work.heard.append(piece.text)
            tell(
                Said(
                    message_id=trying.message_id,
                    step_id=trying.step_id,
                    piece=piece,
                    waits=waits_of(work, piece, waits),
                )
            )
    assert answer is not None, "a stream ends with an Answer or raises"
    took_ns = time.monotonic_ns() - began
    return Thought(prompt=prompt, answer=answer, took_ns=took_ns, ttft_ns=first)


def longest(work: Work, prompt: Prompt) -> int:
    """Characters that an answer may have."""
    tokens = max(work.state.agent.config.context_window, prompt.sampling.max_tokens or 0)
    return tokens * LONG_TOKEN


def cut_off(work: Work) -> Answer:
    """What is left of an answer that didn't come to its end: its text, and none of its calls."""
    logger.warning("an answer was cut off", extra={"run": work.run.id, "model": work.handle})
    text = "".join(work.heard)
    return Answer(
        parts=(Text(text),) if text else (),
        usage=Usage(completion_tokens=estimated_tokens(text)),
        finish=Finish.LENGTH,
        model=work.handle,
    )


def waits_of(
    work: Work, piece: Piece, known: dict[int, Literal["approval", "client"] | None]
) -> Literal["approval", "client"] | None:
    """For whom the call that a piece is of will wait; its first piece names the tool."""
    if not isinstance(piece, CallPiece):
        return None
    if piece.name:
        tool = work.state.tool(piece.name)
        if any(one.name == piece.name for one in work.run.request.client_tools):
            known[piece.index] = "client"
        elif tool is not None and rules.needs_approval(work.rules, tool):
            known[piece.index] = "approval"
    return known.get(piece.index)
