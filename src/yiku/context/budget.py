"""What fills a context window, in tokens; pure.

Tokens are estimated from bytes (`core.tokens`), so counting works offline and for any model; what
providers say they counted sets the estimate right (`Calibration`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from yiku.context.compile import WindowView, sections
from yiku.context.conversation import summary_note
from yiku.core.agent import AgentState
from yiku.core.message import (
    Approval,
    Image,
    Message,
    Part,
    Reasoning,
    Summary,
    Text,
    ToolCall,
    ToolReturn,
    Utterance,
)
from yiku.core.model import Prompt, ToolSpec
from yiku.core.tokens import estimated_tokens

PER_MESSAGE = 4
"""What a message takes besides its text; so the next two."""
PER_CALL = 8
PER_TOOL = 12
IMAGE = 1_000
"""A picture of the usual size; providers differ between 85 and 1,600."""

LOWEST, HIGHEST = 0.5, 2.0
"""A ratio beyond these is a mistake of somebody's, not a tokenizer's."""
RATE = 0.2
"""How much a count changes a ratio that many went into."""
TELLING = 1_000
"""Tokens from which a count tells all it can; in a short prompt the frame weighs too much."""

SPARE = 10
"""Of the window, a tenth is left for the answer where nobody says how long it may be."""


def part_tokens(part: Part) -> int:
    match part:
        case Text() | Reasoning():
            return estimated_tokens(part.text)
        case ToolCall():
            return PER_CALL + estimated_tokens(part.name) + estimated_tokens(part.arguments)
        case ToolReturn():
            return PER_CALL + estimated_tokens(part.text)
        case Image():
            return IMAGE
        case Approval():
            return 0


def message_tokens(one: Utterance) -> int:
    return PER_MESSAGE + sum(map(part_tokens, one.parts))


def messages_tokens(messages: Iterable[Utterance]) -> int:
    return sum(map(message_tokens, messages))


def tools_tokens(tools: Iterable[ToolSpec]) -> int:
    return sum(
        PER_TOOL
        + estimated_tokens(one.name)
        + estimated_tokens(one.description)
        + estimated_tokens(json.dumps(one.parameters, ensure_ascii=False))
        for one in tools
    )


def prompt_tokens(prompt: Prompt) -> int:
    """As estimated; `Calibration.tokens` makes the model's own count of it."""
    system = PER_MESSAGE + estimated_tokens(prompt.system) if prompt.system else 0
    return system + messages_tokens(prompt.messages) + tools_tokens(prompt.tools)


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a model counts, compared to us: learned from the usage it returns."""

    ratio: float = 1.0
    counts: int = 0
    """That went into the ratio."""

    def tokens(self, estimated: int) -> int:
        """As the model counts."""
        return ceil(estimated * self.ratio)

    def learned(self, estimated: int, counted: int) -> Calibration:
        """After a prompt of `estimated` tokens for which the provider counted `counted`.

        The first counts are averaged, later ones move the ratio slowly, so it follows a
        conversation that changes its language, and one odd count does little.
        """
        if estimated <= 0 or counted <= 0:
            return self
        seen = min(max(counted / estimated, LOWEST), HIGHEST)
        weight = max(RATE, 1 / (self.counts + 1)) * min(1.0, estimated / TELLING)
        return Calibration(self.ratio + weight * (seen - self.ratio), self.counts + 1)


def room(window: int, max_tokens: int | None = None) -> int:
    """What a prompt may take of the window, so that the answer has its place.

    At least half of it, however long the answer may be.
    """
    return window - min(max(max_tokens or 0, window // SPARE), window // 2)


def must_compact(tokens: int, window: int, max_tokens: int | None = None) -> bool:
    """Whether a prompt of so many tokens, as the model counts, has outgrown its room."""
    return tokens > room(window, max_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextWindowOverview:
    """What fills an agent's window. The names are those of the v1 API; tokens are the model's, as
    far as they are known. The parts' tokens add up to `context_window_size_current`."""

    context_window_size_max: int
    context_window_size_current: int
    num_messages: int
    num_archival_memory: int
    num_recall_memory: int
    num_tokens_external_memory_summary: int
    external_memory_summary: str
    num_tokens_system: int
    """Of the instructions and the tool rules."""
    system_prompt: str
    num_tokens_core_memory: int
    core_memory: str
    """Blocks and open files."""
    num_tokens_summary_memory: int
    summary_memory: str | None
    num_tokens_functions_definitions: int
    functions_definitions: tuple[ToolSpec, ...]
    num_tokens_messages: int
    messages: tuple[Message, ...]


def overview(
    state: AgentState,
    view: WindowView,
    messages: Sequence[Message],
    made: Prompt,
    *,
    summary: Summary | None = None,
    calibration: Calibration | None = None,
) -> ContextWindowOverview:
    """What fills the window of `made`, which was compiled of the rest."""
    parts = sections(state, view)
    told = 0 if summary is None else message_tokens(summary_note(summary.text))
    instructions = "\n\n".join(part for part in (parts.instructions, parts.rules) if part)
    count = (calibration or Calibration()).tokens
    system = count(PER_MESSAGE + estimated_tokens(instructions))
    core = "\n\n".join(part for part in (parts.blocks, parts.files) if part)
    blocks, outside = count(estimated_tokens(core)), count(estimated_tokens(parts.memory))
    tools, told = count(tools_tokens(made.tools)), count(told)
    rest = max(0, count(messages_tokens(made.messages)) - told)
    return ContextWindowOverview(
        context_window_size_max=state.agent.config.context_window,
        context_window_size_current=system + blocks + outside + tools + told + rest,
        num_messages=len(messages),
        num_archival_memory=view.archival_count or 0,
        num_recall_memory=view.recall_count or 0,
        num_tokens_external_memory_summary=outside,
        external_memory_summary=parts.memory,
        num_tokens_system=system,
        system_prompt=instructions,
        num_tokens_core_memory=blocks,
        core_memory=core,
        num_tokens_summary_memory=told,
        summary_memory=None if summary is None else summary.text,
        num_tokens_functions_definitions=tools,
        functions_definitions=tuple(made.tools),
        num_tokens_messages=rest,
        messages=tuple(messages),
    )
