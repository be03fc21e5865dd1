"""The reply of last resort: no model is configured, so it remembers, recalls, and says so.

It decides by a few patterns, never by chance, and acts through the tools it is offered, as a
model would: the same conversation always gets the same answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from yiku.core.message import MessageRole, Part, Text, ToolCall, ToolReturn, Utterance
from yiku.core.model import (
    Answer,
    CallPiece,
    Finish,
    Piece,
    Prompt,
    TextPiece,
    ToolSpec,
    Usage,
)
from yiku.core.tokens import estimated_tokens
from yiku.providers.offline_hits import recalled
from yiku.providers.offline_words import (
    ASKS_FOR_NAME,
    HOW,
    WORDS,
    Words,
    is_greeting,
    is_question,
    language_of,
    name_told,
    name_written,
)

HANDLE = "yiku/offline"
SPEAK = "send_message"
INSERT = "archival_memory_insert"
SEARCHES = ("archival_memory_search", "conversation_search")
EDITS = ("memory_insert", "core_memory_append")
HUMAN = "human"
"""The block that tells of the user."""
PIECE = re.compile(r"\s*[\u3400-\u9fff，。：！？（）“”]{1,3}|\s*[^\s\u3400-\u9fff]+|\s+")

EMPTY: Mapping[str, Any] = {
    "integer": 0,
    "number": 0,
    "boolean": False,
    "array": (),
    "object": None,
    "null": None,
}
"""What stands for an argument that a tool insists on, by its type."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What has been said and done since the user spoke last."""

    text: str
    """The user's."""
    calls: Sequence[ToolCall]
    returns: Sequence[ToolReturn]


class OfflineResponder:
    """The LanguageModel port without a language model."""

    @property
    def model(self) -> str:
        return HANDLE

    async def stream(self, prompt: Prompt) -> AsyncGenerator[Piece | Answer]:
        answer = respond(prompt)
        index = 0
        for part in answer.parts:
            if isinstance(part, Text):
                for piece in PIECE.findall(part.text):
                    yield TextPiece(piece)
            elif isinstance(part, ToolCall):
                yield CallPiece(index=index, id=part.id, name=part.name)
                for piece in PIECE.findall(part.arguments):
                    yield CallPiece(index=index, arguments=piece)
                index += 1
        yield answer

    async def complete(self, prompt: Prompt) -> Answer:
        return respond(prompt)

    async def close(self) -> None:
        """There is nothing to close."""


def respond(prompt: Prompt) -> Answer:
    turn = turn_of(prompt.messages)
    tools = {} if prompt.tool_choice == "none" else {tool.name: tool for tool in prompt.tools}
    calls = deeds(prompt, turn, tools)
    parts: tuple[Part, ...] = tuple(
        called(prompt, tools[name], arguments, place)
        for place, (name, arguments) in enumerate(calls)
    )
    if not parts and not any(one.name == SPEAK for one in turn.calls):
        text = reply(prompt, turn)
        if SPEAK in tools and may_call(prompt, SPEAK):
            parts = (called(prompt, tools[SPEAK], {"message": text}, 0),)
        else:
            parts = (Text(text),)
    return Answer(
        parts=parts,
        usage=Usage(
            prompt_tokens=estimated_tokens(prompt.system)
            + sum(estimated_tokens(one.text) for one in prompt.messages),
            completion_tokens=sum(estimated_tokens(one) for one in map(words_of, parts)),
        ),
        finish=Finish.TOOL_CALLS
        if any(isinstance(part, ToolCall) for part in parts)
        else Finish.END,
        model=HANDLE,
    )


def deeds(
    prompt: Prompt, turn: Turn, tools: Mapping[str, ToolSpec]
) -> list[tuple[str, Mapping[str, Any]]]:
    """The tools to call now, with their arguments. None: it is time to speak."""
    choice = prompt.tool_choice
    named = choice if choice in tools else None
    wanted = [one for one in wished(turn, tools) if may_call(prompt, one[0])]
    done = {one.name for one in turn.calls}
    if wanted:
        return wanted if prompt.sampling.parallel_tool_calls is not False else wanted[:1]
    if named and named != SPEAK and named not in done:
        return [(named, {})]  # a rule wants it: with arguments of the right types at least
    if choice == "required" and tools and SPEAK not in tools and not done:
        return [(next(iter(tools)), {})]
    return []


def wished(turn: Turn, tools: Mapping[str, ToolSpec]) -> list[tuple[str, Mapping[str, Any]]]:
    """What the user's words ask for, as far as there are tools and it isn't done yet."""
    text = turn.text
    if not text or is_greeting(text):
        return []
    done = {one.name for one in turn.calls}
    if is_question(text):
        return [(name, {"query": text}) for name in SEARCHES if name in tools and not done]
    edit = next((name for name in EDITS if name in tools), None)
    name = name_told(text)
    if name and edit and not done:
        note = WORDS[language_of(text)].named.format(name=name)
        return [(edit, {"label": HUMAN, "content": note, "new_str": note})]
    edited = any(one.ok and one.name in EDITS for one in turn.returns)
    if INSERT in tools and INSERT not in done and not edited:
        return [(INSERT, {"content": text})]
    return []


def may_call(prompt: Prompt, name: str) -> bool:
    return prompt.tool_choice in ("auto", "required", name)


def called(prompt: Prompt, tool: ToolSpec, arguments: Mapping[str, Any], place: int) -> ToolCall:
    """A call with the arguments the tool has, and something for those it insists on."""
    properties = cast("Mapping[str, Mapping[str, Any]]", tool.parameters.get("properties", {}))
    required = cast("Sequence[str]", tool.parameters.get("required", ()))
    given: dict[str, Any] = {name: value for name, value in arguments.items() if name in properties}
    for name in required:
        if name not in given:
            given[name] = filler(name, properties.get(name, {}), tool.name)
    if "request_heartbeat" in properties and tool.name != SPEAK:
        given["request_heartbeat"] = True  # so that it is asked again, and can say what it did
    seed = f"{len(prompt.messages)}\0{place}\0{tool.name}\0{given}"
    digest = hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()
    return ToolCall(
        id=f"call_{digest[:24]}",
        name=tool.name,
        arguments=json.dumps(given, ensure_ascii=False),
    )


def filler(name: str, schema: Mapping[str, Any], tool: str) -> Any:
    if "default" in schema:
        return schema["default"]
    if schema.get("enum"):
        return schema["enum"][0]
    if name == "request_heartbeat":
        return tool != SPEAK
    return EMPTY.get(str(schema.get("type")), "")


def reply(prompt: Prompt, turn: Turn) -> str:
    """What was done and found, and that there is no model: once in full, later in short."""
    words = WORDS[language_of(turn.text)]
    said = [one for one in told(turn, prompt.system, words) if one]
    if not said and (not turn.text or is_greeting(turn.text)):
        said = [words.hello]
    notice = words.reminder if was_told(prompt.messages) else words.notice
    return "\n\n".join((*said, notice))


def told(turn: Turn, system: str, words: Words) -> list[str]:
    lines: list[str] = []
    searched = [one for one in turn.returns if one.name in SEARCHES and one.ok]
    if is_question(turn.text) and ASKS_FOR_NAME.search(turn.text):
        name = name_written(system)
        lines += [words.known.format(name=name)] if name else []
    if searched:
        hits = recalled([one.text for one in searched], turn.text, words)
        lines.append("\n".join((words.found, *hits)) if hits else "" if lines else words.nothing)
    for one in turn.returns:
        if not one.ok and not any(other.ok for other in turn.returns):
            lines.append(words.failed.format(why=one.text))
        elif one.ok and one.name == INSERT:
            lines.append(words.remembered.format(text=turn.text))
        elif one.ok and one.name in EDITS:
            name = name_told(turn.text) or ""
            lines.append(words.noted.format(text=words.named.format(name=name)))
    if not lines and turn.returns:
        lines.append(words.done)
    return lines


def turn_of(messages: Sequence[Utterance]) -> Turn:
    start = next(
        (
            place
            for place in range(len(messages) - 1, -1, -1)
            if messages[place].role is MessageRole.USER and user_text(messages[place])
        ),
        None,
    )
    if start is None:
        return Turn("", (), ())
    since = messages[start + 1 :]
    return Turn(
        user_text(messages[start]),
        [call for one in since for call in one.calls],
        [answer for one in since for answer in one.returns],
    )


def user_text(utterance: Utterance) -> str:
    """The user's words; those of legacy agents come wrapped in JSON, as heartbeats do."""
    text = utterance.text.strip()
    if not (text.startswith("{") and text.endswith("}")):
        return text
    try:
        wrapped: Any = json.loads(text)
    except ValueError:
        return text
    if not isinstance(wrapped, dict) or "type" not in wrapped:
        return text
    inner = cast("dict[str, Any]", wrapped)
    return str(inner.get("message", "")).strip() if inner["type"] == "user_message" else ""


def was_told(messages: Sequence[Utterance]) -> bool:
    return any(
        HOW in words_of(part)
        for one in messages
        if one.role is MessageRole.ASSISTANT
        for part in one.parts
    )


def words_of(part: Part) -> str:
    if isinstance(part, ToolCall):
        return part.arguments
    return part.text if isinstance(part, Text) else ""
