"""A prompt in the words of pydantic-ai, with what the model's API asks for put right.

Imported before the first call of a model only: pydantic-ai takes two seconds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

from pydantic_ai.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from yiku.core.message import (
    Image,
    MessageRole,
    Reasoning,
    Text,
    ToolCall,
    ToolReturn,
    Utterance,
)
from yiku.core.model import Prompt, ToolSpec
from yiku.providers.access import Target
from yiku.providers.chat import OPENING, Chat
from yiku.providers.incoming import OF_CALL
from yiku.providers.sampling import chosen_tools, settings_of, structured
from yiku.providers.text import object_of, replace_surrogates

UNSEEN: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart(OPENING.text)])]
"""For OpenAI's API: the conversation goes beside pydantic-ai, in the request's own words."""


@dataclass(frozen=True, slots=True)
class Call:
    """What pydantic-ai is called with."""

    messages: list[ModelMessage]
    settings: ModelSettings
    parameters: ModelRequestParameters


def call_of(prompt: Prompt, target: Target, chat: Chat) -> Call:
    specs, choice = chosen_tools(prompt, target.quirks)
    settings = settings_of(prompt.sampling, target)
    if specs and choice != "auto":
        settings["tool_choice"] = choice if choice in ("required", "none") else [choice]
    parameters = ModelRequestParameters(function_tools=[definition(spec) for spec in specs])
    if target.access.provider.api == "openai":
        more = cast("dict[str, Any]", settings.get("extra_body") or {})
        settings["extra_body"] = {"messages": chat.messages(prompt), **more}
        return Call(UNSEEN, settings, parameters)
    structured(prompt.sampling.response_format, parameters)
    return Call(messages_of(prompt, target), settings, parameters)


def definition(spec: ToolSpec) -> ToolDefinition:
    return ToolDefinition(
        name=spec.name,
        description=spec.description,
        parameters_json_schema=cast("dict[str, Any]", spec.parameters),
        strict=True if spec.strict else None,
    )


def messages_of(prompt: Prompt, target: Target) -> list[ModelMessage]:
    """Neighbours of one side become one message: APIs insist that the sides take turns, and that
    the user begins.
    """
    system = replace_surrogates(prompt.system) or None
    made: list[ModelMessage] = []
    for utterance in prompt.messages:
        if utterance.role is MessageRole.ASSISTANT:
            parts = tuple(response_parts(utterance, target.access.name))
            if parts:
                made.append(ModelResponse(parts=parts, provider_name=target.access.name))
            continue
        asked = tuple(request_parts(utterance))
        last = made[-1] if made else None
        if asked and isinstance(last, ModelRequest):
            last.parts = [*last.parts, *asked]
        elif asked:
            made.append(ModelRequest(parts=asked, instructions=system))
    if not made or isinstance(made[0], ModelResponse):
        made.insert(0, ModelRequest(parts=[UserPromptPart(OPENING.text)], instructions=system))
    for message in made:
        if isinstance(message, ModelRequest):
            message.instructions = system
    return made


def request_parts(utterance: Utterance) -> Iterator[ModelRequestPart]:
    """What isn't the model's own: said to it, or returned by a tool."""
    content: list[UserContent] = []
    for part in utterance.parts:
        match part:
            case ToolReturn():
                yield ToolReturnPart(
                    part.name, replace_surrogates(part.text), tool_call_id=part.call_id
                )
            case Text():
                content.append(replace_surrogates(part.text))
            case Image():
                content.append(image(part))
            case _:  # an approval is answered by its tool's return
                pass
    if not content:
        return
    if utterance.role is MessageRole.SYSTEM:
        # Most APIs take instructions at the beginning only.
        content = ["<system>", *content, "</system>"]
    if all(isinstance(one, str) for one in content):
        yield UserPromptPart("\n".join(cast("Sequence[str]", content)))
    else:
        yield UserPromptPart(content)


def response_parts(utterance: Utterance, provider: str) -> Iterator[ModelResponsePart]:
    details = {
        part.id: cast("dict[str, Any]", part.details[OF_CALL])
        for part in utterance.parts
        if isinstance(part, Reasoning) and part.provider == provider and OF_CALL in part.details
    }
    for part in utterance.parts:
        match part:
            case Text() if part.text:
                yield TextPart(replace_surrogates(part.text))
            case ToolCall():
                yield ToolCallPart(
                    part.name,
                    object_of(part.arguments),
                    tool_call_id=part.id,
                    provider_name=provider if part.id in details else None,
                    provider_details=details.get(part.id),
                )
            case Reasoning() if part.provider == provider and OF_CALL not in part.details:
                yield thinking(part)
            case _:  # another provider's reasoning means nothing here
                pass


def thinking(part: Reasoning) -> ThinkingPart:
    return ThinkingPart(
        replace_surrogates(part.text),
        id=part.id,
        signature=part.signature,
        provider_name=part.provider,
        provider_details=dict(part.details) or None,
    )


def image(part: Image) -> UserContent:
    media_type = part.media_type or "image/png"
    if part.data is None:
        return ImageUrl(part.url or "", media_type=part.media_type)
    try:
        return BinaryContent(base64.b64decode(part.data), media_type=media_type)
    except binascii.Error:
        return "[an image that can't be read]"
