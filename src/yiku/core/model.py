"""The nouns of language models: what one is asked, and what it answers, piece by piece."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from yiku.core.memory import Json
from yiku.core.message import MessageRole, Part, Utterance, said


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    """A tool as a model is told of it."""

    name: str
    description: str
    parameters: Mapping[str, Json]
    """JSON Schema of an object."""
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a model is to answer; what isn't given is the provider's own choice."""

    max_tokens: int | None = None
    temperature: float | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    """None: the model's own. `none` switches thinking off where the provider can."""
    thinking_budget: int | None = None
    """Tokens, where a provider counts thinking apart."""
    response_format: Mapping[str, Json] | None = None
    """`{"type": "json_object"}` or `{"type": "json_schema", "json_schema": {…}}`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """All that a model is shown."""

    system: str
    messages: Sequence[Utterance]
    """The conversation, oldest first; each tool call in it has its return."""
    tools: Sequence[ToolSpec] = ()
    tool_choice: Literal["auto", "required", "none"] | str = "auto"
    """A name: that tool must be called."""
    sampling: Sampling = field(default_factory=Sampling)


def asked(system: str, text: str, sampling: Sampling | None = None) -> Prompt:
    """A prompt of one message."""
    return Prompt(
        system=system,
        messages=(said(MessageRole.USER, text),),
        sampling=sampling or Sampling(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the provider counted them; None: it didn't say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None
    """Of the prompt, served from the provider's cache."""
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=together(self.cached_tokens, other.cached_tokens),
            cache_write_tokens=together(self.cache_write_tokens, other.cache_write_tokens),
            reasoning_tokens=together(self.reasoning_tokens, other.reasoning_tokens),
        )


def together(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


class Finish(StrEnum):
    """Why a model stopped."""

    END = "end"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    FILTERED = "filtered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All that a model said to one prompt."""

    parts: tuple[Part, ...]
    """Text, Reasoning and ToolCall, in the model's order."""
    usage: Usage
    finish: Finish
    model: str
    """The handle that answered."""

    @property
    def text(self) -> str:
        return Utterance(MessageRole.ASSISTANT, self.parts).text


@dataclass(frozen=True, slots=True)
class TextPiece:
    """The next few characters of a text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningPiece:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPiece:
    """The next few characters of a tool call's arguments; the first of a call names the tool."""

    index: int
    """Which call of the answer, from 0."""
    id: str | None = None
    name: str | None = None
    arguments: str = ""


Piece = TextPiece | ReasoningPiece | CallPiece


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """A language model there is: what its provider, or our data on it, says."""

    handle: str
    """`<provider>/<model>`."""
    provider: str
    name: str
    context_window: int
    max_tokens: int | None = None
    """It can answer with."""
    note: str | None = None
    """What somebody who asks for it should know: retired, renamed …"""
