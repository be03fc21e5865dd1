"""The reply of last resort: no model is configured, so it remembers, recalls, and says so.

It decides by a few patterns, never by chance, and acts through the tools it is offered, as a
model would: the same conversation always gets the same answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, cast

from yiku.core.language import Language, language_of, language_spoken
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
from yiku.providers.offline_hits import newest, recalled
from yiku.providers.offline_reading import (
    ASKS_FOR_NAME,
    asks_for_all,
    asks_for_reminder,
    asks_for_work,
    asks_not_to_keep,
    asks_to_forget,
    asks_who,
    courtesy,
    is_question,
    name_told,
    name_written,
    says_more_than_a_name,
    tells_nothing,
)
from yiku.providers.offline_words import HOW, WORDS, Words

HANDLE = "yiku/offline"
SPEAK = "send_message"
INSERT = "archival_memory_insert"
TALK = "conversation_search"
SEARCHES = ("archival_memory_search", TALK, "search_memory")
EDITS = ("memory_insert", "core_memory_append")
REPLACES = ("memory_replace", "core_memory_replace")
FINISHES = ("memory_finish_edits", "finish_rethinking_memory")
"""Tools that do nothing but end the run."""
WRITTEN = ("content", "new_str", "new_content")
"""The argument that has what a tool stores."""
HUMAN = "human"
"""The block that tells of the user."""
LOOKED_THROUGH = 30
"""So many of the newest messages, where it is asked what is remembered at all."""
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
    language: Language
    system: str
    """The instructions, with the blocks in them."""
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
    turn = turn_of(prompt.messages, prompt.system)
    tools = {} if prompt.tool_choice == "none" else {tool.name: tool for tool in prompt.tools}
    calls = deeds(prompt, turn, tools)
    parts: tuple[Part, ...] = tuple(
        called(prompt, tools[name], arguments, place)
        for place, (name, arguments) in enumerate(calls)
    )
    if all(name in FINISHES for name, _ in calls) and calls:
        parts = (Text(reply(prompt, turn)), *parts)  # nothing more can be said after it
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
    if choice == "required" and tools and SPEAK not in tools:
        finish = next((name for name in FINISHES if name in tools), None)
        if finish is not None:
            return [(finish, {})]
        if not done:
            return [(next(iter(tools)), {})]
    return []


def wished(turn: Turn, tools: Mapping[str, ToolSpec]) -> list[tuple[str, Mapping[str, Any]]]:
    """What the user's words ask for, as far as there are tools and it isn't done yet."""
    text = turn.text
    done = {one.name for one in turn.calls}
    if asks_for_all(text):
        newest_said = {"roles": ["user"], "limit": LOOKED_THROUGH}
        return [(TALK, newest_said)] if TALK in tools and not done else []
    if not text or tells_nothing(text):
        return []
    if is_question(text):
        # What the user said: the agent's own answers would only quote it once more.
        given = {"query": text, "convo_keyword_queries": [text], "roles": ["user"]}
        return [(name, given) for name in SEARCHES if name in tools and not done]
    return kept(turn, tools, done)


def kept(
    turn: Turn, tools: Mapping[str, ToolSpec], done: Set[str]
) -> list[tuple[str, Mapping[str, Any]]]:
    """How what was told is remembered: a name in core memory, all else as it was said."""
    text, name, known = turn.text, name_told(turn.text), name_written(turn.system)
    whole: list[tuple[str, Mapping[str, Any]]] = []
    if INSERT in tools and INSERT not in done:
        whole.append((INSERT, {"content": text}))
    if known and known.name == name and whole:
        return whole
    more = name is None or says_more_than_a_name(text)
    ways = (*(REPLACES if name and known else ()), *EDITS)
    edit = next((way for way in ways if way in tools), None)
    if edit and not done and (name or not whole):
        named = [WORDS[turn.language].named.format(name=name)] if name else []
        note = "\n".join((*named, text) if more and not whole else named)
        old = known.sentence if known else ""
        fields = {"content": note, "new_str": note, "old_str": old}
        if edit in REPLACES:
            fields |= {"old_content": old, "new_content": note}
        return [(edit, {"label": HUMAN, **fields}), *(whole if more else [])]
    edited = any(one.ok and one.name in (*EDITS, *REPLACES) for one in turn.returns)
    return whole if more or not edited else []


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
    """What was done and found, and that there is no model: once in full, later in short.

    Nothing is claimed that no tool has done.
    """
    words = WORDS[turn.language]
    able = Able.of(prompt.tools)
    said = [one for one in told(turn, words) if one] or [answered(turn, able, words)]
    whole = asks_who(turn.text) or not was_told(prompt.messages)
    notice = able.notice(words) if whole else words.reminder
    return "\n\n".join(filter(None, (*said, notice)))


@dataclass(frozen=True, slots=True)
class Able:
    """What an agent has tools for."""

    keeps: bool
    finds: bool

    @classmethod
    def of(cls, tools: Sequence[ToolSpec]) -> Able:
        names = {one.name for one in tools}
        return cls(not names.isdisjoint((INSERT, *EDITS)), not names.isdisjoint(SEARCHES))

    def notice(self, words: Words) -> str:
        if self.keeps and self.finds:
            can = words.keeps_and_finds
        elif self.keeps or self.finds:
            can = words.keeps if self.keeps else words.finds
        else:
            can = words.neither
        return words.notice.format(can=can)


def answered(turn: Turn, able: Able, words: Words) -> str:
    """Where no tool has done anything."""
    kind = courtesy(turn.text) if turn.text else "hello"
    if kind is not None:
        both = able.keeps and able.finds and kind in ("hello", "fine")
        return words.space.join((words.small_talk[kind], *([words.invitation] if both else [])))
    if asks_who(turn.text):
        return ""  # the notice says it
    if asks_to_forget(turn.text):
        return words.not_forgotten
    if asks_not_to_keep(turn.text):
        return words.left_alone
    if asks_for_work(turn.text):
        return words.no_work
    asks = is_question(turn.text) or asks_for_all(turn.text)
    return words.not_searched if asks else words.not_kept


def told(turn: Turn, words: Words) -> list[str]:
    """What the tools have done and found."""
    lines: list[str] = []
    for one in turn.returns:
        if not one.ok and not any(other.ok for other in turn.returns):
            lines.append(words.failed.format(why=one.text))
        elif one.ok and one.name == INSERT:
            lines.append(words.remembered.format(text=written(turn, one)))
            lines += [words.no_reminder] if asks_for_reminder(turn.text) else []
        elif one.ok and one.name in (*EDITS, *REPLACES):
            lines.append(words.noted.format(text=written(turn, one)))
    lines = [*found(turn, words), *lines]
    if not lines and turn.returns:
        names = dict.fromkeys(f"`{one.name}`" for one in turn.returns)
        lines.append(words.called.format(tools=", ".join(names)))
    return lines


def found(turn: Turn, words: Words) -> list[str]:
    """What was looked for and found."""
    everything = asks_for_all(turn.text)
    if not (everything or is_question(turn.text)):
        return []
    name = name_written(turn.system) if everything or ASKS_FOR_NAME.search(turn.text) else None
    lines = [words.known.format(name=name.name)] if name else []
    returns = [one.text for one in turn.returns if one.name in SEARCHES and one.ok]
    if not returns:
        return lines
    if everything:
        hits, head, none = newest(returns, turn.text, words), words.latest, words.nothing_yet
    else:
        hits, head, none = recalled(returns, turn.text, words), words.found, words.nothing
    if hits:
        return [*lines, "\n".join((head, *hits))]
    return lines or [none]


def written(turn: Turn, done: ToolReturn) -> str:
    """What a call has stored."""
    call = next((one for one in turn.calls if one.id == done.call_id), None)
    given: Any = json.loads(call.arguments) if call else {}
    return next((str(given[name]) for name in WRITTEN if name in given), turn.text)


def turn_of(messages: Sequence[Utterance], system: str) -> Turn:
    """`system`: tells the language, where the user has said no word yet."""
    said = {
        place: text
        for place in range(len(messages) - 1, -1, -1)
        if messages[place].role is MessageRole.USER and (text := user_text(messages[place]))
    }
    language = language_spoken(said.values(), language_of([system]))
    if not said:
        return Turn("", language, system, (), ())
    start = max(said)
    since = messages[start + 1 :]
    return Turn(
        said[start],
        language,
        system,
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
    except (ValueError, RecursionError):
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
